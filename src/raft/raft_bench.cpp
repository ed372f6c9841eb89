#include <benchmark/benchmark.h>
#include <string>
#include <vector>

#include "raft/core.hpp"

namespace quorate::raft {
namespace {

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
    const Blob arena = Blob::adopt(std::string(batch * 100, 'x'));
    commands.clear();
    for (std::size_t i = 0; i < batch; ++i) {
      commands.push_back(arena.slice(i * 100, 100));
    }
    benchmark::DoNotOptimize(core.propose(commands, WallTime{++time}));
    core.take_output(output);
    core.persisted(*output.token);
    core.take_output(output);
    core.applied(output.apply.back().index);
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()) * static_cast<std::int64_t>(batch));
}
BENCHMARK(propose_to_apply)->Arg(1)->Arg(16)->Arg(256)->Arg(4096);

}  // namespace
}  // namespace quorate::raft
