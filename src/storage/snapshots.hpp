#pragma once

// Snapshot files: written beside service, verified, kept in twos.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "raft/types.hpp"
#include "storage/data_directory.hpp"
#include "tree/snapshot.hpp"
#include "wire/snapshot_format.hpp"

namespace quorate::storage {

// Loading in parallel takes the shell's threads: runs the tasks, returns when all are done (threads are not ours). An
// empty Executor runs them one after the other.
using Executor = std::function<void(std::vector<std::function<void()>>&)>;
void run_tasks(const Executor& executor, std::vector<std::function<void()>>& tasks);

struct SnapshotFile {
  std::string path;
  Index index{};
  std::uint64_t bytes = 0;  // 0 if the file does not say.

  friend bool operator==(const SnapshotFile&, const SnapshotFile&) = default;
};

// The files that bear a snapshot's name, newest first. Whether they are whole is for load or verify to say.
Result<std::vector<SnapshotFile>> list_snapshots(DataDirectory& directory);

// Takes what a snapshot holds. Calls come one at a time and in the file's order, but from whichever of the executor's
// threads is free.
struct SnapshotSink {
  std::function<void()> reset;  // Before the first item, and again if a damaged file's items have to be forgotten.
  std::function<Result<void>(const tree::SnapshotItem&)> item;
  // After the last item, if set: an error makes the file a damaged one, and the older one is tried.
  std::function<Result<void>()> finish = nullptr;
};

// Reads the whole file and delivers its items; an error (corrupt: a block, the footer, the digest, or the sink's own)
// may come after some of them. Blocks are decompressed beside the delivery of those before them.
Result<wire::SnapshotHeader> load_snapshot(DataDirectory& directory, const SnapshotFile& file, const SnapshotSink& sink,
                                           const Executor& executor);

// Header and footer alone.
Result<wire::SnapshotHeader> read_snapshot_header(DataDirectory& directory, const SnapshotFile& file);

// What the log behind a snapshot is judged by, from the file's first bytes; nothing behind them is looked at.
struct SnapshotBeginning {
  wire::SnapshotHeader header;
  WallTime time{};  // The log's time at its point.
};
Result<SnapshotBeginning> read_snapshot_beginning(DataDirectory& directory, const SnapshotFile& file);

// The same checks without decompression: that all bytes are what was written.
Result<wire::SnapshotHeader> verify_snapshot(DataDirectory& directory, const SnapshotFile& file);

// Takes items on the loop, compresses and writes blocks wherever the shell runs the jobs. Bounded: over `buffer_bytes`
// is_full() asks the loop to let the jobs catch up (design chapter 7).
class SnapshotWriter {
 public:
  // Keeps a reference to `directory`.
  static Result<std::unique_ptr<SnapshotWriter>> begin(DataDirectory& directory, const wire::SnapshotHeader& header,
                                                       std::size_t buffer_bytes = 8U << 20);
  ~SnapshotWriter();  // Removes the file of an unfinished snapshot.

  void add(const tree::SnapshotItem& item);
  void end();  // No more items.

  [[nodiscard]] bool is_full() const;
  [[nodiscard]] bool has_work() const;
  // One block, or the finish (footer, sync, rename, sync of the directory). Called by one thread at a time, which may
  // be another than the one that adds. False when everything is on disk under its name. After an error the snapshot is
  // lost, nothing of it is left on the disk, and the writer is to be destroyed. After no_space the server goes on
  // any other error is a failed write or sync, and final.
  Result<bool> work();

 private:
  SnapshotWriter();
  struct State;
  std::unique_ptr<State> state_;
};

// What a purge did.
struct Purged {
  Index release{};  // What Wal::release() may take.
  std::vector<Error>
      failures;  // One for each file that could not be removed; it stays, and the next purge tries again.
};

// Which snapshots are known to be whole, so that purging reads each file once.
class SnapshotKeeper {
 public:
  explicit SnapshotKeeper(DataDirectory& directory) : directory_(&directory) {}

  // This process wrote it or loaded it.
  void trust(Index index);
  // A snapshot was installed: the log begins behind it, so older ones lead nowhere and go once it is verified (R-603,
  // K-83).
  void begin_anew(Index installed) { log_start_ = std::max(log_start_, installed); }
  // It did not load, whatever its checksums say: it never counts.
  void distrust(Index index);

  // Keeps the newest `retain` (at least 2) verified snapshots and removes what is older, damaged files among it; fewer
  // verified ones: nothing goes (K-105), except that a distrusted one goes as soon as there are two. The log is kept
  // back to the older of the newest two verified snapshots, or whole (0) while there are not two, also when a
  // file could not be removed. Reads files, decompressing those that it does not know: for the background.
  Result<Purged> purge(std::size_t retain = 3);
  // A sync failed in purge(): the process stops.
  [[nodiscard]] bool has_failed_sync() const { return failed_sync_; }

 private:
  enum class Trust : std::uint8_t { unknown, good, bad };
  [[nodiscard]] Trust judge(const SnapshotFile& file);
  Result<void> remove(const SnapshotFile& file);

  DataDirectory* directory_;
  std::map<Index, Trust> known_;
  Index log_start_{};  // Snapshots before it lead nowhere.
  bool failed_sync_ = false;
};

}  // namespace quorate::storage
