#pragma once

// The consensus core: one door in, one batch out. Deterministic; no clock, file, thread or chance of its own.
//
// One class, spread by duty as the dissertation is by section:
//   core.cpp         start, time, the door for messages, what leaves          (3.3; R-0xx, R-1xx)
//   election.cpp     time-outs, pre-vote, votes, stickiness                    (3.4, 4.2.3, 9.6; R-2xx)
//   append.cpp       a follower's half of replication                         (3.5)
//   replication.cpp  a leader's half of it, and commitment                     (3.5, 3.6, 10.2)
//   read_index.cpp   linearizable reads and leases                             (6.4; R-70x)
//   transfer.cpp     leadership transfer                                       (3.10; R-5xx)
//   change.cpp       changes of the members                                    (chapter 4; R-4xx)
//   install.cpp      snapshots for followers                                   (chapter 5; R-6xx)

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/prng.hpp"
#include "base/result.hpp"
#include "raft/log.hpp"
#include "raft/membership.hpp"
#include "raft/quorum.hpp"
#include "raft/roles.hpp"
#include "raft/types.hpp"

namespace quorate::raft {

class Core {
 public:
  // `noop_payload` is what this server stamps into the no-op of each term it leads (design chapter 3).
  // Whoever is its configuration's only voter leads at once, in a new term; everybody else starts as follower.
  Core(Config config, Recovered recovered, Blob noop_payload, Prng prng);

  // ---- Inputs. Each may leave something to take.

  // Moves time on; never backwards. After a pause, deliver the messages that waited first.
  void tick(MonoTime now);
  // A message of a peer whose identity was checked. Refused (ErrorCode::invalid): it is malformed, close the
  // link.
  Result<void> step(NodeId from, Message message);

  // Appends the commands as one batch, in order, all with the same time: `time`, or the newest entry's if that is
  // later. Returns the first one's index.
  // Refused (ErrorCode::refused): not leader, leadership is moving away, or the uncommitted tail is over its bound
  // then nothing was taken.
  [[nodiscard]] Result<Index> propose(std::span<const Blob> commands, WallTime time);

  // Asks for a read barrier: `id` comes back in Output::reads once this server has applied everything that was
  // committed anywhere when it was asked, or in Output::refused_reads if no leader confirmed it in time. `now`:
  // the clock, read after the request had come. While this server holds a lease at that time, no round is needed
  //
  void read_index(std::uint64_t id, MonoTime now);

  // Begins a change to the members `target` (whole list). New voters first catch up as learners. The end comes
  // in Output::change. Refused; `is_forced`: also when fewer than a quorum of `target` are healthy and
  // caught up.
  Result<void> change_members(std::vector<Member> target, bool is_forced = false);

  // Hands leadership to `target`. Refused: R-502.
  Result<void> transfer_leadership(NodeId target);

  // The process of `leader` is proved gone. No effect while leases are on, or on another leader.
  void leader_is_gone(NodeId leader);

  // Messages to `peer` were lost: the link broke, or a lane was full.
  void unreachable(NodeId peer);

  // The durable part named by `token`, and everything before it, is on disk.
  void persisted(PersistToken token);

  // The state machine has applied everything up to `index`; older entries may leave memory.
  void applied(Index index);

  // A snapshot of the own state at `point` is durable; the log up to it may be cut.
  void compacted(LogId point);

  // Answers to Output::log_reads: entries that follow `before`, which stands at the index that was asked for; or that
  // the log on disk does not reach back so far.
  void log_read(NodeId peer, LogId before, Entries entries);
  void log_unavailable(NodeId peer);
  // Answers to Output::snapshot_reads: a part of the newest snapshot, or that there is none to read.
  void snapshot_chunk(NodeId peer, SnapshotChunk chunk);
  void snapshot_unavailable(NodeId peer);
  // Answers to Output::snapshot_writes and snapshot_install: staged up to `offset`; installed, with the state and the
  // log's start swapped; or it did not check.
  void snapshot_stored(const SnapshotId& id, std::uint64_t offset);
  void snapshot_installed(const SnapshotId& id, Configuration configuration, WallTime time);
  void snapshot_failed(const SnapshotId& id);

  // The replicated switch; given with each term's no-op, or a snapshot.
  void set_leases(bool are_on) { config_.has_leases = are_on; }

  // ---- Output.

