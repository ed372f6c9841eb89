// Leadership transfer (dissertation 3.10; R-5xx), and the leader that cannot write.

#include <algorithm>

#include "base/ensure.hpp"
#include "raft/core.hpp"

namespace quorate::raft {

Result<void> Core::transfer_leadership(NodeId target) {
  auto* leader = std::get_if<Leader>(&role_);
  if (leader == nullptr) {
    return failure(ErrorCode::refused, "this server is not the leader");
  }
  const Progress* peer = find_peer(target);
  if (peer == nullptr || !electorate_.incoming().contains(target)) {
    return failure(ErrorCode::refused, "leadership goes to another voter only (R-502)");
  }
  if (elapsed_us(peer->heard, now_) >= config_.timing.election_us) {
    return failure(ErrorCode::refused, "that server does not answer (R-502)");
  }
  ensure(target != config_.self, "leadership goes to another server (R-502)");
  leader->transfer =
      Transfer{.target = target, .deadline = after_us(now_, config_.timing.election_us), .is_sent = false};
  must_replicate_ = true;
  drive_transfer(*leader);
  return {};
}

void Core::drive_transfer(Leader& leader) {
  if (!leader.transfer) {
    return;
  }
  Transfer& transfer = *leader.transfer;
  ensure(transfer.target != config_.self, "leadership goes to another server (R-502)");
  const Progress* peer = find_peer(transfer.target);
  if (now_ >= transfer.deadline || peer == nullptr || !electorate_.incoming().contains(transfer.target)) {
    leader.transfer.reset();  // R-501 step 5, R-502: it serves again.
    return;
  }
  if (!transfer.is_sent && peer->match() == log_.last().index) {
    ensure(peer->match() >= leader.term_start, "who takes over has what this leader has (R-501)");
    leader.has_spoiled_lease = true;  // before the message leaves; it may arrive at any time.
    transfer.is_sent = true;
    send(transfer.target, TimeoutNow{.term = hard_state_.term});
  }
}

Result<void> Core::on(NodeId from, const TimeoutNow& message) {
  const auto* follower = std::get_if<Follower>(&role_);
  const bool is_meant = follower != nullptr && message.term == hard_state_.term && follower->leader == from;
  ensure(from != config_.self, "nobody writes to himself");
  if (is_meant && electorate_.contains(config_.self) && may_campaign()) {
    campaign(false, true);  // R-501 step 4: at once, without a pre-vote.
  }
  return {};
}

// A leader with a hung disk would block the cluster for ever by its heartbeats (K-03).
void Core::give_up_stalled_leadership(Leader& leader) {
  ensure(is_stalled(), "leadership is given up for a disk that hangs (R-113)");
  const std::int64_t silent_us = elapsed_us(pending_.front().since, now_);
  const std::int64_t patience_us = std::max(config_.timing.stall_us, config_.timing.election_us);
  if (silent_us > patience_us + config_.timing.election_us) {
    become_follower(hard_state_.term, NodeId{});
    return;
  }
  if (leader.transfer) {
    return;
  }
  const auto heir = std::ranges::find_if(leader.peers, [this](const Progress& peer) {
    return electorate_.incoming().contains(peer.id()) && peer.match() == log_.last().index;
  });
  if (heir == leader.peers.end() || !transfer_leadership(heir->id())) {
    become_follower(hard_state_.term, NodeId{});
  }
}

}  // namespace quorate::raft
