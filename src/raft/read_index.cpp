// Linearizable reads (dissertation 6.4; ).

#include <algorithm>

#include "base/ensure.hpp"
#include "raft/core.hpp"

namespace quorate::raft {

void Core::read_index(std::uint64_t id, MonoTime now) {
  ensure(applied_ <= commit_, "no state is ahead of what is committed (R-702)");
  ensure(now >= now_, "the clock is read when the request is here, not before (R-707)");
  if (holds_lease(now)) {
    ++reads_by_lease_;
    answer_read(ReadWaiter{.from = NodeId{}, .id = id}, commit_);
    return;
  }
  if (auto* leader = std::get_if<Leader>(&role_)) {
    if (leader->rounds.size() >= config_.limits.waiting_reads_max) {
      refused_reads_.push_back(id);
      return;
    }
    const bool is_settled = commit_ >= leader->term_start;
    leader->rounds.add(ReadWaiter{.from = NodeId{}, .id = id},
                       is_settled ? std::optional<Index>(commit_) : std::nullopt);
    must_replicate_ = true;
    return;
  }
  auto* follower = std::get_if<Follower>(&role_);
  if (follower == nullptr || raw(follower->leader) == 0 || follower->reads.size() >= config_.limits.waiting_reads_max) {
    refused_reads_.push_back(id);  // at once; there is nobody to ask.
    return;
  }
  const std::uint64_t attempt = next_number();
  ensure(follower->reads.empty() || follower->reads.back().attempt < attempt, "a fresh number each time (R-703)");
  follower->reads.push_back(
      ForwardedRead{.attempt = attempt, .id = id, .deadline = after_us(now_, config_.timing.election_us)});
  send(follower->leader, ReadRequest{.term = hard_state_.term, .attempt = attempt});
}

// an answer to a round confirms every read that waited when the round began, and no later one.
void Core::confirm_rounds(Leader& leader) {
  const auto round = electorate_.quorum_value<std::uint64_t>([this, &leader](NodeId voter) {
    if (voter == config_.self) {
      return leader.rounds.newest();
    }
    const Progress* peer = find_peer(voter);
    return peer == nullptr ? std::uint64_t{0} : peer->confirmed_round;
  });
  ensure(round <= leader.rounds.newest(), "nobody answers a round that was never sent (R-703)");
  std::vector<ConfirmedRead> confirmed;
  leader.rounds.confirm(round, confirmed);
  ensure(confirmed.empty() || commit_ >= leader.term_start, "no index before a commit in the own term (R-702)");
  for (const ConfirmedRead& read : confirmed) {
    ensure(read.index <= commit_, "a read's index is committed (R-702)");
    answer_read(read.waiter, read.index);
  }
}

// No index: to be asked again.
void Core::answer_read(const ReadWaiter& waiter, std::optional<Index> index) {
  ensure(waiter.from != config_.self, "the own reads are answered here");
  if (raw(waiter.from) != 0) {
    send(waiter.from, ReadReply{.term = hard_state_.term,
                                .attempt = waiter.id,
                                .index = index.value_or(Index{}),
                                .is_refused = !index.has_value()});
  } else if (index) {
    waiting_reads_.push_back(Read{.id = waiter.id, .index = *index});
    release_reads();
  } else {
    refused_reads_.push_back(waiter.id);
  }
}

// a lost question or answer is asked again by whoever waits, under a fresh number.
void Core::expire_forwarded_reads(Follower& follower) {
  ensure(follower.reads.empty() || raw(follower.leader) != 0, "somebody was asked (R-705)");
  std::erase_if(follower.reads, [this](const ForwardedRead& read) {
    const bool is_late = now_ >= read.deadline;
    if (is_late) {
      refused_reads_.push_back(read.id);
    }
    return is_late;
  });
}

Result<void> Core::on(NodeId from, const ReadRequest& request) {
  auto* leader = std::get_if<Leader>(&role_);
  const ReadWaiter waiter{.from = from, .id = request.attempt};
  if (leader == nullptr || request.term != hard_state_.term ||
      leader->rounds.size() >= config_.limits.waiting_reads_max) {
    answer_read(waiter, std::nullopt);
    return {};
  }
  const bool is_settled = commit_ >= leader->term_start;
  leader->rounds.add(waiter, is_settled ? std::optional<Index>(commit_) : std::nullopt);
  must_replicate_ = true;
  return {};
}

Result<void> Core::on(NodeId /*from*/, const ReadReply& reply) {
  auto* follower = std::get_if<Follower>(&role_);
  if (follower == nullptr || reply.term != hard_state_.term) {
    return {};
  }
  const auto found = std::ranges::find(follower->reads, reply.attempt, &ForwardedRead::attempt);
  if (found == follower->reads.end()) {
    return {};  // not the attempt that waits.
  }
  ensure(reply.attempt <= numbers_, "only what was asked is answered (R-009)");
  const std::uint64_t id = found->id;
  follower->reads.erase(found);
  answer_read(ReadWaiter{.from = NodeId{}, .id = id}, reply.is_refused ? std::nullopt : std::optional(reply.index));
  return {};
}

// checked after the request arrived and before the state is read.
bool Core::holds_lease(MonoTime now) const {
  const auto* leader = std::get_if<Leader>(&role_);
  if (leader == nullptr || !config_.has_leases || !config_.has_stickiness || !config_.has_check_quorum) {
    return false;
  }
  if (!electorate_.contains(config_.self)) {
    return false;  // its successor may be its only voter, who waits for nobody when it starts again.
  }
  if (leader->has_spoiled_lease || commit_ < leader->term_start || !leader->rounds.confirmed_at()) {
    return false;
  }
  const std::int64_t election = config_.timing.election_us;
  const std::int64_t safe_us = election - election * config_.lease.drift_ppm / 1'000'000 - config_.lease.margin_us;
  ensure(safe_us < election, "a lease ends before anybody else can lead (R-707)");
  return elapsed_us(*leader->rounds.confirmed_at(), now) < safe_us;
}

}  // namespace quorate::raft
