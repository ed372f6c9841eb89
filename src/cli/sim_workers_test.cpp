#include "cli/sim_workers.hpp"

#include <algorithm>
#include <csignal>
#include <gtest/gtest.h>
#include <set>
#include <string>
#include <vector>

#include "base/ensure.hpp"

namespace quorate::cli {
namespace {

struct Seen {
  std::vector<std::uint64_t> reported;
  std::vector<RunFailure> failures;
  std::vector<std::string> lines;
};

// Plans that are empty but for their seed, run by `run`.
Seen play(SeedRange seeds, unsigned jobs, std::function<sim::Report(const sim::Plan&, sim::Trace::Sink)> run) {
  Seen seen;
  run_seeds(Runs{.seeds = seeds,
                 .jobs = jobs,
                 .plan_of =
                     [](std::uint64_t seed) {
                       sim::Plan plan;
                       plan.seed = seed;
                       plan.safety_us = 0;
                       return plan;
                     },
                 .limit_s = 1,
                 .run = std::move(run)},
            RunEvents{.on_report =
                          [&seen](std::uint64_t seed, const sim::Report&) {
                            seen.reported.push_back(seed);
                            return true;
                          },
                      .on_failure =
                          [&seen](const RunFailure& failure) {
                            seen.failures.push_back(failure);
                            return true;
                          },
                      .on_line = [&seen](std::string_view line) { seen.lines.emplace_back(line); }});
  std::ranges::sort(seen.reported);
  return seen;
}

TEST(SimWorkers, run_every_seed_once) {
  const Seen seen =
      play({.first = 5, .last = 24}, 3, [](const sim::Plan&, const sim::Trace::Sink&) { return sim::Report{}; });
  EXPECT_EQ(seen.reported.size(), 20U);
  EXPECT_EQ(std::set(seen.reported.begin(), seen.reported.end()).size(), 20U);
  EXPECT_EQ(seen.reported.front(), 5U);
  EXPECT_EQ(seen.reported.back(), 24U);
  EXPECT_TRUE(seen.failures.empty());
}

TEST(SimWorkers, end_at_the_greatest_seed_that_there_is) {
  const Seen seen = play({.first = UINT64_MAX - 2, .last = UINT64_MAX}, 2,
                         [](const sim::Plan&, const sim::Trace::Sink&) { return sim::Report{}; });
  EXPECT_EQ(seen.reported, (std::vector{UINT64_MAX - 2, UINT64_MAX - 1, UINT64_MAX}));
}

TEST(SimWorkers, report_an_assertion_with_its_words_its_place_and_what_came_before) {
  const Seen seen = play({.first = 1, .last = 4}, 1, [](const sim::Plan& plan, const sim::Trace::Sink& sink) {
    if (plan.seed == 2) {
      sink("the line before");
      ensure(false, "a planted promise");
    }
    return sim::Report{};
  });
  EXPECT_EQ(seen.reported, (std::vector<std::uint64_t>{1, 3, 4}));
  ASSERT_EQ(seen.failures.size(), 1U);
  EXPECT_EQ(seen.failures[0].seed, 2U);
  EXPECT_EQ(seen.failures[0].invariant, "R-007");
  EXPECT_TRUE(seen.failures[0].words.starts_with("assertion failed: a planted promise (")) << seen.failures[0].words;
  EXPECT_NE(seen.failures[0].words.find("sim_workers_test.cpp:"), std::string::npos) << seen.failures[0].words;
  EXPECT_NE(seen.failures[0].said.find("assertion failed: a planted promise\n"), std::string::npos);
  EXPECT_EQ(seen.lines, std::vector<std::string>{"the line before"});
}

TEST(SimWorkers, report_a_signal) {
  const Seen seen = play({.first = 1, .last = 2}, 2, [](const sim::Plan& plan, const sim::Trace::Sink&) {
    if (plan.seed == 1) {
      (void)std::raise(SIGKILL);
    }
    return sim::Report{};
  });
  EXPECT_EQ(seen.reported, std::vector<std::uint64_t>{2});
  ASSERT_EQ(seen.failures.size(), 1U);
  EXPECT_EQ(seen.failures[0].words, "its process ended by signal 9, Killed");
}

TEST(SimWorkers, name_the_seed_that_does_not_end_and_go_on) {
  const Seen seen = play({.first = 1, .last = 3}, 1, [](const sim::Plan& plan, const sim::Trace::Sink&) {
    sim::Report report;
    volatile bool goes_on = plan.seed == 2;
    while (goes_on) {
      ++report.steps;
    }
    return report;
  });
  EXPECT_EQ(seen.reported, (std::vector<std::uint64_t>{1, 3}));
  ASSERT_EQ(seen.failures.size(), 1U);
  EXPECT_EQ(seen.failures[0].seed, 2U);
  EXPECT_EQ(seen.failures[0].invariant, endless);
}

TEST(SimWorkers, tell_assertions_apart_by_words_and_place_and_the_rest_by_id) {
  const RunFailure one{.seed = 1, .invariant = "R-007", .words = "assertion failed: a (x.cpp:1)", .said = {}};
  RunFailure other = one;
  other.seed = 2;
  EXPECT_TRUE(is_same(one, other));
  other.words = "assertion failed: a (x.cpp:2)";
  EXPECT_FALSE(is_same(one, other));
  EXPECT_TRUE(is_same({.seed = 1, .invariant = "I-101", .words = "terms", .said = {}},
                      {.seed = 1, .invariant = "I-101", .words = "other", .said = {}}));
  EXPECT_FALSE(is_same({.seed = 1, .invariant = "I-101", .words = "terms", .said = {}},
                       {.seed = 1, .invariant = "I-102", .words = "terms", .said = {}}));
}

}  // namespace
}  // namespace quorate::cli
