// quorate sim: the cluster under simulated faults, from a seed.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <fmt/format.h>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

#include "cli/commands.hpp"
#include "cli/sim_workers.hpp"
#include "server/exit_codes.hpp"
#include "sim/campaign.hpp"

namespace quorate::cli {

namespace {

constexpr std::size_t last_lines = 40;
constexpr std::size_t shrink_trials = 300;

struct SimOptions {
  std::optional<std::uint64_t> seed;
  std::string seeds = "1..100";
  unsigned jobs = std::max(1U, std::thread::hardware_concurrency());
  sim::PlanOptions plan{.profile = "all"};
  std::optional<std::string> only_faults;
  std::string trace;
  bool keeps_going = false;
  bool no_shrink = false;
};

std::optional<SeedRange> parse_range(const std::string& text) {
  SeedRange range;
  const char* end = text.data() + text.size();
  auto [at, error] = std::from_chars(text.data(), end, range.first);
  if (error != std::errc{}) {
    return std::nullopt;
  }
  range.last = range.first;
  if (at != end) {
    if (std::string_view(at, 2) != "..") {
      return std::nullopt;
    }
    const auto [rest, second_error] = std::from_chars(at + 2, end, range.last);
    if (second_error != std::errc{} || rest != end) {
      return std::nullopt;
    }
  }
  return range.first <= range.last ? std::optional(range) : std::nullopt;
}

std::vector<std::size_t> parse_list(const std::string& text) {
  std::vector<std::size_t> list;
  for (const char *at = text.data(), *end = at + text.size(); at < end;) {
    std::size_t number = 0;
    const auto [rest, error] = std::from_chars(at, end, number);
    if (error != std::errc{}) {
      break;
    }
    list.push_back(number);
    at = rest + 1;
  }
  return list;
}

std::string replay_command(const SimOptions& options, const sim::Plan& plan,
                           const std::optional<std::vector<std::size_t>>& kept) {
  std::string command = fmt::format("quorate sim --seed {} --profile {} --seconds {}", plan.seed, plan.profile,
                                    plan.safety_us / 1'000'000);
  if (options.plan.servers != 0) {
    command += fmt::format(" --servers {}", options.plan.servers);
  }
  if (options.plan.steps_max != 0) {
    command += fmt::format(" --steps {}", options.plan.steps_max);
  }
  if (kept) {
    command += " --only-faults ";
    command += kept->empty() ? "none" : fmt::format("{}", fmt::join(*kept, ","));
  }
  return command;
}

class Command {
 public:
  explicit Command(const SimOptions& options) : options_(options) {}

  int run() {
    if (options_.seed) {
      return run_one(plan_of(*options_.seed));
    }
    const std::optional<SeedRange> range = parse_range(options_.seeds);
    if (!range) {
      std::fprintf(stderr, "quorate sim: --seeds takes a number or A..B, not '%s'\n", options_.seeds.c_str());
      return static_cast<int>(server::ExitCode::invalid_config);
    }
    return run_many(*range);
  }

 private:
  [[nodiscard]] sim::Plan plan_of(std::uint64_t seed) const {
    sim::Plan plan = sim::make_plan(seed, options_.plan);
    return options_.only_faults ? sim::with_faults(plan, parse_list(*options_.only_faults)) : plan;
  }

  int run_one(const sim::Plan& plan) {
    std::ofstream file;
    if (!options_.trace.empty()) {
      file.open(options_.trace);
      if (!file) {
        std::fprintf(stderr, "quorate sim: cannot write %s\n", options_.trace.c_str());
        return static_cast<int>(server::ExitCode::invalid_config);
      }
    }
    sim::RecentLines recent(last_lines);
    const sim::Report report = sim::run(plan, [&](std::string_view line) {
      recent.add(line);
      if (file.is_open()) {
        file << line << '\n';
      }
    });
    sim::Tally tally;
    tally.add(report);
    std::fputs(describe(tally).c_str(), stdout);
    std::fprintf(stdout, "digest of the committed log: %016lx\n", report.digest);
    if (!report.violation) {
      return 0;
    }
    std::fprintf(stdout, "\nseed %lu violates %s: %s\nthe last events:\n", plan.seed,
                 report.violation->invariant.c_str(), report.violation->words.c_str());
    for (const std::string& line : recent.lines()) {
      std::fprintf(stdout, "  %s\n", line.c_str());
    }
    return static_cast<int>(server::ExitCode::unexpected);
  }

