// Changes of the members (dissertation chapter 4; ): new voters catch up as learners, then one entry
// switches, or two by way of joint consensus.

#include <algorithm>
#include <utility>

#include "base/ensure.hpp"
#include "raft/core.hpp"

namespace quorate::raft {
namespace {

constexpr unsigned catch_up_rounds_max = 10;  // Dissertation 4.2.1.
constexpr std::string_view no_quorum_left =
    "fewer than a majority of these voters answer and have caught up; force it if it must be (R-414)";

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

bool Core::answers(const Progress& peer) const {
  ensure(peer.heard <= now_, "nobody was heard in the future");
  return elapsed_us(peer.heard, now_) < config_.timing.election_us;
}

// it keeps up and is alive, at this moment.
bool Core::is_ready(const CatchUp& learner) const {
  const auto& peers = std::get<Leader>(role_).peers;
  const auto peer = std::ranges::find(peers, learner.id, &Progress::id);
  ensure(peer != peers.end(), "who joins is a member by now");
  return learner.is_done && answers(*peer);
}

// a majority of the target's voters need no help first: this leader; who answers and lacks nothing but what is
// in memory; and who joins, for those are promoted when they have caught up, and not before.
bool Core::keeps_quorum(const Leader& leader, const std::vector<Member>& target) const {
  const Configuration& current = configurations_.effective();
  std::size_t voters = 0;
  std::size_t sound = 0;
  for (const Member& member : target) {
    if (member.role != MemberRole::voter) {
      continue;
    }
    ++voters;
    const Member* known = find_member(current, member.id);
    const bool joins = known == nullptr || known->role != MemberRole::voter;
    const auto peer = std::ranges::find(leader.peers, member.id, &Progress::id);
    const bool is_healthy = peer != leader.peers.end() && answers(*peer) && peer->match() >= log_.start().index;
    sound += member.id == config_.self || joins || is_healthy ? 1U : 0U;
  }
  ensure(voters > 0, "somebody votes when the change is done (R-414)");
  return sound > voters / 2;
}

Result<void> Core::change_members(std::vector<Member> target, bool is_forced) {
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
  if (!is_forced && !keeps_quorum(*leader, target)) {
    return failure(ErrorCode::refused, std::string(no_quorum_left));
  }
  std::ranges::sort(target, {}, &Member::id);
  ensure(!leader->change && configurations_.effective_id().index <= commit_, "one change at a time (R-403)");
  leader->change =
      MemberChange{.target = std::move(target), .joining = {}, .is_switching = false, .is_forced = is_forced};
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
  const bool is_time = leader.change && std::ranges::all_of(leader.change->joining, [this](const CatchUp& learner) {
                         return is_ready(learner);
                       });
  if (!is_time) {
    return;
  }
  if (!leader.change->is_forced && !keeps_quorum(leader, leader.change->target)) {
    end_change(leader, ChangeOutcome{.done = false, .reason = no_quorum_left});  // It was asked long ago.
    return;
  }
  leader.change->is_switching = true;
  append_configuration(first_step(configurations_.effective(), leader.change->target));
}

// rounds, each over what the leader had when it began; whoever needs less than an election timeout for one is
// close enough not to stop the commits when it votes. They go on until all who join are there: who was close may die,
// or fall behind, while another one catches up.
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
    if (peer->match() >= learner.goal) {
      learner.is_done = elapsed_us(learner.began, now_) < config_.timing.election_us;
      learner.began = now_;
      learner.goal = log_.last().index;
      learner.round = learner.is_done ? 0 : learner.round + 1;
    } else if (elapsed_us(learner.began, now_) >= config_.timing.election_us) {
      learner.is_done = false;
    }
    if (is_ready(learner)) {
      learner.moved = now_;
    }
    if (learner.round > catch_up_rounds_max) {
      end_change(leader, ChangeOutcome{.done = false, .reason = "a new server does not keep up with the writes"});
      return;
    }
    if (elapsed_us(learner.moved, now_) > config_.timing.catch_up_us) {
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
