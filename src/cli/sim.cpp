// quorate sim: the cluster under simulated faults, from a seed.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fmt/format.h>
#include <fstream>
#include <memory>
#include <string>
#include <unistd.h>
#include <vector>

#include "cli/commands.hpp"
#include "cli/sim_options.hpp"
#include "cli/sim_words.hpp"
#include "cli/sim_workers.hpp"
#include "server/exit_codes.hpp"
#include "server/version.hpp"
#include "sim/campaign.hpp"

namespace quorate::cli {

namespace {

using server::ExitCode;

constexpr std::size_t last_lines = 40;
constexpr std::size_t shrink_trials = 300;

// Paragraphs come out as they are written; a campaign may go on for hours.
void print(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);
}

std::string headline(const RunFailure& failure) {
  return fmt::format("seed {} violates {}: {}\n", failure.seed, failure.invariant, failure.words);
}

std::string describe(const sim::Tally& tally) {
  std::string text = fmt::format(
      "{} runs, {:.1f} simulated hours, {} events, {} entries committed, {} answers, {} calls without one\n",
      tally.runs, static_cast<double>(tally.simulated_us) / 3.6e9, tally.steps, tally.committed, tally.answered,
      tally.unanswered);
  for (const auto& [goal, times] : tally.goals) {
    text += fmt::format("  {:<50} {:>12}\n", goal, times);
  }
  return text;
}

// In a run that comes to a stop there is nothing else at the end.
bool is_heartbeat(std::string_view trace_line) {
  return trace_line.find(R"("message":"heartbeat)") != std::string_view::npos;
}

class Command {
 public:
  explicit Command(const SimOptions& options) : options_(options) {}

  ExitCode run() { return options_.seed ? run_one() : run_many(*parse_range(options_.seeds)); }

 private:
  [[nodiscard]] Runs runs_of(SeedRange seeds) const {
    return Runs{.seeds = seeds,
                .jobs = options_.jobs,
                .plan_of = [this](std::uint64_t seed) { return sim::make_plan(seed, options_.plan); },
                .limit_s = options_.run_limit_s};
  }

  // Runs a plan in sight: its failure, if it fails, and its last events.
  struct Seen {
    std::optional<RunFailure> failure;
    sim::RecentLines last{last_lines};
  };
  Seen watch(const sim::Plan& plan, const std::function<void(const sim::Report&)>& on_report,
             const std::function<void(std::string_view)>& on_line) const {
    Seen seen;
    Runs runs = runs_of(SeedRange{.first = plan.seed, .last = plan.seed});
    runs.jobs = 1;
    runs.plan_of = [&plan](std::uint64_t) { return plan; };
    run_seeds(runs, RunEvents{.on_report =
                                  [&](std::uint64_t, const sim::Report& report) {
                                    on_report(report);
                                    return true;
                                  },
                              .on_failure =
                                  [&](const RunFailure& failure) {
                                    seen.failure = failure;
                                    return false;
                                  },
                              .on_line =
                                  [&](std::string_view line) {
                                    if (!is_heartbeat(line)) {
                                      seen.last.add(line);
                                    }
                                    on_line(line);
                                  }});
    return seen;
  }

  ExitCode run_one() {
    std::ofstream file;
    if (!options_.trace.empty()) {
      file.open(options_.trace);
      if (!file) {
        return cannot_write();
      }
    }
    const sim::Plan plan = sim::make_plan(*options_.seed, options_.plan);
    std::uint64_t digest = 0;
    const Seen seen = watch(
        plan,
        [&](const sim::Report& report) {
          tally_.add(report);
          digest = report.digest;
        },
        [&file](std::string_view line) {
          if (file.is_open()) {
            file << line << '\n';
          }
        });
    file.close();
    const bool is_written = options_.trace.empty() || file.good();
    print(describe(tally_) + fmt::format("digest of the committed log: {:016x}\n", digest));
    if (seen.failure) {
      explain(*seen.failure, seen.last);
    }
    if (!is_written) {
      const ExitCode code = cannot_write();
      return seen.failure ? ExitCode::unexpected : code;
    }
    return verdict(seen.failure.has_value(), false);
  }

  [[nodiscard]] ExitCode cannot_write() const {
    std::fprintf(stderr, "quorate sim: --trace: '%s' cannot be written\n", options_.trace.c_str());
    return ExitCode::invalid_config;
  }

  ExitCode run_many(SeedRange range) {
    began_ = std::chrono::steady_clock::now();
    const std::uint64_t total = range.last - range.first + 1;
    run_seeds(runs_of(range), RunEvents{.on_report =
                                            [&](std::uint64_t seed, const sim::Report& report) {
                                              add(seed, report, total);
                                              return true;
                                            },
                                        .on_failure =
                                            [&](const RunFailure& failure) {
                                              failures_.push_back(failure);
                                              clear_progress();
                                              print(headline(failure));
                                              return options_.keeps_going;
                                            },
                                        .on_line = nullptr});
    clear_progress();
    const double seconds = elapsed_seconds();
    print(describe(tally_) + fmt::format("{:.1f} s, {:.0f} times faster than the wall clock with {} jobs\n", seconds,
                                         static_cast<double>(tally_.simulated_us) / 1e6 / std::max(seconds, 1e-9),
                                         options_.jobs));
    if (!failures_.empty()) {
      print(fmt::format("{} of {} runs failed\n", failures_.size(), total));
      const RunFailure& first = failures_.front();
      const Seen seen =
          watch(sim::make_plan(first.seed, options_.plan), [](const sim::Report&) {}, [](std::string_view) {});
      explain(first, seen.last);
    }
    const bool judges_goals =
        options_.judges_goals.value_or(total >= sim::goals_runs_min && options_.plan.profile == "all");
    return verdict(!failures_.empty(), judges_goals);
  }

