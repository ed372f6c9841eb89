#include "raft/progress.hpp"

#include <gtest/gtest.h>

namespace quorate::raft {
namespace {

Progress replicating(Index match, Index next_index) {
  Progress progress(NodeId{2}, next_index, MonoTime{0});
  std::ignore = progress.sent(next_index, 0);
  std::ignore = progress.accepted(match);
  return progress;
}

TEST(Progress, starts_behind_the_last_entry_and_knows_nothing) {  // RAFT-10
  const Progress progress(NodeId{2}, Index{8}, MonoTime{0});
  EXPECT_EQ(progress.flow(), Flow::probe);
  EXPECT_EQ(progress.match(), Index{0});
  EXPECT_EQ(progress.next_index(), Index{8});
}

TEST(Progress, a_probe_is_alone_until_it_is_answered) {
  Progress progress(NodeId{2}, Index{8}, MonoTime{0});
  EXPECT_TRUE(progress.is_open(Limits{}));
  std::ignore = progress.sent(Index{9}, 10);
  EXPECT_FALSE(progress.is_open(Limits{}));
  EXPECT_TRUE(progress.nudge(Index{9}));
  EXPECT_TRUE(progress.is_open(Limits{}));
}

TEST(Progress, an_answer_that_tells_nothing_new_opens_the_pipeline_too) {  // R-306, K-23
  Progress progress(NodeId{2}, Index{1}, MonoTime{0});
  std::ignore = progress.sent(Index{1}, 10);
  EXPECT_FALSE(progress.accepted(Index{0}));
  EXPECT_EQ(progress.flow(), Flow::replicate);
}

TEST(Progress, the_pipeline_goes_on_before_the_answer_within_its_window) {
  const Limits limits{.inflight_messages_max = 2, .inflight_bytes_max = 100};
  Progress progress = replicating(Index{5}, Index{6});
  std::ignore = progress.sent(Index{6}, 10);
  EXPECT_EQ(progress.next_index(), Index{7});
  EXPECT_TRUE(progress.is_open(limits));
  std::ignore = progress.sent(Index{9}, 10);
  EXPECT_FALSE(progress.is_open(limits));  // By messages.
  EXPECT_TRUE(progress.accepted(Index{6}));
  EXPECT_TRUE(progress.is_open(limits));
  std::ignore = progress.sent(Index{10}, 90);
  EXPECT_FALSE(progress.is_open(limits));  // By bytes.
  EXPECT_TRUE(progress.accepted(Index{10}));
  EXPECT_EQ(progress.inflight_bytes(), 0U);
  EXPECT_EQ(progress.inflight_messages(), 0U);
}

TEST(Progress, match_never_falls) {
  Progress progress = replicating(Index{5}, Index{6});
  EXPECT_FALSE(progress.accepted(Index{3}));
  EXPECT_EQ(progress.match(), Index{5});
}

TEST(Progress, a_refusal_goes_back_to_where_the_logs_may_agree_and_clears_the_window) {  // K-24
  Progress progress = replicating(Index{5}, Index{6});
  const std::uint64_t first = progress.sent(Index{9}, 10);
  std::ignore = progress.sent(Index{12}, 10);
  EXPECT_TRUE(progress.refused(first, Index{7}));
  EXPECT_EQ(progress.flow(), Flow::probe);
  EXPECT_EQ(progress.next_index(), Index{8});
  EXPECT_EQ(progress.inflight_bytes(), 0U);
  EXPECT_EQ(progress.inflight_messages(), 0U);
}

TEST(Progress, refusals_of_what_was_sent_before_the_change_of_course_are_stale) {  // R-305, K-39, K-59
  Progress progress = replicating(Index{5}, Index{6});
  const std::uint64_t first = progress.sent(Index{9}, 10);
  const std::uint64_t second = progress.sent(Index{12}, 10);
  ASSERT_TRUE(progress.refused(first, Index{8}));
  EXPECT_FALSE(progress.refused(second, Index{6}));
  EXPECT_FALSE(progress.refused(first, Index{6}));
  EXPECT_FALSE(progress.refused(999, Index{6}));
  EXPECT_EQ(progress.next_index(), Index{9});
}

TEST(Progress, a_refusal_never_goes_back_behind_what_is_acknowledged) {
  Progress progress = replicating(Index{5}, Index{6});
  const std::uint64_t number = progress.sent(Index{9}, 10);
  EXPECT_TRUE(progress.refused(number, Index{2}));
  EXPECT_EQ(progress.next_index(), Index{6});
}

TEST(Progress, a_window_that_was_lost_whole_is_found_out_by_the_second_quiet_heartbeat) {  // R-307, F-101
  Progress progress = replicating(Index{5}, Index{6});
  std::ignore = progress.sent(Index{9}, 10);
  EXPECT_FALSE(progress.nudge(Index{9}));
  EXPECT_TRUE(progress.nudge(Index{9}));
  EXPECT_TRUE(progress.accepted(Index{9}));
  EXPECT_FALSE(progress.nudge(Index{9}));  // It has everything.
}

TEST(Progress, a_probe_without_an_answer_is_repeated_where_it_was) {  // R-309, K-23, K-57
  Progress progress(NodeId{2}, Index{9}, MonoTime{});
  std::ignore = progress.sent(Index{9}, 10);
  EXPECT_FALSE(progress.is_open(Limits{}));
  EXPECT_TRUE(progress.nudge(Index{9}));
  EXPECT_TRUE(progress.is_open(Limits{}));
  EXPECT_EQ(progress.next_index(), Index{9});
  // Also the one that has everything: only an answer leads it out of the probe.
  Progress complete = replicating(Index{5}, Index{6});
  complete.become_probe();
  complete.pause();
  EXPECT_TRUE(complete.nudge(Index{5}));
}

TEST(Progress, a_snapshot_stops_the_appends_until_it_ends) {
  Progress progress = replicating(Index{5}, Index{6});
  progress.become_snapshot();
  EXPECT_FALSE(progress.is_open(Limits{}));
  EXPECT_FALSE(progress.nudge(Index{9}));
  progress.become_probe();
  EXPECT_FALSE(progress.snapshot.has_value());
  EXPECT_TRUE(progress.is_open(Limits{}));
  progress.pause();
  EXPECT_FALSE(progress.is_open(Limits{}));
}

}  // namespace
}  // namespace quorate::raft
