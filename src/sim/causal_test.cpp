#include "sim/causal.hpp"

#include <gtest/gtest.h>
#include <map>
#include <string>
#include <string_view>

#include "base/prng.hpp"
#include "sim/testing/brute_force.hpp"
#include "sim/testing/random_histories.hpp"

namespace quorate::sim {
namespace {

History history_of(std::string_view text) {
  Result<History> history = parse_history(text);
  EXPECT_TRUE(history) << history.error().message;
  return *history;
}

CausalPattern pattern_of(std::string_view text) {
  const History history = history_of(text);
  const CausalPattern pattern = check_causal(history).pattern;
  if (text.find("cas") == std::string_view::npos) {
    EXPECT_EQ(is_causal_by_force(history), pattern == CausalPattern::none) << text;
  }
  return pattern;
}

TEST(CausalConsistency, small_histories_are_judged_as_by_trying_every_order) {
  std::size_t good = 0;
  std::map<CausalPattern, std::size_t> patterns;
  constexpr std::size_t rounds = 60'000;
  for (std::size_t seed = 0; seed < rounds; ++seed) {
    Prng prng(seed);
    const std::size_t operations = 2 + seed % 7;
    const History history = make_any_history(prng, {.operations = operations,
                                                    .clients = 1 + prng.below(4),
                                                    .keys = 1 + prng.below(2),
                                                    .values = static_cast<std::int64_t>(operations),
                                                    .has_swaps = false,
                                                    .has_unique_writes = true});
    const bool expected = is_causal_by_force(history);
    good += expected ? 1U : 0U;
    const CausalConsistency found = check_causal(history);
    ++patterns[found.pattern];
    ASSERT_EQ(found.verdict, expected ? Verdict::holds : Verdict::broken)
        << "seed " << seed << "\n"
        << describe(history) << describe(history, found);
  }
  EXPECT_GT(good, rounds / 20);
  EXPECT_LT(good, rounds * 19 / 20);
  EXPECT_GT(patterns[CausalPattern::cyclic_causes], 10U);
  EXPECT_GT(patterns[CausalPattern::write_causes_initial], 10U);
  EXPECT_GT(patterns[CausalPattern::write_between], 10U);
  EXPECT_GT(patterns[CausalPattern::cyclic_view], 10U);
}

TEST(CausalConsistency, what_an_atomic_register_or_a_lagging_replica_did_holds) {
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    Prng prng(seed);
    const History history = make_good_history(prng, {.clients = 1 + prng.below(8),
                                                     .operations = 1 + prng.below(300),
                                                     .keys = 1 + prng.below(4),
                                                     .swaps = prng.below(20),
                                                     .unknowns = prng.below(5),
                                                     .failures = prng.below(10),
                                                     .stale_reads = prng.below(100)});
    const CausalConsistency found = check_causal(history);
    ASSERT_EQ(found.verdict, Verdict::holds) << "seed " << seed << "\n" << describe(history, found);
  }
}

// One history for each of the patterns of Bouajjani and others (2017).
TEST(CausalConsistency, every_bad_pattern_is_found_and_named) {
  EXPECT_EQ(pattern_of("1 read x = 5 @ 0..1"), CausalPattern::thin_air_read);
  EXPECT_EQ(pattern_of("1 write x 5 failed @ 0..1\n2 read x = 5 @ 2..3"), CausalPattern::thin_air_read);
  EXPECT_EQ(pattern_of("1 read x = 1 @ 0..1\n1 write y 2 @ 2..3\n2 read y = 2 @ 0..1\n2 write x 1 @ 2..3"),
            CausalPattern::cyclic_causes);
  EXPECT_EQ(pattern_of("1 write x 1 @ 0..1\n1 write y 2 @ 2..3\n2 read y = 2 @ 4..5\n2 read x = 0 @ 6..7"),
            CausalPattern::write_causes_initial);
  EXPECT_EQ(pattern_of("1 write x 1 @ 0..1\n1 write x 2 @ 2..3\n2 read x = 2 @ 4..5\n2 read x = 1 @ 6..7"),
            CausalPattern::write_between);
  // Client 3 saw y 1 replaced by y 2, so x 1, a cause of y 1, was there when it first saw y 2.
  EXPECT_EQ(pattern_of("1 write x 1 @ 0..1\n1 write y 1 @ 2..3\n1 write z 1 @ 4..5\n2 write y 2 @ 0..1\n"
                       "3 read y = 2 @ 0..1\n3 read x = 0 @ 2..3\n3 read z = 1 @ 6..7\n3 read y = 2 @ 8..9"),
            CausalPattern::write_seen_initial);
  EXPECT_EQ(pattern_of("1 write x 1 @ 0..1\n2 write x 2 @ 0..1\n"
                       "3 read x = 1 @ 2..3\n3 read x = 2 @ 4..5\n3 read x = 1 @ 6..7"),
            CausalPattern::cyclic_view);
}

TEST(CausalConsistency, an_effect_of_what_is_not_known_to_have_happened_has_its_causes_too) {
  EXPECT_EQ(pattern_of("1 write x 1 @ 0..1\n1 write y 2 unknown @ 2..\n2 read y = 2 @ 4..5\n2 read x = 0 @ 6..7"),
            CausalPattern::write_causes_initial);
  // What the client did after it is no effect of it, and it is no cause of that.
  EXPECT_EQ(pattern_of("1 write x 1 unknown @ 0..\n1 write y 2 @ 2..3\n2 read y = 2 @ 4..5\n2 read x = 0 @ 6..7\n"
                       "2 read x = 1 @ 8..9"),
            CausalPattern::none);
}

TEST(CausalConsistency, a_compare_and_set_that_succeeded_has_seen_what_it_replaced) {
  EXPECT_EQ(pattern_of("1 write x 1 @ 0..1\n1 write x 2 @ 2..3\n2 read x = 2 @ 4..5\n2 cas x 1 -> 3 = yes @ 6..7"),
            CausalPattern::write_between);
  EXPECT_EQ(pattern_of("1 write x 1 @ 0..1\n2 cas x 1 -> 3 = yes @ 0..1\n3 read x = 3 @ 2..3\n3 read x = 1 @ 4..5"),
            CausalPattern::write_between);
}

TEST(CausalConsistency, without_unique_values_or_memory_nothing_is_claimed) {
  EXPECT_EQ(check_causal(history_of("1 write x 1 @ 0..1\n2 write x 1 @ 0..1")).verdict, Verdict::gave_up);
  EXPECT_EQ(check_causal(history_of("1 write x 0 @ 0..1")).verdict, Verdict::gave_up);
  EXPECT_EQ(check_causal(history_of("1 write x 1 @ 0..1\n2 write x 2 @ 0..1"), {.bytes = 31}).verdict,
            Verdict::gave_up);
  EXPECT_EQ(check_causal(history_of("1 write x 1 @ 0..1\n2 write x 2 @ 0..1"), {.bytes = 32}).verdict, Verdict::holds);
}

TEST(CausalConsistency, a_failure_is_told_in_words) {
  const History history =
      history_of("1 write x 1 @ 0..1\n1 write x 2 @ 2..3\n2 read x = 2 @ 4..5\n2 read x = 1 @ 6..7");
  EXPECT_EQ(describe(history, check_causal(history)),
            "not causally consistent: a read saw a value that a cause of the read had replaced:\n"
            "  2 read x = 1 @ 6..7\n"
            "  1 write x 1 @ 0..1\n"
            "  1 write x 2 @ 2..3\n");
}

}  // namespace
}  // namespace quorate::sim
