// What the tree costs with 1,000,000 znodes of 100 bytes: operations, memory a znode, loading, a snapshot's slices.

#include <algorithm>
#include <benchmark/benchmark.h>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <sys/mman.h>
#include <vector>

#include "base/prng.hpp"
#include "tree/memory_advice.hpp"
#include "tree/tree.hpp"

namespace quorate::tree {
namespace {

constexpr std::size_t parents = 16;
const std::vector<AclEntry> open_entries{{31, {"world", "anyone"}}};

std::size_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::size_t total = 0;
  std::size_t resident = 0;
  statm >> total >> resident;
  return resident * 4096;
}

struct Filled {
  Tree tree{0x5EED};
  ApplyContext context{.zxid = Zxid{0}, .time = WallTime{1'700'000'000'000}, .session = {}, .credentials = {}};
  std::vector<std::string> paths;
  std::size_t grown_bytes = 0;
  std::size_t payload_bytes = 0;

  explicit Filled(std::size_t count) {
    next();
    context.session = *tree.create_session(context, NodeId{1}, 30000, {});
    for (std::size_t i = 0; i < parents; ++i) {
      next();
      tree.create(context, {.path = "/p" + std::to_string(i), .data = empty_bytes, .acl = open_entries});
    }
    paths.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
      paths.push_back(path_of(i));
    }
    const std::string data(100, 'x');
    const std::size_t before = resident_bytes();
    for (const std::string& path : paths) {
      next();
      tree.create(context, {.path = path, .data = data, .acl = open_entries});
      payload_bytes += data.size() + path.size() - path.rfind('/') - 1;
    }
    grown_bytes = resident_bytes() - before;
  }
  void next() {
    context.zxid = Zxid{raw(context.zxid) + 1};
    tree.advance(context.zxid, context.time);
  }
  static std::string path_of(std::size_t i) {
    char name[32];
    std::snprintf(name, sizeof name, "/p%zu/n%010zu", i % parents, i);
    return name;
  }
};

// As the server does it.
void advise_huge_pages(void* start, std::size_t bytes) {
  madvise(start, bytes, MADV_HUGEPAGE);
}
const bool advised = (set_memory_advice(advise_huge_pages), true);

Filled& million() {
  static const auto filled = std::make_unique<Filled>(1'000'000);
  return *filled;
}

// A path without a look at memory, so that the figures are the tree's alone.
class PathMaker {
 public:
  std::string_view make(std::size_t i) {
    const std::size_t parent = i % parents;
    text_ = "/p";
    if (parent >= 10) {
      text_ += '1';
    }
    text_ += static_cast<char>('0' + parent % 10);
    text_ += "/n0000000000";
    for (std::size_t at = text_.size(); i > 0; i /= 10) {
      text_[--at] = static_cast<char>('0' + i % 10);
    }
    return text_;
  }

 private:
  std::string text_;
};

// Resident growth over data and names; the target is 130 (design chapter 7).
void memory_a_znode(benchmark::State& state) {
  const Filled& filled = million();
  for (auto unused : state) {
    benchmark::DoNotOptimize(unused);
  }
  const auto count = static_cast<double>(filled.paths.size());
  state.counters["overhead_bytes_a_znode"] = static_cast<double>(filled.grown_bytes - filled.payload_bytes) / count;
  state.counters["own_figure"] = static_cast<double>(filled.tree.memory_bytes() - filled.payload_bytes) / count;
}
BENCHMARK(memory_a_znode)->Iterations(1);

void find_random(benchmark::State& state) {
  const Filled& filled = million();
  Prng prng(1);
  PathMaker maker;
  for (auto unused : state) {
    benchmark::DoNotOptimize(unused);
    benchmark::DoNotOptimize(filled.tree.find(maker.make(prng.below(1'000'000)))->data.data()[50]);
  }
}
BENCHMARK(find_random);