  // Takes what there is to do. The caller's buffers are reused.
  void take_output(Output& into);
  [[nodiscard]] bool has_output() const;

  // ---- What can be seen.

  [[nodiscard]] NodeId self() const { return config_.self; }
  [[nodiscard]] Role role() const;
  [[nodiscard]] Term term() const { return hard_state_.term; }
  [[nodiscard]] HardState hard_state() const { return hard_state_; }
  // Of the current term, as far as this server knows; 0: not known.
  [[nodiscard]] NodeId leader() const;
  [[nodiscard]] Index commit_index() const { return commit_; }
  [[nodiscard]] Index applied_index() const { return applied_; }
  [[nodiscard]] Index durable_index() const { return log_.durable(); }
  [[nodiscard]] WallTime newest_time() const { return newest_time_; }
  [[nodiscard]] std::size_t uncommitted_bytes() const { return uncommitted_bytes_; }
  [[nodiscard]] const Log& log() const { return log_; }
  [[nodiscard]] const Configuration& configuration() const { return configurations_.effective(); }
  [[nodiscard]] LogId configuration_id() const { return configurations_.effective_id(); }
  // When a leader spoke last, rounded up at the next tick.
  [[nodiscard]] MonoTime leader_heard() const { return heard_.at; }
  // The one that a snapshot at `index` carries.
  [[nodiscard]] const StoredConfiguration& configuration_at(Index index) const { return configurations_.at(index); }
  // Of a leader; empty otherwise.
  [[nodiscard]] std::span<const Progress> peers() const;
  // Whether reads may be answered from the state of commit_index() without a round, at `now`.
  [[nodiscard]] bool holds_lease(MonoTime now) const;
  [[nodiscard]] std::uint64_t reads_by_lease() const { return reads_by_lease_; }
  [[nodiscard]] const RoleState& role_state() const { return role_; }
  [[nodiscard]] const Config& config() const { return config_; }

 private:
  // One durable part that the shell has and has not confirmed yet.
  struct Pending {
    PersistToken token;
    Index last;  // Of the entries that it makes durable; truncation lowers it.
    Term term;
    MonoTime since;
  };
  struct Read {
    std::uint64_t id;
    Index index;
  };
  // The leader that spoke last, of whatever term.
  struct Heard {
    NodeId leader{};
    MonoTime at{};        // Never too early: the next tick's time, for a word after a tick came after that one.
    bool is_new = false;  // No tick has come since; `at` is the last one's time so far.
  };
  // A snapshot that comes in.
  struct Incoming {
    SnapshotId id;
    NodeId from{};
    std::uint64_t total = 0;
    std::uint64_t stored = 0;
    bool is_writing = false;
    bool is_installing = false;
  };

  // core.cpp
  void restore(Recovered& recovered);
  void become_follower(Term term, NodeId leader);
  void leave_role();
  void send(NodeId to, Message message);
  void send_durable(NodeId to, Message message);
  void append(EntryKind kind, std::span<const Blob> commands, WallTime time);
  void configuration_changed();
  void check() const;
  void check_role() const;
  void take_messages(Output& into);
  void take_persistence(Output& into);
  void take_committed(Output& into);
  void release_reads();
  void release_tail();
  Result<void> admit(NodeId from, const Message& message);
  [[nodiscard]] std::uint64_t next_number() { return ++numbers_; }

  // election.cpp
  void tick_follower(Follower& follower, std::int64_t jump_us, bool has_heard);
  void tick_candidate(Candidate& candidate);
  void campaign(bool is_pre, bool is_transfer);
  void ask_for_votes(const Candidate& candidate);
  void count_own_vote();
  void count_votes();
  void become_leader();
  void follow(NodeId leader, Term term);
  [[nodiscard]] bool may_campaign() const;
  [[nodiscard]] bool has_promised_patience() const;
  [[nodiscard]] bool is_sticky(NodeId candidate) const;
  [[nodiscard]] MonoTime election_deadline();
  [[nodiscard]] bool has_live_quorum(const Leader& leader) const;
  void answer_pre_vote(NodeId from, const VoteRequest& request);
  Result<void> on(NodeId from, const VoteRequest& request);
  Result<void> on(NodeId from, const VoteReply& reply);

