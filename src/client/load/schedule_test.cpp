#include "client/load/schedule.hpp"

#include <algorithm>
#include <cstdint>
#include <gtest/gtest.h>

#include "base/histogram.hpp"
#include "base/prng.hpp"

namespace quorate::client::load {
namespace {

constexpr MonoTime start{1'000'000};

TEST(Schedule, spreads_operations_evenly_over_time_and_connections) {
  const Schedule schedule(start, 1000.0, 4);
  EXPECT_EQ(schedule.intended(0, 0), start);
  EXPECT_EQ(schedule.intended(1, 0), after_ms(start, 1));
  EXPECT_EQ(schedule.intended(3, 2), after_ms(start, 11));
  EXPECT_EQ(schedule.due_in_all(after_ms(start, 11)), 12U);
  EXPECT_EQ(schedule.due(3, after_ms(start, 11)), 3U);
  EXPECT_EQ(schedule.due(0, after_ms(start, 11)), 3U);
  EXPECT_EQ(schedule.due(0, after_ms(start, 12)), 4U);
}

TEST(Schedule, nothing_is_due_before_the_start) {
  const Schedule schedule(start, 10.0, 3);
  EXPECT_EQ(schedule.due_in_all(after_us(start, -1)), 0U);
  EXPECT_EQ(schedule.due(0, after_us(start, -1)), 0U);
  EXPECT_EQ(schedule.due_in_all(start), 1U);
  EXPECT_EQ(schedule.due(1, start), 0U);
}

TEST(Schedule, due_and_intended_agree_at_every_rate) {
  Prng prng(11);
  for (const double rate : {0.5, 3.0, 999.0, 7'777.7, 123'456.0, 2'000'000.0}) {
    const Schedule schedule(start, rate, 5);
    for (int times = 0; times < 2000; ++times) {
      const MonoTime now = after_us(start, prng.between(0, 60'000'000));
      const std::uint64_t due = schedule.due_in_all(now);
      ASSERT_LE(schedule.intended_in_all(due - 1), now) << rate;
      ASSERT_GT(schedule.intended_in_all(due), now) << rate;
      std::uint64_t sum = 0;
      for (std::uint64_t connection = 0; connection < 5; ++connection) {
        sum += schedule.due(connection, now);
      }
      ASSERT_EQ(sum, due) << rate;
    }
  }
}

// A server that answers in half a millisecond stands still from second 1 to second 2, at 1,000 operations a second on
// one connection, which asks again as soon as it is answered. A closed loop sees one slow operation in ten seconds;
// users would see a thousand.
Histogram played(bool counts_from_intended) {
  const Schedule schedule(start, 1000.0, 1);
  Histogram latency_us;
  MonoTime now = start;
  for (std::uint64_t sequence = 0; schedule.intended(0, sequence) < after_ms(start, 10'000); ++sequence) {
    const MonoTime sent = std::max(now, schedule.intended(0, sequence));
    const bool stands_still = sent >= after_ms(start, 1000) && sent < after_ms(start, 2000);
    now = stands_still ? after_ms(start, 2001) : after_us(sent, 500);
    const MonoTime from = counts_from_intended ? schedule.intended(0, sequence) : sent;
    latency_us.record(static_cast<std::uint64_t>(elapsed_us(from, now)));
  }
  return latency_us;
}

TEST(Schedule, latency_from_the_intended_start_shows_a_standstill_that_a_closed_loop_hides) {
  const Histogram open = played(true);
  const Histogram closed = played(false);
  ASSERT_EQ(open.count(), 10'000U);
  EXPECT_LT(closed.percentile(0.999), 1000U) << "one slow operation of ten thousand does not reach p99.9";
  EXPECT_GT(open.percentile(0.99), 800'000U) << "a fifth of all operations met the standstill or the queue behind it";
  EXPECT_GT(open.percentile(0.95), 600'000U);
  EXPECT_LT(open.percentile(0.50), 1000U);
}

}  // namespace
}  // namespace quorate::client::load
