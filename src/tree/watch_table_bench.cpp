// What watches cost a write: nothing when nobody watches, a lookup when others are watched, and what each event takes.

#include <benchmark/benchmark.h>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tree/watch_table.hpp"

namespace quorate::tree {
namespace {

constexpr std::string_view path = "/services/orders/instances/node-0000000042";

std::string instance(std::int64_t number) {
  return "/services/orders/instances/node-" + std::to_string(number);
}

Change changed(std::string_view at) {
  return {.type = EventType::data_changed, .path = at, .parent = {}, .zxid = Zxid{1}};
}

void fire_with_no_watches(benchmark::State& state) {
  WatchTable table;
  const AclTable acls;
  for (auto _ : state) {
    table.fire(changed(path), acls, false);
    benchmark::DoNotOptimize(table.has_events());
  }
}
BENCHMARK(fire_with_no_watches);

void fire_on_an_unwatched_path(benchmark::State& state) {
  WatchTable table;
  const AclTable acls;
  for (std::int64_t number = 0; number < state.range(0); ++number) {
    table.add(WatcherId{static_cast<std::uint32_t>(number % 256)}, instance(number + 1000), WatchKind::data);
  }
  for (auto _ : state) {
    table.fire(changed(path), acls, false);
    benchmark::DoNotOptimize(table.has_events());
  }
}
BENCHMARK(fire_on_an_unwatched_path)->Arg(1)->Arg(100'000);

void fire_beside_a_recursive_watch(benchmark::State& state) {
  WatchTable table;
  const AclTable acls;
  table.add(WatcherId{1}, "/elsewhere", WatchKind::persistent_recursive);
  for (auto _ : state) {
    table.fire(changed(path), acls, false);
    benchmark::DoNotOptimize(table.has_events());
  }
}
BENCHMARK(fire_beside_a_recursive_watch);

// The life of a one-shot watch: set, fired, taken.
void set_and_fire_one(benchmark::State& state) {
  WatchTable table;
  const AclTable acls;
  for (std::int64_t number = 0; number < state.range(0); ++number) {
    table.add(WatcherId{static_cast<std::uint32_t>(number % 256)}, instance(number + 1000), WatchKind::data);
  }
  WatchEvents events;
  for (auto _ : state) {
    table.add(WatcherId{7}, path, WatchKind::data);
    table.fire(changed(path), acls, false);
    table.take_events(events);
    benchmark::DoNotOptimize(events.events.data());
  }
}
BENCHMARK(set_and_fire_one)->Arg(1)->Arg(100'000);

// A thousand connections wait for one znode; time is that of one registration and its event.
void set_and_fire_for_many(benchmark::State& state) {
  WatchTable table;
  const AclTable acls;
  WatchEvents events;
  for (auto _ : state) {
    for (std::uint32_t watcher = 0; watcher < 1000; ++watcher) {
      table.add(WatcherId{watcher}, path, WatchKind::data);
    }
    table.fire(changed(path), acls, false);
    table.take_events(events);
    benchmark::DoNotOptimize(events.events.data());
  }
  state.SetItemsProcessed(state.iterations() * 1000);
}
BENCHMARK(set_and_fire_for_many);

void set_and_drop_many(benchmark::State& state) {
  WatchTable table;
  std::vector<std::string> paths;
  for (std::int64_t number = 0; number < 1000; ++number) {
    paths.push_back(instance(number));
  }
  for (auto _ : state) {
    for (const std::string& one : paths) {
      table.add(WatcherId{1}, one, WatchKind::child);
    }
    table.drop(WatcherId{1});
  }
  state.SetItemsProcessed(state.iterations() * 1000);
}
BENCHMARK(set_and_drop_many);

void memory_of_a_watch(benchmark::State& state) {
  std::size_t bytes = 0;
  for (auto _ : state) {
    WatchTable table;
    for (std::int64_t number = 0; number < state.range(0); ++number) {
      table.add(WatcherId{static_cast<std::uint32_t>(number % 256)}, instance(number), WatchKind::data);
    }
    bytes = table.bytes();
  }
  state.counters["bytes"] = static_cast<double>(bytes) / static_cast<double>(state.range(0));
}
BENCHMARK(memory_of_a_watch)->Arg(1'000'000)->Iterations(1);

}  // namespace
}  // namespace quorate::tree
