// What a flush costs: one record of the given size, pwrite and fdatasync into a prewritten segment. Needs a directory
// on a real disk: TMPDIR, or the current one.

#include <benchmark/benchmark.h>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/ensure.hpp"
#include "storage/posix_disk.hpp"
#include "storage/recovery.hpp"
#include "storage/wal.hpp"

namespace quorate::storage {
namespace {

std::string make_directory() {
  const char* base = std::getenv("TMPDIR");
  std::string pattern = std::string{base == nullptr ? "." : base} + "/wal-bench-XXXXXX";
  ensure(::mkdtemp(pattern.data()) != nullptr, "the bench needs a directory that it may write to");
  return pattern;
}

void flush_one_record(benchmark::State& state) {
  const std::string path = make_directory();
  {
    PosixDisk disk;
    auto directory = DataDirectory::open(disk, Paths{path, path}, Identity{.node = NodeId{1}});
    ensure(directory.has_value() && directory->begin_start(0).has_value(), "a new directory opens");
    auto wal = Wal::open(*directory, WalConfig{.force_sync = state.range(1) != 0}, Wal::Position{});
    ensure(wal.has_value(), "a new log opens");
    const Blob command = Blob::adopt(std::string(static_cast<std::size_t>(state.range(0)), 'x'));
    std::uint64_t index = 0;
    for (auto _ : state) {
      ++index;
      const raft::Entry entry{.term = Term{1},
                              .index = Index{index},
                              .time = WallTime{1},
                              .kind = raft::EntryKind::command,
                              .command = command};
      (*wal)->stage(std::nullopt, {&entry, 1}, Index{index - 1}, raft::PersistToken{index});
      auto flush = (*wal)->take_flush();
      ensure(flush.run().has_value(), "the disk takes it");
      (*wal)->finish(std::move(flush));
      (*wal)->release(Index{index});
      if (auto spare = (*wal)->take_spare_job()) {
        state.PauseTiming();
        ensure(spare->run().has_value(), "the disk takes it");
        (*wal)->finish(std::move(*spare));
        state.ResumeTiming();
      }
    }
    state.SetBytesProcessed(state.iterations() * state.range(0));
  }
  std::filesystem::remove_all(path);
}
BENCHMARK(flush_one_record)
    ->ArgNames({"bytes", "sync"})
    ->ArgsProduct({{200, 4096, 65536, 524288}, {1, 0}})
    ->Unit(benchmark::kMicrosecond)
    ->UseRealTime();

}  // namespace
}  // namespace quorate::storage
