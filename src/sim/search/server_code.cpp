// The canonical bytes of one server. Left out: clocks and deadlines, the random source, numbers of tokens, heartbeat
// rounds and appends (server.hpp says what stands for them), windows of what is in flight (they never fill here), and
// what follows from the log and the commit index: quota, electorate, configurations.

#include <algorithm>
#include <variant>

#include "base/ensure.hpp"
#include "sim/search/server.hpp"

namespace quorate::sim::search {
namespace {

void put_role(Code& code, const raft::Follower& follower) {
  code.put(follower.leader);
  code.put(follower.verified);
  code.put(follower.acknowledged);
  ensure(follower.reads.empty(), "no scope of the search reads");
}

void put_role(Code& code, const raft::Candidate& candidate) {
  code.put(candidate.is_pre);
  code.put(candidate.is_transfer);
  code.put(candidate.campaign);
  auto answers = candidate.answers;
  std::ranges::sort(answers);
  code.put(std::uint64_t{answers.size()});
  for (const auto& [voter, is_granted] : answers) {
    code.put(voter);
    code.put(is_granted);
  }
}

void put_role(Code& code, const raft::Leader& leader) {
  code.put(leader.term_start);
  ensure(!leader.transfer, "no scope of the search transfers leadership");
  code.put(leader.change.has_value());
  if (!leader.change) {
    return;
  }
  code.put(leader.change->is_switching);
  code.put(std::uint64_t{leader.change->target.size()});
  for (const raft::Member& member : leader.change->target) {
    code.put(member);
  }
  for (const raft::CatchUp& learner : leader.change->joining) {
    code.put(learner.id);
    code.put(std::uint64_t{learner.round});
    code.put(learner.goal);
    code.put(learner.is_done);
  }
}

bool is_quiet(raft::Progress peer) {
  return peer.flow() == raft::Flow::replicate && peer.nudge(Index{~std::uint64_t{0}});
}

void put_peer(Code& code, const raft::Progress& peer, const raft::Limits& limits) {
  ensure(peer.flow() != raft::Flow::snapshot && !peer.is_reading_log, "no scope of the search compacts a log");
  code.put(peer.id());
  code.put(std::uint64_t{std::to_underlying(peer.flow())});
  code.put(peer.match());
  code.put(peer.next_index());
  code.put(peer.is_open(limits));
  code.put(is_quiet(peer));
  code.put(peer.told_commit);
  code.put(peer.departs.has_value());
}

}  // namespace

std::string Server::code() const {
  Code code;
  code.put(self_);
  code.put(std::uint64_t{lives_});
  code.put(core_.term());
  code.put(core_.hard_state().vote);
  code.put(core_.commit_index());
  code.put(core_.applied_index());
  code.put(core_.durable_index());
  code.put(last_campaign_);
  code.put(raw(core_.log().last().index));
  for (Index index{1}; index <= core_.log().last().index; index = next(index)) {
    code.put(core_.log().at(index));
  }
  code.put(std::uint64_t{core_.role_state().index()});
  std::visit([&code](const auto& role) { put_role(code, role); }, core_.role_state());
  for (const raft::Progress& peer : core_.peers()) {
    put_peer(code, peer, core_.config().limits);
    const Course* course = find_course(peer.id());
    code.put(course == nullptr ? 0 : course->changes + 1);
  }
  code.put(disk_.hard_state.term);
  code.put(disk_.hard_state.vote);
  code.put(std::uint64_t{disk_.entries.size()});
  for (const raft::Entry& entry : disk_.entries) {
    code.put(entry);
  }
  code.put(std::uint64_t{writes_.size()});
  for (const Write& write : writes_) {
    code.put(write.term);
    code.put(write.last);
    code.put(write.hard_state.has_value());
    if (write.hard_state) {
      code.put(write.hard_state->term);
      code.put(write.hard_state->vote);
    }
    code.put(std::uint64_t{write.append.size()});
    for (const raft::Entry& entry : write.append) {
      code.put(entry);
    }
    std::vector<std::string> packets;
    packets.reserve(write.then_send.size());
    for (const Packet& packet : write.then_send) {
      packets.push_back(code_of(packet));
    }
    std::ranges::sort(packets);
    packets.erase(std::ranges::unique(packets).begin(), packets.end());
    code.put(std::uint64_t{packets.size()});
    for (const std::string& packet : packets) {
      code.put(ByteView(packet));
    }
  }
  return code.text();
}

}  // namespace quorate::sim::search
