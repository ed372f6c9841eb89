#include "sim/sequential.hpp"

#include <gtest/gtest.h>
#include <string>
#include <string_view>

#include "base/prng.hpp"
#include "sim/linearizability.hpp"
#include "sim/testing/brute_force.hpp"
#include "sim/testing/random_histories.hpp"

namespace quorate::sim {
namespace {

History history_of(std::string_view text) {
  Result<History> history = parse_history(text);
  EXPECT_TRUE(history) << history.error().message;
  return *history;
}

TEST(SequentialConsistency, small_histories_are_judged_as_by_trying_every_order) {
  std::size_t good = 0;
  constexpr std::size_t rounds = 40'000;
  for (std::size_t seed = 0; seed < rounds; ++seed) {
    Prng prng(seed);
    const History history = make_any_history(prng, {.operations = 1 + seed % 6,
                                                    .clients = 1 + prng.below(4),
                                                    .keys = 1 + prng.below(3),
                                                    .values = prng.between(1, 3),
                                                    .has_swaps = prng.chance(1, 2)});
    const bool expected = is_sequential_by_force(history);
    good += expected ? 1 : 0;
    const SequentialConsistency found = check_sequential(history);
    ASSERT_EQ(found.verdict, expected ? Verdict::holds : Verdict::broken) << "seed " << seed << "\n"
                                                                          << describe(history);
  }
  EXPECT_GT(good, rounds / 5);
  EXPECT_LT(good, rounds * 4 / 5);
}

TEST(SequentialConsistency, what_an_atomic_register_did_holds) {
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    Prng prng(seed);
    const History history = make_good_history(prng, {.clients = 1 + prng.below(8),
                                                     .operations = 1 + prng.below(300),
                                                     .keys = 1 + prng.below(4),
                                                     .writes = prng.below(60),
                                                     .swaps = prng.below(20),
                                                     .unknowns = prng.below(5),
                                                     .failures = prng.below(10)});
    const SequentialConsistency found = check_sequential(history, {.steps = 3'000'000});
    ASSERT_EQ(found.verdict, Verdict::holds) << "seed " << seed << "\n" << describe(history, found);
  }
}

TEST(SequentialConsistency, reads_of_replicas_that_lag_hold_though_they_are_not_linearizable) {
  std::size_t broken = 0;
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    Prng prng(seed);
    const History history = make_good_history(prng, {.clients = 2 + prng.below(8),
                                                     .operations = 20 + prng.below(300),
                                                     .keys = 1 + prng.below(4),
                                                     .stale_reads = 50});
    const SequentialConsistency found = check_sequential(history, {.steps = 3'000'000});
    ASSERT_EQ(found.verdict, Verdict::holds) << "seed " << seed << "\n" << describe(history, found);
    broken += check_linearizable(history).verdict == Verdict::broken ? 1U : 0U;
  }
  EXPECT_GT(broken, 400U);
}

TEST(SequentialConsistency, a_client_that_sees_time_go_back_is_found_and_shown) {
  const History history = history_of(
      "1 write x 1 @ 0..1\n"
      "1 write y 5 @ 2..3\n"
      "1 write x 2 @ 4..5\n"
      "2 read x = 2 @ 6..7\n"
      "2 read y = 5 @ 8..9\n"
      "2 read x = 1 @ 10..11\n");
  const SequentialConsistency found = check_sequential(history);
  EXPECT_EQ(found.verdict, Verdict::broken);
  EXPECT_EQ(describe(history, found),
            "not sequentially consistent: these alone fit no order that keeps each client's own:\n"
            "  1 write x 1 @ 0..1\n"
            "  1 write x 2 @ 4..5\n"
            "  2 read x = 2 @ 6..7\n"
            "  2 read x = 1 @ 10..11\n");
}

// x alone and y alone are sequentially consistent: the law is not local (Herlihy and Wing 1990).
TEST(SequentialConsistency, registers_are_judged_together) {
  constexpr std::string_view x_alone = "1 write x 1 @ 0..1\n2 read x = 0 @ 4..5\n";
  constexpr std::string_view y_alone = "2 write y 1 @ 0..1\n1 read y = 0 @ 4..5\n";
  EXPECT_EQ(check_sequential(history_of(x_alone)).verdict, Verdict::holds);
  EXPECT_EQ(check_sequential(history_of(y_alone)).verdict, Verdict::holds);
  EXPECT_EQ(check_sequential(history_of(std::string(x_alone) + std::string(y_alone))).verdict, Verdict::broken);
}

TEST(SequentialConsistency, a_search_beyond_its_limits_says_that_it_does_not_know) {
  Prng prng(1);
  const History history = make_good_history(prng, {.clients = 8, .operations = 300, .keys = 2});
  const SequentialConsistency found = check_sequential(history, {.steps = 10});
  EXPECT_EQ(found.verdict, Verdict::gave_up);
  EXPECT_EQ(describe(history, found), "not decided whether sequentially consistent: gave up after 11 steps");
}

// Tried first is x 1, then x 2; client 3 refutes it. The same operations placed the other way round are another matter.
TEST(SequentialConsistency, what_registers_hold_is_part_of_a_configuration) {
  const History history = history_of(
      "1 write x 1 @ 0..1\n1 write y 1 @ 4..5\n"
      "2 write x 2 @ 2..3\n2 write y 2 @ 6..7\n"
      "3 read y = 1 @ 5..6\n3 read y = 2 @ 8..9\n3 cas x 2 -> 9 = no @ 10..11\n");
  EXPECT_TRUE(is_sequential_by_force(history));
  EXPECT_EQ(check_sequential(history).verdict, Verdict::holds);
}

}  // namespace
}  // namespace quorate::sim
