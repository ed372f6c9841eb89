#pragma once

// The core's vocabulary: what goes in and what comes out, in the field's terms (Ongaro's dissertation, chapter 3).

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"

namespace quorate::raft {

enum class EntryKind : std::uint8_t {
  noop = 0,     // The first entry of a term (dissertation 3.6.2 and 6.4); carries the term's switches, opaque here.
  command = 1,  // A request of the state machine.
  configuration = 2,  // A Configuration (wire/configuration.hpp); acts on append.
};

// One entry of the replicated log. Entries that one turn proposes share term and time; on disk and between peers such a
// run is one batch that carries (term, first index, time) once.
struct Entry {
  Term term{};
  Index index{};
  WallTime time{};  // The leader's clock, never going back along the log.
  EntryKind kind = EntryKind::noop;
  Blob command;

  friend bool operator==(const Entry&, const Entry&) = default;
};

// What must be durable before a message of the term leaves.
struct HardState {
  Term term{};
  NodeId vote{};  // 0: no vote in this term.

  friend bool operator==(const HardState&, const HardState&) = default;
};

// A log position with its term; the zero value is the position before the first entry.
struct LogId {
  Term term{};
  Index index{};

  friend auto operator<=>(const LogId&, const LogId&) = default;  // By term first, then index (dissertation 3.6.1).
};

// What a member does now and, where that is decided, what it becomes. The last two occur in joint consensus only
// voters of the outgoing half that the incoming one does not count.
enum class MemberRole : std::uint8_t {
  voter = 1,
  learner = 2,           // Receives everything, never counts.
  learner_to_voter = 3,  // Catches up, then is promoted.
  voter_to_learner = 4,  // Becomes a learner when the joint configuration is left.
  leaving = 5,           // Is removed when the joint configuration is left.
};

struct Member {
  NodeId id{};
  std::uint64_t incarnation_high = 0;  // Drawn once for a data directory.
  std::uint64_t incarnation_low = 0;
  MemberRole role = MemberRole::voter;
  std::string address = {};  // Its server line's value in zoo.cfg, opaque here: routing only. May be empty.

  friend bool operator==(const Member&, const Member&) = default;
};

// A tombstone: this incarnation is never again a member.
struct RemovedMember {
  NodeId id{};
  std::uint64_t incarnation_high = 0;
  std::uint64_t incarnation_low = 0;

  friend auto operator<=>(const RemovedMember&, const RemovedMember&) = default;
};

// Who takes part. In joint consensus `outgoing` holds the voters of the configuration that is being left, members all
// of them; empty otherwise. Each list is ascending, without repetition.
struct Configuration {
  std::vector<Member> members;
  std::vector<NodeId> outgoing = {};
  std::vector<RemovedMember> removed = {};
  bool leaves_automatically = false;  // The joint configuration is left without being asked to.

  friend bool operator==(const Configuration&, const Configuration&) = default;
};

// What storage hands back at start.
struct Recovered {
  HardState hard_state;
  LogId snapshot;               // The point up to which the state machine was restored; zero: none.
  Configuration configuration;  // The one in force at the snapshot.
  LogId configuration_entry{};  // The entry that it came from; zero: from founding.
  Index commit_hint{};          // Never above the durable log.
  WallTime time{};              // The log's time at the snapshot, behind which it never goes back.
  std::vector<Entry> entries;   // All durable entries after the snapshot, contiguous.
};

enum class Role : std::uint8_t { follower, candidate, leader };

// Names one Output's durable part; handed back through persisted() when that part is durable.
enum class PersistToken : std::uint64_t {};

// One batch of effects. Fields stand in the order in which the shell obeys them.
struct Output {
  std::optional<HardState> hard_state;  // To persist, with `append`, in one write.
  std::vector<Entry> append;            // To persist; they replace any tail from the first one's index on.
  std::optional<PersistToken> token;    // Set if there is something to persist.
  std::vector<Entry> apply;             // Committed and durable here, in order, each exactly once.
  std::vector<std::uint64_t> reads;     // Ids of read requests that may now be served at Core::commit_index().
  std::optional<Role> role;             // Set when the role changed.

  void clear();
  [[nodiscard]] bool empty() const;
};

struct Limits {
  std::size_t uncommitted_bytes_max = 64U << 20;  // proposals beyond it are refused before they get an index.
  std::size_t uncommitted_entries_max = 65536;
  std::size_t tail_bytes_max = 16U << 20;  // Applied entries kept in memory for slow followers.
  std::size_t tail_entries_max = 500;      // commitLogCount.
};

struct Config {
  NodeId self{};
  Limits limits;
};

}  // namespace quorate::raft
