#include <benchmark/benchmark.h>
#include <vector>

#include "raft/core.hpp"
#include "raft/testing/trio.hpp"

namespace quorate::raft {
namespace {

using testing::fill;
using testing::Trio;

// Proposals of 100 bytes through propose, take, persisted, apply; the argument is the batch's size.
void propose_to_apply(benchmark::State& state) {
  Recovered recovered;
  recovered.configuration.members = {Member{.id = NodeId{1}}};
  Core core(Config{.self = NodeId{1}, .limits = {}}, recovered, Blob(), Prng(1));
  Output output;
  const auto batch = static_cast<std::size_t>(state.range(0));
  std::vector<Blob> commands;
  std::int64_t time = 0;
  for (auto _ : state) {
    fill(commands, batch);
    benchmark::DoNotOptimize(core.propose(commands, WallTime{++time}));
    core.take_output(output);
    core.persisted(*output.token);
    core.take_output(output);
    core.applied(output.apply.back().back().index);
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()) * static_cast<std::int64_t>(batch));
}
BENCHMARK(propose_to_apply)->Arg(1)->Arg(16)->Arg(256)->Arg(4096);

// Entries of 100 bytes, committed by three cores and applied by each, by the batch.
void three_cores_commit(benchmark::State& state) {
  Trio trio;
  const auto batch = static_cast<std::size_t>(state.range(0));
  std::vector<Blob> commands;
  std::int64_t time = 0;
  for (auto _ : state) {
    fill(commands, batch);
    benchmark::DoNotOptimize(trio.leader().propose(commands, WallTime{++time}));
    trio.settle();
  }
  if (trio.leader().commit_index() != trio.leader().log().last().index) {
    state.SkipWithError("not everything is committed");
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()) * static_cast<std::int64_t>(batch));
}
BENCHMARK(three_cores_commit)->Arg(1)->Arg(16)->Arg(256)->Arg(4096);

}  // namespace
}  // namespace quorate::raft
