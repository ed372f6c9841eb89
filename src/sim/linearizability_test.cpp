#include "sim/linearizability.hpp"

#include <algorithm>
#include <gtest/gtest.h>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/prng.hpp"
#include "sim/testing/brute_force.hpp"
#include "sim/testing/random_histories.hpp"

namespace quorate::sim {
namespace {

History history_of(std::string_view text) {
  Result<History> history = parse_history(text);
  EXPECT_TRUE(history) << history.error().message;
  return *history;
}

Verdict judge(std::string_view text) {
  return check_linearizable(history_of(text)).verdict;
}

TEST(Linearizability, an_empty_history_holds) {
  EXPECT_EQ(check_linearizable(History()).verdict, Verdict::holds);
}

TEST(Linearizability, a_read_may_see_the_old_or_the_new_value_while_a_write_runs) {
  EXPECT_EQ(judge("1 write x 1 @ 0..10\n2 read x = 0 @ 1..2\n2 read x = 1 @ 3..4"), Verdict::holds);
  EXPECT_EQ(judge("1 write x 1 @ 0..10\n2 read x = 1 @ 1..2\n2 read x = 0 @ 3..4"), Verdict::broken);
}

TEST(Linearizability, an_answer_and_a_call_at_the_same_time_are_concurrent) {
  EXPECT_EQ(judge("1 write x 1 @ 0..5\n2 read x = 0 @ 5..6"), Verdict::holds);
  EXPECT_EQ(judge("1 write x 1 @ 0..5\n2 read x = 0 @ 6..6"), Verdict::broken);
}

TEST(Linearizability, small_histories_are_judged_as_by_trying_every_order) {
  std::size_t good = 0;
  constexpr std::size_t rounds = 40'000;
  for (std::size_t seed = 0; seed < rounds; ++seed) {
    Prng prng(seed);
    const History history = make_any_history(prng, {.operations = 1 + seed % 6,
                                                    .clients = 1 + prng.below(4),
                                                    .keys = 1 + prng.below(2),
                                                    .values = prng.between(1, 3),
                                                    .has_swaps = prng.chance(1, 2)});
    const bool expected = is_linearizable_by_force(history);
    good += expected ? 1 : 0;
    const Linearizability found = check_linearizable(history);
    ASSERT_EQ(found.verdict, expected ? Verdict::holds : Verdict::broken) << "seed " << seed << "\n"
                                                                          << describe(history);
  }
  EXPECT_GT(good, rounds / 5);
  EXPECT_LT(good, rounds * 4 / 5);
}

TEST(Linearizability, what_an_atomic_register_did_always_holds) {
  for (std::uint64_t seed = 0; seed < 2'000; ++seed) {
    Prng prng(seed);
    const History history = make_good_history(prng, {.clients = 1 + prng.below(12),
                                                     .operations = 1 + prng.below(400),
                                                     .keys = 1 + prng.below(3),
                                                     .writes = prng.below(80),
                                                     .swaps = prng.below(20),
                                                     .unknowns = prng.below(10),
                                                     .failures = prng.below(10)});
    const Linearizability found = check_linearizable(history);
    ASSERT_EQ(found.verdict, Verdict::holds) << "seed " << seed << "\n" << describe(history, found);
    ASSERT_LT(found.steps, 100'000U) << "seed " << seed;
  }
}

// Mutations that are known to be bad: each takes a good history and spoils it.

GoodHistoryOptions busy(Prng& prng) {
  return {.clients = 2 + prng.below(8), .operations = 50 + prng.below(200), .keys = 1 + prng.below(3), .writes = 30};
}

std::vector<History::Position> find_all(const History& history, Operation::Kind kind, Operation::Outcome outcome) {
  std::vector<History::Position> found;
  for (History::Position i = 0; i < history.operations().size(); ++i) {
    if (history.operations()[i].kind == kind && history.operations()[i].outcome == outcome) {
      found.push_back(i);
    }
  }
  return found;
}

History with(const History& history, History::Position position, const Operation& instead) {
  History changed;
  for (std::uint32_t key = 0; key < history.keys(); ++key) {
    changed.key(history.key_name(KeyId{key}));
  }
  for (History::Position i = 0; i < history.operations().size(); ++i) {
    changed.add(i == position ? instead : history.operations()[i]);
  }
  return changed;
}

// Judges 500 spoilt histories; `spoil` returns the position of the operation that cannot be, or nothing.
template <class Spoil>
void expect_found(const Spoil& spoil) {
  std::size_t spoilt = 0;
  for (std::uint64_t seed = 0; spoilt < 500 && seed < 5'000; ++seed) {
    Prng prng(seed);
    const History good = make_good_history(prng, busy(prng));
    const std::optional<History> bad = spoil(prng, good);
    if (!bad) {
      continue;
    }
    ++spoilt;
    ASSERT_EQ(check_linearizable(good).verdict, Verdict::holds) << "seed " << seed;
    const Linearizability found = check_linearizable(*bad);
    ASSERT_EQ(found.verdict, Verdict::broken) << "seed " << seed << "\n" << describe(*bad);
    ASSERT_LE(found.misfit->core.size(), 4U) << "seed " << seed << "\n" << describe(*bad, found);
  }
  EXPECT_EQ(spoilt, 500U);
}

TEST(Linearizability, a_stale_read_is_found) {
  expect_found([](Prng& prng, const History& good) -> std::optional<History> {
    const auto reads = find_all(good, Operation::Kind::read, Operation::Outcome::done);
    const auto position = reads[prng.below(reads.size())];
    Operation read = good.operations()[position];
    for (const Operation& newer : good.operations()) {
      if (newer.kind == Operation::Kind::write && newer.key == read.key && newer.returned < read.invoked) {
        read.result = initial_value;  // Overwritten before the read was called.
        return with(good, position, read);
      }
    }
    return std::nullopt;
  });
}

TEST(Linearizability, a_read_of_a_value_from_nowhere_or_from_the_future_is_found) {
  expect_found([](Prng& prng, const History& good) -> std::optional<History> {
    const auto reads = find_all(good, Operation::Kind::read, Operation::Outcome::done);
    const auto position = reads[prng.below(reads.size())];
    Operation read = good.operations()[position];
    read.result = 1'000'000;
    if (prng.chance(1, 2)) {
      for (const Operation& later : good.operations()) {
        if (later.kind == Operation::Kind::write && later.key == read.key && later.invoked > read.returned) {
          read.result = later.value;
        }
      }
    }
    return with(good, position, read);
  });
}

// The write is acknowledged, and what was there before is seen again by a read of its own after everything.
TEST(Linearizability, a_lost_acknowledged_write_is_found) {
  expect_found([](Prng& prng, const History& good) -> std::optional<History> {
    History bad = good;
    const std::int64_t end = good.operations().back().returned + 1'000;
    const KeyId key = bad.key("k0");
    bad.done(bad.write(ClientId{1'000}, key, 2'000'000, end), end + 5);
    bad.done(bad.write(ClientId{1'000}, key, 2'000'001, end + 6), end + 9);
    bad.done(bad.read(ClientId{1'001}, key, end + 10 + prng.between(0, 5)), end + 20, 2'000'000);
    return bad;
  });
}

TEST(Linearizability, the_effect_of_a_failed_write_is_found) {
  expect_found([](Prng& prng, const History& good) -> std::optional<History> {
    const auto reads = find_all(good, Operation::Kind::read, Operation::Outcome::done);
    const Operation& read = good.operations()[reads[prng.below(reads.size())]];
    const auto source = std::ranges::find_if(good.operations(), [&](const Operation& operation) {
      return operation.kind == Operation::Kind::write && operation.key == read.key && operation.value == read.result;
    });
    if (source == good.operations().end()) {
      return std::nullopt;
    }
    Operation failed = *source;
    failed.outcome = Operation::Outcome::failed;
    return with(good, static_cast<History::Position>(source - good.operations().begin()), failed);
  });
}

TEST(Linearizability, a_write_that_acts_twice_is_found) {
  EXPECT_EQ(judge("1 write x 1 unknown @ 0..\n"
                  "2 read x = 1 @ 1..2\n2 write x 2 @ 3..4\n2 read x = 2 @ 5..6\n2 read x = 1 @ 7..8"),
            Verdict::broken);
  EXPECT_EQ(judge("1 write x 1 unknown @ 0..\n2 write x 2 @ 3..4\n2 read x = 2 @ 5..6\n2 read x = 1 @ 7..8"),
            Verdict::holds);
}

TEST(Linearizability, of_two_compare_and_set_that_found_the_same_value_one_is_a_lie) {
  EXPECT_EQ(judge("1 cas x 0 -> 1 = yes @ 0..10\n2 cas x 0 -> 2 = no @ 0..10"), Verdict::holds);
  EXPECT_EQ(judge("1 cas x 0 -> 1 = yes @ 0..10\n2 cas x 0 -> 2 = yes @ 0..10"), Verdict::broken);
}

TEST(Linearizability, the_misfit_is_the_first_answer_that_does_not_fit_and_is_explained_in_words) {
  const History history = history_of(
      "1 write x 1 @ 0..10\n"
      "1 write y 7 @ 11..12\n"
      "2 read x = 1 @ 5..12\n"
      "1 write x 2 @ 20..30\n"
      "1 write x 3 unknown @ 21..\n"
      "3 read x = 1 @ 31..40\n"
      "4 read x = 0 @ 50..60\n");
  const Linearizability found = check_linearizable(history);
  ASSERT_EQ(found.verdict, Verdict::broken);
  EXPECT_EQ(found.misfit->fitting, 3U);
  EXPECT_EQ(describe(history, found),
            "not linearizable: the first 3 answers about x fit one order, the next one does not:\n"
            "  3 read x = 1 @ 31..40\n"
            "these alone fit no order:\n"
            "  1 write x 1 @ 0..10\n"
            "  1 write x 2 @ 20..30\n"
            "  3 read x = 1 @ 31..40\n");
}

TEST(Linearizability, a_value_without_a_source_is_named) {
  const auto reason = [](std::string_view text) {
    const History history = history_of(text);
    return describe(history, check_linearizable(history));
  };
  EXPECT_NE(reason("1 read x = 5 @ 0..1").find("nothing writes 5"), std::string::npos);
  EXPECT_NE(reason("2 write x 5 failed @ 0..1\n1 read x = 5 @ 2..3").find("only an operation that failed"),
            std::string::npos);
  EXPECT_NE(reason("1 read x = 5 @ 0..1\n2 write x 5 @ 2..3").find("only after that answer"), std::string::npos);
}

// 24 concurrent writes, any of which may matter to a later compare-and-set, and a read whose value comes too late.
TEST(Linearizability, a_search_beyond_its_limits_says_that_it_does_not_know) {
  std::string text;
  for (int client = 1; client <= 24; ++client) {
    const std::string name = std::to_string(client);
    text += name + " write x " + name + " @ 0..1\n";
  }
  text += "99 read x = 0 @ 5..6\n98 cas x 77 -> 0 = yes @ 7..8\n97 write x 77 @ 7..8\n98 cas x 5 -> 6 = no @ 9..10\n";
  const History history = history_of(text);
  const Linearizability by_steps = check_linearizable(history, {.steps = 1'000});
  EXPECT_EQ(by_steps.verdict, Verdict::gave_up);
  EXPECT_EQ(by_steps.steps, 1'001U);
  const Linearizability by_memory = check_linearizable(history, {.seen_bytes = std::size_t{1} << 20U});
  EXPECT_EQ(by_memory.verdict, Verdict::gave_up);
  EXPECT_LE(by_memory.seen_bytes, std::size_t{4} << 20U);
  EXPECT_NE(describe(history, by_steps).find("gave up after 1001 steps"), std::string::npos);
}

}  // namespace
}  // namespace quorate::sim
