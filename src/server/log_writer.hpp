#pragma once

// Carries the replica's output to the write-ahead log: in the loop while one small batch is all there is, on a thread
// of its own under load, because handing over costs about half a flush (docs/performance.md). At most one flush is
// under way; what is staged meanwhile is the next one.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "base/histogram.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "raft/types.hpp"
#include "replica/replica.hpp"
#include "server/worker.hpp"
#include "storage/wal.hpp"

namespace quorate::server {

struct LogWriterConfig {
  std::int64_t sync_warning_us = 1'000'000;  // fsync.warningthresholdms
  // A batch of at most this many entries is flushed in the loop.
  std::size_t inline_entries_max = 8;
  std::size_t inline_bytes_max = 64U << 10;
};

struct LogStats {
  Histogram flush_us;
  Histogram batch_entries;
  std::uint64_t slow_flushes = 0;  // Over the warning threshold.
  std::uint64_t inline_flushes = 0;
};

class LogWriter {
 public:
  LogWriter(LogWriterConfig config, storage::Wal& wal, Worker& flusher, Worker& housekeeper, Inbox& inbox);

  // Takes the durable part of the replica's output.
  void stage(const replica::Output& output);
  // Starts to write what is staged, unless a flush is under way already.
  void flush();
  // The same, and does not return before all that is staged is durable, or cannot be made so.
  void flush_all();
  // The newest token that became durable since the last call.
  std::optional<raft::PersistToken> take_durable();

  // With nothing else to do: proves the last record durable, once.
  void idle();
  // Once a second: asks for room again if there was none.
  void tick();
  // Segments wholly below may be reused.
  void release(Index index);

  // Reads go on and client writes are refused.
  [[nodiscard]] bool is_disk_full() const { return disk_full_; }
  [[nodiscard]] replica::DiskSpace space() const;
  // A write or sync failed: the process must stop.
  [[nodiscard]] const std::optional<Error>& failed() const { return failed_; }
  [[nodiscard]] bool is_busy() const { return wal_.flush_under_way(); }
  [[nodiscard]] const storage::Wal& wal() const { return wal_; }
  [[nodiscard]] const LogStats& stats() const { return stats_; }

 private:
  struct Outcome {
    Result<void> result;
    std::int64_t took_us = 0;
  };
  static Outcome run(storage::Wal::Flush& flush);
  void flush_inline();
  void flush_on_thread();
  void take_back(storage::Wal::Flush&& flush, const Outcome& outcome);
  void keep_house();
  void kept_house(storage::Wal::Flush&& job, const Result<void>& result);
  void judge_space(const Result<void>& latest);

  LogWriterConfig config_;
  storage::Wal& wal_;
  Worker& flusher_;
  Worker& housekeeper_;
  Inbox& inbox_;
  std::size_t staged_entries_ = 0;
  std::optional<raft::PersistToken> durable_;
  bool disk_full_ = false;
  std::optional<Error> failed_;
  LogStats stats_;
};

}  // namespace quorate::server
