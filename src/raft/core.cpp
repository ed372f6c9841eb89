#include "raft/core.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/ensure.hpp"

namespace quorate::raft {
namespace {

// no honest cluster raises its term so far at once.
constexpr std::uint64_t term_jump_max = std::uint64_t{1} << 32;

}  // namespace

Core::Core(Config config, Recovered recovered, Blob noop_payload, Prng prng)
    : config_(config),
      noop_payload_(std::move(noop_payload)),
      prng_(prng),
      hard_state_(recovered.hard_state),
      log_(recovered.snapshot),
      configurations_(StoredConfiguration{.id = recovered.configuration_entry,
                                          .configuration = std::move(recovered.configuration)}),
      commit_(recovered.snapshot.index),
      handed_out_(recovered.snapshot.index),
      applied_(recovered.snapshot.index),
      newest_time_(recovered.time) {
  ensure(raw(config_.self) != 0, "a server has an id");
  ensure(config_.timing.heartbeat_us > 0 && config_.timing.election_us >= 2 * config_.timing.heartbeat_us,
         "several heartbeats fit into an election timeout");
  restore(recovered);
  numbers_ = prng_.next_u64() >> 1;  // answers to an earlier life's questions match none of this one.
  if (electorate_.is_alone(config_.self) && may_campaign()) {
    campaign(false, false);  // nobody else could lead, so there is nothing to wait for.
  }
}

void Core::restore(Recovered& recovered) {
  ensure(recovered.commit_hint <= Index{raw(recovered.snapshot.index) + recovered.entries.size()},
         "the commit hint never exceeds the durable log (R-101)");
  electorate_ = Electorate(configurations_.effective());
  for (const Entry& entry : recovered.entries) {
    ensure(entry.time >= newest_time_, "time never goes back along the log (R-709)");
    newest_time_ = entry.time;
    if (entry.kind == EntryKind::configuration) {
      Result<Configuration> configuration = config_.codec.decode(entry.command.view());
      ensure(configuration.has_value(), "storage has checked what it hands over (R-121)");
      configurations_.append(LogId{.term = entry.term, .index = entry.index}, std::move(*configuration));
    }
  }
  log_.restore(std::move(recovered.entries));
  electorate_ = Electorate(configurations_.effective());
  // A term that only its entries show was durable with them, though no vote in it is known.
  if (log_.last().term > hard_state_.term) {
    hard_state_ = HardState{.term = log_.last().term, .vote = NodeId{}};
  }
  durable_term_ = hard_state_.term;
  // clamp(hint, snapshot, last); a hint beyond the log was corruption, and storage has refused it.
  ensure(log_.durable() == log_.last().index, "all that is read from disk is durable");
  commit_ = std::max(commit_, recovered.commit_hint);
}

void Core::tick(MonoTime now) {
  ensure(now >= now_, "monotonic time does not go back");
  const std::int64_t jump_us = started_ ? elapsed_us(now_, now) : 0;
  now_ = now;
  const bool has_heard = std::exchange(heard_.is_new, false);
  if (has_heard) {
    heard_.at = now;
  }
  if (!started_) {
    started_ = now;
    if (auto* follower = std::get_if<Follower>(&role_)) {
      follower->deadline = election_deadline();
    }
  }
  if (auto* follower = std::get_if<Follower>(&role_)) {
    tick_follower(*follower, jump_us, has_heard);
  } else if (auto* candidate = std::get_if<Candidate>(&role_)) {
    tick_candidate(*candidate);
  } else {
    tick_leader(std::get<Leader>(role_));
  }
}

Result<void> Core::step(NodeId from, Message message) {
  ensure(from != config_.self && raw(from) != 0, "messages come from other servers");
  if (Result<void> admitted = admit(from, message); !admitted) {
    return admitted;
  }
  return std::visit([this, from](auto& content) { return on(from, content); }, message);
}

// a higher term is adopted, but for what only proposes one, and for what stickiness ignores.
Result<void> Core::admit(NodeId from, const Message& message) {
  const Term term = term_of(message);
  ensure(from != config_.self, "nobody writes to himself");
  if (term <= hard_state_.term) {
    return {};
  }
  if (raw(term) - raw(hard_state_.term) > term_jump_max) {
    return failure(ErrorCode::invalid, "a peer claims a term that no cluster reaches (R-216)");
  }
  if (const auto* request = std::get_if<VoteRequest>(&message)) {
    if (request->is_pre || (!request->is_transfer && is_sticky(from))) {
      return {};
    }
  }
  if (const auto* reply = std::get_if<VoteReply>(&message); reply != nullptr && reply->is_pre && reply->is_granted) {
    return {};
  }
  become_follower(term, NodeId{});
  ensure(term == hard_state_.term, "a newer term is adopted before anybody looks at the message (R-201)");
  return {};
}

// A follower that stays one keeps its deadline: sighting a term is no reason to wait longer.
void Core::become_follower(Term term, NodeId leader) {
  ensure(term >= hard_state_.term, "terms never fall (R-201)");
  ensure(leader != config_.self, "nobody follows himself");
  const auto* before = std::get_if<Follower>(&role_);
  const MonoTime deadline = before != nullptr ? before->deadline : election_deadline();
  role_changed_ = role_changed_ || before == nullptr;
  leave_role();
  if (term > hard_state_.term) {
    hard_state_ = HardState{.term = term, .vote = NodeId{}};  // a term adopted is no vote given.
    hard_state_changed_ = true;
  }
  role_ = Follower{.leader = leader, .deadline = deadline, .reads = {}};
}

// who waits for this role hears that it is over; the log stays as it is.
void Core::leave_role() {
  if (auto* follower = std::get_if<Follower>(&role_)) {
    for (const ForwardedRead& read : follower->reads) {
      refused_reads_.push_back(read.id);
    }
    follower->reads.clear();
    return;
  }
  auto* leader = std::get_if<Leader>(&role_);
  if (leader == nullptr) {
    return;
  }
  std::vector<ReadWaiter> waiters;
  leader->rounds.take_all(waiters);
  for (const ReadWaiter& waiter : waiters) {
    answer_read(waiter, std::nullopt);
  }
  if (leader->change) {
    end_change(*leader, ChangeOutcome{.done = false, .reason = "leadership was lost on the way; look, and try again"});
  }
  uncommitted_bytes_ = 0;
  uncommitted_entries_ = 0;
  must_replicate_ = false;
}

Result<Index> Core::propose(std::span<const Blob> commands, WallTime time) {
  ensure(!commands.empty(), "a proposal carries something");
  const auto* leader = std::get_if<Leader>(&role_);
  if (leader == nullptr) {
    return failure(ErrorCode::refused, "this server is not the leader");
  }
  if (leader->transfer) {
    return failure(ErrorCode::refused, "leadership is moving to another server");
  }
  std::size_t cost = 0;
  for (const Blob& command : commands) {
    cost += sizeof(Entry) + command.size();
  }
  // refused before it gets an index; but whatever its size, one proposal fits into an empty tail.
  const bool tail_is_empty = uncommitted_entries_ == 0;
  if (!tail_is_empty && (uncommitted_bytes_ + cost > config_.limits.uncommitted_bytes_max ||
                         uncommitted_entries_ + commands.size() > config_.limits.uncommitted_entries_max)) {
    return failure(ErrorCode::refused, "too much is proposed and not yet committed");
  }
  ensure(commit_ < log_.last().index || tail_is_empty, "what is proposed and not committed is in the log (R-317)");
  uncommitted_bytes_ += cost;
  uncommitted_entries_ += commands.size();
  const Index first = next(log_.last().index);
  append(EntryKind::command, commands, time);
  return first;
}

void Core::append(EntryKind kind, std::span<const Blob> commands, WallTime time) {
  ensure(role() == Role::leader, "only a leader makes entries (R-201)");
  newest_time_ = std::max(newest_time_, time);
  std::vector<Entry> entries;
  entries.reserve(commands.size());
  Index index = log_.last().index;
  for (const Blob& command : commands) {
    index = next(index);
    entries.push_back(
        Entry{.term = hard_state_.term, .index = index, .time = newest_time_, .kind = kind, .command = command});
  }
  log_.append(std::move(entries));
  must_replicate_ = true;
  ensure(log_.last().term == hard_state_.term, "a leader appends in its own term only (I-103)");
}

// on append, on truncation and with a snapshot; never on commit.
void Core::configuration_changed() {
  electorate_ = Electorate(configurations_.effective());
  ensure(is_joint(configurations_.effective()) == (electorate_.outgoing().size() > 0), "two sets vote while joint");
  if (auto* leader = std::get_if<Leader>(&role_)) {
    align_peers(*leader);
    leader->rounds.restart_lease();
    must_replicate_ = true;
  }
}

void Core::persisted(PersistToken token) {
  ensure(token <= PersistToken{last_token_}, "the disk confirms only what it was given (R-106)");
  // a token covers everything before it; one that is not pending any more tells nothing new.
  std::size_t confirmed = 0;
  while (confirmed < pending_.size() && pending_[confirmed].token <= token) {
    log_.persisted(pending_[confirmed].last);
    durable_term_ = std::max(durable_term_, pending_[confirmed].term);
    ++confirmed;
  }
  pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(confirmed));
  ensure(durable_term_ <= hard_state_.term, "the disk knows no term that this server does not");
  if (auto* follower = std::get_if<Follower>(&role_)) {
    if (raw(follower->leader) != 0 && std::min(follower->verified, log_.durable()) > follower->acknowledged) {
      acknowledge(*follower);
    }
  } else if (role() == Role::candidate) {
    count_own_vote();
  } else {
    advance_commit();
  }
}

