#include "raft/reads.hpp"

#include <gtest/gtest.h>
#include <vector>

namespace quorate::raft {
namespace {

std::vector<std::uint64_t> confirmed_by(ReadRounds& rounds, std::uint64_t round) {
  std::vector<ConfirmedRead> confirmed;
  rounds.confirm(round, confirmed);
  std::vector<std::uint64_t> ids;
  ids.reserve(confirmed.size());
  for (const ConfirmedRead& read : confirmed) {
    ids.push_back(read.waiter.id);
  }
  return ids;
}

TEST(ReadRounds, a_round_confirms_what_waited_when_it_began_and_nothing_later) {  // K-07
  ReadRounds rounds;
  rounds.add({.from = {}, .id = 1}, Index{5});
  const std::uint64_t first = rounds.begin(MonoTime{10});
  rounds.add({.from = {}, .id = 2}, Index{6});
  EXPECT_TRUE(rounds.wants_round());
  EXPECT_EQ(confirmed_by(rounds, first), (std::vector<std::uint64_t>{1}));
  EXPECT_EQ(confirmed_by(rounds, first), (std::vector<std::uint64_t>{}));  // Again, late: confirms nothing more.
  const std::uint64_t second = rounds.begin(MonoTime{20});
  EXPECT_EQ(confirmed_by(rounds, second), (std::vector<std::uint64_t>{2}));
}

TEST(ReadRounds, a_newer_round_confirms_what_an_older_one_covered) {  // READ-05
  ReadRounds rounds;
  rounds.add({.from = {}, .id = 1}, Index{5});
  rounds.begin(MonoTime{10});
  rounds.add({.from = {}, .id = 2}, Index{5});
  const std::uint64_t second = rounds.begin(MonoTime{20});
  EXPECT_EQ(confirmed_by(rounds, second), (std::vector<std::uint64_t>{1, 2}));
}

TEST(ReadRounds, no_round_covers_a_read_that_has_no_index_yet) {  // R-702 step 1, READ-04
  ReadRounds rounds;
  rounds.add({.from = {}, .id = 1}, std::nullopt);
  EXPECT_FALSE(rounds.wants_round());
  const std::uint64_t first = rounds.begin(MonoTime{10});
  EXPECT_TRUE(confirmed_by(rounds, first).empty());
  rounds.fix(Index{9});
  EXPECT_TRUE(rounds.wants_round());
  const std::uint64_t second = rounds.begin(MonoTime{20});
  EXPECT_EQ(confirmed_by(rounds, second), (std::vector<std::uint64_t>{1}));
}

TEST(ReadRounds, a_lease_counts_from_the_sending_and_not_from_the_answer) {
  ReadRounds rounds;
  EXPECT_FALSE(rounds.confirmed_at().has_value());
  const std::uint64_t first = rounds.begin(MonoTime{10});
  rounds.begin(MonoTime{20});
  confirmed_by(rounds, first);
  EXPECT_EQ(rounds.confirmed_at(), MonoTime{10});
}

TEST(ReadRounds, a_change_of_configuration_ends_the_lease_until_a_round_that_begins_after_it) {
  ReadRounds rounds;
  const std::uint64_t before = rounds.begin(MonoTime{10});
  rounds.restart_lease();
  confirmed_by(rounds, before);
  EXPECT_FALSE(rounds.confirmed_at().has_value());
  const std::uint64_t after = rounds.begin(MonoTime{30});
  confirmed_by(rounds, after);
  EXPECT_EQ(rounds.confirmed_at(), MonoTime{30});
}

TEST(ReadRounds, everybody_who_waits_is_told_when_leadership_ends) {
  ReadRounds rounds;
  rounds.add({.from = NodeId{3}, .id = 1}, Index{5});
  rounds.begin(MonoTime{10});
  rounds.add({.from = {}, .id = 2}, Index{5});
  std::vector<ReadWaiter> waiters;
  rounds.take_all(waiters);
  EXPECT_EQ(waiters.size(), 2U);
  EXPECT_EQ(rounds.size(), 0U);
  EXPECT_FALSE(rounds.wants_round());
}

}  // namespace
}  // namespace quorate::raft
