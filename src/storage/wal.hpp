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
#include "storage/log_map.hpp"
#include "storage/segment.hpp"

namespace quorate::storage {

struct WalConfig {
  std::uint64_t segment_bytes = 64U << 20;  // preAllocSize
  std::size_t recycled_segments_max = 2;    // Kept ready beside the reserve.
  bool force_sync = true;                   // forceSync=no: nothing is durable, and the log says so loudly.
};

// Of one part that is read back: commands and entry headers, and entries. One entry is always read.
struct ReadLimits {
  std::size_t bytes_max = 1U << 20;
  std::size_t entries_max = 16384;
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
    Index tail_first{};  // The first entry that the tail holds or replaces; 0: none.
    Index last_index{};  // With the tail.
    raft::HardState hard_state;
    Index commit_hint{};
    LogMap map;                    // Of what stays where it is: all but the tail.
    std::vector<Segment> voided;   // Of a log that a snapshot took the place of: they go.
    std::optional<Index> install;  // The snapshot under whose name an installation was cut short: it is finished.
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

  // A part of the log as it is durable when the job is taken, for a follower that lags. Like a flush it runs anywhere
  // and is handed back; several may be under way, and nothing that one of them reads is recycled meanwhile.
  class Read {
   public:
    Read(Read&&) noexcept;
    Read& operator=(Read&&) noexcept;
    ~Read();
    // io: it cannot be read. corrupt: it is not what was written (F-304).
    Result<void> run();
    [[nodiscard]] raft::LogId before() const;  // The position that the entries follow.
    // At least one, if run() succeeded.
    [[nodiscard]] std::vector<raft::Entry> take_entries();

   private:
    friend class Wal;
    struct Job;
    explicit Read(std::unique_ptr<Job> job);
    std::unique_ptr<Job> job_;
  };
  // The entries behind the newest position at or below `bound`, by index and by term, `up_to` at most. nullopt:
  // the log on disk does not reach back that far, or ends there.
  [[nodiscard]] std::optional<Read> take_read(raft::LogId bound, Index up_to, const ReadLimits& limits);
  void finish(Read&& read);

  // The log begins anew behind `point`, the last entry of a snapshot that was staged whole in the file `staged`
  // the snapshot gets its name, a new segment with the term and vote of before begins, and the old segments
  // are void; each durable before the next, and a crash anywhere leaves the old log or the new one. For a log that does
  // not hold `point` durably; no flush is under way. Entries that are staged are dropped, for they belong to the old
  // log; term and vote and the token go with it. run() may say no_space before anything was changed: then, after
  // finish(), everything is as before. Any other error is final. The core is told of the snapshot before it is told of
  // the token that finish() returns, and stages no entries meanwhile.
  [[nodiscard]] Flush take_install(const std::string& staged, raft::LogId point);

  // Segments wholly below `index` may be recycled. The next spare job does it.
  void release(Index index);
  // Housekeeping: segments that were released go, and a spare segment is prewritten so that rolling over never waits.
  // Its run() is slow, so it belongs to a background thread, not to the one that flushes; a flush may be under way
  // meanwhile. nullopt: nothing to do, or one is under way. Its no_space is the disk-full signal, its success
  // clears it; while low_on_space() it is worth asking about once a second.
  [[nodiscard]] std::optional<Flush> take_spare_job();

  [[nodiscard]] std::uint64_t bytes_since(Index index) const;  // Log volume after the snapshot (snapSizeLimitInKb).
  [[nodiscard]] std::uint64_t disk_bytes() const;
  [[nodiscard]] bool low_on_space() const;     // Only what is open already, and the reserve, is left.
  [[nodiscard]] bool waits_for_space() const;  // Not even that: a flush found no space and has not been written since.
  [[nodiscard]] std::uint64_t segments() const;

 private:
  Wal();
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace quorate::storage