  // append.cpp
  Result<void> on(NodeId from, const AppendRequest& request);
  Result<void> on(NodeId from, const Heartbeat& heartbeat);
  Result<void> take_entries(const AppendRequest& request);
  Result<void> append_new(const Entries& entries);
  [[nodiscard]] Result<std::vector<StoredConfiguration>> configurations_in(const Entries& entries) const;
  void cut_conflict(Index first);
  void acknowledge(Follower& follower);
  void advance_commit_to(Index index);

  // replication.cpp
  void tick_leader(Leader& leader);
  void heartbeat(Leader& leader);
  void replicate(Leader& leader);
  void replicate_to(Progress& peer);
  void send_append(Progress& peer, bool is_empty);
  void send_entries(Progress& peer, LogId before, Entries entries);
  void read_log(Progress& peer);
  void align_peers(Leader& leader);
  void advance_commit();
  void settle_commit(Leader& leader);
  [[nodiscard]] bool is_stalled() const;
  [[nodiscard]] Progress* find_peer(NodeId id);
  Result<void> on(NodeId from, const AppendReply& reply);
  Result<void> on(NodeId from, const HeartbeatReply& reply);

  // read_index.cpp
  void confirm_rounds(Leader& leader);
  void answer_read(const ReadWaiter& waiter, std::optional<Index> index);
  void expire_forwarded_reads(Follower& follower);
  Result<void> on(NodeId from, const ReadRequest& request);
  Result<void> on(NodeId from, const ReadReply& reply);

  // transfer.cpp
  void drive_transfer(Leader& leader);
  void give_up_stalled_leadership(Leader& leader);
  Result<void> on(NodeId from, const TimeoutNow& message);

  // change.cpp
  void drive_change(Leader& leader);
  void begin_catch_up(Leader& leader);
  void watch_catch_up(Leader& leader);
  void append_configuration(const Configuration& configuration);
  void end_change(Leader& leader, ChangeOutcome outcome);
  [[nodiscard]] Result<void> may_change(const Leader& leader) const;
  [[nodiscard]] bool answers(const Progress& peer) const;
  [[nodiscard]] bool is_ready(const CatchUp& learner) const;
  [[nodiscard]] bool keeps_quorum(const Leader& leader, const std::vector<Member>& target) const;
  void after_configuration_committed(Leader& leader);

  // install.cpp
  void begin_snapshot(Progress& peer);
  void tick_snapshots(Leader& leader);
  Result<void> on(NodeId from, SnapshotChunk& chunk);
  Result<void> on(NodeId from, const SnapshotReply& reply);
  void reply_snapshot(bool is_refused);

  Config config_;
  Blob noop_payload_;
  Prng prng_;
  HardState hard_state_;
  bool hard_state_changed_ = false;
  Term durable_term_{};
  RoleState role_;
  bool role_changed_ = false;
  Log log_;
  ConfigurationHistory configurations_;
  Electorate electorate_;  // Of the effective configuration.
  Index commit_{};
  Index handed_out_{};  // Everything up to here was given to the state machine.
  Index applied_{};     // Everything up to here is in it.
  WallTime newest_time_{};
  MonoTime now_{};
  std::optional<MonoTime> started_;    // The first tick.
  Heard heard_;                        // Outlives the term: a lease may rest on it.
  NodeId gone_leader_{};               // Proved gone, and not heard since.
  unsigned lost_campaigns_ = 0;        // In a row.
  std::size_t uncommitted_bytes_ = 0;  // Of the own term's commands.
  std::size_t uncommitted_entries_ = 0;
  bool must_replicate_ = false;  // A leader has something to tell its peers in this turn.
  std::uint64_t last_token_ = 0;
  std::vector<Pending> pending_;  // In order of their tokens.
  std::vector<Envelope> outbox_;
  std::vector<Envelope> promises_;   // Wait for what is not durable yet.
  std::uint64_t numbers_ = 0;        // For attempts and campaigns; begins anywhere.
  std::vector<Read> waiting_reads_;  // With their index, for the state machine to reach it.
  std::uint64_t reads_by_lease_ = 0;
  std::vector<std::uint64_t> ready_reads_;
  std::vector<std::uint64_t> refused_reads_;
  std::optional<Incoming> incoming_;
  std::vector<LogRead> log_reads_;
  std::vector<SnapshotRead> snapshot_reads_;
  std::vector<SnapshotWrite> snapshot_writes_;
  std::optional<SnapshotId> snapshot_install_;
  std::optional<ChangeOutcome> change_outcome_;
};

}  // namespace quorate::raft