// What is left when nothing misses the cache.
void find_hot(benchmark::State& state) {
  const Filled& filled = million();
  PathMaker maker;
  std::size_t i = 0;
  for (auto unused : state) {
    benchmark::DoNotOptimize(unused);
    benchmark::DoNotOptimize(filled.tree.find(maker.make(i++ % 64 + 123'000))->data.data()[50]);
  }
}
BENCHMARK(find_hot);

// As a front does it: prefetch a turn's paths, then answer them.
void find_random_in_batches_of_64(benchmark::State& state) {
  const Filled& filled = million();
  Prng prng(1);
  std::vector<PathMaker> makers(64);
  std::vector<std::string_view> batch(64);
  std::vector<PathHint> hints(64);
  for (auto unused : state) {
    benchmark::DoNotOptimize(unused);
    for (std::size_t i = 0; i < batch.size(); ++i) {
      batch[i] = makers[i].make(prng.below(1'000'000));
    }
    for (std::size_t i = 0; i < batch.size(); ++i) {
      hints[i] = filled.tree.prefetch(batch[i]);
    }
    for (const PathHint hint : hints) {
      filled.tree.prefetch(hint);
    }
    for (const std::string_view path : batch) {
      benchmark::DoNotOptimize(filled.tree.find(path)->data.data()[50]);
    }
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()) * 64);
}
BENCHMARK(find_random_in_batches_of_64);

void set_random(benchmark::State& state) {
  Filled& filled = million();
  Prng prng(1);
  PathMaker maker;
  const std::string data(100, 'y');
  for (auto unused : state) {
    benchmark::DoNotOptimize(unused);
    filled.next();
    const SetData operation{.path = maker.make(prng.below(1'000'000)), .data = data, .version = -1};
    benchmark::DoNotOptimize(filled.tree.set_data(filled.context, operation));
  }
}
BENCHMARK(set_random);

void create_and_delete(benchmark::State& state) {
  Filled& filled = million();
  const std::string data(100, 'y');
  std::size_t i = 5'000'000;
  for (auto unused : state) {
    benchmark::DoNotOptimize(unused);
    const std::string path = Filled::path_of(i++);
    filled.next();
    filled.tree.create(filled.context, {.path = path, .data = data, .acl = open_entries});
    filled.next();
    filled.tree.remove(filled.context, {.path = path, .version = -1});
  }
}
BENCHMARK(create_and_delete);

void create_many(benchmark::State& state) {
  for (auto unused : state) {
    benchmark::DoNotOptimize(unused);
    state.PauseTiming();
    auto filled = std::make_unique<Filled>(0);
    std::vector<std::string> paths;
    for (std::size_t i = 0; i < 300'000; ++i) {
      paths.push_back(Filled::path_of(i));
    }
    const std::string data(100, 'y');
    state.ResumeTiming();
    for (const std::string& path : paths) {
      filled->next();
      filled->tree.create(filled->context, {.path = path, .data = data, .acl = open_entries});
    }
    state.PauseTiming();
    filled.reset();
    state.ResumeTiming();
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()) * 300'000);
}
BENCHMARK(create_many)->Iterations(3)->Unit(benchmark::kMillisecond);

// The whole walk; the counter is the longest single slice.
void snapshot_walk(benchmark::State& state) {
  Filled& filled = million();
  double longest_us = 0;
  for (auto unused : state) {
    benchmark::DoNotOptimize(unused);
    std::size_t bytes = 0;
    filled.tree.begin_snapshot([&](const SnapshotItem& item) {
      if (const auto* image = std::get_if<ZnodeImage>(&item)) {
        bytes += image->data.size();
      }
    });
    for (bool done = false; !done;) {
      const auto start = std::chrono::steady_clock::now();
      done = filled.tree.step_snapshot(1000);
      const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - start;
      longest_us = std::max(longest_us, took.count());
    }
    benchmark::DoNotOptimize(bytes);
  }
  state.counters["longest_slice_of_1000_us"] = longest_us;
}
BENCHMARK(snapshot_walk)->Iterations(3)->Unit(benchmark::kMillisecond);

void load_million(benchmark::State& state) {
  Filled& filled = million();
  std::vector<SnapshotItem> items;
  filled.tree.begin_snapshot([&](const SnapshotItem& item) { items.push_back(item); });
  while (!filled.tree.step_snapshot(100'000)) {
  }
  for (auto unused : state) {
    benchmark::DoNotOptimize(unused);
    auto tree = std::make_unique<Tree>(Tree::for_loading());
    for (const SnapshotItem& item : items) {
      if (!tree->load(item)) {
        state.SkipWithError("an item was refused");
      }
    }
    if (!tree->finish_loading()) {
      state.SkipWithError("the whole was refused");
    }
    state.PauseTiming();
    tree.reset();
    state.ResumeTiming();
  }
}
BENCHMARK(load_million)->Iterations(3)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace quorate::tree
