#pragma once

// What a flush and a spare job carry to the thread that runs them, and back. Private to this room.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "base/limits.hpp"
#include "base/result.hpp"
#include "raft/types.hpp"
#include "storage/segment.hpp"
#include "storage/wal.hpp"
#include "wire/log_format.hpp"

namespace quorate::storage {

inline constexpr std::string_view spare_prefix = "spare-";

// A batch of what is staged.
struct StagedBatch {
  Index first{};
  Index last{};
  Term term{};
  std::size_t offset = 0;  // In the payload.
};

// What stage() gathered: whole batches, one after the other, cut into records.
struct Staged {
  std::string payload;
  std::vector<std::size_t> record_ends;  // Offsets into payload; what lies behind the last one is a record too.
  bool pending = false;                  // There is something to write, be it only a term or a marker.
  std::vector<StagedBatch> batches;
  std::optional<raft::HardState> hard_state;
  Index first_index{};  // The lowest one that is written or replaced; 0: no entries.
  Index last_index{};   // The newest one's; 0: no entries.
  Index commit_hint{};
  raft::PersistToken token{};

  void close_record() {
    const std::size_t start = record_ends.empty() ? 0 : record_ends.back();
    if (payload.size() - start >= limits::batch_bytes_soft) {
      record_ends.push_back(payload.size());
    }
  }

  // The records' payloads; one empty one if there are no entries.
  template <class Visit>
  void each_record(Visit visit) const {
    std::size_t start = 0;
    for (const std::size_t end : record_ends) {
      visit(ByteView{payload}.substr(start, end - start));
      start = end;
    }
    if (start < payload.size() || payload.empty()) {
      visit(ByteView{payload}.substr(start));
    }
  }

  [[nodiscard]] std::uint64_t bytes_on_disk() const {
    std::uint64_t bytes = 0;
    each_record([&bytes](ByteView record) { bytes += wire::record_bytes(record.size()); });
    return bytes;
  }

  // Puts what `later` holds behind this.
  void append(const Staged& later) {
    close_record();
    for (const std::size_t end : later.record_ends) {
      record_ends.push_back(payload.size() + end);
    }
    for (StagedBatch batch : later.batches) {
      batch.offset += payload.size();
      batches.push_back(batch);
    }
    payload += later.payload;
    lower_first(later.first_index);
    pending = pending || later.pending;
    hard_state = later.hard_state ? later.hard_state : hard_state;
    last_index = raw(later.last_index) != 0 ? later.last_index : last_index;
    commit_hint = std::max(commit_hint, later.commit_hint);
    token = std::max(token, later.token);
  }

  void lower_first(Index first) {
    if (raw(first_index) == 0 || (raw(first) != 0 && first < first_index)) {
      first_index = first;
    }
  }

  void drop_entries() {
    payload.clear();
    record_ends.clear();
    batches.clear();
    first_index = Index{};
    last_index = Index{};
  }

  void clear() {
    drop_entries();
    pending = false;
    hard_state.reset();
  }
};

struct Wal::Flush::Job {
  enum class Kind : std::uint8_t { append, install, housekeeping };
  Kind kind = Kind::append;
  DataDirectory* directory = nullptr;
  bool force_sync = true;
  std::optional<Error> error;

  // append
  SegmentWriter writer;
  Staged staged;
  std::string buffer;
  std::optional<Spare> spare;     // For rolling over, if there is one.
  std::string hasty_path;         // Where to make one if there is none.
  std::uint64_t generation = 0;   // Of the segment that this flush may begin.
  std::uint64_t start = 0;        // Where the first record stands in the writer's segment.
  std::optional<Segment> closed;  // What rolling over left behind.
  bool spare_used = false;

  // install: of the above the writer, what is staged, and the spare
  std::string staged_snapshot;
  raft::LogId point;

  // housekeeping
  std::uint64_t segment_bytes = 0;
  std::size_t recycle_max = 0;
  std::vector<Segment> released;   // Oldest first; those that are done are taken off.
  std::uint64_t released_end = 0;  // Behind the newest of them.
  std::vector<Spare> wanted;       // To be made.
  std::vector<Spare> made;
  std::uint64_t name_counter = 0;

  Result<void> append();
  Result<void> take_spare(std::uint64_t bytes);
  Result<void> roll(std::uint64_t bytes);
  Result<void> install();
  Result<void> housekeep();
};

}  // namespace quorate::storage
