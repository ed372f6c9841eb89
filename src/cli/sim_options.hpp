#pragma once

// What `quorate sim` takes: numbers, ranges and lists as their text, judged before anything runs.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/sim_workers.hpp"
#include "sim/faults.hpp"

namespace CLI {
class App;
}

namespace quorate::cli {

struct SimOptions {
  std::optional<std::uint64_t> seed;
  std::string seeds = "1..100";
  unsigned jobs = 1;
  sim::PlanOptions plan{.profile = "all"};
  std::string only_faults;  // Empty: all.
  std::string trace;
  std::int64_t run_limit_s = 600;
  std::optional<bool> judges_goals;  // Otherwise as many runs and all profiles decide.
  bool keeps_going = false;
  bool no_shrink = false;
};

// The options of the command; what is wrong with one alone is found while they are read.
void add_sim_options(CLI::App& command, SimOptions& options);

// What is wrong with them together, and what only the seed's plan can tell, in words that name the option and the
// value; nothing: they can be used, and `options.plan` is complete.
[[nodiscard]] std::optional<std::string> complete(SimOptions& options);

inline constexpr std::uint64_t seeds_max = 1'000'000'000'000;

// "17" or "1..1000", at most seeds_max of them; nothing if it is neither.
[[nodiscard]] std::optional<SeedRange> parse_range(std::string_view text);
// "none" or numbers like "0,3,12", each greater than the one before; nothing if it is neither.
[[nodiscard]] std::optional<std::vector<std::size_t>> parse_positions(std::string_view text);

}  // namespace quorate::cli
