#include "raft/core.hpp"

#include <algorithm>
#include <utility>

#include "base/ensure.hpp"

namespace quorate::raft {
namespace {

std::size_t cost_of(std::size_t command_bytes) {
  return sizeof(Entry) + command_bytes;
}

}  // namespace

Core::Core(Config config, Recovered recovered, Blob noop_payload, Prng prng)
    : config_(config),
      configuration_(std::move(recovered.configuration)),
      noop_payload_(std::move(noop_payload)),
      prng_(prng),
      hard_state_(recovered.hard_state),
      log_(recovered.snapshot),
      commit_(recovered.snapshot.index),
      handed_out_(recovered.snapshot.index),
      applied_(recovered.snapshot.index) {
  ensure(raw(config_.self) != 0, "a server has an id");
  ensure(configuration_.members.size() == 1, "this core knows one voter");
  ensure(configuration_.members.front().id == config_.self, "and that voter is itself");
  ensure(configuration_.outgoing.empty(), "no membership change is under way with one voter");
  newest_time_ = recovered.time;
  for (Entry& entry : recovered.entries) {
    ensure(entry.time >= newest_time_, "time never goes back along the log (R-709)");
    newest_time_ = entry.time;
    log_.restore(std::move(entry));
  }
  // clamp(hint, snapshot, last); a hint beyond the log was corruption, and storage has refused it.
  ensure(recovered.commit_hint <= log_.last().index, "the commit hint never exceeds the durable log (R-101)");
  commit_ = std::max(commit_, recovered.commit_hint);
  become_leader();
}

void Core::tick(MonoTime now) {
  ensure(now >= now_, "monotonic time does not go back");
  now_ = now;
}

// a single voter elects itself, always in a new term: entries of the old one that never reached the disk may
// have had the same log ids.
void Core::become_leader() {
  const Term newest = std::max(hard_state_.term, log_.last().term);
  hard_state_ = HardState{.term = next(newest), .vote = config_.self};
  hard_state_changed_ = true;
  role_ = Role::leader;
  role_changed_ = true;
  uncommitted_bytes_ = 0;
  uncommitted_entries_ = 0;
  append(EntryKind::noop, noop_payload_, newest_time_);  // exempt from limits.
  term_start_ = log_.last().index;
}

void Core::append(EntryKind kind, const Blob& command, WallTime time) {
  newest_time_ = std::max(newest_time_, time);
  log_.append(Entry{.term = hard_state_.term,
                    .index = next(log_.last().index),
                    .time = newest_time_,
                    .kind = kind,
                    .command = command});
}

Result<Index> Core::propose(std::span<const Blob> commands, WallTime time) {
  ensure(!commands.empty(), "a proposal carries something");
  if (role_ != Role::leader) {
    return failure(ErrorCode::refused, "this server is not the leader");
  }
  std::size_t cost = 0;
  for (const Blob& command : commands) {
    cost += cost_of(command.size());
  }
  // refused before it gets an index; but whatever its size, one proposal fits into an empty tail.
  const bool tail_is_empty = uncommitted_entries_ == 0;
  if (!tail_is_empty && (uncommitted_bytes_ + cost > config_.limits.uncommitted_bytes_max ||
                         uncommitted_entries_ + commands.size() > config_.limits.uncommitted_entries_max)) {
    return failure(ErrorCode::refused, "too much is proposed and not yet committed");
  }
  uncommitted_bytes_ += cost;
  uncommitted_entries_ += commands.size();
  const Index first = next(log_.last().index);
  for (const Blob& command : commands) {
    append(EntryKind::command, command, time);
  }
  return first;
}

void Core::read_index(std::uint64_t id) {
  const bool own_term_committed = commit_ >= term_start_;
  waiting_reads_.push_back(Read{.id = id, .index = own_term_committed ? commit_ : Index{}});
  release_reads();
}

void Core::persisted(PersistToken token) {
  // a token covers everything before it; one that is not pending any more tells nothing new.
  std::size_t confirmed = 0;
  while (confirmed < pending_.size() && pending_[confirmed].token <= token) {
    log_.persisted(pending_[confirmed].last);
    ++confirmed;
  }
  pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(confirmed));
  advance_commit();
}

// the largest durable index, once the term there is the own one. With one voter the own disk is the
// quorum.
void Core::advance_commit() {
  const Index durable = log_.durable();
  if (durable <= commit_ || durable < term_start_) {
    return;
  }
  ensure(log_.term_at(durable) == hard_state_.term, "after its no-op a leader appends entries of its own term only");
  for (Index index = std::max(next(commit_), term_start_); index <= durable; index = next(index)) {
    const Entry& entry = log_.at(index);
    if (entry.kind == EntryKind::command) {
      uncommitted_bytes_ -= cost_of(entry.command.size());
      --uncommitted_entries_;
    }
  }
  commit_ = durable;
  for (Read& read : waiting_reads_) {
    if (read.index == Index{}) {
      read.index = commit_;  // R-702 step 2, now that step 1 holds.
    }
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
    const bool ready = read.index != Index{} && read.index <= applied_;
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
}

void Core::compacted(LogId point) {
  ensure(point.index <= applied_, "a snapshot holds only what was applied (R-604)");
  const std::optional<Term> term = log_.term_at(point.index);
  ensure(!term || *term == point.term, "a snapshot's point is a position of this log");
  if (point.index > log_.start().index) {
    log_.release(point.index);
  }
}

void Core::take_output(Output& into) {
  into.clear();
  if (hard_state_changed_ || log_.has_unpersisted()) {
    if (hard_state_changed_) {
      into.hard_state = hard_state_;
      hard_state_changed_ = false;
    }
    log_.take_unpersisted(into.append);
    ++last_token_;
    into.token = PersistToken{last_token_};
    pending_.push_back(Pending{.token = PersistToken{last_token_}, .last = log_.last().index});
  }
  const Index end = std::min(commit_, log_.durable());
  for (Index index = next(handed_out_); index <= end; index = next(index)) {
    into.apply.push_back(log_.at(index));
  }
  handed_out_ = std::max(handed_out_, end);
  into.reads.swap(ready_reads_);
  if (role_changed_) {
    into.role = role_;
    role_changed_ = false;
  }
}

bool Core::has_output() const {
  return hard_state_changed_ || log_.has_unpersisted() || handed_out_ < std::min(commit_, log_.durable()) ||
         !ready_reads_.empty() || role_changed_;
}

NodeId Core::leader() const {
  return role_ == Role::leader ? config_.self : NodeId{};
}

}  // namespace quorate::raft
