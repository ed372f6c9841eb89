// A leader's half of replication, and commitment (dissertation 3.5, 3.6, 10.2; ).

#include <algorithm>
#include <utility>

#include "base/ensure.hpp"
#include "raft/core.hpp"

namespace quorate::raft {
namespace {

constexpr std::int64_t departed_timeouts =
    10;  // Election time-outs in which a removed server still hears from the leader.

}  // namespace

void Core::tick_leader(Leader& leader) {
  ensure(leader.term_start <= log_.last().index, "a leader's no-op stays in its log (I-103)");
  if (config_.has_check_quorum && !has_live_quorum(leader)) {
    become_follower(hard_state_.term, NodeId{});
    return;
  }
  if (is_stalled()) {
    give_up_stalled_leadership(leader);
    if (role() != Role::leader) {
      return;
    }
  }
  std::erase_if(leader.peers, [this](const Progress& peer) { return peer.departs && *peer.departs <= now_; });
  drive_transfer(leader);
  drive_change(leader);
  tick_snapshots(leader);
  if (now_ >= leader.next_heartbeat) {
    heartbeat(leader);
  }
}

// to every member, whatever else is under way.
void Core::heartbeat(Leader& leader) {
  const std::uint64_t round = leader.rounds.begin(now_);
  ensure(!leader.rounds.wants_round(), "a round covers all that waits (R-704)");
  for (const Progress& peer : leader.peers) {
    send(peer.id(), Heartbeat{.term = hard_state_.term, .commit = std::min(commit_, peer.match()), .round = round});
  }
  leader.next_heartbeat = after_us(now_, config_.timing.heartbeat_us);
  confirm_rounds(leader);
}

// Once a turn, when all that the turn brought is known: so its proposals are one message to each peer.
void Core::replicate(Leader& leader) {
  ensure(role() == Role::leader, "entries flow from the leader only (RAFT-40)");
  must_replicate_ = false;
  if (leader.rounds.wants_round()) {
    heartbeat(leader);
  }
  for (Progress& peer : leader.peers) {
    replicate_to(peer);
  }
}

void Core::replicate_to(Progress& peer) {
  ensure(peer.id() != config_.self, "nobody replicates to himself");
  ensure(peer.match() <= log_.last().index, "nobody has more than the leader (I-103)");
  while (peer.is_open(config_.limits) && peer.next_index() <= log_.last().index) {
    if (!log_.term_at(previous(peer.next_index()))) {
      read_log(peer);  // R-304, K-22: what has left the memory has no known term.
      return;
    }
    send_append(peer, false);
  }
  // a new commit index leaves in this turn, with entries or without.
  if (peer.flow() == Flow::replicate && peer.told_commit < commit_) {
    send_append(peer, true);
  }
}

// Entries from memory, or none: an empty append at the pipeline's end.
void Core::send_append(Progress& peer, bool is_empty) {
  const Index before = previous(peer.next_index());
  ensure(before >= peer.match() && before <= log_.last().index, "an append continues what the peer may have (I-111)");
  const std::optional<Term> term = log_.term_at(before);
  if (!term) {
    return;
  }
  Entries entries;
  if (!is_empty) {
    const Limits& limits = config_.limits;
    entries = log_.range_within(peer.next_index(), limits.message_entries_max, limits.message_bytes_max);
  }
  send_entries(peer, LogId{.term = *term, .index = before}, std::move(entries));
}

void Core::send_entries(Progress& peer, LogId before, Entries entries) {
  const Index last = entries.empty() ? before.index : entries.back().index;
  ensure(entries.empty() || entries.front().index == next(before.index), "entries follow their previous one (R-301)");
  ensure(before.term <= hard_state_.term && last <= log_.last().index, "a leader sends what its log has (I-103)");
  std::size_t bytes = 0;
  for (const Entry& entry : entries) {
    bytes += sizeof(Entry) + entry.command.size();
  }
  const std::uint64_t sequence = peer.sent(last, bytes);
  peer.told_commit = commit_;
  send(peer.id(), AppendRequest{.term = hard_state_.term,
                                .previous = before,
                                .commit = commit_,
                                .sequence = sequence,
                                .entries = std::move(entries)});
}

// One part at a time: the answer sends it and asks for the next.
void Core::read_log(Progress& peer) {
  if (!peer.is_reading_log) {
    ensure(peer.flow() != Flow::snapshot, "who gets a snapshot gets no entries (R-306)");
    peer.is_reading_log = true;
    const Term term = peer.agrees_up_to.value_or(hard_state_.term);
    log_reads_.push_back(LogRead{.peer = peer.id(),
                                 .bound = LogId{.term = term, .index = previous(peer.next_index())},
                                 .up_to = log_.start().index});
  }
}

void Core::log_read(NodeId id, LogId before, Entries entries) {
  Progress* peer = find_peer(id);
  if (peer == nullptr || !std::exchange(peer->is_reading_log, false)) {
    return;  // Leadership, or the follower's state, has changed meanwhile.
  }
  ensure(!entries.empty() && entries.front().index == next(before.index), "entries follow the position asked for");
  ensure(entries.back().index <= log_.durable(), "the disk holds what is durable");
  must_replicate_ = true;
  const Index asked = previous(peer->next_index());
  peer->agrees_up_to.reset();
  // Meanwhile an acknowledgement may have come, or a refusal: where the answer does not fit any more, it is asked
  // again.
  if (!peer->is_open(config_.limits) || before.index > asked || before.index < peer->match()) {
    return;
  }
  if (before.index < asked) {
    if (peer->flow() != Flow::probe) {
      return;
    }
    peer->rewind(before.index);
  }
  send_entries(*peer, before, std::move(entries));
}

void Core::log_unavailable(NodeId id) {
  Progress* peer = find_peer(id);
  if (peer == nullptr || !std::exchange(peer->is_reading_log, false)) {
    return;
  }
  ensure(peer->flow() != Flow::snapshot, "who gets a snapshot gets no entries (R-306)");
  if (peer->match() >= log_.start().index) {
    must_replicate_ = true;  // a late acknowledgement has brought it back to what is in memory.
    return;
  }
  begin_snapshot(*peer);
}

// One Progress for each other member; who was removed is still told of it for a while.
void Core::align_peers(Leader& leader) {
  const Configuration& configuration = configurations_.effective();
  for (Progress& peer : leader.peers) {
    if (find_member(configuration, peer.id()) != nullptr) {
      if (peer.departs) {
        // whoever was removed comes back with another disk only; what the one before has acknowledged is gone.
        peer = Progress(peer.id(), next(log_.last().index), now_);
      }
    } else if (!peer.departs) {
      peer.departs = after_us(now_, departed_timeouts * config_.timing.election_us);
    }
  }
  for (const Member& member : configuration.members) {
    if (member.id != config_.self && find_peer(member.id) == nullptr) {
      const auto place = std::ranges::lower_bound(leader.peers, member.id, {}, &Progress::id);
      leader.peers.insert(place, Progress(member.id, next(log_.last().index), now_));
    }
  }
  ensure(leader.peers.size() + 1 >= configuration.members.size(), "every other member is known (R-309)");
}

Progress* Core::find_peer(NodeId id) {
  auto* leader = std::get_if<Leader>(&role_);
  if (leader == nullptr) {
    return nullptr;
  }
  const auto found = std::ranges::find(leader->peers, id, &Progress::id);
  return found == leader->peers.end() ? nullptr : &*found;
}

Result<void> Core::on(NodeId from, const AppendReply& reply) {
  Progress* peer = reply.term == hard_state_.term ? find_peer(from) : nullptr;
  if (peer == nullptr) {
    return {};
  }
  if (reply.is_accepted && reply.match > log_.last().index) {
    return failure(ErrorCode::invalid, "a peer acknowledges entries that do not exist");
  }
  peer->heard = now_;
  must_replicate_ = true;
  if (!reply.is_accepted) {
    // both sides leap over the terms that only one of them has.
    const LogId found = log_.newest_up_to(reply.hint);
    const bool is_known = found.term <= reply.hint.term && found.index <= reply.hint.index;
    const Index agreed = is_known ? found.index : std::min(reply.hint.index, previous(found.index));
    if (peer->refused(reply.sequence, agreed) && !is_known) {
      peer->agrees_up_to = reply.hint.term;
    }
    return {};
  }
  const bool is_news = peer->accepted(reply.match);
  ensure(peer->match() <= log_.last().index, "nobody has more than the leader (I-103)");
  if (peer->flow() == Flow::snapshot && peer->snapshot->id && peer->snapshot->id->point.index <= reply.match) {
    peer->become_probe();
  }
  if (is_news) {
    advance_commit();  // The list of peers may change from here on.
  }
  if (auto* leader = std::get_if<Leader>(&role_)) {
    drive_transfer(*leader);
    drive_change(*leader);
  }
  return {};
}

Result<void> Core::on(NodeId from, const HeartbeatReply& reply) {
  Progress* peer = reply.term == hard_state_.term ? find_peer(from) : nullptr;
  if (peer == nullptr) {
    return {};
  }
  auto& leader = std::get<Leader>(role_);
  if (reply.round > leader.rounds.newest()) {
    return failure(ErrorCode::invalid, "a peer answers a heartbeat that was never sent");
  }
  ensure(leader.term_start <= log_.last().index, "a leader's no-op stays in its log (I-103)");
  peer->heard = now_;
  peer->confirmed_round = std::max(peer->confirmed_round, reply.round);
  if (peer->nudge(log_.last().index)) {
    const bool is_in_memory = log_.term_at(previous(peer->next_index())).has_value();
    if (peer->flow() == Flow::replicate && !is_in_memory) {
      peer->become_probe();  // The pipeline's end has left the memory: what is missing is read again.
    } else if (peer->flow() == Flow::replicate || peer->next_index() > log_.last().index) {
      send_append(*peer, true);
    }
    must_replicate_ =
        true;  // A probe that was lost, or is slow, is repeated and not taken back to the beginning (K-57).
  }
  confirm_rounds(leader);
  return {};
}

void Core::unreachable(NodeId id) {
  Progress* peer = find_peer(id);
  if (peer != nullptr && peer->flow() == Flow::replicate) {
    peer->become_probe();
    peer->pause();
    ensure(!peer->is_open(config_.limits), "after a loss the next heartbeat's answer goes on (R-306)");
  }
}

// only entries of the own term commit by counting (Figure 8); they carry the older ones with them. R-104: the
// leader itself counts as far as its own disk is.
void Core::advance_commit() {
  auto& leader = std::get<Leader>(role_);
  const Index reached = electorate_.quorum_value<Index>([this](NodeId voter) {
    if (voter == config_.self) {
      return log_.durable();
    }
    const Progress* peer = find_peer(voter);
    return peer == nullptr ? Index{} : peer->match();
  });
  if (reached <= commit_ || reached < leader.term_start) {
    return;
  }
  ensure(log_.term_at(reached) == hard_state_.term, "after its no-op a leader appends entries of its own term only");
  ensure(reached <= log_.last().index, "a quorum holds no more than its leader (I-103)");
  const bool is_first = commit_ < leader.term_start;
  for (Index index = std::max(next(commit_), leader.term_start); index <= reached; index = next(index)) {
    const Entry& entry = log_.at(index);
    if (entry.kind == EntryKind::command) {
      ensure(uncommitted_entries_ > 0, "what is committed was counted when it was proposed (R-317)");
      uncommitted_bytes_ -= sizeof(Entry) + entry.command.size();
      --uncommitted_entries_;
    }
  }
  commit_ = reached;
  must_replicate_ = true;
  if (is_first) {
    leader.rounds.fix(commit_);  // R-702 step 2, now that step 1 holds.
  }
  settle_commit(leader);
}

// What a newly committed configuration asks of its leader.
void Core::settle_commit(Leader& leader) {
  ensure(commit_ >= leader.term_start, "a leader's commits are of its own term (R-310)");
  if (configurations_.effective_id().index > commit_) {
    return;
  }
  after_configuration_committed(leader);
  drive_change(leader);
  const bool is_removed = !is_joint(configurations_.effective()) && !electorate_.contains(config_.self);
  if (is_removed && configurations_.effective_id().index <= commit_) {
    replicate(leader);  // the others are told before it goes.
    become_follower(hard_state_.term, NodeId{});
  }
}

// A single voter has nobody to hand over to.
bool Core::is_stalled() const {
  return !pending_.empty() && !electorate_.is_alone(config_.self) &&
         elapsed_us(pending_.front().since, now_) > std::max(config_.timing.stall_us, config_.timing.election_us);
}

}  // namespace quorate::raft
