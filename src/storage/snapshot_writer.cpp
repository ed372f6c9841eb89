#include <deque>
#include <mutex>
#include <utility>

#include "base/ensure.hpp"
#include "storage/install.hpp"
#include "storage/snapshots.hpp"

namespace quorate::storage {
namespace {

// The file grows, so its pages go out as they come: one sync of hundreds of megabytes would stall the log's.
constexpr std::uint64_t unsynced_bytes_max = 4U << 20;

}  // namespace

struct SnapshotWriter::State {
  DataDirectory* directory = nullptr;
  std::string path;
  std::string temporary;
  std::size_t buffer_bytes = 0;

  // The loop's.
  std::string block;
  std::uint64_t items = 0;

  // Both sides'. The one lock of this room: blocks of 256 KiB cross it, a few hundred a second at most.
  mutable std::mutex mutex;
  std::deque<std::string> blocks;
  std::size_t queued_bytes = 0;
  bool ended = false;

  // The worker's.
  std::unique_ptr<File> file;
  bool is_left_behind = false;  // Something of it stands on the disk and is not a snapshot yet.
  std::string header;           // Until it is written.
  std::string encoded;
  wire::SnapshotFooter footer;
  std::uint64_t offset = 0;
  std::uint64_t unsynced = 0;
  bool finished = false;

  void queue_block() {
    const std::scoped_lock lock(mutex);
    queued_bytes += block.size();
    blocks.push_back(std::move(block));
    block = {};
  }
  Result<void> append(ByteView bytes);
  Result<void> write_header();
  Result<void> write_block(ByteView raw);
  Result<void> finish();
  Result<bool> go_on(bool all_queued, ByteView next_block);
  void discard();
};

// Space that a failed attempt took is wanted elsewhere.
void SnapshotWriter::State::discard() {
  file.reset();
  if (is_left_behind) {
    is_left_behind = false;
    // If this fails too, the next start removes it.
    (void)directory->disk().remove(temporary);
  }
}

Result<void> SnapshotWriter::State::append(ByteView bytes) {
  if (auto written = file->write(offset, bytes); !written) {
    return written;
  }
  offset += bytes.size();
  unsynced += bytes.size();
  if (unsynced >= unsynced_bytes_max) {
    unsynced = 0;
    return file->sync();
  }
  return {};
}

Result<void> SnapshotWriter::State::write_header() {
  if (header.empty()) {
    return {};
  }
  footer.digest = wire::extend_digest(0, header);
  return append(std::exchange(header, {}));
}

Result<void> SnapshotWriter::State::write_block(ByteView raw) {
  encoded.clear();
  wire::encode_block(encoded, raw);
  footer.digest = wire::extend_digest(footer.digest, encoded);
  ++footer.blocks;
  return append(encoded);
}

// Each step is durable before the next, and only after the last one may anything rely on the file.
Result<void> SnapshotWriter::State::finish() {
  footer.items = items;
  footer.file_bytes = offset + wire::snapshot_footer_bytes;
  encoded.clear();
  wire::encode_snapshot_footer(encoded, footer);
  ensure(encoded.size() == wire::snapshot_footer_bytes, "a footer has a fixed width");
  if (auto written = append(encoded); !written) {
    return written;
  }
  if (auto synced = file->sync(); !synced) {
    return synced;
  }
  file.reset();
  if (auto renamed = directory->disk().rename(temporary, path); !renamed) {
    return renamed;
  }
  is_left_behind = false;
  if (auto synced = directory->disk().sync_directory(directory->snapshot_directory()); !synced) {
    // Its name may never reach the disk, so nobody may find the file and let go of the log for its sake; if the
    // name is on the disk after all, the file behind it is whole.
    (void)directory->disk().remove(path);
    return failure(ErrorCode::io, synced.error().message);
  }
  finished = true;
  return {};
}

Result<bool> SnapshotWriter::State::go_on(bool all_queued, ByteView next_block) {
  if (finished) {
    return false;
  }
  ensure(file != nullptr, "after an error there is no more work");
  if (auto written = write_header(); !written) {
    return std::unexpected(written.error());
  }
  if (!next_block.empty()) {
    if (auto written = write_block(next_block); !written) {
      return std::unexpected(written.error());
    }
    return true;
  }
  if (!all_queued) {
    return true;
  }
  if (auto done = finish(); !done) {
    return std::unexpected(done.error());
  }
  return false;
}

SnapshotWriter::SnapshotWriter() : state_(std::make_unique<State>()) {}

SnapshotWriter::~SnapshotWriter() {
  state_->discard();
}

Result<std::unique_ptr<SnapshotWriter>> SnapshotWriter::begin(DataDirectory& directory,
                                                              const wire::SnapshotHeader& header,
                                                              std::size_t buffer_bytes) {
  std::unique_ptr<SnapshotWriter> writer(new SnapshotWriter);
  State& state = *writer->state_;
  state.directory = &directory;
  state.path = snapshot_path(directory, header.point.index);
  state.temporary = state.path + ".tmp";
  state.buffer_bytes = buffer_bytes;
  // An attempt of this very process that failed may have left its file.
  if (const auto left = directory.disk().exists(state.temporary); left && *left) {
    if (auto removed = directory.disk().remove(state.temporary); !removed) {
      return std::unexpected(removed.error());
    }
  }
  auto file = directory.disk().open(state.temporary, Disk::Open::create_new);
  if (!file) {
    return std::unexpected(file.error());
  }
  state.file = std::move(*file);
  state.is_left_behind = true;
  wire::encode_snapshot_header(state.header, header);
  return writer;
}

void SnapshotWriter::add(const tree::SnapshotItem& item) {
  State& state = *state_;
  ensure(!state.ended, "nothing is added behind the end");
  if (state.block.capacity() == 0) {
    state.block.reserve(wire::snapshot_block_bytes + 4096);
  }
  wire::encode_item(state.block, item);
  ++state.items;
  if (state.block.size() >= wire::snapshot_block_bytes) {
    state.queue_block();
  }
}

void SnapshotWriter::end() {
  State& state = *state_;
  ensure(!state.ended, "a snapshot ends once");
  if (!state.block.empty()) {
    state.queue_block();
  }
  const std::scoped_lock lock(state.mutex);
  state.ended = true;
}

bool SnapshotWriter::is_full() const {
  const std::scoped_lock lock(state_->mutex);
  return state_->queued_bytes >= state_->buffer_bytes;
}

bool SnapshotWriter::has_work() const {
  const std::scoped_lock lock(state_->mutex);
  return !state_->blocks.empty() || state_->ended;
}

Result<bool> SnapshotWriter::work() {
  State& state = *state_;
  std::string block;
  bool ended = false;
  {
    const std::scoped_lock lock(state.mutex);
    ended = state.ended;
    if (!state.blocks.empty()) {
      block = std::move(state.blocks.front());
      state.blocks.pop_front();
    }
  }
  auto more = state.go_on(ended, block);
  if (!more) {
    state.discard();
  }
  // Counted until it is written: the bound is on memory, and this block is still in it.
  const std::scoped_lock lock(state.mutex);
  state.queued_bytes -= block.size();
  return more;
}

}  // namespace quorate::storage
