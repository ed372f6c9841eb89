// A follower's half of replication (dissertation 3.5; ).

#include <algorithm>
#include <utility>

#include "base/ensure.hpp"
#include "raft/core.hpp"

namespace quorate::raft {
namespace {

// the entries follow `previous` one by one, terms do not fall, and none is newer than the sender.
bool is_well_formed(const AppendRequest& request) {
  LogId last = request.previous;
  for (const Entry& entry : request.entries) {
    if (entry.index != next(last.index) || entry.term < last.term || entry.term > request.term) {
      return false;
    }
    last = LogId{.term = entry.term, .index = entry.index};
  }
  return request.previous.term <= request.term;
}

}  // namespace

Result<void> Core::on(NodeId from, const AppendRequest& request) {
  if (request.term < hard_state_.term) {
    // so a leader that was deposed learns it.
    send(from, AppendReply{.term = hard_state_.term, .is_accepted = false, .match = {}, .sequence = 0, .hint = {}});
    return {};
  }
  if (!is_well_formed(request)) {
    return failure(ErrorCode::invalid, "a peer's append does not hold together (R-301)");
  }
  follow(from, request.term);
  if (incoming_ && incoming_->is_installing) {
    return {};  // The log is about to be replaced; the leader asks again.
  }
  return take_entries(request);
}

Result<void> Core::take_entries(const AppendRequest& request) {
  auto& follower = std::get<Follower>(role_);
  ensure(request.term == hard_state_.term, "only the current term's leader writes here (R-201)");
  if (request.previous.index < commit_) {
    // what is committed needs no comparison, and may be compacted.
    follower.verified = std::max(follower.verified, commit_);
    acknowledge(follower);
    return {};
  }
  if (!log_.holds(request.previous)) {
    send(follower.leader, AppendReply{.term = hard_state_.term,
                                      .is_accepted = false,
                                      .match = {},
                                      .sequence = request.sequence,
                                      .hint = log_.newest_up_to(request.previous)});
    return {};
  }
  const Index verified = request.entries.empty() ? request.previous.index : request.entries.back().index;
  // a repeated message cuts nothing.
  const auto is_new = [this](const Entry& entry) { return log_.term_at(entry.index) != entry.term; };
  const auto first_new = std::ranges::find_if(request.entries, is_new);
  const auto known = static_cast<std::size_t>(first_new - request.entries.begin());
  if (Result<void> appended = append_new(request.entries.from(known)); !appended) {
    return appended;
  }
  follower.verified = std::max(follower.verified, verified);
  ensure(verified <= log_.last().index, "what a message verifies is in the log by now (R-105)");
  advance_commit_to(std::min(request.commit, verified));  // not "my last entry".
  if (follower.verified <= log_.durable()) {
    acknowledge(follower);
  }
  return {};
}

// All of them or, where a configuration among them is unsound, none.
Result<void> Core::append_new(const Entries& entries) {
  if (entries.empty()) {
    return {};
  }
  Result<std::vector<StoredConfiguration>> configurations = configurations_in(entries);
  if (!configurations) {
    return std::unexpected(std::move(configurations.error()));
  }
  if (entries.front().index <= log_.last().index) {
    cut_conflict(entries.front().index);
  }
  log_.append(entries);
  for (const Entry& entry : entries) {
    newest_time_ = std::max(newest_time_, entry.time);
  }
  for (StoredConfiguration& stored : *configurations) {
    configurations_.append(stored.id, std::move(stored.configuration));
    configuration_changed();
  }
  ensure(log_.last().index == entries.back().index, "what a leader sends is the log's end by now (R-301)");
  return {};
}

Result<std::vector<StoredConfiguration>> Core::configurations_in(const Entries& entries) const {
  std::vector<StoredConfiguration> found;
  for (const Entry& entry : entries) {
    if (entry.kind != EntryKind::configuration) {
      continue;
    }
    Result<Configuration> decoded = config_.codec.decode(entry.command.view());
    if (!decoded) {
      return std::unexpected(std::move(decoded.error()));
    }
    if (!can_decide(*decoded)) {
      return failure(ErrorCode::invalid, "a peer's configuration has no voters, or too many (R-414)");
    }
    found.push_back(StoredConfiguration{.id = LogId{.term = entry.term, .index = entry.index},
                                        .configuration = std::move(*decoded)});
  }
  return found;
}

// only at a real conflict. What a newer leader does not have was never committed.
void Core::cut_conflict(Index first) {
  ensure(first > commit_, "what is committed is never cut (I-105)");
  ensure(first > std::get<Follower>(role_).verified, "a leader never changes its own log (I-103)");
  log_.truncate(first);
  ensure(log_.last().index >= commit_ && log_.durable() <= log_.last().index,
         "truncation lowers what is durable (R-106)");
  for (Pending& pending : pending_) {
    pending.last = std::min(pending.last, log_.last().index);  // R-106, K-60
  }
  if (configurations_.truncate(first)) {
    configuration_changed();
  }
}

// what this leader's messages have verified, as far as it is on disk here.
void Core::acknowledge(Follower& follower) {
  ensure(raw(follower.leader) != 0, "acknowledgements go to a leader");
  follower.acknowledged = std::min(follower.verified, log_.durable());
  ensure(follower.acknowledged <= log_.last().index, "only what is here is acknowledged (R-105)");
  send(follower.leader,
       AppendReply{
           .term = hard_state_.term, .is_accepted = true, .match = follower.acknowledged, .sequence = 0, .hint = {}});
}

void Core::advance_commit_to(Index index) {
  ensure(index <= log_.last().index, "commit never runs ahead of the log");
  commit_ = std::max(commit_, index);
}

Result<void> Core::on(NodeId from, const Heartbeat& heartbeat) {
  if (heartbeat.term < hard_state_.term) {
    send(from, HeartbeatReply{.term = hard_state_.term, .round = 0});
    return {};
  }
  // The leader names no more than this server has acknowledged in this term, and nobody can have cut that
  // since.
  if (heartbeat.commit > log_.last().index) {
    return failure(ErrorCode::invalid, "a leader's heartbeat commits entries that this server never had (R-303)");
  }
  follow(from, heartbeat.term);
  advance_commit_to(heartbeat.commit);
  auto& follower = std::get<Follower>(role_);
  ensure(follower.leader == from, "who speaks in the current term leads it (R-215)");
  follower.verified = std::max(follower.verified, heartbeat.commit);
  send(from, HeartbeatReply{.term = hard_state_.term, .round = heartbeat.round});
  return {};
}

}  // namespace quorate::raft
