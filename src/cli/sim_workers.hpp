#pragma once

// Simulated runs in processes of their own: they use all cores, and a run that ends in an assertion or does not
// end is a finding and not the end.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "sim/faults.hpp"
#include "sim/world.hpp"

namespace quorate::cli {

inline constexpr const char* assertion = "R-007";  // What a run violates whose process ended, by assertion or signal,
inline constexpr const char* endless = "F-001";    // and one that goes on for ever.

// How a run ended that did not end well.
struct RunFailure {
  std::uint64_t seed = 0;
  std::string invariant;
  std::string words;  // For an assertion its words and its place.
  std::string said;   // What its process wrote to stderr, the end of it.
};

// Whether one may stand for the other when a run is made smaller: assertions differ by words and place, the rest by id.
[[nodiscard]] bool is_same(const RunFailure& one, const RunFailure& other);

struct SeedRange {
  std::uint64_t first = 1;
  std::uint64_t last = 1;
};

struct Runs {
  SeedRange seeds;
  unsigned jobs = 1;
  std::function<sim::Plan(std::uint64_t seed)> plan_of;
  // Of processor time, for each run; one more for each second that it simulates.
  std::int64_t limit_s = 600;
  std::function<sim::Report(const sim::Plan&, sim::Trace::Sink)> run = sim::run;
};

// Each says whether to go on.
struct RunEvents {
  std::function<bool(std::uint64_t seed, const sim::Report& report)> on_report;  // In any order.
  std::function<bool(const RunFailure& failure)> on_failure;                     // After the report, if there was one.
  std::function<void(std::string_view line)> on_line;  // Of the runs' traces; null: nobody watches.
};

// Runs the plans of all seeds, `jobs` at a time.
void run_seeds(const Runs& runs, const RunEvents& events);

// One plan in a process of its own: how it failed, if it did.
[[nodiscard]] std::optional<RunFailure> failure_of(const sim::Plan& plan, std::int64_t limit_s);

}  // namespace quorate::cli
