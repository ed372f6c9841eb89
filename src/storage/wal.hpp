#pragma once

// The write-ahead log: segments written once with zeros and then recycled (design chapter 8, docs/formats/log.md and
// data-directory.md).
//
// A flush is a value: stage() and take_flush() belong to the loop, Flush::run() does the I/O on whatever thread the
// shell likes, finish() belongs to the loop again. At most one flush is under way; what is staged meanwhile is the next
// one, so the batch follows the load by itself. Nothing is shared between the two sides: what a flush needs
// moves into it and comes back.

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
#include "storage/segment.hpp"

namespace quorate::storage {

struct WalConfig {
  std::uint64_t segment_bytes = 64U << 20;  // preAllocSize
  std::size_t recycled_segments_max = 2;    // Kept ready beside the reserve.
  bool force_sync = true;                   // forceSync=no: nothing is durable, and the log says so loudly.
};

class Wal {
 public:
  // Where recovery leaves the log: everything a new segment needs in order to continue it.
  struct Position {
    std::vector<Segment> segments;     // Those that stay, oldest first.
    std::uint64_t chain = 0;           // Checksum of the last record that is provably durable.
    std::uint64_t synced_through = 0;  // Its position.
    Index first_index{1};              // The first entry behind it.
    std::uint64_t keep_bytes = 0;      // It ends here in the newest segment; what follows there is cut.
    bool replace_newest = false;       // The newest segment holds no such record: the new one takes its number.
    std::uint64_t sequence = 0;        // Of the newest segment; 0: none.
    // Payloads of records behind it. They are valid but perhaps only in the page cache, so they are written anew into
    // the new segment and synced there before they count.
    std::vector<std::string> tail;
    Index last_index{};  // With the tail.
    raft::HardState hard_state;
    Index commit_hint{};
  };

  // Continues after what recovery found, in a new segment that holds a copy of the tail; durable when it returns, and
  // a crash at any point of it leaves the same log. Keeps a reference to `directory`.
  static Result<std::unique_ptr<Wal>> open(DataDirectory& directory, WalConfig config, const Position& position);
  ~Wal();

  // Queues entries and term and vote for the next flush. Entries replace any tail from the first one's index on
  //
  void stage(const std::optional<raft::HardState>& hard_state, std::span<const raft::Entry> entries, Index commit_hint,
             raft::PersistToken token);
  // Queues an empty record if the last one written has no successor that proves it durable: done when idle, it lets
  // recovery tell damage of that record from a torn write. True if a flush is now worth taking.
  bool stage_marker();
  // False while a flush waits for space: the spare job's success ends that.
  [[nodiscard]] bool has_staged() const;
  [[nodiscard]] std::size_t staged_bytes() const;
  [[nodiscard]] bool flush_under_way() const;

  class Flush {
   public:
    Flush(Flush&&) noexcept;
    Flush& operator=(Flush&&) noexcept;
    ~Flush();
    // pwrite and fdatasync. ErrorCode::no_space only before anything of this flush was written: handed to
    // finish(), its content is queued again. Any other error is final: the process stops.
    Result<void> run();
    std::int64_t duration_us = 0;  // Set by the shell that timed it, for mntr's fsync figures.

   private:
    friend class Wal;
    struct Job;
    explicit Flush(std::unique_ptr<Job> job);
    std::unique_ptr<Job> job_;
  };
  [[nodiscard]] Flush take_flush();
  // Takes a flush or a spare job back, whatever run() said. Returns the newest token that is durable.
  raft::PersistToken finish(Flush&& flush);

  // Segments wholly below `index` may be recycled. The next spare job does it.
  void release(Index index);
  // Housekeeping: segments that were released go, and a spare segment is prewritten so that rolling over never waits.
  // Its run() is slow, so it belongs to a background thread, not to the one that flushes; a flush may be under way
  // meanwhile. nullopt: nothing to do, or one is under way. Its no_space is the disk-full signal, its success
  // clears it; while low_on_space() it is worth asking about once a second.
  [[nodiscard]] std::optional<Flush> take_spare_job();

  [[nodiscard]] std::uint64_t bytes_since(Index index) const;  // Log volume after the snapshot (snapSizeLimitInKb).
  [[nodiscard]] std::uint64_t disk_bytes() const;
  [[nodiscard]] bool low_on_space() const;  // Only what is open already, and the reserve, is left.
  [[nodiscard]] std::uint64_t segments() const;

 private:
  Wal();
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace quorate::storage
