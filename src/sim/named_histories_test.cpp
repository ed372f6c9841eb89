#include "sim/named_histories.hpp"

#include <gtest/gtest.h>
#include <set>
#include <string>

#include "sim/causal.hpp"
#include "sim/linearizability.hpp"
#include "sim/sequential.hpp"
#include "sim/testing/brute_force.hpp"

namespace quorate::sim {
namespace {

Verdict verdict(bool holds) {
  return holds ? Verdict::holds : Verdict::broken;
}

class NamedHistories : public testing::TestWithParam<NamedHistory> {};

TEST_P(NamedHistories, are_judged_as_the_models_say) {
  const NamedHistory& named = GetParam();
  const Result<History> history = parse_history(named.text);
  ASSERT_TRUE(history) << history.error().message;
  const Linearizability linearizable = check_linearizable(*history);
  EXPECT_EQ(linearizable.verdict, verdict(named.is_linearizable)) << describe(*history, linearizable);
  const SequentialConsistency sequential = check_sequential(*history);
  EXPECT_EQ(sequential.verdict, verdict(named.is_sequential)) << describe(*history, sequential);
  const CausalConsistency causal = check_causal(*history);
  EXPECT_EQ(causal.verdict, verdict(named.is_causal)) << describe(*history, causal);
}

TEST_P(NamedHistories, are_judged_so_by_trying_every_order_too) {
  const NamedHistory& named = GetParam();
  const Result<History> history = parse_history(named.text);
  ASSERT_TRUE(history) << history.error().message;
  EXPECT_EQ(is_linearizable_by_force(*history), named.is_linearizable);
  EXPECT_EQ(is_sequential_by_force(*history), named.is_sequential);
  EXPECT_EQ(is_causal_by_force(*history), named.is_causal);
}

INSTANTIATE_TEST_SUITE_P(Cons04To07, NamedHistories, testing::ValuesIn(named_histories()),
                         [](const testing::TestParamInfo<NamedHistory>& named) {
                           std::string name(named.param.name);
                           for (char& letter : name) {
                             letter = letter >= 'a' && letter <= 'z' ? letter : '_';
                           }
                           return name;
                         });

// CONS-07: each model allows all that the next stronger one allows, and more.
TEST(ConsistencyModels, form_a_ladder_with_a_history_between_any_two_rungs) {
  std::set<int> rungs;
  for (const NamedHistory& named : named_histories()) {
    EXPECT_TRUE(named.is_sequential || !named.is_linearizable) << named.name;
    EXPECT_TRUE(named.is_causal || !named.is_sequential) << named.name;
    rungs.insert((named.is_linearizable ? 1 : 0) + (named.is_sequential ? 1 : 0) + (named.is_causal ? 1 : 0));
  }
  EXPECT_EQ(rungs, (std::set<int>{0, 1, 2, 3}));
}

}  // namespace
}  // namespace quorate::sim
