#include "raft/entry.hpp"

#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace quorate::raft {
namespace {

Entries row_of(std::uint64_t count) {
  std::vector<Entry> entries;
  for (std::uint64_t index = 1; index <= count; ++index) {
    entries.push_back(
        Entry{.term = Term{1}, .index = Index{index}, .time = {}, .kind = {}, .command = Blob::copy("x")});
  }
  return entries;
}

TEST(Entries, a_slice_is_the_same_entries_and_not_copies) {
  const Entries row = row_of(5);
  const Entries part = row.slice(1, 3);
  ASSERT_EQ(part.size(), 3U);
  EXPECT_EQ(part.begin(), row.begin() + 1);
  EXPECT_EQ(part.front().index, Index{2});
  EXPECT_EQ(part.from(2).back().index, Index{4});
}

TEST(Entries, a_slice_outlives_its_row) {
  Entries row = row_of(3);
  const Entries part = row.slice(2, 1);
  row = {};
  EXPECT_EQ(part.front().command.view(), "x");
}

TEST(Entries, two_rows_are_equal_by_what_they_hold) {
  EXPECT_EQ(row_of(4).slice(0, 3), row_of(3));
  EXPECT_NE(row_of(4), row_of(3));
  EXPECT_EQ(row_of(4).from(4), Entries());
}

TEST(EntriesDeath, a_slice_lies_inside) {
  const Entries row = row_of(3);
  EXPECT_DEATH((void)row.slice(2, 2), "ends inside");
  EXPECT_DEATH((void)row.slice(4, 0), "starts inside");
}

}  // namespace
}  // namespace quorate::raft
