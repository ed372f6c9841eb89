#include "base/prng.hpp"

#include <array>
#include <cstdint>
#include <gtest/gtest.h>
#include <limits>
#include <set>

namespace quorate {
namespace {

TEST(prng, yields_the_published_sequence_of_its_algorithm) {
  // xoshiro256** filled by SplitMix64 from 0: a seed must mean the same run on every machine and for ever.
  Prng zero{0};
  for (const std::uint64_t expected :
       {0x99EC5F36CB75F2B4U, 0xBF6E1F784956452AU, 0x1A5F849D4933E6E0U, 0x6AA594F1262D2D2CU}) {
    EXPECT_EQ(zero.next_u64(), expected);
  }
  Prng other{42};
  EXPECT_EQ(other.next_u64(), 0x15780B2E0C2EC716U);
}

TEST(prng, a_copy_repeats_what_its_original_yields) {
  Prng original{7};
  original.next_u64();
  Prng copy = original;
  for (int count = 0; count < 100; ++count) {
    const std::uint64_t value = original.next_u64();
    EXPECT_EQ(copy.next_u64(), value);
  }
}

TEST(prng, below_reaches_every_value_about_equally_often) {
  Prng prng{1};
  std::array<int, 7> counts{};
  constexpr int draws = 70'000;
  for (int draw = 0; draw < draws; ++draw) {
    const std::uint64_t value = prng.below(counts.size());
    ASSERT_LT(value, counts.size());
    ++counts[value];
  }
  for (const int count : counts) {
    EXPECT_NEAR(count, draws / 7, 500);  // More than five standard deviations.
  }
}

TEST(prng, below_has_no_bias_where_the_remainder_would_have_one) {
  // Of 3 * 2^62 values the naive remainder yields the lower third twice as often as the rest.
  Prng prng{2};
  constexpr std::uint64_t third = std::uint64_t{1} << 62;
  std::array<int, 3> counts{};
  for (int draw = 0; draw < 30'000; ++draw) {
    ++counts[prng.below(3 * third) / third];
  }
  for (const int count : counts) {
    EXPECT_NEAR(count, 10'000, 500);
  }
}

TEST(prng, between_includes_both_ends) {
  Prng prng{3};
  std::set<std::int64_t> seen;
  for (int draw = 0; draw < 1000; ++draw) {
    seen.insert(prng.between(-2, 2));
  }
  EXPECT_EQ(seen, (std::set<std::int64_t>{-2, -1, 0, 1, 2}));
  EXPECT_EQ(prng.between(5, 5), 5);
  // The whole range has a width that does not fit: it must neither divide by zero nor abort.
  std::set<bool> signs;
  for (int draw = 0; draw < 64; ++draw) {
    signs.insert(prng.between(std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()) < 0);
  }
  EXPECT_EQ(signs.size(), 2U);
}

TEST(prng, chance_is_the_share_of_the_draws) {
  Prng prng{4};
  int hits = 0;
  for (int draw = 0; draw < 40'000; ++draw) {
    EXPECT_FALSE(prng.chance(0, 5));
    EXPECT_TRUE(prng.chance(5, 5));
    hits += prng.chance(1, 4) ? 1 : 0;
  }
  EXPECT_NEAR(hits, 10'000, 500);
}

TEST(prng_death, empty_ranges_are_our_own_mistake) {
  Prng prng{1};
  EXPECT_DEATH(prng.below(0), "a draw needs a non-empty range");
  EXPECT_DEATH(prng.between(1, 0), "a range has its lower bound first");
  EXPECT_DEATH(prng.chance(2, 1), "a probability is at most one");
}

}  // namespace
}  // namespace quorate
