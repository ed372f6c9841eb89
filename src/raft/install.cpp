// Snapshots for followers that the log does not reach any more (dissertation chapter 5; ). The core moves
// the parts and decides what they mean; the shell reads, stages, verifies and installs them.

#include <algorithm>
#include <utility>

#include "base/ensure.hpp"
#include "raft/core.hpp"

namespace quorate::raft {
namespace {

constexpr unsigned silent_rounds_max = 5;       // Election time-outs without a word before a transfer is given up,
constexpr unsigned installing_rounds_max = 60;  // and while the follower has everything and puts it in place.

}  // namespace

// ---- The leader.

void Core::begin_snapshot(Progress& peer) {
  peer.become_snapshot();
  tick_snapshots(std::get<Leader>(role_));
}

void Core::tick_snapshots(Leader& leader) {
  auto under_way = static_cast<std::size_t>(std::ranges::count_if(
      leader.peers, [](const Progress& peer) { return peer.snapshot && peer.snapshot->has_begun; }));
  for (Progress& peer : leader.peers) {
    if (!peer.snapshot) {
      continue;
    }
    ensure(peer.flow() == Flow::snapshot, "a transfer belongs to its flow (R-306)");
    SnapshotTransfer& transfer = *peer.snapshot;
    ensure(transfer.offset <= transfer.total, "a follower has at most the whole");
    if (!transfer.has_begun) {
      if (under_way == config_.limits.snapshot_sends_max) {
        continue;
      }
      ++under_way;
      transfer.has_begun = true;
    } else if (now_ < transfer.deadline) {
      continue;
    } else {
      ++transfer.silent_rounds;
    }
    const bool is_complete = transfer.total > 0 && transfer.offset == transfer.total;
    if (transfer.silent_rounds > (is_complete ? installing_rounds_max : silent_rounds_max)) {
      peer.become_probe();
      peer.pause();  // no tight loop; its next heartbeat's answer goes on.
      continue;
    }
    transfer.deadline = after_us(now_, config_.timing.election_us);
    if (is_complete) {
      // Asks how it stands: the answer may have been lost, or the follower has started anew since.
      send(peer.id(), SnapshotChunk{.term = hard_state_.term,
                                    .id = *transfer.id,
                                    .offset = transfer.total,
                                    .total = transfer.total,
                                    .bytes = {}});
    } else {
      snapshot_reads_.push_back(SnapshotRead{.peer = peer.id(), .id = transfer.id, .offset = transfer.offset});
    }
  }
}

void Core::snapshot_chunk(NodeId id, SnapshotChunk chunk) {
  Progress* peer = find_peer(id);
  if (peer == nullptr || !peer->snapshot || !peer->snapshot->has_begun) {
    return;  // It does not need it any more.
  }
  if (chunk.id.point.index <= peer->match()) {
    snapshot_unavailable(id);  // It would bring nothing; the log, read again, may.
    return;
  }
  SnapshotTransfer& transfer = *peer->snapshot;
  chunk.term = hard_state_.term;
  chunk.id.sender_term = hard_state_.term;
  ensure(chunk.total > 0 && chunk.offset + chunk.bytes.size() <= chunk.total, "a part lies inside the whole");
  if (transfer.id != chunk.id) {
    // A newer snapshot took the place of the one that was under way.
    transfer.id = chunk.id;
    transfer.total = chunk.total;
    transfer.offset = 0;
  }
  if (chunk.offset != transfer.offset) {
    snapshot_reads_.push_back(SnapshotRead{.peer = id, .id = transfer.id, .offset = transfer.offset});
    return;
  }
  transfer.deadline = after_us(now_, config_.timing.election_us);
  send(id, std::move(chunk));
}

void Core::snapshot_unavailable(NodeId id) {
  Progress* peer = find_peer(id);
  if (peer != nullptr && peer->flow() == Flow::snapshot) {
    peer->become_probe();
    peer->pause();
  }
}

Result<void> Core::on(NodeId from, const SnapshotReply& reply) {
  Progress* peer = reply.term == hard_state_.term ? find_peer(from) : nullptr;
  if (peer == nullptr) {
    return {};
  }
  peer->heard = now_;
  if (!peer->snapshot || peer->snapshot->id != reply.id) {
    return {};
  }
  if (reply.is_refused) {
    peer->become_probe();
    peer->pause();
    return {};
  }
  SnapshotTransfer& transfer = *peer->snapshot;
  if (reply.offset > transfer.total) {
    return failure(ErrorCode::invalid, "a peer wants more of a snapshot than there is");
  }
  // the receiver's offset rules; it may have lost what it had.
  ensure(transfer.has_begun, "only what was begun is answered (R-009)");
  transfer.offset = reply.offset;
  transfer.silent_rounds = 0;
  transfer.deadline = after_us(now_, config_.timing.election_us);
  if (transfer.offset < transfer.total) {
    snapshot_reads_.push_back(SnapshotRead{.peer = from, .id = transfer.id, .offset = transfer.offset});
  }
  return {};
}

// ---- The follower.

Result<void> Core::on(NodeId from, SnapshotChunk& chunk) {
  if (chunk.term < hard_state_.term) {
    send(from, SnapshotReply{.term = hard_state_.term, .id = chunk.id, .offset = 0, .is_refused = true});
    return {};
  }
  const bool lies_inside = chunk.offset <= chunk.total && chunk.bytes.size() <= chunk.total - chunk.offset;
  const bool is_question = chunk.bytes.size() == 0;
  if (chunk.total == 0 || !lies_inside || (is_question && chunk.offset < chunk.total)) {
    return failure(ErrorCode::invalid, "a part of a snapshot lies outside the whole");
  }
  follow(from, chunk.term);
  if (chunk.id.point.index <= commit_) {
    const std::optional<Term> own = log_.term_at(chunk.id.point.index);
    ensure(!own || *own == chunk.id.point.term, "what is committed here is committed everywhere (R-607, K-81)");
    auto& follower = std::get<Follower>(role_);  // nothing new; the leader learns how far this server is.
    follower.verified = std::max(follower.verified, commit_);
    acknowledge(follower);
    return {};
  }
  if (incoming_ && (incoming_->is_installing || chunk.id < incoming_->id)) {
    return {};
  }
  if (!incoming_ || incoming_->id != chunk.id) {
    incoming_ = Incoming{.id = chunk.id, .from = from, .total = chunk.total};
  }
  if (incoming_->is_writing) {
    return {};
  }
  if (chunk.offset != incoming_->stored || chunk.total != incoming_->total) {
    reply_snapshot(false);
    return {};
  }
  ensure(chunk.bytes.size() > 0 && !incoming_->is_installing, "a part brings something (R-605)");
  incoming_->is_writing = true;
  snapshot_writes_.push_back(
      SnapshotWrite{.id = chunk.id, .offset = chunk.offset, .total = chunk.total, .bytes = std::move(chunk.bytes)});
  return {};
}

void Core::reply_snapshot(bool is_refused) {
  ensure(incoming_.has_value() && incoming_->stored <= incoming_->total, "an answer is about what comes in");
  const auto* follower = std::get_if<Follower>(&role_);
  if (follower != nullptr && raw(follower->leader) != 0) {
    send(follower->leader,
         SnapshotReply{
             .term = hard_state_.term, .id = incoming_->id, .offset = incoming_->stored, .is_refused = is_refused});
  }
}

void Core::snapshot_stored(const SnapshotId& id, std::uint64_t offset) {
  if (!incoming_ || incoming_->id != id || !incoming_->is_writing) {
    return;  // Replaced meanwhile.
  }
  ensure(offset > incoming_->stored && offset <= incoming_->total, "a part was added");
  incoming_->stored = offset;
  incoming_->is_writing = false;
  reply_snapshot(false);
  if (offset < incoming_->total) {
    return;
  }
  if (log_.holds(id.point) || commit_ >= id.point.index) {
    // the log came as far meanwhile, if not on disk; what follows the point in it stays.
    advance_commit_to(id.point.index);
    incoming_.reset();
    return;
  }
  ensure(id.point.index > commit_, "a snapshot never takes back what is committed here (R-607)");
  incoming_->is_installing = true;
  snapshot_install_ = id;
}

void Core::snapshot_installed(const SnapshotId& id, Configuration configuration, WallTime time) {
  ensure(incoming_ && incoming_->is_installing && incoming_->id == id, "what was asked for is installed");
  ensure(id.point.index > commit_, "a snapshot never takes back what is committed here (R-607)");
  log_.reset(id.point);
  for (Pending& pending : pending_) {
    pending.last = std::min(pending.last, id.point.index);
  }
  commit_ = id.point.index;
  handed_out_ = id.point.index;
  applied_ = id.point.index;
  newest_time_ = std::max(newest_time_, time);
  configurations_.reset(StoredConfiguration{.id = id.configuration, .configuration = std::move(configuration)});
  configuration_changed();
  incoming_.reset();
  release_reads();
  auto* follower = std::get_if<Follower>(&role_);
  if (follower != nullptr && raw(follower->leader) != 0) {
    follower->verified = std::max(follower->verified, commit_);
    acknowledge(*follower);
  }
}

void Core::snapshot_failed(const SnapshotId& id) {
  if (incoming_ && incoming_->id == id) {
    reply_snapshot(true);
    incoming_.reset();
  }
}

}  // namespace quorate::raft