void Core::applied(Index index) {
  ensure(index >= applied_, "the state machine does not go back");
  ensure(index <= handed_out_, "it applies what it was given");
  applied_ = index;
  release_reads();
  release_tail();
}

void Core::release_reads() {
  std::erase_if(waiting_reads_, [this](const Read& read) {
    const bool ready = read.index <= applied_;
    if (ready) {
      ready_reads_.push_back(read.id);
    }
    return ready;
  });
}

// What is applied stays in memory within bounds, for peers that lag a little.
void Core::release_tail() {
  const std::size_t kept_after = raw(log_.last().index) - raw(applied_);
  while (log_.first() <= applied_) {
    const bool too_many = log_.size() - kept_after > config_.limits.tail_entries_max;
    if (!too_many && log_.bytes() <= config_.limits.tail_bytes_max) {
      break;
    }
    log_.release(log_.first());
  }
  ensure(log_.start().index <= applied_, "what is not applied yet stays in memory");
}

void Core::compacted(LogId point) {
  ensure(point.index <= applied_, "a snapshot holds only what was applied (R-604)");
  const std::optional<Term> term = log_.term_at(point.index);
  ensure(!term || *term == point.term, "a snapshot's point is a position of this log");
  if (point.index > log_.start().index) {
    log_.release(point.index);
  }
  configurations_.compact(point.index);
}

