#include <benchmark/benchmark.h>

#include "sim/world.hpp"

namespace quorate::sim {
namespace {

// Three servers with default time-outs, 100 proposals a simulated second, no faults, all judges on. The counter says
// how many simulated seconds go by in one of the wall clock's.
void simulated_seconds(benchmark::State& state) {
  Plan plan = make_plan(1, PlanOptions{.profile = "calm", .servers = 3, .seconds = state.range(0)});
  plan.knobs.reads_percent = 0;
  plan.knobs.requests_per_second = 100;
  std::int64_t simulated_us = 0;
  std::uint64_t events = 0;
  for (auto _ : state) {
    const Report report = run(plan);
    if (report.violation) {
      state.SkipWithError("a rule was broken");
    }
    simulated_us += report.simulated_us;
    events += report.steps;
  }
  state.counters["speed"] = benchmark::Counter(static_cast<double>(simulated_us) / 1e6, benchmark::Counter::kIsRate);
  state.counters["events"] = benchmark::Counter(static_cast<double>(events), benchmark::Counter::kIsRate);
}
BENCHMARK(simulated_seconds)->Arg(60)->Arg(600)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace quorate::sim
