#include "raft/quorum.hpp"

namespace quorate::raft {
namespace {

Verdict verdict_of(const VoterSet& set, const std::function<std::optional<bool>(NodeId)>& vote) {
  std::size_t granted = 0;
  std::size_t refused = 0;
  for (const NodeId id : set.ids()) {
    const std::optional<bool> answer = vote(id);
    granted += answer == true ? 1U : 0U;
    refused += answer == false ? 1U : 0U;
  }
  ensure(granted + refused <= set.size(), "a voter counts once");
  ensure(2 * set.majority() > set.size(), "two majorities share a voter (RAFT-22)");
  if (granted >= set.majority()) {
    return Verdict::won;
  }
  return refused > set.size() - set.majority() ? Verdict::lost : Verdict::pending;
}

}  // namespace

void VoterSet::add(NodeId id) {
  ensure(count_ < voters_max, "no set has more voters (R-414)");
  ensure(!contains(id), "a voter stands in a set once");
  ids_[count_++] = id;
}

bool VoterSet::contains(NodeId id) const {
  return std::ranges::find(ids(), id) != ids().end();
}

Electorate::Electorate(const Configuration& configuration) {
  for (const Member& member : configuration.members) {
    if (member.role == MemberRole::voter) {
      incoming_.add(member.id);
    }
  }
  for (const NodeId id : configuration.outgoing) {
    outgoing_.add(id);
  }
  ensure(configuration.members.empty() || incoming_.size() > 0, "somebody votes (R-414)");
}

bool Electorate::is_alone(NodeId id) const {
  return outgoing_.size() == 0 && incoming_.size() == 1 && incoming_.contains(id);
}

bool Electorate::has_quorum(const std::function<bool(NodeId)>& holds) const {
  return verdict([&holds](NodeId id) { return std::optional<bool>(holds(id)); }) == Verdict::won;
}

Verdict Electorate::verdict(const std::function<std::optional<bool>(NodeId)>& vote) const {
  const Verdict incoming = verdict_of(incoming_, vote);
  if (outgoing_.size() == 0) {
    return incoming;
  }
  const Verdict outgoing = verdict_of(outgoing_, vote);
  if (incoming == Verdict::lost || outgoing == Verdict::lost) {
    return Verdict::lost;
  }
  return incoming == Verdict::won && outgoing == Verdict::won ? Verdict::won : Verdict::pending;
}

}  // namespace quorate::raft