  void add(std::uint64_t seed, const sim::Report& report, std::uint64_t total) {
    tally_.add(report);
    if (report.undecided_histories > 0) {
      clear_progress();
      print(fmt::format("seed {} leaves I-503 open: {} of its histories are too hard to judge\n", seed,
                        report.undecided_histories));
    }
    show_progress(total);
  }

  // Says what is missing where nothing was violated.
  [[nodiscard]] ExitCode verdict(bool has_failed, bool judges_goals) const {
    if (has_failed) {
      return ExitCode::unexpected;
    }
    const std::vector<std::string> shortfalls = tally_.shortfalls(judges_goals);
    for (const std::string& line : shortfalls) {
      print("not shown, " + line + "\n");
    }
    return shortfalls.empty() ? ExitCode::stopped : ExitCode::not_shown;
  }

  void print_last(const sim::RecentLines& last) const {
    std::string text = "the last events, heartbeats left out:\n";
    for (const std::string& line : last.lines()) {
      text += "  " + in_words(line) + "\n";
    }
    print(text);
  }

  // Everything that somebody needs who wants to know why (F-006).
  void explain(const RunFailure& failure, const sim::RecentLines& last) const {
    const sim::Plan plan = sim::make_plan(failure.seed, options_.plan);
    print(fmt::format("\n{}", headline(failure)) + failure.said);
    print_last(last);
    sim::PlanOptions replay = options_.plan;
    replay.profile = plan.profile;
    print(fmt::format("of {} ({}); replay it with:\n  quorate sim {}\n", server::version(), server::commit(),
                      sim::replay_arguments(failure.seed, replay)));
    if (!options_.no_shrink && failure.invariant != endless) {  // It would take for ever to make that one smaller.
      shrink(failure, plan, replay);
    }
  }

  void shrink(const RunFailure& failure, const sim::Plan& plan, const sim::PlanOptions& replay) const {
    print(fmt::format("looking for a smaller one that still violates {} ...\n", failure.invariant));
    const sim::Shrunk shrunk = sim::shrink(
        plan,
        [&](const sim::Plan& smaller) {
          const std::optional<RunFailure> found = failure_of(smaller, options_.run_limit_s);
          return found && is_same(*found, failure);
        },
        shrink_trials);
    std::string text = fmt::format("{} of {} faults and {:.3f} s are enough:\n", shrunk.kept.size(), plan.faults.size(),
                                   static_cast<double>(shrunk.plan.safety_us) / 1e6);
    for (const sim::Fault& fault : shrunk.plan.faults) {
      text += "  " + sim::describe(fault) + "\n";
    }
    print(text);
    const Seen seen = watch(shrunk.plan, [](const sim::Report&) {}, [](std::string_view) {});
    print("\n" +
          (seen.failure ? headline(*seen.failure) : std::string("it passes now: the run is not deterministic\n")));
    print_last(seen.last);
    print(fmt::format("replay it with:\n  quorate sim {} --no-shrink\n",
                      sim::replay_arguments(failure.seed, sim::options_of(shrunk, replay))));
  }

  [[nodiscard]] double elapsed_seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count();
  }
  void show_progress(std::uint64_t total) const {
    if (is_terminal_) {
      const std::uint64_t width = 30 * tally_.runs / total;
      std::fprintf(stderr, "\r[%-30s] %lu of %lu seeds, %.0f s ", std::string(width, '#').c_str(), tally_.runs, total,
                   elapsed_seconds());
    }
  }
  void clear_progress() const {
    if (is_terminal_) {
      std::fputs("\r\033[K", stderr);
    }
  }

  SimOptions options_;
  sim::Tally tally_;
  std::vector<RunFailure> failures_;
  std::chrono::steady_clock::time_point began_;
  bool is_terminal_ = ::isatty(STDERR_FILENO) == 1;
};

}  // namespace

void add_sim(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("sim",
                                         "Put a whole cluster through faults in simulated time, from a seed.\n"
                                         "Exit 0: nothing was violated; 1: it was; 24: not enough was seen to say so");
  auto options = std::make_shared<SimOptions>();
  add_sim_options(*command, *options);
  command->callback([options, &exit_code] {
    if (const std::optional<std::string> wrong = complete(*options)) {
      std::fprintf(stderr, "quorate sim: %s\n", wrong->c_str());
      exit_code = static_cast<int>(ExitCode::invalid_config);
      return;
    }
    exit_code = static_cast<int>(Command(*options).run());
  });
}

}  // namespace quorate::cli
