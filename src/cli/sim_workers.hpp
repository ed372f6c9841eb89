#pragma once

// Simulated runs in processes of their own: they use all cores, and a run that ends in an assertion is a
// finding and not the end.

#include <cstdint>
#include <functional>
#include <string>

#include "sim/faults.hpp"
#include "sim/world.hpp"

namespace quorate::cli {

// How a run ended that did not end well.
struct RunFailure {
  std::uint64_t seed = 0;
  std::string invariant;  // Or "R-007", an assertion.
  std::string words;
};

struct SeedRange {
  std::uint64_t first = 1;
  std::uint64_t last = 1;
};

// Runs the plans of all seeds, `jobs` at a time. `on_report` gets each run's report, in any order, and says whether to
// go on.
void run_seeds(SeedRange seeds, unsigned jobs, const std::function<sim::Plan(std::uint64_t)>& plan_of,
               const std::function<bool(const sim::Report&, std::uint64_t seed)>& on_report,
               const std::function<bool(const RunFailure&)>& on_failure);

// One plan in a process of its own: the invariant that it violates, or nothing.
[[nodiscard]] std::string violated_by(const sim::Plan& plan);

}  // namespace quorate::cli
