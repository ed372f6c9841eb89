#include "raft/membership.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "base/ensure.hpp"
#include "raft/quorum.hpp"

namespace quorate::raft {
namespace {

std::vector<NodeId> voters_of(const std::vector<Member>& members) {
  std::vector<NodeId> voters;
  for (const Member& member : members) {
    if (member.role == MemberRole::voter) {
      voters.push_back(member.id);
    }
  }
  return voters;
}

bool contains(const std::vector<NodeId>& ids, NodeId id) {
  return std::ranges::find(ids, id) != ids.end();
}

// How many voters stand in one set and not in the other, the larger count of both directions.
std::size_t difference(const std::vector<NodeId>& a, const std::vector<NodeId>& b) {
  const auto missing = [](const std::vector<NodeId>& from, const std::vector<NodeId>& in) {
    return static_cast<std::size_t>(std::ranges::count_if(from, [&in](NodeId id) { return !contains(in, id); }));
  };
  return missing(a, b) + missing(b, a);
}

bool same_incarnation(const Member& member, const RemovedMember& removed) {
  return member.id == removed.id && member.incarnation_high == removed.incarnation_high &&
         member.incarnation_low == removed.incarnation_low;
}

// Tombstones of `current`, and of its members that `members` does not have with the same incarnation.
std::vector<RemovedMember> removed_after(const Configuration& current, const std::vector<Member>& members) {
  std::vector<RemovedMember> removed = current.removed;
  for (const Member& member : current.members) {
    const RemovedMember tombstone{
        .id = member.id, .incarnation_high = member.incarnation_high, .incarnation_low = member.incarnation_low};
    const bool stays =
        std::ranges::any_of(members, [&tombstone](const Member& other) { return same_incarnation(other, tombstone); });
    if (!stays) {
      removed.push_back(tombstone);
    }
  }
  std::ranges::sort(removed);
  ensure(removed.size() >= current.removed.size(), "tombstones stay (R-413)");
  return removed;
}

}  // namespace

const Member* find_member(const Configuration& configuration, NodeId id) {
  const auto found = std::ranges::find(configuration.members, id, &Member::id);
  return found == configuration.members.end() ? nullptr : &*found;
}

bool is_voter(const Configuration& configuration, NodeId id) {
  const Member* member = find_member(configuration, id);
  return (member != nullptr && member->role == MemberRole::voter) || contains(configuration.outgoing, id);
}

ConfigurationHistory::ConfigurationHistory(StoredConfiguration base) {
  stack_.push_back(std::move(base));
  ensure(stack_.size() == 1, "one configuration always rules");
}

const StoredConfiguration& ConfigurationHistory::at(Index index) const {
  const auto after = std::ranges::upper_bound(stack_, index, {}, [](const auto& stored) { return stored.id.index; });
  ensure(after != stack_.begin(), "no one asks behind what was compacted");
  return *std::prev(after);
}

void ConfigurationHistory::append(LogId id, Configuration configuration) {
  ensure(id.index > effective_id().index, "configurations come in the log's order");
  stack_.push_back(StoredConfiguration{.id = id, .configuration = std::move(configuration)});
}

bool ConfigurationHistory::truncate(Index first) {
  const std::size_t before = stack_.size();
  while (stack_.size() > 1 && stack_.back().id.index >= first) {
    stack_.pop_back();
  }
  ensure(stack_.back().id.index < first, "the oldest configuration is committed and stays");
  return stack_.size() != before;
}

void ConfigurationHistory::compact(Index index) {
  const auto after = std::ranges::upper_bound(stack_, index, {}, [](const auto& stored) { return stored.id.index; });
  if (after - stack_.begin() > 1) {
    stack_.erase(stack_.begin(), std::prev(after));
  }
  ensure(!stack_.empty(), "one configuration always rules");
}

void ConfigurationHistory::reset(StoredConfiguration base) {
  stack_.clear();
  stack_.push_back(std::move(base));
  ensure(stack_.size() == 1, "a snapshot's configuration takes the place of all (R-402)");
}

Configuration first_step(const Configuration& current, std::vector<Member> target) {
  ensure(!is_joint(current) && can_decide(current), "one change at a time (R-403), from a sound configuration");
  std::ranges::sort(target, {}, &Member::id);
  const std::vector<NodeId> before = voters_of(current.members);
  Configuration step;
  step.removed = removed_after(current, target);
  if (difference(before, voters_of(target)) <= 1) {
    step.members = std::move(target);
    return step;
  }
  step.outgoing = before;
  step.leaves_automatically = true;
  for (Member& member : target) {
    if (member.role == MemberRole::learner && contains(before, member.id)) {
      member.role = MemberRole::voter_to_learner;
    }
  }
  for (const Member& member : current.members) {
    const bool stays = std::ranges::find(target, member.id, &Member::id) != target.end();
    if (!stays && contains(before, member.id)) {
      target.push_back(member);
      target.back().role = MemberRole::leaving;
    }
  }
  std::ranges::sort(target, {}, &Member::id);
  step.members = std::move(target);
  // Who votes until the joint phase ends is not gone yet.
  step.removed = removed_after(current, step.members);
  ensure(is_joint(step), "more than one voter changes by way of both majorities (R-404)");
  ensure(std::ranges::all_of(step.outgoing, [&step](NodeId id) { return find_member(step, id) != nullptr; }),
         "who still votes is still a member (R-405)");
  return step;
}

Configuration after_joint(const Configuration& joint) {
  ensure(is_joint(joint), "only a joint configuration is left");
  Configuration after;
  for (const Member& member : joint.members) {
    if (member.role == MemberRole::leaving) {
      continue;
    }
    after.members.push_back(member);
    if (member.role == MemberRole::voter_to_learner) {
      after.members.back().role = MemberRole::learner;
    }
  }
  after.removed = removed_after(joint, after.members);
  ensure(!is_joint(after) && !voters_of(after.members).empty(), "somebody votes when the joint phase is over (R-405)");
  return after;
}

bool can_decide(const Configuration& configuration) {
  const std::size_t voters = voters_of(configuration.members).size();
  return voters >= 1 && voters <= voters_max && configuration.outgoing.size() <= voters_max;
}

Result<void> check_target(const Configuration& current, const std::vector<Member>& target) {
  const auto refuse = [](std::string why) { return failure(ErrorCode::refused, std::move(why)); };
  const std::vector<NodeId> voters = voters_of(target);
  if (voters.empty()) {
    return refuse("a cluster needs at least one voter");
  }
  if (voters.size() > voters_max) {
    return refuse("a cluster has at most 7 voters; make the others observers");
  }
  for (auto member = target.begin(); member != target.end(); ++member) {
    const std::string name = "server " + std::to_string(raw(member->id));
    if (raw(member->id) == 0 || (member->role != MemberRole::voter && member->role != MemberRole::learner)) {
      return refuse(name + " cannot be a member in this form");
    }
    if (std::any_of(std::next(member), target.end(), [&](const Member& other) { return other.id == member->id; })) {
      return refuse(name + " is named twice");
    }
    if (!member->address.empty() && std::any_of(std::next(member), target.end(), [&](const Member& other) {
          return other.address == member->address;
        })) {
      return refuse(name + " has the address of another member");
    }
    if (std::ranges::any_of(current.removed,
                            [&](const RemovedMember& gone) { return same_incarnation(*member, gone); })) {
      return refuse(name + " was removed with this data directory; start it with an empty one (R-413)");
    }
    const Member* known = find_member(current, member->id);
    if (known != nullptr &&
        (known->incarnation_high != member->incarnation_high || known->incarnation_low != member->incarnation_low)) {
      return refuse(name + " is a member with another data directory; remove that one first (R-118)");
    }
  }
  return {};
}

}  // namespace quorate::raft
