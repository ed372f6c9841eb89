#include <benchmark/benchmark.h>

#include "base/prng.hpp"
#include "sim/linearizability.hpp"
#include "sim/testing/random_histories.hpp"

namespace quorate::sim {
namespace {

// 100 clients in flight over 50 registers; the argument is the number of operations.
History make_history(const benchmark::State& state, std::uint64_t unknowns) {
  Prng prng(1);
  return make_good_history(prng, {.clients = 100,
                                  .operations = static_cast<std::size_t>(state.range(0)),
                                  .keys = 50,
                                  .swaps = 10,
                                  .unknowns = unknowns});
}

void check(benchmark::State& state, const History& history, Verdict expected) {
  Linearizability found;
  for (auto _ : state) {
    found = check_linearizable(history);
    benchmark::DoNotOptimize(found);
  }
  if (found.verdict != expected) {
    state.SkipWithError("another verdict than expected");
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
  state.counters["steps"] = static_cast<double>(found.steps);
  state.counters["seen_bytes"] = static_cast<double>(found.seen_bytes);
}

void check_good(benchmark::State& state) {
  check(state, make_history(state, 0), Verdict::holds);
}
BENCHMARK(check_good)->Arg(10'000)->Arg(100'000)->Arg(1'000'000)->Unit(benchmark::kMillisecond);

// One answer in a hundred is lost.
void check_good_with_unknowns(benchmark::State& state) {
  check(state, make_history(state, 1), Verdict::holds);
}
BENCHMARK(check_good_with_unknowns)->Arg(10'000)->Arg(100'000)->Unit(benchmark::kMillisecond);

// One stale read near the end, found and explained.
void check_stale_read(benchmark::State& state) {
  History history = make_history(state, 0);
  const std::int64_t last = history.operations().back().invoked;
  const KeyId key = history.key("k7");
  const auto read = history.read(ClientId{1000}, key, last + 1000);
  history.done(read, last + 1001, initial_value);
  check(state, history, Verdict::broken);
}
BENCHMARK(check_stale_read)->Arg(10'000)->Arg(100'000)->Arg(1'000'000)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace quorate::sim
