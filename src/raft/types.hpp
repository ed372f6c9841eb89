#pragma once

// The core's vocabulary: what goes in and what comes out, in the field's terms (Ongaro's dissertation, chapter 3).

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "raft/configuration.hpp"
#include "raft/entry.hpp"
#include "raft/messages.hpp"

namespace quorate::raft {

// What must be durable before a message of the term leaves.
struct HardState {
  Term term{};
  NodeId vote{};  // 0: no vote in this term.

  friend bool operator==(const HardState&, const HardState&) = default;
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

// A leader wants durable entries that have left its memory, for a follower that lags: those after the newest position
// at or below `bound`, by index and by term, `up_to` at most, as many as fit one message. Answered
// through Core::log_read() or log_unavailable().
struct LogRead {
  NodeId peer{};
  LogId bound;
  Index up_to{};
};

// A leader wants bytes of its newest snapshot for a follower that the log does not reach any more.
// Answered through Core::snapshot_chunk() or snapshot_unavailable().
struct SnapshotRead {
  NodeId peer{};
  std::optional<SnapshotId> id;  // The one under way; none: begin with the newest.
  std::uint64_t offset = 0;
};

// A follower has a chunk to put into its staging file; a chunk at offset 0 begins a new one. Answered through
// Core::snapshot_stored() or snapshot_failed().
struct SnapshotWrite {
  SnapshotId id;
  std::uint64_t offset = 0;
  std::uint64_t total = 0;
  Blob bytes;
};

// How a change of the members ended (R-320: never in silence).
struct ChangeOutcome {
  bool done = false;
  std::string_view reason;  // Of a failure; static text.
};

// One batch of effects. Fields stand in the order in which the shell obeys them.
struct Output {
  std::optional<HardState> hard_state;       // To persist, with `append`, in one write.
  Entries append;                            // To persist; they replace any tail from the first one's index on.
  std::optional<PersistToken> token;         // Set if there is something to persist or to send after it.
  std::vector<Envelope> send;                // May leave at once.
  std::vector<Envelope> send_after_sync;     // Promises: leave only when `token` is durable.
  std::vector<Entries> apply;                // Committed and durable here, in order, each exactly once.
  std::vector<std::uint64_t> reads;          // Ids of read requests that may now be served from the applied state.
  std::vector<std::uint64_t> refused_reads;  // Ids of those that got no answer; to be asked again.
  std::vector<LogRead> log_reads;
  std::vector<SnapshotRead> snapshot_reads;
  std::vector<SnapshotWrite> snapshot_writes;
  std::optional<SnapshotId> snapshot_install;  // Staged whole: verify, make durable, reset the log, swap.
  std::optional<Role> role;                    // Set when the role changed.
  std::optional<ChangeOutcome> change;         // Set when the change of members that this leader drove has ended.

  void clear();
  [[nodiscard]] bool empty() const;
};

struct Limits {
  std::size_t uncommitted_bytes_max = 64U << 20;  // proposals beyond it are refused before they get an index.
  std::size_t uncommitted_entries_max = 65536;
  std::size_t tail_bytes_max = 16U << 20;    // Applied entries kept in memory for slow followers.
  std::size_t tail_entries_max = 500;        // commitLogCount.
  std::size_t message_bytes_max = 1U << 20;  // of entries in one append; one entry always fits.
  std::size_t message_entries_max = 16384;
  std::size_t inflight_messages_max = 64;      // R-307, for each follower.
  std::size_t inflight_bytes_max = 16U << 20;  //
  std::size_t waiting_reads_max = 65536;
  std::size_t snapshot_sends_max = 2;  // at a time.
};

// All in microseconds of the core's own monotonic time.
struct Timing {
  std::int64_t heartbeat_us = 100'000;    // T_hb.
  std::int64_t election_us = 1'000'000;   // T_el; time-outs are drawn from [T_el, 2 T_el).
  std::int64_t stall_us = 2'000'000;      // A leader whose disk is silent for longer gives up.
  std::int64_t catch_up_us = 30'000'000;  // A learner without any progress for longer aborts its promotion.
};

// The stated bound under which leases are safe.
struct LeaseBound {
  std::int64_t drift_ppm = 20'000;  // Between any two servers' monotonic clocks.
  std::int64_t margin_us = 10'000;
};

inline constexpr unsigned priority_default = 100;

// Drawn once for a data directory.
struct Incarnation {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
};

struct Config {
  NodeId self{};
  // Configurations that name another incarnation under the same id do not mean this server: it never campaigns by them
  // . Unset where ids are never used again.
  std::optional<Incarnation> incarnation = {};
  Limits limits{};
  Timing timing{};
  // on together; each can be switched off for tests and for the lab.
  bool has_pre_vote = true;
  bool has_check_quorum = true;
  bool has_stickiness = true;
  bool has_leases = false;  // R-707; a replicated switch, see Core::set_leases().
  LeaseBound lease{};
  unsigned priority = priority_default;  // 0 never campaigns; lower ones wait longer.
  bool may_vote = true;                  // False while recovering or in doubt.
  ConfigurationCodec codec{};
};

}  // namespace quorate::raft
