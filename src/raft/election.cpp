// Elections (dissertation 3.4, 4.2.3, 9.6; R-2xx).

#include <algorithm>
#include <utility>

#include "base/ensure.hpp"
#include "raft/core.hpp"

namespace quorate::raft {
namespace {

constexpr unsigned handicap_rounds = 3;  // a low priority's wait is over after so many campaigns that failed.

}  // namespace

// chance alone breaks a tie. R-221: when the leader is known to be dead there is nothing to wait for.
MonoTime Core::election_deadline() {
  const Timing& timing = config_.timing;
  if (raw(gone_leader_) != 0) {
    const auto jitter = prng_.below(static_cast<std::uint64_t>(timing.heartbeat_us / 5 + 1));
    return after_us(now_, timing.heartbeat_us + static_cast<std::int64_t>(jitter));
  }
  std::int64_t wait =
      timing.election_us + static_cast<std::int64_t>(prng_.below(static_cast<std::uint64_t>(timing.election_us)));
  if (config_.priority < priority_default && lost_campaigns_ < handicap_rounds) {
    const std::int64_t handicap = 2 * timing.election_us * (priority_default - config_.priority) / priority_default;
    wait += handicap * (handicap_rounds - lost_campaigns_) / handicap_rounds;
  }
  ensure(wait >= timing.election_us, "nobody waits for less than an election timeout (R-203)");
  return after_us(now_, wait);
}

void Core::tick_follower(Follower& follower, std::int64_t jump_us, bool has_heard) {
  ensure(jump_us >= 0, "monotonic time does not go back");
  // time in which this server did not run is no silence of the leader's; half a timeout is left to hear it. When
  // it has spoken since the last tick, its silence begins now.
  const std::int64_t pause_us =
      has_heard && raw(gone_leader_) == 0 ? jump_us : jump_us - config_.timing.election_us / 2;
  if (pause_us > 0) {
    follower.deadline = after_us(follower.deadline, pause_us);
  }
  expire_forwarded_reads(follower);
  if (now_ < follower.deadline) {
    return;
  }
  ensure(!has_promised_patience() || raw(gone_leader_) != 0, "nobody times out earlier than a lease may end (R-707)");
  if (may_campaign()) {
    campaign(config_.has_pre_vote, false);
  } else {
    follower.deadline = election_deadline();
  }
}

void Core::tick_candidate(Candidate& candidate) {
  ensure(candidate.is_pre || hard_state_.vote == config_.self, "a candidate votes for itself (R-205)");
  if (now_ < candidate.deadline) {
    return;
  }
  ++lost_campaigns_;
  if (may_campaign()) {
    campaign(config_.has_pre_vote, false);
  } else {
    become_follower(hard_state_.term, NodeId{});
  }
}

// The committed configuration counts too: who is to be removed may be needed until that is committed (K-42).
bool Core::may_campaign() const {
  const auto counts_on_me = [this](const Configuration& configuration) {
    const Member* own = find_member(configuration, config_.self);
    const bool is_me = own != nullptr && (!config_.incarnation || (own->incarnation_high == config_.incarnation->high &&
                                                                   own->incarnation_low == config_.incarnation->low));
    return is_me && is_voter(configuration, config_.self);
  };
  const bool is_needed =
      counts_on_me(configurations_.effective()) || counts_on_me(configurations_.at(commit_).configuration);
  const bool is_installing = incoming_ && incoming_->is_installing;  // Its log is about to be replaced.
  return is_needed && config_.may_vote && config_.priority > 0 && !is_installing;
}

void Core::campaign(bool is_pre, bool is_transfer) {
  ensure(may_campaign(), "who may not lead does not ask (R-209)");
  const bool is_alone = electorate_.is_alone(config_.self);
  role_changed_ = role_changed_ || role() != Role::candidate;
  leave_role();
  incoming_.reset();  // A snapshot whose leader is silent: whoever leads next begins anew.
  Candidate candidate{.is_pre = is_pre && !is_alone,
                      .is_transfer = is_transfer,
                      .campaign = next_number(),
                      .deadline = election_deadline(),
                      .answers = {}};
  if (candidate.is_pre) {
    candidate.answers.emplace_back(config_.self, true);
  } else {
    hard_state_ = HardState{.term = next(hard_state_.term), .vote = config_.self};
    hard_state_changed_ = true;
  }
  role_ = std::move(candidate);
  if (is_alone) {
    // The no-op and the vote go to disk in one write, and nothing leaves or commits before it.
    become_leader();
    return;
  }
  ask_for_votes(std::get<Candidate>(role_));
}

void Core::ask_for_votes(const Candidate& candidate) {
  ensure(candidate.is_pre || hard_state_.vote == config_.self, "who asks for votes has given itself its own (R-102)");
  const VoteRequest request{.term = candidate.is_pre ? next(hard_state_.term) : hard_state_.term,
                            .last = log_.last(),
                            .campaign = candidate.campaign,
                            .is_pre = candidate.is_pre,
                            .is_transfer = candidate.is_transfer};
  const auto ask = [&](NodeId voter) {
    if (voter == config_.self) {
      return;
    }
    if (candidate.is_pre) {
      send(voter, request);
    } else {
      send_durable(voter, request);  // its term, its own vote, and the entries that it claims.
    }
  };
  std::ranges::for_each(electorate_.incoming().ids(), ask);
  for (const NodeId voter : electorate_.outgoing().ids()) {
    if (!electorate_.incoming().contains(voter)) {
      ask(voter);
    }
  }
}

// a candidate's own vote counts when it is on disk.
void Core::count_own_vote() {
  auto& candidate = std::get<Candidate>(role_);
  ensure(durable_term_ <= hard_state_.term, "terms never fall, on disk neither (R-201)");
  const bool has_counted =
      std::ranges::any_of(candidate.answers, [this](const auto& answer) { return answer.first == config_.self; });
  if (!candidate.is_pre && !has_counted && durable_term_ == hard_state_.term) {
    candidate.answers.emplace_back(config_.self, true);
    count_votes();
  }
}

void Core::count_votes() {
  const auto& candidate = std::get<Candidate>(role_);
  ensure(!candidate.answers.empty(), "votes are counted when one has come");
  const Verdict verdict = electorate_.verdict([&candidate](NodeId voter) -> std::optional<bool> {
    const auto found = std::ranges::find(candidate.answers, voter, [](const auto& answer) { return answer.first; });
    return found == candidate.answers.end() ? std::nullopt : std::optional<bool>(found->second);
  });
  if (verdict == Verdict::lost) {
    ++lost_campaigns_;
    become_follower(hard_state_.term, NodeId{});
  } else if (verdict == Verdict::won && candidate.is_pre) {
    campaign(false, false);  // at once.
  } else if (verdict == Verdict::won) {
    become_leader();
  }
}

void Core::become_leader() {
  ensure(role() == Role::candidate, "leaders are elected");
  ensure(hard_state_.vote == config_.self, "a leader has voted for itself");
  leave_role();
  lost_campaigns_ = 0;
  gone_leader_ = NodeId{};
  uncommitted_bytes_ = 0;
  uncommitted_entries_ = 0;
  Leader leader;
  leader.term_start = next(log_.last().index);
  leader.next_heartbeat = after_us(now_, config_.timing.heartbeat_us);
  role_ = std::move(leader);
  role_changed_ = true;
  align_peers(std::get<Leader>(role_));  // Before the no-op: nextIndex is the one behind the last entry (RAFT-10).
  append(EntryKind::noop, {&noop_payload_, 1}, newest_time_);  // exempt from limits.
  ensure(commit_ < std::get<Leader>(role_).term_start, "nothing of a term is committed before its no-op (R-310)");
}

// A leader of the current term has spoken.
void Core::follow(NodeId leader, Term term) {
  ensure(term == hard_state_.term, "admit() has adopted the term");
  ensure(role() != Role::leader, "two servers lead in one term (R-215)");
  if (role() == Role::candidate) {
    become_follower(term, leader);
  }
  auto& follower = std::get<Follower>(role_);
  ensure(raw(follower.leader) == 0 || follower.leader == leader, "two servers lead in one term (R-215)");
  gone_leader_ = NodeId{};
  lost_campaigns_ = 0;
  follower.leader = leader;
  heard_ = Heard{.leader = leader, .at = now_, .is_new = true};
  follower.deadline = election_deadline();
}

bool Core::has_live_quorum(const Leader& leader) const {
  return electorate_.has_quorum([this, &leader](NodeId voter) {
    if (voter == config_.self) {
      return true;
    }
    const auto peer = std::ranges::find(leader.peers, voter, &Progress::id);
    return peer != leader.peers.end() && elapsed_us(peer->heard, now_) < config_.timing.election_us;
  });
}

// Whether a leader may rest a lease on an answer of this server. Terms do not matter: what is sighted here is
// not known there yet.
bool Core::has_promised_patience() const {
  ensure(heard_.at <= now_, "nobody was heard in the future");
  return config_.has_leases && raw(heard_.leader) != 0 && elapsed_us(heard_.at, now_) < config_.timing.election_us;
}

// whoever has a leader helps nobody to depose it.
bool Core::is_sticky(NodeId candidate) const {
  if (config_.has_leases && (!started_ || elapsed_us(*started_, now_) < config_.timing.election_us)) {
    return true;  // it may have promised a leader its patience before it was restarted.
  }
  if (has_promised_patience() && heard_.leader != candidate) {
    return true;
  }
  if (!config_.has_stickiness) {
    return false;
  }
  if (const auto* leader = std::get_if<Leader>(&role_)) {
    return has_live_quorum(*leader);
  }
  const auto* follower = std::get_if<Follower>(&role_);
  return follower != nullptr && raw(follower->leader) != 0 && follower->leader != candidate &&
         follower->leader != gone_leader_ && elapsed_us(heard_.at, now_) < config_.timing.election_us;
}

void Core::leader_is_gone(NodeId leader) {
  ensure(leader != config_.self, "whoever learns of a death is alive (R-221)");
  auto* follower = std::get_if<Follower>(&role_);
  if (follower == nullptr || follower->leader != leader || raw(leader) == 0 || config_.has_leases) {
    return;
  }
  gone_leader_ = leader;
  const auto jitter = prng_.below(static_cast<std::uint64_t>(config_.timing.heartbeat_us / 5 + 1));
  follower->deadline = std::min(follower->deadline, after_us(now_, static_cast<std::int64_t>(jitter)));
}

// neither side changes its term, its vote or its timer.
void Core::answer_pre_vote(NodeId from, const VoteRequest& request) {
  if (is_sticky(from)) {
    return;
  }
  const bool is_granted = request.term > hard_state_.term && request.last >= log_.last() && config_.may_vote;
  send(from, VoteReply{.term = is_granted ? request.term : hard_state_.term,
                       .campaign = request.campaign,
                       .is_pre = true,
                       .is_granted = is_granted});
}

Result<void> Core::on(NodeId from, const VoteRequest& request) {
  if (request.is_pre) {
    answer_pre_vote(from, request);
    return {};
  }
  if (request.term < hard_state_.term || (!request.is_transfer && is_sticky(from))) {
    return {};
  }
  ensure(request.term == hard_state_.term, "admit() has adopted the term");
  // once a term; R-206: term first, then index; R-208: membership does not matter.
  const bool is_free = raw(hard_state_.vote) == 0 || hard_state_.vote == from;
  const bool is_granted = is_free && request.last >= log_.last() && config_.may_vote;
  const VoteReply reply{
      .term = hard_state_.term, .campaign = request.campaign, .is_pre = false, .is_granted = is_granted};
  if (!is_granted) {
    send(from, reply);
    return {};
  }
  if (hard_state_.vote != from) {
    hard_state_.vote = from;
    hard_state_changed_ = true;
  }
  if (role() == Role::candidate) {
    become_follower(hard_state_.term, NodeId{});  // It only asked for pre-votes; now somebody else has its vote.
  }
  std::get<Follower>(role_).deadline = election_deadline();
  send_durable(from, reply);
  return {};
}

Result<void> Core::on(NodeId from, const VoteReply& reply) {
  auto* candidate = std::get_if<Candidate>(&role_);
  if (candidate == nullptr || reply.campaign != candidate->campaign || reply.is_pre != candidate->is_pre) {
    return {};  // an answer to another campaign.
  }
  const auto is_from = [from](const auto& answer) { return answer.first == from; };
  if (std::ranges::none_of(candidate->answers, is_from)) {
    candidate->answers.emplace_back(from, reply.is_granted);
    ensure(from != config_.self, "the own vote is counted when it is on disk (R-207)");
    count_votes();
  }
  return {};
}

}  // namespace quorate::raft
