#include "raft/quorum.hpp"

#include <array>
#include <bit>
#include <cstdint>
#include <gtest/gtest.h>
#include <optional>
#include <vector>

#include "base/prng.hpp"

namespace quorate::raft {
namespace {

std::vector<NodeId> members_of(unsigned bits) {
  std::vector<NodeId> ids;
  for (unsigned id = 1; id <= voters_max; ++id) {
    if ((bits >> (id - 1) & 1U) != 0) {
      ids.push_back(NodeId{id});
    }
  }
  return ids;
}

Electorate electorate_of(unsigned incoming, unsigned outgoing) {
  Configuration configuration;
  for (const NodeId id : members_of(incoming)) {
    configuration.members.push_back(Member{.id = id});
  }
  configuration.outgoing = members_of(outgoing);
  return Electorate(configuration);
}

// The definition: more than half of the set.
bool is_majority(unsigned part, unsigned set) {
  return 2 * std::popcount(part & set) > std::popcount(set);
}

TEST(Quorum, every_subset_of_up_to_seven_voters_is_judged_as_counting_does) {  // R-010, RAFT-22
  for (unsigned set = 1; set < 1U << voters_max; ++set) {
    const Electorate electorate = electorate_of(set, 0);
    for (unsigned part = 0; part < 1U << voters_max; ++part) {
      const auto holds = [part](NodeId id) { return (part >> (raw(id) - 1) & 1U) != 0; };
      ASSERT_EQ(electorate.has_quorum(holds), is_majority(part, set)) << "set " << set << " part " << part;
    }
  }
}

TEST(Quorum, any_two_quorums_of_one_electorate_share_a_voter) {  // RAFT-22, I-108
  const Electorate electorate = electorate_of(0b0001111, 0b0111100);
  std::vector<unsigned> quorums;
  for (unsigned part = 0; part < 1U << voters_max; ++part) {
    if (electorate.has_quorum([part](NodeId id) { return (part >> (raw(id) - 1) & 1U) != 0; })) {
      quorums.push_back(part);
    }
  }
  ASSERT_FALSE(quorums.empty());
  for (const unsigned one : quorums) {
    for (const unsigned other : quorums) {
      EXPECT_NE(one & other, 0U);
    }
  }
}

TEST(Quorum, joint_consensus_needs_both_majorities) {  // R-405, MEMB-05
  Prng prng(1);
  for (int round = 0; round < 20'000; ++round) {
    const auto incoming = 1 + static_cast<unsigned>(prng.below(127));
    const auto outgoing = 1 + static_cast<unsigned>(prng.below(127));
    const auto part = static_cast<unsigned>(prng.below(128));
    const auto holds = [part](NodeId id) { return (part >> (raw(id) - 1) & 1U) != 0; };
    ASSERT_EQ(electorate_of(incoming, outgoing).has_quorum(holds),
              is_majority(part, incoming) && is_majority(part, outgoing));
  }
}

TEST(Quorum, the_quorums_value_is_the_largest_that_a_quorum_has_reached) {  // R-310 against counting, R-010
  Prng prng(2);
  for (int round = 0; round < 20'000; ++round) {
    const auto incoming = 1 + static_cast<unsigned>(prng.below(127));
    const bool is_joint = prng.chance(1, 2);
    const auto outgoing = is_joint ? static_cast<unsigned>(prng.below(128)) : 0U;
    std::array<std::uint64_t, voters_max> reached{};
    for (std::uint64_t& value : reached) {
      value = prng.below(5);
    }
    const Electorate electorate = electorate_of(incoming, outgoing);
    std::uint64_t expected = 0;
    for (std::uint64_t value = 1; value < 5; ++value) {
      if (electorate.has_quorum([&](NodeId id) { return reached[raw(id) - 1] >= value; })) {
        expected = value;
      }
    }
    ASSERT_EQ(electorate.quorum_value<std::uint64_t>([&](NodeId id) { return reached[raw(id) - 1]; }), expected);
  }
}

TEST(Quorum, an_election_is_lost_only_when_it_cannot_be_won_any_more) {
  for (unsigned set = 1; set < 1U << 5; ++set) {
    const Electorate electorate = electorate_of(set, 0);
    for (unsigned granted = 0; granted < 1U << 5; ++granted) {
      for (unsigned refused = 0; refused < 1U << 5; ++refused) {
        if ((granted & refused) != 0) {
          continue;
        }
        const Verdict verdict = electorate.verdict([&](NodeId id) -> std::optional<bool> {
          const unsigned bit = 1U << (raw(id) - 1);
          return (granted & bit) != 0   ? std::optional(true)
                 : (refused & bit) != 0 ? std::optional(false)
                                        : std::nullopt;
        });
        const bool can_win = is_majority(set & ~refused, set);
        ASSERT_EQ(verdict, is_majority(granted, set) ? Verdict::won : can_win ? Verdict::pending : Verdict::lost);
      }
    }
  }
}

TEST(Quorum, learners_do_not_count) {
  Configuration configuration;
  configuration.members = {Member{.id = NodeId{1}}, Member{.id = NodeId{2}, .role = MemberRole::learner},
                           Member{.id = NodeId{3}, .role = MemberRole::learner_to_voter}};
  const Electorate electorate(configuration);
  EXPECT_TRUE(electorate.is_alone(NodeId{1}));
  EXPECT_FALSE(electorate.contains(NodeId{2}));
  EXPECT_FALSE(electorate.contains(NodeId{3}));
}

TEST(QuorumDeath, an_eighth_voter_is_a_mistake) {
  VoterSet set;
  for (unsigned id = 1; id <= voters_max; ++id) {
    set.add(NodeId{id});
  }
  EXPECT_DEATH(set.add(NodeId{8}), "R-414");
}

}  // namespace
}  // namespace quorate::raft
