// What the simulated disk costs a run: the log of a server over it, one entry of 100 bytes a flush. A thousand
// simulated seconds a second leave a flush less than a microsecond.

#include <benchmark/benchmark.h>
#include <string>

#include "base/ensure.hpp"
#include "sim/disk.hpp"
#include "storage/recovery.hpp"
#include "storage/wal.hpp"

namespace quorate::sim {
namespace {

// The disk alone: a block written behind the one before, and synced.
void write_and_sync(benchmark::State& state) {
  constexpr std::size_t file_bytes = 256U << 10;
  Disk disk;
  auto file = disk.open("file", storage::Disk::Open::create_new);
  ensure(file && (*file)->write(0, std::string(file_bytes, '\0')) && (*file)->sync(), "a new file is written");
  const std::string block(4096, 'x');
  std::uint64_t offset = 0;
  for (auto _ : state) {
    ensure((*file)->write(offset, block) && (*file)->sync_data(), "the disk takes it");
    offset = (offset + block.size()) % file_bytes;
  }
}
BENCHMARK(write_and_sync);

void flush_one_entry(benchmark::State& state) {
  Disk disk;
  const storage::Paths paths{.data = "data", .log = "data"};
  auto directory = storage::DataDirectory::open(disk, paths, storage::Identity{.node = NodeId{1}});
  ensure(directory && directory->begin_start(0), "a new directory opens");
  auto wal = storage::Wal::open(*directory, storage::WalConfig{.segment_bytes = 256U << 10}, storage::Wal::Position{});
  ensure(wal.has_value(), "a new log opens");
  const Blob command = Blob::adopt(std::string(100, 'x'));
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
      ensure(spare->run().has_value(), "the disk takes it");
      (*wal)->finish(std::move(*spare));
    }
  }
}
BENCHMARK(flush_one_entry);

}  // namespace
}  // namespace quorate::sim
