// Changes of the members (dissertation chapter 4; ): new voters catch up as learners, then one entry
// switches, or two by way of joint consensus.

#include <algorithm>
#include <utility>

#include "base/ensure.hpp"
#include "raft/core.hpp"

namespace quorate::raft {
namespace {

constexpr unsigned catch_up_rounds_max = 10;  // Dissertation 4.2.1.

std::vector<CatchUp> joining_voters(const Configuration& current, const std::vector<Member>& target) {
  std::vector<CatchUp> joining;
  for (const Member& member : target) {
    const Member* known = find_member(current, member.id);
    if (member.role == MemberRole::voter && (known == nullptr || known->role != MemberRole::voter)) {
      joining.push_back(CatchUp{.id = member.id});
    }
  }
  return joining;
}

// The current members, and the ones that join as learners.
Configuration with_learners(const Configuration& current, const std::vector<Member>& target) {
  Configuration grown = current;
  for (const Member& member : target) {
    if (find_member(current, member.id) == nullptr) {
      grown.members.push_back(member);
      grown.members.back().role = MemberRole::learner;
    }
  }
  std::ranges::sort(grown.members, {}, &Member::id);
  ensure(grown.members.size() >= current.members.size(), "learners come before anybody goes (R-406)");
  return grown;
}

}  // namespace

Result<void> Core::may_change(const Leader& leader) const {
  ensure(role() == Role::leader, "leaders change the members");
  if (commit_ < leader.term_start) {
    // R-403, K-30: otherwise two leaders in turn could commit with majorities that do not meet.
    return failure(ErrorCode::refused, "this leader has not committed an entry of its own term yet; try again");
  }
  if (leader.change || configurations_.effective_id().index > commit_ || is_joint(configurations_.effective())) {
    return failure(ErrorCode::refused, "another change of the members is under way");
  }
  if (leader.transfer) {
    return failure(ErrorCode::refused, "leadership is moving to another server");
  }
  return {};
}

Result<void> Core::change_members(std::vector<Member> target) {
  auto* leader = std::get_if<Leader>(&role_);
  if (leader == nullptr) {
    return failure(ErrorCode::refused, "this server is not the leader");
  }
  if (Result<void> allowed = may_change(*leader); !allowed) {
    return allowed;
  }
  const Configuration current = configurations_.effective();
  if (Result<void> sound = check_target(current, target); !sound) {
    return sound;
  }
  std::ranges::sort(target, {}, &Member::id);
  ensure(!leader->change && configurations_.effective_id().index <= commit_, "one change at a time (R-403)");
  leader->change = MemberChange{.target = std::move(target), .joining = {}, .is_switching = false};
  leader->change->joining = joining_voters(current, leader->change->target);
  const Configuration grown = with_learners(current, leader->change->target);
  if (!leader->change->joining.empty() && grown != current) {
    append_configuration(grown);
  }
  drive_change(*leader);
  return {};
}

// One step further, whenever something moved that a change may wait for.
void Core::drive_change(Leader& leader) {
  if (!leader.change || configurations_.effective_id().index > commit_) {
    return;
  }
  ensure(commit_ >= leader.term_start, "a change begins after a commit in the own term (R-403)");
  if (leader.change->is_switching) {
    if (!is_joint(configurations_.effective())) {
      end_change(leader, ChangeOutcome{.done = true, .reason = {}});
    }
    return;
  }
  watch_catch_up(leader);
  if (leader.change && std::ranges::all_of(leader.change->joining, &CatchUp::is_done)) {
    leader.change->is_switching = true;
    append_configuration(first_step(configurations_.effective(), leader.change->target));
  }
}

// rounds, each over what the leader had when it began; whoever needs less than an election timeout for one is
// close enough not to stop the commits when it votes.
void Core::watch_catch_up(Leader& leader) {
  for (CatchUp& learner : leader.change->joining) {
    const Progress* peer = find_peer(learner.id);
    ensure(peer != nullptr, "who joins is a member by now");
    const std::uint64_t position = raw(peer->match()) + (peer->snapshot ? peer->snapshot->offset : 0);
    if (learner.goal == Index{}) {
      learner =
          CatchUp{.id = learner.id, .goal = log_.last().index, .began = now_, .moved = now_, .position = position};
    }
    if (position != learner.position) {
      learner.position = position;
      learner.moved = now_;
    }
    if (!learner.is_done && peer->match() >= learner.goal) {
      learner.is_done = elapsed_us(learner.began, now_) < config_.timing.election_us;
      learner.began = now_;
      learner.goal = log_.last().index;
      learner.round += learner.is_done ? 0 : 1;
    }
    if (learner.round > catch_up_rounds_max) {
      end_change(leader, ChangeOutcome{.done = false, .reason = "a new server does not keep up with the writes"});
      return;
    }
    if (!learner.is_done && elapsed_us(learner.moved, now_) > config_.timing.catch_up_us) {
      end_change(leader, ChangeOutcome{.done = false, .reason = "a new server does not answer"});
      return;
    }
  }
}

void Core::end_change(Leader& leader, ChangeOutcome outcome) {
  ensure(leader.change.has_value(), "a change ends once");
  ensure(!change_outcome_.has_value(), "one change at a time (R-403)");
  leader.change.reset();
  change_outcome_ = outcome;
}

void Core::append_configuration(const Configuration& configuration) {
  ensure(configurations_.effective_id().index <= commit_, "one uncommitted configuration at most (R-403, I-108)");
  const Blob encoded = config_.codec.encode(configuration);
  append(EntryKind::configuration, {&encoded, 1}, newest_time_);
  configurations_.append(log_.last(), configuration);
  configuration_changed();
  ensure(configurations_.effective_id() == log_.last(), "it rules from its append on (R-401)");
}

// joint consensus is left by whoever leads when it is committed; no limit can refuse that.
void Core::after_configuration_committed(Leader& leader) {
  ensure(configurations_.effective_id().index <= commit_, "it is committed");
  if (commit_ >= leader.term_start && is_joint(configurations_.effective()) &&
      configurations_.effective().leaves_automatically) {
    append_configuration(after_joint(configurations_.effective()));
  }
}

}  // namespace quorate::raft
