#include "raft/log.hpp"

#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace quorate::raft {
namespace {

Entry entry_at(std::uint64_t index, std::uint64_t term, std::string text = "x") {
  return Entry{.term = Term{term},
               .index = Index{index},
               .time = WallTime{},
               .kind = EntryKind::command,
               .command = Blob::adopt(std::move(text))};
}

TEST(Log, an_empty_log_continues_after_its_start) {
  const Log log(LogId{.term = Term{3}, .index = Index{7}});
  EXPECT_EQ(log.last(), (LogId{.term = Term{3}, .index = Index{7}}));
  EXPECT_EQ(log.first(), Index{8});
  EXPECT_EQ(log.durable(), Index{7});
  EXPECT_FALSE(log.has_unpersisted());
}

TEST(Log, the_term_is_unknown_below_the_start_and_beyond_the_end_never_zero) {
  Log log(LogId{.term = Term{3}, .index = Index{7}});
  log.append(entry_at(8, 4));
  EXPECT_EQ(log.term_at(Index{6}), std::nullopt);
  EXPECT_EQ(log.term_at(Index{7}), Term{3});
  EXPECT_EQ(log.term_at(Index{8}), Term{4});
  EXPECT_EQ(log.term_at(Index{9}), std::nullopt);
}

TEST(Log, each_entry_is_handed_to_the_disk_once) {
  Log log(LogId{});
  log.append(entry_at(1, 1));
  log.append(entry_at(2, 1));
  std::vector<Entry> out;
  log.take_unpersisted(out);
  EXPECT_EQ(out.size(), 2U);
  log.append(entry_at(3, 1));
  out.clear();
  log.take_unpersisted(out);
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(out.front().index, Index{3});
}

TEST(Log, durable_never_falls) {
  Log log(LogId{});
  std::vector<Entry> out;
  log.append(entry_at(1, 1));
  log.append(entry_at(2, 1));
  log.take_unpersisted(out);
  log.persisted(Index{2});
  log.persisted(Index{1});
  EXPECT_EQ(log.durable(), Index{2});
}

TEST(Log, the_boundary_term_survives_release) {
  Log log(LogId{});
  log.restore(entry_at(1, 1));
  log.restore(entry_at(2, 5));
  log.release(Index{2});
  EXPECT_EQ(log.term_at(Index{2}), Term{5});
  EXPECT_EQ(log.size(), 0U);
  EXPECT_EQ(log.bytes(), 0U);
}

TEST(Log, the_ring_keeps_order_while_it_grows_and_wraps) {
  Log log(LogId{});
  std::uint64_t index = 0;
  for (std::uint64_t round = 0; round < 50; ++round) {
    for (std::uint64_t i = 0; i < 11 + round; ++i) {
      ++index;
      log.restore(entry_at(index, 1, std::to_string(index)));
    }
    log.release(Index{index - 5 - round / 2});
    for (Index at = log.first(); at <= log.last().index; at = next(at)) {
      ASSERT_EQ(log.at(at).command.view(), std::to_string(raw(at)));
    }
  }
}

TEST(LogDeath, a_gap_stops_the_process) {
  Log log(LogId{});
  EXPECT_DEATH(log.append(entry_at(2, 1)), "contiguous");
}

TEST(LogDeath, what_is_not_durable_stays_in_memory) {
  Log log(LogId{});
  log.append(entry_at(1, 1));
  EXPECT_DEATH(log.release(Index{1}), "superfluous");
}

}  // namespace
}  // namespace quorate::raft
