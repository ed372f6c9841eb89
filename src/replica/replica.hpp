#pragma once

// One server without I/O: the raft core, the tree, the streams, session expiry, containers and snapshots. Everything
// that decides is here; the shell (server, or sim) obeys Output in the order of its fields.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/histogram.hpp"
#include "base/ids.hpp"
#include "base/prng.hpp"
#include "base/result.hpp"
#include "raft/core.hpp"
#include "raft/types.hpp"
#include "replica/expiry.hpp"
#include "replica/front.hpp"
#include "replica/mailbox.hpp"
#include "replica/pump.hpp"
#include "tree/tree.hpp"
#include "wire/command.hpp"
#include "wire/snapshot_format.hpp"

namespace quorate::replica {

// For the log: enough; only what is open already, and the reserve; nothing, a flush waits for space.
enum class DiskSpace : std::uint8_t { enough, low, none };

struct ReplicaConfig {
  raft::Config raft;
  wire::StreamId stream;        // This server's writes of this start.
  wire::TermStart term_start;   // Stamped into each term that this server leads.
  std::int32_t tick_ms = 2000;  // tickTime: granularity of session expiry (protocol 8.2).
  std::int64_t container_check_ms = 60000;
  std::int64_t container_never_used_ms = 0;
  std::size_t containers_per_minute_max = 10000;
  std::uint64_t snapshot_entries = 100000;  // snapCount; drawn anew from [half, whole] after every snapshot.
  std::uint64_t snapshot_log_bytes = 4ULL << 30;
  std::size_t tree_bytes_max =
      0;  // treeMemoryLimitInMb: what would take Tree::live_bytes() over it is refused; 0: off.
};

// The state as storage restored it.
struct Restored {
  raft::Recovered log;
  tree::Tree tree;
  Zxid zxid_base{};
  std::vector<wire::StreamPosition> streams;
  std::uint32_t feature_level = wire::known_feature_level;  // Of the state.
  std::uint64_t cluster_high = 0;
  std::uint64_t cluster_low = 0;
};

// Figures that admin shows (operations 2.4, 2.9).
struct ReplicaStats {
  // Of what this term proposed: from an entry's time to its being applied here, and whom each watch event was told.
  Histogram propagation_ms;
  Histogram created_watches;
  Histogram deleted_watches;
  Histogram changed_watches;
  Histogram children_watches;
  std::uint64_t proposals = 0;  // Commands proposed by this server.
  std::int64_t proposal_bytes_last = -1;
  std::int64_t proposal_bytes_min = -1;
  std::int64_t proposal_bytes_max = -1;
  std::uint64_t refused = 0;             // Submissions refused before they had a number.
  std::uint64_t refused_for_memory = 0;  // Those of them that the tree's budget has no room for.
  std::uint64_t void_entries = 0;        // Entries without effect: another generation, a gap, a repetition.
  std::uint64_t sessions_expired = 0;
  SessionId last_expired{};  // The newest of them ...
  std::int32_t last_expired_timeout_ms = 0;
  std::uint64_t containers_deleted = 0;
};

class Replica {
 public:
  Replica(ReplicaConfig config, Restored restored, Prng prng);
  ~Replica();
  Replica(Replica&&) noexcept;
  Replica& operator=(Replica&&) noexcept;

  // Front 0, 1, ...: replies and events for it are posted into its mailbox; its watches are fired. Both outlive the
  // replica's use of them.
  void attach(std::uint32_t front, Mailbox& mailbox, tree::WatchTable& watches);

  // Gives the write a number in this server's stream; false: refused before it had one (too much under way, disk full,
  // the tree's budget used up, not yet serving) and the front answers -7 (Front::refused).
  [[nodiscard]] bool submit(std::uint32_t front, const Submission& submission);
  // Reports must reach the replica within SessionExpiry::report_lag_ms of `at`, and before a tick of the same turn.
  void touch(SessionId session, MonoTime at);
  // Moves time on, proposes what is due: expired sessions, containers. Once a turn, before take_output().
  void tick(MonoTime now, WallTime wall);

  // Closes the turn's batch: everything submitted since becomes one proposal with one time. What the core refuses for
  // now stays queued (design chapter 6).
  void take_output(Output& into);
  void persisted(raft::PersistToken token);

  // Applies up to `entries` committed entries, posting replies and events; true if more is left. Fewer, but at least
  // one, if they fill a mailbox: who has one with much in it lets it be drained before the next call. The writer lock,
  // where there is one, is held around this call.
  bool apply(std::size_t entries);

  // with space low client writes are refused; what shrinks the problem goes on: resume, closeSession, expiry,
  // cleaning. With none left resume and closeSession are refused as well, rather than left without an answer.
  void set_disk_space(DiskSpace space);

  // Snapshots: header and state are those of the applied index now; items follow from step_snapshot().
  [[nodiscard]] wire::SnapshotHeader begin_snapshot(std::function<void(const tree::SnapshotItem&)> write);
  bool step_snapshot(std::size_t items);
  void abandon_snapshot();
  void snapshot_durable(raft::LogId point);

  [[nodiscard]] bool is_serving() const;  // An entry of the own term is applied.
  [[nodiscard]] tree::Tree& tree();
  [[nodiscard]] const tree::Tree& tree() const;
  [[nodiscard]] const raft::Core& core() const;
  [[nodiscard]] Index applied() const;
  [[nodiscard]] Zxid zxid_of(Index index) const;
  [[nodiscard]] const ReplicaStats& stats() const;
  [[nodiscard]] const SessionExpiry& expiry() const;  // For `dump`.
  // For `hash` (operations 2.10): digests of the tree at zxids that are multiples of 128, oldest first, of this start.
  void for_each_digest(const std::function<void(Zxid zxid, std::uint64_t digest)>& visit) const;
  // The clock of the log as of the last tick (design chapter 3).
  [[nodiscard]] WallTime log_time() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace quorate::replica