  int run_many(SeedRange range) {
    began_ = std::chrono::steady_clock::now();
    const std::uint64_t total = range.last - range.first + 1;
    run_seeds(
        range, options_.jobs, [this](std::uint64_t seed) { return plan_of(seed); },
        [&](const sim::Report& report, std::uint64_t) {
          tally_.add(report);
          show_progress(total);
          return true;
        },
        [&](const RunFailure& failure) {
          failures_.push_back(failure);
          clear_progress();
          std::fprintf(stdout, "seed %lu violates %s: %s\n", failure.seed, failure.invariant.c_str(),
                       failure.words.c_str());
          std::fflush(stdout);  // The campaign may go on for hours.
          return options_.keeps_going;
        });
    clear_progress();
    const double seconds = elapsed_seconds();
    std::fputs(describe(tally_).c_str(), stdout);
    std::fprintf(stdout, "%.1f s, %.0f times faster than the wall clock with %u jobs\n", seconds,
                 static_cast<double>(tally_.simulated_us) / 1e6 / std::max(seconds, 1e-9), options_.jobs);
    if (failures_.empty()) {
      return 0;
    }
    explain(failures_.front());
    return static_cast<int>(server::ExitCode::unexpected);
  }

  void explain(const RunFailure& failure) {
    const sim::Plan plan = plan_of(failure.seed);
    std::fprintf(stdout, "\n%zu of %lu runs failed. Replay the first with:\n  %s\n", failures_.size(), tally_.runs,
                 replay_command(options_, plan, std::nullopt).c_str());
    if (options_.no_shrink) {
      return;
    }
    std::fprintf(stdout, "looking for a smaller one that still violates %s ...\n", failure.invariant.c_str());
    std::fflush(stdout);
    const sim::Shrunk shrunk = sim::shrink(
        plan, [&](const sim::Plan& smaller) { return violated_by(smaller) == failure.invariant; }, shrink_trials);
    std::fprintf(stdout, "%zu of %zu faults and %ld s are enough:\n", shrunk.kept.size(), plan.faults.size(),
                 static_cast<long>(shrunk.plan.safety_us / 1'000'000));
    for (const sim::Fault& fault : shrunk.plan.faults) {
      std::fprintf(stdout, "  %s\n", sim::describe(fault).c_str());
    }
    std::fprintf(stdout, "replay it with:\n  %s\n", replay_command(options_, shrunk.plan, shrunk.kept).c_str());
  }

  static std::string describe(const sim::Tally& tally) {
    std::string text = fmt::format(
        "{} runs, {:.1f} simulated hours, {} events, {} entries committed, {} answers, {} calls without one\n",
        tally.runs, static_cast<double>(tally.simulated_us) / 3.6e9, tally.steps, tally.committed, tally.answered,
        tally.unanswered);
    if (tally.undecided_histories > 0) {
      text += fmt::format("{} histories were too hard to judge\n", tally.undecided_histories);
    }
    for (const auto& [goal, times] : tally.goals) {
      text += fmt::format("  {:<50} {:>12}\n", goal, times);
    }
    return text;
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

std::string profile_help() {
  std::string text = "The mix of faults; all: each seed takes the next one.";
  for (const sim::ProfileInfo& profile : sim::profiles()) {
    text += fmt::format("\n{}: {}", profile.name, profile.about);
  }
  return text;
}

}  // namespace

void add_sim(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand(
      "sim",
      "Put a whole cluster through faults in simulated time, from a seed. Exit 0: nothing was violated; 1: it was");
  auto options = std::make_shared<SimOptions>();
  command->add_option("--seed", options->seed, "One run");
  command->add_option("--seeds", options->seeds, "Many runs, A..B")->capture_default_str();
  command->add_option("--jobs", options->jobs, "Processes at a time")->check(CLI::Range(1, 256))->capture_default_str();
  std::vector<std::string> names{"all"};
  for (const sim::ProfileInfo& profile : sim::profiles()) {
    names.emplace_back(profile.name);
  }
  command->add_option("--profile", options->plan.profile, profile_help())
      ->check(CLI::IsMember(names))
      ->capture_default_str();
  command->add_option("--servers", options->plan.servers, "Voters at the start; 0: as the seed draws")
      ->check(CLI::Range(0, 7))
      ->capture_default_str();
  command->add_option("--seconds", options->plan.seconds, "Simulated, with faults; then everything is healed")
      ->check(CLI::Range(1, 10'000'000))
      ->capture_default_str();
  command->add_option("--steps", options->plan.steps_max, "At most so many events with faults; 0: no bound")
      ->capture_default_str();
  command->add_option("--only-faults", options->only_faults, "Of the seed's faults only those with these numbers");
  command->add_option("--trace", options->trace, "With --seed: a file for what happened, a JSON object a line");
  command->add_flag("--keep-going", options->keeps_going, "Do not stop at the first failure");
  command->add_flag("--no-shrink", options->no_shrink, "Do not look for a smaller failing run");
  command->callback([options, &exit_code] { exit_code = Command(*options).run(); });
}

}  // namespace quorate::cli
