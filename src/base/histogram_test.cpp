#include "base/histogram.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <gtest/gtest.h>
#include <vector>

#include "base/prng.hpp"

namespace quorate {
namespace {

TEST(histogram, an_empty_one_is_all_zeros) {
  const Histogram histogram;
  EXPECT_EQ(histogram.count(), 0U);
  EXPECT_EQ(histogram.sum(), 0U);
  EXPECT_EQ(histogram.minimum(), 0U);
  EXPECT_EQ(histogram.maximum(), 0U);
  for (const double share : {0.0, 0.5, 1.0}) {
    EXPECT_EQ(histogram.percentile(share), 0U);
  }
}

TEST(histogram, count_sum_minimum_and_maximum_are_exact) {
  Histogram histogram;
  for (const std::uint64_t value : {7'777'777U, 3U, 1'000'003U}) {
    histogram.record(value);
  }
  EXPECT_EQ(histogram.count(), 3U);
  EXPECT_EQ(histogram.sum(), 8'777'783U);
  EXPECT_EQ(histogram.minimum(), 3U);
  EXPECT_EQ(histogram.maximum(), 7'777'777U);
}

TEST(histogram, small_values_are_told_apart_exactly) {
  for (std::uint64_t value = 0; value < 64; ++value) {
    Histogram histogram;
    histogram.record(value);
    histogram.record(1'000'000);
    EXPECT_EQ(histogram.percentile(0.5), value);
  }
}

TEST(histogram, every_value_is_found_again_within_three_per_cent) {
  std::vector<std::uint64_t> values = {0, UINT64_MAX, UINT64_MAX - 1};
  for (unsigned bit = 0; bit < 64; ++bit) {
    const std::uint64_t power = std::uint64_t{1} << bit;
    values.insert(values.end(), {power - 1, power, power + 1, power + (power / 3)});
  }
  for (const std::uint64_t value : values) {
    Histogram histogram;
    histogram.record(value);
    histogram.record(UINT64_MAX);  // So that the maximum does not give the answer away.
    const std::uint64_t found = histogram.percentile(0.5);
    EXPECT_GE(found, value);
    EXPECT_LE(found - value, value / 32) << value;
  }
}

TEST(histogram, percentiles_are_those_of_the_sorted_values) {
  Prng prng{1};
  Histogram histogram;
  std::vector<std::uint64_t> values;
  for (int count = 0; count < 10'000; ++count) {
    const std::uint64_t value = prng.next_u64() >> prng.below(60);
    values.push_back(value);
    histogram.record(value);
  }
  std::ranges::sort(values);
  for (const double share : {0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 1.0}) {
    const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(values.size())));
    const std::uint64_t exact = values[rank - 1];
    const std::uint64_t found = histogram.percentile(share);
    EXPECT_GE(found, exact) << share;
    EXPECT_LE(found - exact, exact / 32) << share;
  }
  EXPECT_EQ(histogram.percentile(1.0), values.back());
}

TEST(histogram, a_percentile_never_exceeds_the_maximum) {
  Histogram histogram;
  histogram.record(1'000'000);
  EXPECT_EQ(histogram.percentile(0.5), 1'000'000U);
  EXPECT_EQ(histogram.percentile(1.0), 1'000'000U);
}

TEST(histogram, merging_is_recording_both) {
  Prng prng{2};
  Histogram first;
  Histogram second;
  Histogram both;
  for (int count = 0; count < 1000; ++count) {
    const std::uint64_t value = prng.below(1'000'000);
    (prng.chance(1, 3) ? first : second).record(value);
    both.record(value);
  }
  first.merge(second);
  EXPECT_EQ(first.count(), both.count());
  EXPECT_EQ(first.sum(), both.sum());
  EXPECT_EQ(first.minimum(), both.minimum());
  EXPECT_EQ(first.maximum(), both.maximum());
  for (const double share : {0.1, 0.5, 0.99}) {
    EXPECT_EQ(first.percentile(share), both.percentile(share));
  }
  first.merge(Histogram{});
  EXPECT_EQ(first.minimum(), both.minimum());
}

TEST(histogram, reset_forgets_everything) {
  Histogram histogram;
  histogram.record(9);
  histogram.reset();
  EXPECT_EQ(histogram.count(), 0U);
  EXPECT_EQ(histogram.maximum(), 0U);
  histogram.record(40);
  EXPECT_EQ(histogram.minimum(), 40U);
  EXPECT_EQ(histogram.percentile(0.01), 40U);
}

TEST(histogram_death, a_share_is_no_percentage) {
  const Histogram histogram;
  EXPECT_DEATH((void)histogram.percentile(99.0), "a share lies between 0 and 1");
}

}  // namespace
}  // namespace quorate
