#include "replica/connection_throttle.hpp"

#include <gtest/gtest.h>

namespace quorate::replica {
namespace {

MonoTime at_ms(std::int64_t ms) {
  return MonoTime{1'000'000'000 + ms * 1000};
}

int admitted(ConnectionThrottle& throttle, int handshakes, std::int64_t ms, bool is_new = true) {
  int count = 0;
  for (int each = 0; each < handshakes; ++each) {
    count += throttle.admit(at_ms(ms), is_new) ? 1 : 0;
  }
  return count;
}

TEST(ConnectionThrottle, is_off_without_tokens) {  // Protocol 14.5
  ConnectionThrottle throttle({}, Prng(1));
  EXPECT_EQ(admitted(throttle, 1000, 0), 1000);
}

TEST(ConnectionThrottle, lets_through_what_the_bucket_holds_and_what_flows_in) {
  ConnectionThrottle throttle({.tokens_max = 10, .fill_ms = 100, .fill_count = 3}, Prng(1));
  EXPECT_EQ(admitted(throttle, 50, 0), 10);
  EXPECT_EQ(admitted(throttle, 50, 99), 0);
  EXPECT_EQ(admitted(throttle, 50, 100), 3);
  EXPECT_EQ(admitted(throttle, 50, 3'600'000), 10);  // Never more than it holds.
}

TEST(ConnectionThrottle, sessions_cost_their_weights) {  // Operations 1.4
  ConnectionThrottle throttle({.tokens_max = 10, .fill_ms = 1000, .new_session_weight = 3, .renewed_session_weight = 2},
                              Prng(1));
  EXPECT_EQ(admitted(throttle, 2, 0, true), 2);
  EXPECT_EQ(admitted(throttle, 9, 0, false), 2);
  EXPECT_EQ(throttle.tokens(), 0);
}

TEST(ConnectionThrottle, an_empty_bucket_raises_the_probability_once_a_freeze_time) {
  ConnectionThrottle throttle({.tokens_max = 1, .fill_ms = 1'000'000, .freeze_ms = 100, .drop_increase = 0.25},
                              Prng(1));
  EXPECT_EQ(admitted(throttle, 1, 0), 1);
  EXPECT_DOUBLE_EQ(throttle.drop_probability(), 0);
  for (const std::int64_t ms : {101, 150, 201}) {
    EXPECT_EQ(admitted(throttle, 5, ms), 0);
    EXPECT_DOUBLE_EQ(throttle.drop_probability(), 0.25) << ms;
  }
  admitted(throttle, 1, 202);
  EXPECT_DOUBLE_EQ(throttle.drop_probability(), 0.5);
  for (std::int64_t ms = 400; ms < 2000; ms += 101) {
    admitted(throttle, 1, ms);
  }
  EXPECT_DOUBLE_EQ(throttle.drop_probability(), 1);
}

TEST(ConnectionThrottle, a_full_enough_bucket_lowers_it_again) {
  ConnectionThrottle throttle({.tokens_max = 4,
                               .fill_ms = 100,
                               .fill_count = 4,
                               .freeze_ms = 10,
                               .drop_increase = 0.5,
                               .drop_decrease = 0.125,
                               .decrease_ratio = 0.5},
                              Prng(1));
  admitted(throttle, 4, 0);
  admitted(throttle, 1, 11);
  EXPECT_DOUBLE_EQ(throttle.drop_probability(), 0.5);
  admitted(throttle, 1, 100);  // Full again.
  EXPECT_DOUBLE_EQ(throttle.drop_probability(), 0.375);
}

TEST(ConnectionThrottle, the_probability_turns_handshakes_away_although_there_are_tokens) {
  ConnectionThrottle throttle({.tokens_max = 1000,
                               .fill_ms = 50,
                               .fill_count = 1000,
                               .freeze_ms = 10,
                               .drop_increase = 0.5,
                               .drop_decrease = 0},
                              Prng(1));
  EXPECT_EQ(admitted(throttle, 1000, 0), 1000);
  admitted(throttle, 1, 11);  // Empty: every second one is turned away from now on.
  const int through = admitted(throttle, 1000, 100);
  EXPECT_GT(through, 400);
  EXPECT_LT(through, 600);
}

}  // namespace
}  // namespace quorate::replica
