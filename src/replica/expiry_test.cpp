#include "replica/expiry.hpp"

#include <gtest/gtest.h>
#include <vector>

#include "replica/containers.hpp"

namespace quorate::replica {
namespace {

constexpr std::int32_t tick = 2000;

MonoTime at_ms(std::int64_t ms) {
  return MonoTime{ms * 1000};
}

std::vector<SessionId> expired(SessionExpiry& expiry, std::int64_t ms) {
  std::vector<SessionId> ids;
  expiry.take_expired(at_ms(ms), ids);
  return ids;
}

TEST(SessionExpiry, a_silent_session_lives_between_its_timeout_and_one_tick_more) {  // Protocol 8.2
  for (std::int64_t start = 0; start < 4000; start += 37) {
    SessionExpiry expiry(tick);
    expiry.set(SessionId{1}, 4000, at_ms(start));
    std::int64_t end = start;
    while (expired(expiry, end).empty()) {
      end += 10;
    }
    EXPECT_GT(end, start + 4000);
    EXPECT_LE(end, start + 4000 + tick + SessionExpiry::report_lag_ms + 10);
  }
}

TEST(SessionExpiry, a_touch_gives_the_full_timeout_again) {
  SessionExpiry expiry(tick);
  expiry.set(SessionId{1}, 4000, at_ms(0));
  for (std::int64_t ms = 0; ms < 60000; ms += 500) {
    expiry.touch(SessionId{1}, at_ms(ms));
    EXPECT_TRUE(expired(expiry, ms + 50).empty());
  }
  EXPECT_TRUE(expired(expiry, 59500 + 4000).empty());
  EXPECT_EQ(expired(expiry, 59500 + 4000 + tick + 100).size(), 1U);
}

TEST(SessionExpiry, a_touch_reported_late_still_counts) {
  SessionExpiry expiry(tick);
  expiry.set(SessionId{1}, 4000, at_ms(1));
  EXPECT_TRUE(expired(expiry, 6050).empty());  // The bucket of 6000 ms is due, but a report may be on its way.
  expiry.touch(SessionId{1}, at_ms(5990));
  EXPECT_TRUE(expired(expiry, 6200).empty());
}

TEST(SessionExpiry, an_older_touch_takes_nothing_away) {
  SessionExpiry expiry(tick);
  expiry.set(SessionId{1}, 4000, at_ms(10000));
  expiry.touch(SessionId{1}, at_ms(2000));
  EXPECT_TRUE(expired(expiry, 14000).empty());
}

TEST(SessionExpiry, a_session_is_named_once_until_its_proposal_came_to_nothing) {
  SessionExpiry expiry(tick);
  expiry.set(SessionId{1}, 4000, at_ms(0));
  EXPECT_EQ(expired(expiry, 7000).size(), 1U);
  EXPECT_TRUE(expired(expiry, 17000).empty());
  expiry.not_closing(SessionId{1});
  EXPECT_EQ(expired(expiry, 17000).size(), 1U);
}

TEST(SessionExpiry, a_resume_may_shorten_and_lengthen_the_timeout) {
  SessionExpiry expiry(tick);
  expiry.set(SessionId{1}, 40000, at_ms(0));
  expiry.set(SessionId{1}, 4000, at_ms(1000));
  EXPECT_EQ(expired(expiry, 8000).size(), 1U);
  expiry.set(SessionId{1}, 40000, at_ms(8000));
  EXPECT_TRUE(expired(expiry, 48000).empty());
  EXPECT_EQ(expired(expiry, 50200).size(), 1U);
}

TEST(SessionExpiry, a_new_leader_gives_everyone_the_full_timeout) {
  SessionExpiry expiry(tick);
  expiry.set(SessionId{1}, 4000, at_ms(0));
  expiry.set(SessionId{2}, 4000, at_ms(0));
  EXPECT_EQ(expired(expiry, 7000).size(), 2U);
  expiry.restart(at_ms(20000));
  EXPECT_TRUE(expired(expiry, 24000).empty());
  EXPECT_EQ(expired(expiry, 27000).size(), 2U);
}

TEST(SessionExpiry, many_are_looked_at_in_slices) {  // Design chapter 7
  SessionExpiry expiry(tick);
  for (std::int64_t id = 1; id <= 10; ++id) {
    expiry.set(SessionId{id}, 4000, at_ms(0));
  }
  std::vector<SessionId> ids;
  for (const std::size_t expected : {4U, 8U, 10U, 10U}) {
    expiry.take_expired(at_ms(7000), ids, 4);
    EXPECT_EQ(ids.size(), expected);
  }
}

// Design chapter 5: what lies before the pause counts, what lies in it does not, and what came in it was heard at its
// end.
TEST(SessionExpiry, a_pause_is_left_out) {
  SessionExpiry expiry(tick);
  expiry.set(SessionId{1}, 10000, at_ms(0));
  expiry.set(SessionId{2}, 10000, at_ms(6000));
  expiry.set(SessionId{3}, 10000, at_ms(9000));
  expiry.leave_out(at_ms(5000), at_ms(8000));
  EXPECT_TRUE(expired(expiry, 13000).empty());
  EXPECT_EQ(expired(expiry, 14100), std::vector<SessionId>{SessionId{1}});
  EXPECT_TRUE(expired(expiry, 18000).empty());
  EXPECT_EQ(expired(expiry, 20000 - 1).size(), 0U);
  EXPECT_EQ(expired(expiry, 20100).size(), 2U);
}

TEST(SessionExpiry, a_removed_session_never_expires) {
  SessionExpiry expiry(tick);
  expiry.set(SessionId{1}, 4000, at_ms(0));
  expiry.remove(SessionId{1});
  EXPECT_TRUE(expired(expiry, 100000).empty());
}

TEST(SessionExpiry, buckets_are_shown_in_order) {  // Operations 2.7
  SessionExpiry expiry(tick);
  expiry.set(SessionId{3}, 40000, at_ms(0));
  expiry.set(SessionId{2}, 4000, at_ms(0));
  expiry.set(SessionId{1}, 4000, at_ms(100));
  std::vector<std::vector<SessionId>> seen;
  expiry.for_each_bucket([&](MonoTime, const std::vector<SessionId>& ids) { seen.push_back(ids); });
  EXPECT_EQ(seen, (std::vector<std::vector<SessionId>>{{SessionId{1}, SessionId{2}}, {SessionId{3}}}));
}

TEST(ContainerCleaner, looks_once_an_interval) {
  ContainerCleaner cleaner(60000, 10000);
  EXPECT_EQ(cleaner.allowance(at_ms(0)), 0U);
  EXPECT_EQ(cleaner.allowance(at_ms(59999)), 0U);
  const std::size_t allowed = cleaner.allowance(at_ms(60000));
  EXPECT_GT(allowed, 0U);
  cleaner.proposed(0, 500, 500);
  EXPECT_EQ(cleaner.allowance(at_ms(61000)), 0U);
  EXPECT_GT(cleaner.allowance(at_ms(120000)), 0U);
}

TEST(ContainerCleaner, waits_until_its_deletions_are_applied) {
  ContainerCleaner cleaner(1000, 10000);
  (void)cleaner.allowance(at_ms(0));
  const std::size_t allowed = cleaner.allowance(at_ms(1000));
  cleaner.proposed(allowed, allowed, 10000);
  EXPECT_EQ(cleaner.allowance(at_ms(1001)), 0U);
  for (std::size_t i = 0; i < allowed; ++i) {
    cleaner.settled();
  }
  EXPECT_GT(cleaner.allowance(at_ms(1002)), 0U);  // There was more: the pass goes on.
}

TEST(ContainerCleaner, a_pass_goes_on_until_everything_was_looked_at) {  // Protocol 9
  ContainerCleaner cleaner(60000, 10000);
  (void)cleaner.allowance(at_ms(0));
  EXPECT_GT(cleaner.allowance(at_ms(60000)), 0U);
  cleaner.proposed(0, 1000, 2000);  // Nothing found, but not at the end.
  EXPECT_GT(cleaner.allowance(at_ms(60001)), 0U);
  cleaner.proposed(0, 0, 2000);  // No room for what was found.
  EXPECT_GT(cleaner.allowance(at_ms(60002)), 0U);
  cleaner.proposed(0, 1000, 2000);
  EXPECT_EQ(cleaner.allowance(at_ms(60003)), 0U);
}

TEST(ContainerCleaner, keeps_to_its_rate) {  // Protocol 9: at most 10 000 a minute.
  ContainerCleaner cleaner(1000, 300);
  (void)cleaner.allowance(at_ms(0));
  std::size_t deleted = 0;
  for (std::int64_t ms = 1000; ms < 60000; ms += 10) {
    const std::size_t allowed = cleaner.allowance(at_ms(ms));
    if (allowed > 0) {
      cleaner.proposed(allowed, allowed, 100'000);
      for (std::size_t i = 0; i < allowed; ++i) {
        cleaner.settled();
      }
      deleted += allowed;
    }
  }
  EXPECT_EQ(deleted, 300U);
  EXPECT_GT(cleaner.allowance(at_ms(60000)), 0U);
}

}  // namespace
}  // namespace quorate::replica
