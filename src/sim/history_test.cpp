#include "sim/history.hpp"

#include <gtest/gtest.h>
#include <string>

namespace quorate::sim {
namespace {

TEST(History, is_written_as_it_is_read) {
  const std::string text =
      "1 write x 5 @ 10..20\n"
      "2 read x = -5 @ 15..18\n"
      "2 read /a/b unknown @ 19..\n"
      "3 cas x 5 -> 6 = yes @ 12..30\n"
      "3 cas x 5 -> 7 = no @ 31..31\n"
      "3 cas y 5 -> 7 unknown @ 32..\n"
      "1 write x 7 unknown @ 21..\n"
      "4 write x 8 failed @ 21..25\n"
      "4 read x failed @ 26..27\n";
  const Result<History> history = parse_history(text);
  ASSERT_TRUE(history) << history.error().message;
  EXPECT_EQ(history->operations().size(), 9U);
  EXPECT_EQ(history->keys(), 3U);
  EXPECT_EQ(describe(*history), text);
}

TEST(History, comments_and_empty_lines_say_nothing) {
  const Result<History> history = parse_history("# title\n\n  1   read x = 0 @ 1..2  # the first\r\n");
  ASSERT_TRUE(history) << history.error().message;
  EXPECT_EQ(describe(*history), "1 read x = 0 @ 1..2\n");
}

TEST(History, a_recorded_history_is_the_one_of_its_text) {
  History recorded;
  const KeyId x = recorded.key("x");
  const auto write = recorded.write(ClientId{1}, x, 5, 10);
  const auto read = recorded.read(ClientId{2}, x, 11);
  const auto swap = recorded.compare_and_set(ClientId{3}, x, 5, 6, 12);
  recorded.write(ClientId{4}, x, 7, 13);
  const auto refused = recorded.write(ClientId{5}, recorded.key("y"), 8, 14);
  recorded.done(read, 20, 5);
  recorded.done(write, 21);
  recorded.failed(refused, 22);
  recorded.done(swap, 23, 1);
  EXPECT_EQ(describe(recorded),
            "1 write x 5 @ 10..21\n"
            "2 read x = 5 @ 11..20\n"
            "3 cas x 5 -> 6 = yes @ 12..23\n"
            "4 write x 7 unknown @ 13..\n"
            "5 write y 8 failed @ 14..22\n");
}

TEST(History, a_line_that_is_no_operation_is_refused_with_its_number) {
  for (const char* line : {"x write x 1 @ 1..2", "1 append x 1 @ 1..2", "1 write x @ 1..2", "1 write x 1",
                           "1 write x 1 @ 1", "1 write x 1 @ 2..1", "1 write x 1 @ 1..", "1 read x 1 @ 1..2",
                           "1 read x = @ 1..2", "1 cas x 1 2 = yes @ 1..2", "1 cas x 1 -> 2 @ 1..2",
                           "1 cas x 1 -> 2 = perhaps @ 1..2", "1 read x unknown @ 1..2", "1 read x = 1 @ 1..2 more"}) {
    const Result<History> history = parse_history(std::string("1 read x = 0 @ 1..2\n") + line);
    ASSERT_FALSE(history) << line;
    EXPECT_EQ(history.error().code, ErrorCode::invalid);
    EXPECT_TRUE(history.error().message.starts_with("line 2 ")) << history.error().message;
  }
}

TEST(HistoryDeath, a_call_is_answered_once_and_not_before_it_was_made) {
  History history;
  const auto read = history.read(ClientId{1}, history.key("x"), 10);
  EXPECT_DEATH(history.done(read, 9, 0), "after its call");
  history.done(read, 10, 0);
  EXPECT_DEATH(history.failed(read, 11), "once");
}

}  // namespace
}  // namespace quorate::sim
