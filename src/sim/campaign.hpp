#pragma once

// Many runs: what they add up to, and how a failing one is made smaller. Pure; whoever has processes runs them.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "sim/faults.hpp"
#include "sim/world.hpp"

namespace quorate::sim {

struct Tally {
  std::uint64_t runs = 0;
  std::int64_t simulated_us = 0;
  std::uint64_t steps = 0;
  std::uint64_t committed = 0;
  std::uint64_t answered = 0;
  std::uint64_t unanswered = 0;
  std::uint64_t undecided_histories = 0;
  std::map<std::string, std::uint64_t> goals;

  void add(const Report& report);
  // Goals that no run reached (I-505).
  [[nodiscard]] std::vector<std::string> missed() const;
  // Why runs that violated nothing are no proof yet, a line each: histories that nobody could judge (I-503) and, if
  // asked for, goals that were missed.
  [[nodiscard]] std::vector<std::string> shortfalls(bool judges_goals) const;
};

// Rare states cannot be asked of a few runs: goals are judged from so many on, of all profiles.
inline constexpr std::uint64_t goals_runs_min = 1000;

// A plan that still fails, with fewer faults and less time: halves of the faults are left out, then quarters, and so on
// (delta debugging; Zeller and Hildebrandt 2002). `fails` runs a plan; it is called `trials` times at most.
struct Shrunk {
  Plan plan;
  std::vector<std::size_t> kept;  // Positions of the faults in the original plan.
  std::size_t trials = 0;
};
[[nodiscard]] Shrunk shrink(const Plan& plan, const std::function<bool(const Plan&)>& fails, std::size_t trials);

// What gives the shrunk plan for the same seed; `options` gave the plan that it was made of.
[[nodiscard]] PlanOptions options_of(const Shrunk& shrunk, const PlanOptions& options);

// The arguments of `quorate sim` that give the plan of this seed and these options (F-006).
[[nodiscard]] std::string replay_arguments(std::uint64_t seed, const PlanOptions& options);

}  // namespace quorate::sim
