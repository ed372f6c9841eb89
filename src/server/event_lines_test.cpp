// What the log says of clients: whom, why, and not more often than a person can read.

#include "server/event_lines.hpp"

#include <gtest/gtest.h>
#include <optional>
#include <set>
#include <string>

namespace quorate::server {
namespace {

using replica::CloseReason;
using Action = replica::Front::Action;

constexpr MonoTime start{5'000'000};

Action close_for(CloseReason reason) {
  return Action{.connection = {}, .close = true, .reason = reason, .session = SessionId{0x10000000000002a}};
}

TEST(close_lines, a_line_names_the_client_its_session_and_the_reason) {
  CloseLines lines(1048575);
  const auto line = lines.line_for(close_for(CloseReason::slow_reader), "10.0.0.7", 4711, start);
  ASSERT_TRUE(line.has_value());
  EXPECT_EQ(line->level, LogLevel::warning);
  EXPECT_EQ(line->text,
            "closing the connection from 10.0.0.7:4711 with session 0x10000000000002a: the client does not read its "
            "replies");
}

TEST(close_lines, a_frame_that_is_too_large_is_told_with_its_length_and_the_limit) {  // Protocol 1.1
  CloseLines lines(1000);
  Action action = close_for(CloseReason::frame_too_large);
  action.session = SessionId{};
  action.refused_length = 1'195'725'856;  // "GET ": somebody's browser.
  const auto line = lines.line_for(action, "10.0.0.7", 4711, start);
  ASSERT_TRUE(line.has_value());
  EXPECT_EQ(line->text,
            "closing the connection from 10.0.0.7:4711: the frame's length is not allowed (jute.maxbuffer): "
            "1195725856 bytes, allowed are 0 to 1000");
}

TEST(close_lines, each_reason_has_one_line_a_second_and_counts_the_others) {
  CloseLines lines(1000);
  EXPECT_TRUE(lines.line_for(close_for(CloseReason::auth_failed), "a", 1, start).has_value());
  for (int more = 0; more < 7; ++more) {
    EXPECT_FALSE(lines.line_for(close_for(CloseReason::auth_failed), "a", 1, after_ms(start, 999)).has_value());
  }
  EXPECT_TRUE(lines.line_for(close_for(CloseReason::late_handshake), "a", 1, after_ms(start, 999)).has_value());
  const auto line = lines.line_for(close_for(CloseReason::auth_failed), "a", 1, after_ms(start, 1000));
  ASSERT_TRUE(line.has_value());
  EXPECT_TRUE(line->text.ends_with("authentication failed (7 more since the last such line)")) << line->text;
}

TEST(close_lines, what_clients_do_every_day_is_for_debugging) {
  CloseLines lines(1000);
  EXPECT_EQ(lines.line_for(close_for(CloseReason::session_closed), "a", 1, start)->level, LogLevel::debug);
  EXPECT_EQ(lines.line_for(close_for(CloseReason::four_letter_word), "a", 1, start)->level, LogLevel::debug);
}

TEST(close_lines, every_reason_has_a_line_of_its_own) {
  CloseLines lines(1000);
  std::set<std::string> said;
  for (std::size_t number = 1; number < replica::close_reasons; ++number) {
    const auto reason = static_cast<CloseReason>(number);
    const auto line = lines.line_for(close_for(reason), "10.0.0.7", 4711, start);
    ASSERT_TRUE(line.has_value()) << number;
    const std::string begin = "closing the connection from 10.0.0.7:4711 with session 0x10000000000002a: ";
    EXPECT_TRUE(line->text.starts_with(begin + std::string(replica::describe(reason)))) << line->text;
    EXPECT_TRUE(said.insert(line->text).second) << line->text;
    const bool every_day = reason == CloseReason::session_closed || reason == CloseReason::four_letter_word;
    EXPECT_EQ(line->level, every_day ? LogLevel::debug : LogLevel::warning) << line->text;
  }
}

TEST(change_lines, expiries_are_told_once_and_not_those_of_the_replayed_log) {
  ChangeLines lines;
  replica::ReplicaStats stats;
  stats.sessions_expired = 4;
  lines.begin(stats, {});
  EXPECT_FALSE(lines.expiries(stats).has_value());
  stats.sessions_expired = 7;
  stats.last_expired = SessionId{0x2a};
  stats.last_expired_timeout_ms = 6000;
  const auto line = lines.expiries(stats);
  ASSERT_TRUE(line.has_value());
  EXPECT_EQ(line->level, LogLevel::info);
  EXPECT_EQ(line->text,
            "session 0x2a expired: nothing was heard of it for its timeout of 6000 ms (2 more since the "
            "last such line)");
  EXPECT_FALSE(lines.expiries(stats).has_value());
}

TEST(change_lines, an_exceeded_quota_is_a_warning) {  // Protocol 11
  ChangeLines lines;
  tree::QuotaExcess quota{.count = 1, .path = "/a", .is_of_bytes = true, .is_hard = false, .used = 21, .limit = 20};
  const auto line = lines.quotas(quota);
  ASSERT_TRUE(line.has_value());
  EXPECT_EQ(line->level, LogLevel::warning);
  EXPECT_EQ(line->text, "quota exceeded: /a has bytes=21, its soft limit is 20");
  EXPECT_FALSE(lines.quotas(quota).has_value());
  quota = {.count = 4, .path = "/b", .is_of_bytes = false, .is_hard = true, .used = 12, .limit = 10};
  EXPECT_EQ(lines.quotas(quota).value().text,
            "quota exceeded: /b has count=12, its hard limit is 10 (2 more since the last such line)");
}

TEST(change_lines, a_quota_that_the_replayed_log_exceeded_is_no_news) {
  ChangeLines lines;
  tree::QuotaExcess quota{.count = 5, .path = "/a", .is_of_bytes = true, .is_hard = false, .used = 21, .limit = 20};
  lines.begin({}, quota);
  EXPECT_FALSE(lines.quotas(quota).has_value());
  quota.count = 6;
  EXPECT_TRUE(lines.quotas(quota).has_value());
}

TEST(change_lines, the_tree_s_budget_has_a_line_when_it_refuses_and_one_when_there_is_room_again) {  // S-206
  constexpr std::size_t mib = 1U << 20;
  ChangeLines lines;
  replica::ReplicaStats stats;
  EXPECT_FALSE(lines.memory(stats, 100 * mib, 100 * mib).has_value()) << "nothing was refused";
  stats.refused_for_memory = 3;
  const auto begins = lines.memory(stats, 100 * mib, 100 * mib);
  ASSERT_TRUE(begins.has_value());
  EXPECT_EQ(begins->level, LogLevel::error);
  EXPECT_EQ(begins->text,
            "the tree takes 100 MiB and may take 100 (treeMemoryLimitInMb): what grows it is refused until something "
            "is deleted");
  stats.refused_for_memory = 9;
  EXPECT_FALSE(lines.memory(stats, 100 * mib, 100 * mib).has_value()) << "that is known";
  EXPECT_FALSE(lines.memory(stats, 96 * mib, 100 * mib).has_value()) << "too little room to last";
  const auto ends = lines.memory(stats, 94 * mib, 100 * mib);
  ASSERT_TRUE(ends.has_value());
  EXPECT_EQ(ends->level, LogLevel::info);
  EXPECT_EQ(ends->text, "the tree has room again, 94 of 100 MiB: writes are served");
  EXPECT_FALSE(lines.memory(stats, 94 * mib, 100 * mib).has_value());
}

}  // namespace
}  // namespace quorate::server
