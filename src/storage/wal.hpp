#pragma once

// The write-ahead log: segments written once with zeros and then recycled (design chapter 8, docs/formats/log.md).
//
// A flush is a value: stage() and take_flush() belong to the loop, Flush::run() does the I/O on whatever thread the
// shell likes, finish() belongs to the loop again. At most one flush is under way; what is staged meanwhile is the next
// one, so the batch follows the load by itself.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "raft/types.hpp"
#include "storage/data_directory.hpp"

namespace quorate::storage {

struct WalConfig {
  std::uint64_t segment_bytes = 64U << 20;  // preAllocSize
  std::size_t recycled_segments_max = 2;    // Kept ready beside the reserve.
  bool force_sync = true;                   // forceSync=no: nothing is durable, and the log says so loudly.
};

class Wal {
 public:
  // Continues after what recovery found (recovery.hpp makes the position).
  struct Position;
  static Result<std::unique_ptr<Wal>> open(DataDirectory& directory, WalConfig config, const Position& position);
  ~Wal();

  // Queues entries and term and vote for the next flush. Entries replace any tail from the first one's index on
  //
  void stage(const std::optional<raft::HardState>& hard_state, std::span<const raft::Entry> entries, Index commit_hint,
             raft::PersistToken token);
  [[nodiscard]] bool has_staged() const;
  [[nodiscard]] std::size_t staged_bytes() const;
  [[nodiscard]] bool flush_under_way() const;

  class Flush {
   public:
    // pwrite and fdatasync. ErrorCode::no_space only before anything of this flush was written; any other error
    // is final.
    Result<void> run();
    std::int64_t duration_us = 0;  // Set by the shell that timed it, for mntr's fsync figures.

   private:
    friend class Wal;
    struct Job;
    std::unique_ptr<Job> job_;
  };
  [[nodiscard]] Flush take_flush();
  // The newest token that the finished flush made durable.
  raft::PersistToken finish(Flush&& flush);

  // Segments wholly below `index` may be recycled.
  void release(Index index);
  // A spare segment is prewritten in the background so that rolling over never waits: run() of the returned job is
  // slow. nullopt: none is needed. Its no_space is the disk-full signal, its success clears it.
  class Spare;
  [[nodiscard]] std::optional<Flush> take_spare_job();

  [[nodiscard]] std::uint64_t bytes_since(Index index) const;  // Log volume after the snapshot (snapSizeLimitInKb).
  [[nodiscard]] std::uint64_t disk_bytes() const;
  [[nodiscard]] bool low_on_space() const;  // Only the reserve is left.

 private:
  Wal();
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace quorate::storage
