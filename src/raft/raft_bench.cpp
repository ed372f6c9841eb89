#include <benchmark/benchmark.h>
#include <string>
#include <vector>

#include "raft/core.hpp"

namespace quorate::raft {
namespace {

// A turn's commands of 100 bytes, slices of one block as in the server.
void fill(std::vector<Blob>& commands, std::size_t count) {
  const Blob arena = Blob::adopt(std::string(count * 100, 'x'));
  commands.clear();
  for (std::size_t i = 0; i < count; ++i) {
    commands.push_back(arena.slice(i * 100, 100));
  }
}

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
    core.applied(output.apply.back().index);
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()) * static_cast<std::int64_t>(batch));
}
BENCHMARK(propose_to_apply)->Arg(1)->Arg(16)->Arg(256)->Arg(4096);

// Three cores, messages passed by hand, disks that are durable at once: entries of 100 bytes committed and applied
// everywhere, by the batch.
class Trio {
 public:
  Trio() {
    Recovered recovered;
    recovered.configuration.members = {Member{.id = NodeId{1}}, Member{.id = NodeId{2}}, Member{.id = NodeId{3}}};
    for (unsigned id = 1; id <= 3; ++id) {
      cores_.emplace_back(Config{.self = NodeId{id}}, recovered, Blob(), Prng(id));
    }
    for (std::int64_t time = 0; cores_.front().role() != Role::leader; time += 100'000) {
      cores_.front().tick(MonoTime{time});
      settle();
    }
  }

  Core& leader() { return cores_.front(); }

  void settle() {
    bool has_moved = true;
    while (has_moved) {
      has_moved = false;
      for (Core& core : cores_) {
        if (core.has_output()) {
          pump(core);
          has_moved = true;
        }
      }
    }
  }

 private:
  void pump(Core& core) {
    core.take_output(output_);
    if (output_.token) {
      core.persisted(*output_.token);
    }
    if (!output_.apply.empty()) {
      core.applied(output_.apply.back().index);
    }
    pass(core, output_.send);
    pass(core, output_.send_after_sync);
  }

  void pass(Core& from, std::vector<Envelope>& envelopes) {
    for (Envelope& envelope : envelopes) {
      std::ignore = cores_[raw(envelope.to) - 1].step(from.self(), std::move(envelope.message));
    }
  }

  std::vector<Core> cores_;
  Output output_;
};

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
