#include "raft/membership.hpp"

#include <bit>
#include <gtest/gtest.h>
#include <vector>

#include "raft/quorum.hpp"

namespace quorate::raft {
namespace {

Member member(unsigned id, MemberRole role = MemberRole::voter, std::uint64_t incarnation = 1) {
  return Member{.id = NodeId{id}, .incarnation_low = incarnation, .role = role};
}

Configuration configuration_of(unsigned voters) {
  Configuration configuration;
  for (unsigned id = 1; id <= 5; ++id) {
    if ((voters >> (id - 1) & 1U) != 0) {
      configuration.members.push_back(member(id));
    }
  }
  return configuration;
}

bool have_disjoint_quorums(const Configuration& a, const Configuration& b) {
  const Electorate one(a);
  const Electorate other(b);
  for (unsigned part = 0; part < 1U << 5; ++part) {
    const auto in_part = [part](NodeId id) { return (part >> (raw(id) - 1) & 1U) != 0; };
    const auto in_rest = [part](NodeId id) { return (part >> (raw(id) - 1) & 1U) == 0; };
    if (one.has_quorum(in_part) && other.has_quorum(in_rest)) {
      return true;
    }
  }
  return false;
}

TEST(Membership, each_step_of_every_change_shares_its_quorums_with_the_one_before) {  // MEMB-03
  for (unsigned from = 1; from < 1U << 5; ++from) {
    for (unsigned to = 1; to < 1U << 5; ++to) {
      const Configuration current = configuration_of(from);
      const Configuration step = first_step(current, configuration_of(to).members);
      EXPECT_EQ(is_joint(step), std::popcount(from ^ to) > 1) << from << " to " << to;
      EXPECT_FALSE(have_disjoint_quorums(current, step)) << from << " to " << to;
      if (is_joint(step)) {
        EXPECT_FALSE(have_disjoint_quorums(step, after_joint(step))) << from << " to " << to;
        EXPECT_EQ(after_joint(step).members, configuration_of(to).members);
      } else {
        EXPECT_EQ(step.members, configuration_of(to).members);
      }
    }
  }
}

TEST(Membership, a_direct_switch_of_two_voters_would_allow_two_leaders) {  // MEMB-03, MEMB-04
  EXPECT_TRUE(have_disjoint_quorums(configuration_of(0b00111), configuration_of(0b11111)));
}

TEST(Membership, truncation_brings_the_configuration_before_back) {
  ConfigurationHistory history(StoredConfiguration{.id = {}, .configuration = configuration_of(0b1)});
  history.append(LogId{.term = Term{1}, .index = Index{5}}, configuration_of(0b11));
  history.append(LogId{.term = Term{1}, .index = Index{9}}, configuration_of(0b111));
  EXPECT_FALSE(history.truncate(Index{10}));
  EXPECT_TRUE(history.truncate(Index{6}));
  EXPECT_EQ(history.effective(), configuration_of(0b11));
  EXPECT_EQ(history.at(Index{4}).configuration, configuration_of(0b1));
  history.compact(Index{5});
  EXPECT_EQ(history.at(Index{5}).configuration, configuration_of(0b11));
}

TEST(Membership, removed_incarnations_leave_tombstones) {
  const Configuration after = first_step(configuration_of(0b111), configuration_of(0b011).members);
  ASSERT_EQ(after.removed.size(), 1U);
  EXPECT_EQ(after.removed.front().id, NodeId{3});
  EXPECT_FALSE(check_target(after, configuration_of(0b111).members).has_value());
  std::vector<Member> fresh = configuration_of(0b011).members;
  fresh.push_back(member(3, MemberRole::voter, 2));
  EXPECT_TRUE(check_target(after, fresh).has_value());
}

TEST(Membership, who_leaves_votes_until_the_joint_configuration_is_left) {
  const Configuration joint =
      first_step(configuration_of(0b00111), {member(1), member(2, MemberRole::learner), member(4), member(5)});
  ASSERT_TRUE(is_joint(joint));
  EXPECT_TRUE(is_voter(joint, NodeId{2}));
  EXPECT_TRUE(is_voter(joint, NodeId{3}));
  EXPECT_EQ(find_member(joint, NodeId{2})->role, MemberRole::voter_to_learner);
  EXPECT_EQ(find_member(joint, NodeId{3})->role, MemberRole::leaving);
  EXPECT_TRUE(joint.removed.empty());
  const Configuration after = after_joint(joint);
  EXPECT_EQ(find_member(after, NodeId{2})->role, MemberRole::learner);
  EXPECT_EQ(find_member(after, NodeId{3}), nullptr);
  EXPECT_EQ(after.removed.size(), 1U);
}

TEST(Membership, targets_that_make_no_cluster_are_refused_with_the_reason) {
  const Configuration current = configuration_of(0b111);
  struct Case {
    std::vector<Member> target;
    const char* reason;
  };
  std::vector<Member> eight;
  for (unsigned id = 1; id <= 8; ++id) {
    eight.push_back(member(id));
  }
  Member one = member(1);
  Member other = member(2);
  one.address = "host:2888";
  other.address = "host:2888";
  const std::vector<Case> cases = {
      {{}, "at least one voter"},
      {{member(1, MemberRole::learner)}, "at least one voter"},
      {eight, "at most 7"},
      {{member(1), member(1)}, "twice"},
      {{one, other}, "address of another"},
      {{member(1), member(2, MemberRole::leaving)}, "in this form"},
      {{member(1, MemberRole::voter, 2)}, "another data directory"},
  };
  for (const Case& refused : cases) {
    const Result<void> result = check_target(current, refused.target);
    ASSERT_FALSE(result.has_value()) << refused.reason;
    EXPECT_EQ(result.error().code, ErrorCode::refused);
    EXPECT_NE(result.error().message.find(refused.reason), std::string::npos) << result.error().message;
  }
}

}  // namespace
}  // namespace quorate::raft
