#include "sim/search/judge.hpp"

#include <algorithm>
#include <utility>

namespace quorate::sim::search {
namespace {

constexpr std::uint32_t servers_max = 5;

std::uint32_t bit_of(NodeId id) {
  return std::uint32_t{1} << raw(id);
}

std::uint32_t disks_with(std::span<const View* const> views, std::size_t place, std::uint64_t chain) {
  std::uint32_t servers = 0;
  for (const View* view : views) {
    if (place < view->disk.size() && view->disk[place].chain == chain) {
      servers |= bit_of(view->id);
    }
  }
  return servers;
}

// By brute force: whether a quorum of the one can decide behind the back of a quorum of the other (I-108).
bool quorums_meet(const Voters& a, const Voters& b) {
  constexpr std::uint32_t all = (std::uint32_t{1} << (servers_max + 1)) - 1;
  for (std::uint32_t servers = 0; servers <= all; ++servers) {
    if (a.has_quorum(servers) && b.has_quorum(all & ~servers)) {
      return false;
    }
  }
  return true;
}

std::optional<std::string> judge_leader(Memory& memory, const View& after) {
  const auto place = std::ranges::lower_bound(memory.leaders, after.term, {}, &std::pair<Term, NodeId>::first);
  if (place != memory.leaders.end() && place->first == after.term) {
    if (place->second != after.id) {
      return "I-101: two servers lead in one term";
    }
    return std::nullopt;
  }
  memory.leaders.insert(place, {after.term, after.id});
  std::uint32_t voters = 0;
  for (const Vote& vote : memory.votes) {
    voters |= vote.term == after.term && vote.candidate == after.id ? bit_of(vote.voter) : 0U;
  }
  if (!after.voters.has_quorum(voters)) {
    return "I-108: a server leads without the votes of a quorum";
  }
  return std::nullopt;
}

std::optional<std::string> judge_commit(Memory& memory, const View& before, const View& after,
                                        std::span<const View* const> views) {
  if (raw(after.commit) > after.log.size()) {
    return "I-105: commit runs ahead of the log";
  }
  while (memory.committed.size() < raw(after.commit)) {
    const std::size_t place = memory.committed.size();
    const Mark& mark = after.log[place];
    if (before.role != raft::Role::leader) {
      return "I-105: a server that does not lead commits what no leader has committed";
    }
    if (after.log[raw(after.commit) - 1].term != before.term) {
      return "I-104: an entry of an older term is committed by counting (R-310)";
    }
    // A turn that appends a configuration may count by it at once.
    const std::uint32_t holders = disks_with(views, place, mark.chain);
    const Voters& voters = before.voters.has_quorum(holders) ? before.voters : after.voters;
    if (!voters.has_quorum(holders)) {
      return "I-105: an entry is committed that no quorum has on disk";
    }
    memory.committed.push_back(Committed{.mark = mark, .in = before.term, .voters = voters});
    for (const auto& [index, configuration] : after.configurations) {
      if (raw(index) != place + 1) {
        continue;
      }
      if (!quorums_meet(memory.configuration, configuration)) {
        return "I-108: two configurations follow each other whose quorums do not meet";
      }
      memory.configuration = configuration;
    }
  }
  return std::nullopt;
}

// Same position and term: same entry, same prefix.
bool logs_match(const std::vector<Mark>& a, const std::vector<Mark>& b) {
  const std::size_t common = std::min(a.size(), b.size());
  for (std::size_t i = 0; i < common; ++i) {
    if (a[i].term == b[i].term && a[i].chain != b[i].chain) {
      return false;
    }
  }
  return true;
}

bool has_prefix(const Memory& memory, const std::vector<Mark>& log, Index up_to) {
  const std::size_t count = raw(up_to);
  if (count == 0) {
    return true;
  }
  // A chain covers everything before it.
  return count <= log.size() && count <= memory.committed.size() &&
         log[count - 1].chain == memory.committed[count - 1].mark.chain;
}

const char* judge_logs(const Memory& memory, const View& view, std::span<const View* const> views) {
  for (const View* other : views) {
    const bool match =
        logs_match(view.log, other->log) && logs_match(view.log, other->disk) && logs_match(view.disk, other->disk);
    if (!match) {
      return "I-104: two logs have the same position with different histories";
    }
  }
  if (!has_prefix(memory, view.log, view.commit)) {
    return "I-109: a server has committed another history";
  }
  if (!has_prefix(memory, view.disk, view.applied)) {
    return "I-110: a server has applied what is not committed and on its disk";
  }
  if (view.role == raft::Role::leader) {
    const auto newer =
        std::ranges::find_if(memory.committed, [&view](const Committed& entry) { return entry.in >= view.term; });
    const auto earlier = static_cast<std::uint64_t>(newer - memory.committed.begin());
    if (!has_prefix(memory, view.log, Index{earlier})) {
      return "I-104: a leader lacks what was committed in an earlier term";
    }
  }
  std::size_t uncommitted = 0;
  for (const auto& [index, voters] : view.configurations) {
    uncommitted += raw(index) > memory.committed.size() ? 1U : 0U;
  }
  return uncommitted > 1 ? "I-108: two uncommitted configurations in one log" : nullptr;
}

const char* judge_progress(const View& leader, std::span<const View* const> views) {
  for (const auto& [peer, match] : leader.matches) {
    const auto found = std::ranges::find(views, peer, &View::id);
    if (found == views.end() || (*found)->disk_term > leader.term || match == Index{}) {
      continue;  // A newer leader may have changed that log since.
    }
    const std::size_t place = raw(match) - 1;
    const std::vector<Mark>& disk = (*found)->disk;
    if (place >= disk.size() || disk[place] != leader.log[place]) {
      return "I-111: a leader counts on entries that its follower does not have on disk";
    }
  }
  return nullptr;
}

}  // namespace

std::string Memory::code() const {
  Code code;
  code.put(std::uint64_t{leaders.size()});
  for (const auto& [term, leader] : leaders) {
    code.put(term);
    code.put(leader);
  }
  code.put(std::uint64_t{votes.size()});
  for (const Vote& vote : votes) {
    code.put(vote.voter);
    code.put(vote.term);
    code.put(vote.candidate);
  }
  for (const Committed& entry : committed) {
    code.put(entry.mark.chain);
    code.put(entry.in);
    code.put(std::uint64_t{entry.voters.incoming});
    code.put(std::uint64_t{entry.voters.outgoing});
  }
  return code.text();
}

std::optional<Vote> shown_vote(const Packet& packet) {
  if (const auto* reply = std::get_if<raft::VoteReply>(&packet.message);
      reply != nullptr && reply->is_granted && !reply->is_pre) {
    return Vote{.voter = packet.from, .term = reply->term, .candidate = packet.to};
  }
  if (const auto* request = std::get_if<raft::VoteRequest>(&packet.message); request != nullptr && !request->is_pre) {
    return Vote{.voter = packet.from, .term = request->term, .candidate = packet.from};
  }
  return std::nullopt;
}

bool is_noteworthy(const Memory& memory, const View& after) {
  if (raw(after.commit) > memory.committed.size()) {
    return true;
  }
  return after.role == raft::Role::leader &&
         std::ranges::find(memory.leaders, std::pair(after.term, after.id)) == memory.leaders.end();
}

std::optional<std::string> judge_step(Memory& memory, const View& before, const View& after,
                                      std::span<const View* const> views, std::span<const Vote> votes) {
  for (const Vote& vote : votes) {
    const auto place = std::ranges::lower_bound(memory.votes, vote);
    if (place != memory.votes.end() && *place == vote) {
      continue;
    }
    const auto is_rival = [&vote](const Vote& other) { return other.voter == vote.voter && other.term == vote.term; };
    if (std::ranges::any_of(memory.votes, is_rival)) {
      return "I-102: a server votes for two candidates in one term";
    }
    memory.votes.insert(place, vote);
  }
  if (after.role == raft::Role::leader) {
    if (auto broken = judge_leader(memory, after)) {
      return broken;
    }
  }
  return judge_commit(memory, before, after, views);
}

std::optional<std::string> judge_state(const Memory& memory, std::span<const View* const> views) {
  for (const View* view : views) {
    if (const char* broken = judge_logs(memory, *view, views)) {
      return broken;
    }
    if (const char* broken = judge_progress(*view, views)) {
      return broken;
    }
  }
  for (std::size_t place = 0; place < memory.committed.size(); ++place) {
    const Committed& entry = memory.committed[place];
    if (!entry.voters.has_quorum(disks_with(views, place, entry.mark.chain))) {
      return "I-105: a committed entry is not on a quorum's disks any more";
    }
  }
  return std::nullopt;
}

}  // namespace quorate::sim::search