// nothing of a term leaves before the term is durable. What only proposes a term carries a higher one.
void Core::send(NodeId to, Message message) {
  ensure(to != config_.self, "nobody writes to himself");
  const bool term_is_durable = durable_term_ == hard_state_.term || term_of(message) > hard_state_.term;
  (term_is_durable ? outbox_ : promises_).push_back(Envelope{.to = to, .message = std::move(message)});
}

// nor does what rests on the vote, or on entries that are still on their way to the disk.
void Core::send_durable(NodeId to, Message message) {
  ensure(to != config_.self, "nobody writes to himself");
  const bool all_is_durable = !hard_state_changed_ && !log_.has_unpersisted() && pending_.empty();
  (all_is_durable ? outbox_ : promises_).push_back(Envelope{.to = to, .message = std::move(message)});
}

void Core::take_output(Output& into) {
  into.clear();
  if (auto* leader = std::get_if<Leader>(&role_); leader != nullptr && must_replicate_) {
    replicate(*leader);
  }
  take_persistence(into);
  take_messages(into);
  take_committed(into);
  into.reads.swap(ready_reads_);
  into.refused_reads.swap(refused_reads_);
  into.log_reads.swap(log_reads_);
  into.snapshot_reads.swap(snapshot_reads_);
  into.snapshot_writes.swap(snapshot_writes_);
  into.snapshot_install = std::exchange(snapshot_install_, std::nullopt);
  into.change = std::exchange(change_outcome_, std::nullopt);
  if (std::exchange(role_changed_, false)) {
    into.role = role();
  }
  check();
}

// What holds whenever a turn ends, whatever came in: looked at once a turn, from here alone.
void Core::check() const {
  ensure(applied_ <= handed_out_, "only what was handed out is applied (I-110)");
  ensure(handed_out_ <= commit_, "only what is committed is handed out (I-110)");
  ensure(handed_out_ <= log_.durable(), "only what is durable here is handed out (R-313)");
  ensure(commit_ <= log_.last().index, "what is committed is in the log (I-105)");
  ensure(log_.start().index <= applied_, "what is not applied yet stays in memory (R-604)");
  ensure(log_.last().term <= hard_state_.term, "no entry is newer than the own term (I-103)");
  ensure(durable_term_ <= hard_state_.term, "terms never fall, on disk neither (R-201)");
  ensure(configurations_.effective_id().index <= log_.last().index, "a configuration goes with its entry (R-402)");
  ensure(waiting_reads_.empty() || waiting_reads_.front().index > applied_, "a read that can be served is (R-702)");
  ensure(outbox_.empty() && promises_.empty(), "a turn's messages leave with it (R-003)");
  check_role();
}

