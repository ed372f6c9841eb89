#pragma once

// Takes snapshots beside service: the tree is walked on the loop in slices of at most a millisecond, compression and
// writing run on a background thread, and what waits between them is bounded (design chapter 7).

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/histogram.hpp"
#include "base/ids.hpp"
#include "raft/types.hpp"
#include "replica/replica.hpp"
#include "server/worker.hpp"
#include "storage/data_directory.hpp"
#include "storage/snapshots.hpp"

namespace quorate::server {

struct SnapshotStats {
  std::uint64_t taken = 0;
  std::uint64_t failed = 0;
  Histogram took_us;
};

// What the start found.
struct KnownSnapshots {
  std::optional<Index> loaded;
  std::vector<Index> damaged;  // Did not load.
};

class Snapshotter {
 public:
  // `retain`: how many to keep (autopurge.snapRetainCount).
  Snapshotter(storage::DataDirectory& directory, replica::Replica& replica, Worker& writer, Inbox& inbox,
              std::size_t retain, const KnownSnapshots& known);

  // Begins one if it is `due`, or if the disk is full and one would let segments of the log go; after a failure not
  // before some time has passed, and each time longer. Once the disk becomes full, removes what is old.
  void consider(bool due, bool disk_full, std::uint64_t log_segments, MonoTime now);
  // A slice of the walk, and work for the thread. True if the next turn should not wait for anything.
  bool step(MonoTime now);
  // What waits to be written has reached its bound: apply must slow down.
  [[nodiscard]] bool is_full() const { return writer_ != nullptr && writer_->is_full(); }
  [[nodiscard]] bool is_running() const { return running_; }
  // Entries that no kept snapshot needs may go: the log may be released up to here. Set once after each snapshot.
  std::optional<Index> take_release();
  // A write or sync failed: the process must stop.
  [[nodiscard]] const std::optional<Error>& failed() const { return failed_; }

  [[nodiscard]] const SnapshotStats& stats() const { return stats_; }

 private:
  struct Purge {
    Result<storage::Purged> done = storage::Purged{};
    bool failed_sync = false;
  };
  struct Job {
    Result<bool> more = true;
    std::optional<Purge> purge;  // Set when the snapshot is durable.
  };
  void begin(MonoTime now);
  void clear_old();
  Purge purge();  // On the worker.
  void purged(const Purge& purge);
  void add(const tree::SnapshotItem& item);
  void walk(MonoTime now);
  void hand_over();
  void took(Job job);
  void give_up(const Error& error);

  storage::DataDirectory& directory_;
  replica::Replica& replica_;
  Worker& worker_;
  Inbox& inbox_;
  std::size_t retain_;
  storage::SnapshotKeeper keeper_;  // The worker's, after the constructor.
  std::unique_ptr<storage::SnapshotWriter> writer_;
  std::vector<std::string> early_;  // Encoded items that came before there was a writer.
  raft::LogId point_;
  MonoTime began_{};
  bool running_ = false;
  bool walking_ = false;
  bool job_under_way_ = false;
  bool was_full_ = false;
  Index newest_{};  // Of the snapshots that count.
  MonoTime not_before_{};
  std::int64_t wait_ms_ = 0;  // After the next failure twice as long.
  std::optional<Index> release_;
  std::optional<Error> failed_;
  SnapshotStats stats_;
};

}  // namespace quorate::server
