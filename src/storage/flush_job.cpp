#include "storage/flush_job.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "base/ensure.hpp"
#include "storage/install.hpp"

namespace quorate::storage {
namespace {

// A segment that must be made while somebody waits is small; the spare job makes full ones.
constexpr std::uint64_t hasty_segment_bytes = 4U << 20;

// Asks first, so that an attempt on a full disk does not fill it for everybody else's sake each time.
Result<void> prewrite_if_free(DataDirectory& directory, const Spare& spare) {
  const auto free = directory.disk().free_bytes(directory.log_directory());
  if (free && *free < spare.bytes) {
    return failure(ErrorCode::no_space, fmt::format("{} has {} bytes free, {} are needed for the next log segment",
                                                    directory.log_directory(), *free, spare.bytes));
  }
  return prewrite(directory, spare.path, spare.bytes);
}

}  // namespace

Result<void> Wal::Flush::Job::append() {
  const std::uint64_t bytes = staged.bytes_on_disk();
  if (writer.room() < bytes) {
    if (auto rolled = roll(bytes); !rolled) {
      return rolled;
    }
  }
  if (staged.hard_state) {
    ensure(staged.hard_state->term >= writer.hard_state.term, "terms never go back");
    writer.hard_state = *staged.hard_state;
  }
  writer.commit_hint = std::max(writer.commit_hint, staged.commit_hint);
  if (raw(staged.first_index) != 0) {
    // What this flush replaces may be in a record that survives when a later one of it is torn: no hint of it may call
    // that committed.
    writer.synced_index = std::min(writer.synced_index, previous(staged.first_index));
  }
  start = writer.offset;
  buffer.clear();
  staged.each_record([this](ByteView payload) { writer.lay(buffer, payload); });
  if (raw(staged.last_index) != 0) {
    writer.last_index = staged.last_index;
  }
  // The segment was prewritten, so lack of space cannot be met here; if the system claims it, part of the flush may
  // have been written, and that is as final as any other error.
  if (auto written = writer.file->write(start, buffer); !written) {
    return failure(ErrorCode::io, written.error().message);
  }
  if (!force_sync) {
    return {};
  }
  if (auto synced = writer.file->sync_data(); !synced) {
    return failure(ErrorCode::io, synced.error().message);
  }
  writer.mark_synced();
  return {};
}

// A file for a segment that holds this much.
Result<void> Wal::Flush::Job::take_spare(std::uint64_t bytes) {
  if (spare) {
    return {};
  }
  const std::uint64_t needed = wire::log_block_bytes + bytes;
  Spare hasty{hasty_path, std::max(needed, std::min(segment_bytes, hasty_segment_bytes))};
  if (auto done = prewrite_if_free(*directory, hasty); !done) {
    return done;
  }
  spare = std::move(hasty);
  return {};
}

Result<void> Wal::Flush::Job::roll(std::uint64_t bytes) {
  ensure(generation != 0, "whoever takes a flush that does not fit names the next segment's generation");
  if (auto taken = take_spare(bytes); !taken) {
    return taken;
  }
  if (!force_sync) {
    // Only the newest segment may hold records that are not durable.
    if (auto synced = writer.file->sync_data(); !synced) {
      return failure(ErrorCode::io, synced.error().message);
    }
    writer.mark_synced();
  }
  auto begun = begin_segment(*directory, *spare,
                             NewSegment{.sequence = writer.sequence + 1,
                                        .generation = generation,
                                        .first_index = next(writer.last_index),
                                        .payloads = {}},
                             writer);
  if (!begun) {
    return std::unexpected(begun.error());
  }
  closed = Segment{.sequence = writer.sequence, .first_index = writer.first_index, .file_bytes = writer.bytes};
  writer = std::move(*begun);
  spare_used = true;
  return {};
}

// the snapshot is durable under a name that says that its log is still to begin; then the log begins; then the
// snapshot gets the name of every other one. A start finishes what a crash cut short.
Result<void> Wal::Flush::Job::install() {
  if (auto taken = take_spare(wire::log_block_bytes); !taken) {
    return taken;
  }
  Disk& disk = directory->disk();
  const std::string name = install_path(*directory, point.index);
  auto placed = disk.rename(staged_snapshot, name);
  if (placed) {
    placed = disk.sync_directory(directory->snapshot_directory());
  }
  if (!placed) {
    return failure(ErrorCode::io, placed.error().message);
  }
  SegmentWriter previous;
  previous.last_record = writer.last_record;
  previous.synced_through = writer.synced_through;
  previous.hard_state = staged.hard_state.value_or(writer.hard_state);
  previous.last_index = point.index;
  previous.synced_index = point.index;
  previous.commit_hint = std::max({point.index, writer.commit_hint, staged.commit_hint});
  ensure(previous.hard_state.term >= writer.hard_state.term, "terms never go back");
  auto begun = begin_segment(
      *directory, *spare,
      NewSegment{
          .sequence = writer.sequence + 1, .generation = generation, .first_index = next(point.index), .payloads = {}},
      previous);
  if (!begun) {
    return failure(ErrorCode::io, begun.error().message);
  }
  closed = Segment{.sequence = writer.sequence, .first_index = writer.first_index, .file_bytes = writer.bytes};
  writer = std::move(*begun);
  spare_used = true;
  return finish_install(*directory, point.index);
}

Result<void> Wal::Flush::Job::housekeep() {
  Disk& disk = directory->disk();
  // Oldest first, each durable before the next: whatever a crash leaves has no gap.
  while (!released.empty()) {
    const Segment& oldest = released.front();
    const std::string path = segment_path(*directory, oldest.sequence);
    Result<void> gone;
    if (oldest.file_bytes == segment_bytes && made.size() < recycle_max) {
      Spare recycled{directory->log_directory() + "/" + std::string{spare_prefix} +
                         fmt::format("{}-{}", directory->identity().starts, name_counter++),
                     oldest.file_bytes};
      gone = disk.rename(path, recycled.path);
      made.push_back(std::move(recycled));
    } else {
      gone = disk.remove(path);
    }
    if (gone) {
      gone = disk.sync_directory(directory->log_directory());
    }
    if (!gone) {
      return failure(ErrorCode::io, gone.error().message);
    }
    released.erase(released.begin());
  }
  for (; !wanted.empty(); wanted.erase(wanted.begin())) {
    if (auto done = prewrite_if_free(*directory, wanted.front()); !done) {
      return done;
    }
    made.push_back(std::move(wanted.front()));
  }
  return {};
}

}  // namespace quorate::storage
