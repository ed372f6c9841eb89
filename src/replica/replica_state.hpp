#pragma once

// What a Replica is made of; private to this room. Spread by duty: replica.cpp (the door), apply.cpp (entries).

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/prng.hpp"
#include "raft/core.hpp"
#include "replica/containers.hpp"
#include "replica/expiry.hpp"
#include "replica/mailbox.hpp"
#include "replica/pump.hpp"
#include "replica/replica.hpp"
#include "replica/ring.hpp"
#include "replica/streams.hpp"
#include "tree/tree.hpp"
#include "tree/watch_table.hpp"
#include "wire/command.hpp"
#include "wire/requests.hpp"

namespace quorate::replica {

// Whom the outcome of a write of the own stream concerns.
struct Origin {
  static constexpr std::uint32_t nobody = UINT32_MAX;  // Expiry and cleaning.

  std::uint32_t front = nobody;
  ConnectionRef connection;
  bool with_read_only_flag = false;
  std::size_t growth = 0;  // Of the tree, at most, where there is a budget.
};

struct Attached {
  Mailbox* mailbox = nullptr;
  tree::WatchTable* watches = nullptr;
};

struct RememberedDigest {
  Zxid zxid{};
  std::uint64_t digest = 0;
};

struct Replica::State {
  State(ReplicaConfig config, Restored restored, Prng prng);

  // replica.cpp
  [[nodiscard]] bool has_room(std::size_t bytes) const;
  [[nodiscard]] bool has_memory(const Submission& submission, std::size_t& growth);
  void enqueue(wire::Command& command, const Origin& origin);
  void propose();
  [[nodiscard]] bool mail_is_full() const;
  void allow_for_pauses();
  void propose_expired();
  void propose_cleaning();
  void move_clock(WallTime wall);
  void draw_snapshot_thresholds();
  [[nodiscard]] bool snapshot_is_due() const;

  // apply.cpp
  void apply_entry(const raft::Entry& entry);
  // Until the mail is full; how many they were.
  std::size_t apply_row(std::span<const raft::Entry> row);
  void remember_digest();
  void apply_term_start(const raft::Entry& entry);
  void apply_configuration(const raft::Entry& entry);
  void apply_command(const raft::Entry& entry);
  void execute(const wire::Command& command, const raft::Entry& entry, const Origin* origin);
  void execute_request(const wire::Command& command, const Origin* origin);
  tree::Status execute_operation(const wire::Command& command);
  void execute_create_session(const wire::Command& command, const Origin* origin);
  void execute_resume_session(const wire::Command& command, const Origin* origin);
  void execute_expire_session(const wire::Command& command, const raft::Entry& entry);
  void end_session(SessionId session);
  void post_events();
  Histogram& watchers_told(tree::EventType type);
  void post_to_all(const MailItem& item);
  void post_reply(const wire::Command& command, tree::Status status, const Origin* origin);
  void post_close(const Origin* origin);
  void post_connected(const Origin* origin, SessionId session, const wire::SessionRequest& request,
                      std::uint32_t generation);
  void post_resume_refused(const Origin* origin);
  // Appends an item for the origin's connection, with the bytes that were encoded from `offset` on.
  void post(const Origin& origin, MailItem::Kind kind, std::size_t offset);

  ReplicaConfig config;
  Zxid zxid_base{};
  std::uint64_t cluster_high = 0;
  std::uint64_t cluster_low = 0;
  // As of the applied index, with the entry that it came from: what a snapshot keeps.
  raft::Configuration configuration;
  raft::LogId configuration_entry;
  std::uint32_t feature_level = 0;
  tree::Tree tree;
  StreamTable streams;
  Prng prng;
  raft::Core core;
  std::vector<Attached> fronts;

  // Writes of the own stream: encoded into one buffer a turn, of which the log's entries are slices.
  std::string arena;
  std::vector<std::size_t> arena_ends;  // Where each command ends.
  std::vector<Blob> queued;             // Of earlier turns, refused by the core for now.
  std::size_t queued_bytes = 0;
  std::size_t growth_under_way = 0;  // The sum over `origins`.
  std::uint64_t last_number = 0;
  std::uint64_t first_unresolved = 1;  // The number of origins[0].
  Ring<Origin> origins;

  Pump pump{core};

  raft::LogId applied{};
  Ring<RememberedDigest> digests;
  bool serving = false;
  DiskSpace disk_space = DiskSpace::enough;

  MonoTime now{};
  bool ticked = false;
  WallTime clock_base{};  // The log's time at clock_anchor; it moves on with the monotonic clock at least.
  MonoTime clock_anchor{};
  WallTime log_time{};

  SessionExpiry expiry;
  bool expiry_waits = false;        // For one turn.
  bool expiry_restart_due = false;  // The next tick knows what time it is.
  MonoTime served{};                // The newest tick at which clients could be heard and answered.
  bool just_allowed = false;        // The last tick left a pause out.
  Index committed_before{};         // As of the last tick.
  ContainerCleaner cleaner;
  std::vector<SessionId> expired;       // Scratch.
  std::vector<std::string> expendable;  // Scratch.

  std::uint64_t entries_since_snapshot = 0;
  std::uint64_t bytes_since_snapshot = 0;
  std::uint64_t snapshot_after_entries = 0;
  std::uint64_t snapshot_after_bytes = 0;
  MonoTime snapshot_not_before{};

  // Scratch of apply.
  tree::ApplyContext context;
  std::vector<tree::Identity> identities;
  wire::DecodeScratch decode_scratch;
  wire::Request request;
  tree::OperationResult result;
  std::vector<tree::OperationResult> results;
  tree::WatchEvents events;

  ReplicaStats stats;
};

}  // namespace quorate::replica
