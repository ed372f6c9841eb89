#include "cli/sim_options.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <thread>

#include "sim/campaign.hpp"

namespace quorate::cli {

namespace {

constexpr std::int64_t second_us = 1'000'000;
constexpr std::int64_t seconds_max = 10'000'000;

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

// Digits only: the library would take -1 for the greatest number that there is.
CLI::Validator number_between(std::uint64_t least, std::uint64_t greatest) {
  return {[least, greatest](const std::string& text) {
            const std::optional<std::uint64_t> number = parse_number(text);
            return number && *number >= least && *number <= greatest
                       ? std::string()
                       : fmt::format("'{}' is not a number from {} to {}", text, least, greatest);
          },
          "NUMBER", "number"};
}

std::string profile_help() {
  std::string text = "The mix of faults; all: each seed takes the next one.";
  for (const sim::ProfileInfo& profile : sim::profiles()) {
    text += fmt::format("\n{}: {}", profile.name, profile.about);
  }
  return text;
}

std::string judge_profile(const std::string& text) {
  std::string names = "all";
  for (const sim::ProfileInfo& profile : sim::profiles()) {
    if (profile.name == text) {
      return {};
    }
    names += fmt::format(", {}", profile.name);
  }
  return text == "all" ? std::string() : fmt::format("there is no profile '{}'; there are: {}", text, names);
}

void add_plan_options(CLI::App& command, SimOptions& options, CLI::Option* seed) {
  command.add_option("--profile", options.plan.profile, profile_help())->check(judge_profile)->capture_default_str();
  command.add_option("--servers", options.plan.servers, "Voters at the start; 0: as the seed draws")
      ->check(number_between(0, 7))
      ->capture_default_str();
  command.add_option("--seconds", options.plan.seconds, "Simulated, with faults; then everything is healed")
      ->check(number_between(1, seconds_max))
      ->capture_default_str();
  command
      .add_option("--until-us", options.plan.until_us,
                  "Heal after so many simulated microseconds, with the faults that --seconds draws; 0: after all of it")
      ->check(number_between(0, seconds_max * second_us))
      ->capture_default_str();
  command.add_option("--steps", options.plan.steps_max, "At most so many events with faults; 0: no bound")
      ->check(number_between(0, UINT64_MAX))
      ->capture_default_str();
  command
      .add_option("--only-faults", options.only_faults,
                  "With --seed: of its faults only those with these numbers, like 0,3,12, or none")
      ->check([](const std::string& text) {
        return parse_positions(text) ? std::string()
                                     : fmt::format("'{}' is neither 'none' nor rising numbers like 0,3,12", text);
      })
      ->needs(seed);
}

}  // namespace

std::optional<SeedRange> parse_range(std::string_view text) {
  const std::size_t dots = text.find("..");
  const std::optional<std::uint64_t> first = parse_number(text.substr(0, dots));
  const std::optional<std::uint64_t> last =
      dots == std::string_view::npos ? first : parse_number(text.substr(dots + 2));
  if (!first || !last || *first > *last || *last - *first >= seeds_max) {
    return std::nullopt;
  }
  return SeedRange{.first = *first, .last = *last};
}

std::optional<std::vector<std::size_t>> parse_positions(std::string_view text) {
  std::vector<std::size_t> list;
  if (text == "none") {
    return list;
  }
  while (true) {
    const std::size_t comma = text.find(',');
    const std::optional<std::uint64_t> number = parse_number(text.substr(0, comma));
    if (!number || (!list.empty() && *number <= list.back())) {
      return std::nullopt;
    }
    list.push_back(*number);
    if (comma == std::string_view::npos) {
      return list;
    }
    text.remove_prefix(comma + 1);
  }
}

void add_sim_options(CLI::App& command, SimOptions& options) {
  options.jobs = std::clamp(std::thread::hardware_concurrency(), 1U, 256U);
  CLI::Option* seed = command.add_option("--seed", options.seed, "One run")->check(number_between(0, UINT64_MAX));
  CLI::Option* seeds = command.add_option("--seeds", options.seeds, "Many runs, A..B");
  seeds
      ->check([](const std::string& text) {
        return parse_range(text)
                   ? std::string()
                   : fmt::format("'{}' is neither a number nor A..B with at most {} seeds", text, seeds_max);
      })
      ->capture_default_str()
      ->excludes(seed);
  command.add_option("--jobs", options.jobs, "Processes at a time")
      ->check(number_between(1, 256))
      ->capture_default_str();
  add_plan_options(command, options, seed);
  command.add_option("--trace", options.trace, "With --seed: a file for what happened, a JSON object a line")
      ->needs(seed);
  command
      .add_option("--run-limit", options.run_limit_s,
                  "A run that takes more seconds of processor time, and one more for each simulated one, does not end")
      ->check(number_between(1, seconds_max))
      ->capture_default_str();
  command
      .add_flag("--goals,!--no-goals", options.judges_goals,
                fmt::format("Fail if a rare state was never reached; by default from {} seeds of all profiles on",
                            sim::goals_runs_min))
      ->excludes(seed);
  command.add_flag("--keep-going", options.keeps_going, "Do not stop at the first failure");
  command.add_flag("--no-shrink", options.no_shrink, "Do not look for a smaller failing run");
}

std::optional<std::string> complete(SimOptions& options) {
  if (options.plan.until_us > options.plan.seconds * second_us) {
    return fmt::format("--until-us: {} is later than the {} s of --seconds", options.plan.until_us,
                       options.plan.seconds);
  }
  if (!options.only_faults.empty()) {
    const std::vector<std::size_t> positions = *parse_positions(options.only_faults);  // It has been checked.
    const std::size_t drawn = sim::make_plan(*options.seed, options.plan).faults.size();
    if (!positions.empty() && positions.back() >= drawn) {
      return fmt::format("--only-faults: there is no {}: seed {} draws {} faults, counted from 0", positions.back(),
                         *options.seed, drawn);
    }
    options.plan.only_faults = positions;
  }
  return std::nullopt;
}

}  // namespace quorate::cli
