#include "raft/log.hpp"

#include <algorithm>
#include <gtest/gtest.h>
#include <ranges>
#include <string>
#include <tuple>
#include <vector>

#include "base/prng.hpp"

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
  log.append({entry_at(8, 4)});
  EXPECT_EQ(log.term_at(Index{6}), std::nullopt);
  EXPECT_EQ(log.term_at(Index{7}), Term{3});
  EXPECT_EQ(log.term_at(Index{8}), Term{4});
  EXPECT_EQ(log.term_at(Index{9}), std::nullopt);
}

TEST(Log, each_entry_is_handed_to_the_disk_once) {
  Log log(LogId{});
  log.append({entry_at(1, 1)});
  log.append({entry_at(2, 1)});
  EXPECT_EQ(log.take_unpersisted().size(), 2U);
  log.append({entry_at(3, 1)});
  const Entries out = log.take_unpersisted();
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(out.front().index, Index{3});
}

TEST(Log, durable_never_falls) {
  Log log(LogId{});
  log.append({entry_at(1, 1)});
  log.append({entry_at(2, 1)});
  std::ignore = log.take_unpersisted();
  log.persisted(Index{2});
  log.persisted(Index{1});
  EXPECT_EQ(log.durable(), Index{2});
}

TEST(Log, the_boundary_term_survives_release) {
  Log log(LogId{});
  log.restore(std::vector<Entry>{entry_at(1, 1), entry_at(2, 5)});
  log.release(Index{2});
  EXPECT_EQ(log.term_at(Index{2}), Term{5});
  EXPECT_EQ(log.size(), 0U);
  EXPECT_EQ(log.bytes(), 0U);
}

TEST(Log, what_a_start_found_is_there_and_durable) {
  std::vector<Entry> found;
  for (std::uint64_t index = 1; index <= 1000; ++index) {
    found.push_back(entry_at(index, 1, std::to_string(index)));
  }
  Log log(LogId{});
  log.restore(std::move(found));
  EXPECT_EQ(log.durable(), Index{1000});
  EXPECT_FALSE(log.has_unpersisted());
  for (Index at{1}; at <= Index{1000}; at = next(at)) {
    ASSERT_EQ(log.at(at).command.view(), std::to_string(raw(at)));
  }
}

TEST(Log, rows_keep_their_order_while_they_come_and_go) {
  Log log(LogId{});
  std::uint64_t index = 0;
  for (std::uint64_t round = 0; round < 50; ++round) {
    for (std::uint64_t i = 0; i < 11 + round; ++i) {
      ++index;
      log.restore({entry_at(index, 1, std::to_string(index))});
    }
    log.release(Index{index - 5 - round / 2});
    for (Index at = log.first(); at <= log.last().index; at = next(at)) {
      ASSERT_EQ(log.at(at).command.view(), std::to_string(raw(at)));
    }
  }
}

// A row of `count` entries behind the log's last one.
Entries row_behind(const Log& log, std::uint64_t term, std::size_t count) {
  std::vector<Entry> entries;
  for (std::uint64_t i = 1; i <= count; ++i) {
    const std::uint64_t index = raw(log.last().index) + i;
    entries.push_back(entry_at(index, term, std::to_string(term) + "." + std::to_string(index)));
  }
  return entries;
}

TEST(Log, what_came_together_is_shared_and_not_copied) {
  Log log(LogId{});
  const Entries row = row_behind(log, 1, 5);
  log.append(row);
  log.append(row_behind(log, 1, 2));
  EXPECT_EQ(log.range(Index{2}, Index{5}).begin(), row.begin() + 1);
  EXPECT_NE(log.range(Index{2}, Index{6}).begin(), row.begin() + 1);
  EXPECT_EQ(log.range(Index{2}, Index{6}).from(3).size(), 2U);
  std::vector<Entries> rows;
  log.rows(Index{3}, Index{6}, rows);
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].begin(), row.begin() + 2);
  EXPECT_EQ(rows[1].begin(), &log.at(Index{6}));
}

TEST(Log, a_message_holds_as_many_as_fit_and_one_at_least) {
  Log log(LogId{});
  log.append(row_behind(log, 1, 3));
  log.append(row_behind(log, 1, 3));
  const std::size_t one = sizeof(Entry) + 3;  // "1.1"
  EXPECT_EQ(log.range_within(Index{2}, 10, 4 * one).size(), 4U);
  EXPECT_EQ(log.range_within(Index{2}, 10, 4 * one - 1).size(), 3U);
  EXPECT_EQ(log.range_within(Index{2}, 10, 1).size(), 1U);
  EXPECT_EQ(log.range_within(Index{2}, 2, 4 * one).size(), 2U);
  EXPECT_EQ(log.range_within(Index{5}, 10, 4 * one).size(), 2U);
  EXPECT_TRUE(log.range_within(Index{7}, 10, 4 * one).empty());
}

// Rows of any length, released and cut anywhere, against a plain list.
TEST(Log, it_is_the_list_that_it_seems_to_be) {
  Prng prng(7);
  Log log(LogId{});
  std::vector<Entry> list;  // The one with index i stands at i - 1.
  std::uint64_t term = 1;
  for (int step = 0; step < 3000; ++step) {
    const Entries row = row_behind(log, term, prng.below(6));
    log.append(row);
    list.insert(list.end(), row.begin(), row.end());
    ASSERT_EQ(log.take_unpersisted(), row);
    if (prng.below(2) == 0) {
      log.persisted(log.last().index);
      log.release(Index{raw(log.start().index) + prng.below(log.size() + 1)});
    }
    if (prng.below(3) == 0 && log.size() > 0) {
      list.resize(list.size() - prng.below(log.size() + 1));
      log.truncate(Index{list.size() + 1});
      ++term;
    }
    ASSERT_EQ(log.last().index, Index{list.size()});
    std::size_t bytes = 0;
    for (Index index = log.first(); index <= log.last().index; index = next(index)) {
      ASSERT_EQ(log.at(index), list[raw(index) - 1]);
      bytes += sizeof(Entry) + log.at(index).command.size();
    }
    ASSERT_EQ(log.bytes(), bytes);
    const Entries all = log.range(log.first(), log.last().index);
    std::vector<Entries> rows;
    log.rows(log.first(), log.last().index, rows);
    ASSERT_TRUE(std::ranges::equal(rows | std::views::join, all));
    ASSERT_TRUE(std::equal(all.begin(), all.end(), list.begin() + static_cast<std::ptrdiff_t>(raw(log.start().index)),
                           list.end()));
  }
  EXPECT_GT(term, 500U);
}

TEST(LogDeath, a_gap_stops_the_process) {
  Log log(LogId{});
  EXPECT_DEATH(log.append({entry_at(2, 1)}), "contiguous");
}

TEST(LogDeath, what_is_not_durable_stays_in_memory) {
  Log log(LogId{});
  log.append({entry_at(1, 1)});
  EXPECT_DEATH(log.release(Index{1}), "superfluous");
}

}  // namespace
}  // namespace quorate::raft
