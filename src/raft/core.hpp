#pragma once

// The consensus core: one door in, one batch out. Deterministic; no clock, file, thread or chance
// of its own.
//
// This is the core restricted to one voter: it becomes leader of a new term at start, appends that term's no-op, and
// commits what is durable here. Elections, replication, membership and snapshots between servers add roles and
// messages; they replace nothing of what stands here.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/prng.hpp"
#include "base/result.hpp"
#include "raft/log.hpp"
#include "raft/types.hpp"

namespace quorate::raft {

class Core {
 public:
  // `noop_payload` is what this server stamps into the no-op of each term it leads (design chapter 3).
  // `recovered.configuration` must name `config.self` as its only voter.
  Core(Config config, Recovered recovered, Blob noop_payload, Prng prng);

  // Moves time on; never backwards.
  void tick(MonoTime now);

  // Appends the commands as one batch, in order, all with the same time: `time`, or the newest entry's if that is
  // later. Returns the first one's index.
  // Refused (ErrorCode::refused): not leader, or the uncommitted tail is over its bound; then nothing was
  // taken.
  [[nodiscard]] Result<Index> propose(std::span<const Blob> commands, WallTime time);

  // Asks for a read barrier; `id` comes back in Output::reads once every entry committed before now is applied and an
  // entry of the own term is committed.
  void read_index(std::uint64_t id);

  // The durable part named by `token`, and everything before it, is on disk.
  void persisted(PersistToken token);

  // The state machine has applied everything up to `index`; older entries may leave memory.
  void applied(Index index);

  // A snapshot at `point` is durable; the log up to it may be cut.
  void compacted(LogId point);

  // Takes what there is to do. The caller's buffers are reused.
  void take_output(Output& into);
  [[nodiscard]] bool has_output() const;

  [[nodiscard]] Role role() const { return role_; }
  [[nodiscard]] Term term() const { return hard_state_.term; }
  [[nodiscard]] NodeId leader() const;
  [[nodiscard]] Index commit_index() const { return commit_; }
  [[nodiscard]] Index durable_index() const { return log_.durable(); }
  [[nodiscard]] WallTime newest_time() const { return newest_time_; }
  [[nodiscard]] std::size_t uncommitted_bytes() const { return uncommitted_bytes_; }
  [[nodiscard]] const Log& log() const { return log_; }

 private:
  // One durable part that the shell has and has not confirmed yet.
  struct Pending {
    PersistToken token;
    Index last;
  };
  struct Read {
    std::uint64_t id;
    Index index;  // Index{} while no entry of the own term is committed: not fixed yet (R-702 step 1).
  };

  void become_leader();
  void append(EntryKind kind, const Blob& command, WallTime time);
  void advance_commit();
  void release_reads();
  void release_tail();

  Config config_;
  Configuration configuration_;
  Blob noop_payload_;
  Prng prng_;
  HardState hard_state_;
  bool hard_state_changed_ = false;
  Role role_ = Role::follower;
  bool role_changed_ = false;
  Log log_;
  Index commit_{};
  Index handed_out_{};  // Everything up to here was given to the state machine.
  Index applied_{};     // Everything up to here is in it.
  Index term_start_{};  // The no-op of the own term.
  WallTime newest_time_{};
  MonoTime now_{};
  std::size_t uncommitted_bytes_ = 0;  // Of the own term's commands.
  std::size_t uncommitted_entries_ = 0;
  std::uint64_t last_token_ = 0;
  std::vector<Pending> pending_;  // In order of their tokens.
  std::vector<Read> waiting_reads_;
  std::vector<std::uint64_t> ready_reads_;
};

}  // namespace quorate::raft