void Core::check_role() const {
  if (const auto* follower = std::get_if<Follower>(&role_)) {
    ensure(follower->leader != config_.self, "nobody follows himself");
    ensure(follower->acknowledged <= std::min(follower->verified, log_.durable()),
           "only what is verified and durable is acknowledged (R-105)");
    ensure(follower->verified <= log_.last().index, "only what is here is verified (R-105)");
    ensure(uncommitted_entries_ == 0 && uncommitted_bytes_ == 0, "only a leader has proposals under way (R-317)");
  } else if (const auto* candidate = std::get_if<Candidate>(&role_)) {
    ensure(candidate->is_pre || hard_state_.vote == config_.self, "a candidate votes for itself (R-205)");
    ensure(!candidate->is_pre || !candidate->is_transfer, "a transfer asks no pre-votes (R-501)");
    ensure(uncommitted_entries_ == 0, "only a leader has proposals under way (R-317)");
  } else {
    const auto& leader = std::get<Leader>(role_);
    ensure(hard_state_.vote == config_.self, "a leader has voted for itself (R-205)");
    ensure(leader.term_start <= log_.last().index, "a leader's no-op stays in its log (I-103)");
    ensure(log_.last().term == hard_state_.term, "a leader's newest entry is of its term (R-217)");
    ensure(!incoming_, "a leader takes no snapshot (RAFT-40)");
  }
}

void Core::take_persistence(Output& into) {
  const bool has_parts = hard_state_changed_ || log_.has_unpersisted();
  if (!has_parts && pending_.empty()) {
    std::ranges::move(promises_, std::back_inserter(outbox_));  // What they waited for is durable by now.
    promises_.clear();
  }
  if (!has_parts && promises_.empty()) {
    return;
  }
  if (std::exchange(hard_state_changed_, false)) {
    into.hard_state = hard_state_;
  }
  into.append = log_.take_unpersisted();
  ensure(!log_.has_unpersisted() && !hard_state_changed_, "one write takes all there is (R-003)");
  ++last_token_;
  into.token = PersistToken{last_token_};
  pending_.push_back(
      Pending{.token = PersistToken{last_token_}, .last = log_.last().index, .term = hard_state_.term, .since = now_});
}

void Core::take_messages(Output& into) {
  into.send.swap(outbox_);
  into.send_after_sync.swap(promises_);
  ensure(into.send_after_sync.empty() || into.token.has_value(), "a promise names what it waits for");
}

void Core::take_committed(Output& into) {
  const Index end = std::min(commit_, log_.durable());
  if (end <= handed_out_) {
    return;
  }
  log_.rows(next(handed_out_), end, into.apply);
  ensure(into.apply.front().front().index == next(handed_out_), "each index once, in order (R-312)");
  handed_out_ = end;
}

bool Core::has_output() const {
  return hard_state_changed_ || log_.has_unpersisted() || handed_out_ < std::min(commit_, log_.durable()) ||
         must_replicate_ || role_changed_ || !outbox_.empty() || !promises_.empty() || !ready_reads_.empty() ||
         !refused_reads_.empty() || !log_reads_.empty() || !snapshot_reads_.empty() || !snapshot_writes_.empty() ||
         snapshot_install_ || change_outcome_;
}

Role Core::role() const {
  if (std::holds_alternative<Leader>(role_)) {
    return Role::leader;
  }
  return std::holds_alternative<Candidate>(role_) ? Role::candidate : Role::follower;
}

NodeId Core::leader() const {
  if (const auto* follower = std::get_if<Follower>(&role_)) {
    return follower->leader;
  }
  return role() == Role::leader ? config_.self : NodeId{};
}

std::span<const Progress> Core::peers() const {
  const auto* leader = std::get_if<Leader>(&role_);
  return leader == nullptr ? std::span<const Progress>{} : std::span<const Progress>(leader->peers);
}

}  // namespace quorate::raft
