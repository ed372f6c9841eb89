#include "storage/snapshot_transfer.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <span>
#include <utility>

#include "base/ensure.hpp"
#include "tree/snapshot.hpp"

namespace quorate::storage {
namespace {

constexpr std::size_t open_files_max = 2;
// The file grows, so its pages go out as they come: one sync of hundreds of megabytes would stall the log's.
constexpr std::uint64_t unsynced_bytes_max = 4U << 20;

bool is_same(const raft::SnapshotId& a, const raft::SnapshotId& b) {
  return a.point == b.point && a.configuration == b.configuration;  // Whichever leader sends it.
}

}  // namespace

Result<SnapshotSender::Open*> SnapshotSender::open_newest() {
  const auto files = list_snapshots(*directory_);
  if (!files) {
    return std::unexpected(files.error());
  }
  for (const SnapshotFile& file : *files) {
    const auto known = std::ranges::find(open_, file.index, [](const Open& open) { return open.id.point.index; });
    if (known != open_.end()) {
      std::rotate(known, known + 1, open_.end());
      return &open_.back();
    }
    // Every byte is checked once: a follower could do nothing with a damaged file but refuse it, again and again.
    const auto header = verify_snapshot(*directory_, file);
    if (!header) {
      continue;
    }
    auto handle = directory_->disk().open(file.path, Disk::Open::existing);
    if (!handle) {
      return std::unexpected(handle.error());
    }
    const auto bytes = (*handle)->size();
    if (!bytes) {
      return std::unexpected(bytes.error());
    }
    if (open_.size() == open_files_max) {
      open_.erase(open_.begin());
    }
    open_.push_back(
        Open{.id = {.sender_term = Term{}, .point = header->point, .configuration = header->configuration_entry},
             .bytes = *bytes,
             .file = std::move(*handle)});
    return &open_.back();
  }
  return nullptr;
}

Result<SnapshotSender::Open*> SnapshotSender::find(const raft::SnapshotRead& wanted) {
  if (wanted.id) {
    const auto found = std::ranges::find_if(open_, [&](const Open& open) { return is_same(open.id, *wanted.id); });
    if (found != open_.end() && wanted.offset < found->bytes) {
      std::rotate(found, found + 1, open_.end());
      return &open_.back();
    }
  }
  return open_newest();
}

Result<std::optional<raft::SnapshotChunk>> SnapshotSender::read(const raft::SnapshotRead& wanted,
                                                                std::size_t bytes_max) {
  ensure(bytes_max > 0, "a part has bytes");
  const auto found = find(wanted);
  if (!found) {
    return std::unexpected(found.error());
  }
  if (*found == nullptr) {
    return std::optional<raft::SnapshotChunk>{};
  }
  const Open& open = **found;
  const bool goes_on = wanted.id && is_same(open.id, *wanted.id) && wanted.offset < open.bytes;
  raft::SnapshotChunk chunk{
      .term = {}, .id = open.id, .offset = goes_on ? wanted.offset : 0, .total = open.bytes, .bytes = {}};
  std::string bytes(static_cast<std::size_t>(std::min<std::uint64_t>(bytes_max, open.bytes - chunk.offset)), '\0');
  const auto got = open.file->read(chunk.offset, bytes);
  if (!got) {
    return std::unexpected(got.error());
  }
  if (*got != bytes.size()) {
    return failure(ErrorCode::corrupt, fmt::format("the snapshot of entry {} has become shorter while it was read",
                                                   raw(open.id.point.index)));
  }
  chunk.bytes = Blob::adopt(std::move(bytes));
  return std::optional{std::move(chunk)};
}

void SnapshotReceiver::discard() {
  file_.reset();
  id_ = {};
  stored_ = 0;
  total_ = 0;
  if (std::exchange(is_staged_, false)) {
    // If this fails, the next start removes it, or the next transfer.
    (void)directory_->disk().remove(path());
  }
}

Result<void> SnapshotReceiver::begin(const raft::SnapshotWrite& part) {
  discard();
  if (const auto left = directory_->disk().exists(path()); left && *left) {
    if (auto removed = directory_->disk().remove(path()); !removed) {
      return removed;
    }
  }
  auto file = directory_->disk().open(path(), Disk::Open::create_new);
  if (!file) {
    return std::unexpected(file.error());
  }
  file_ = std::move(*file);
  is_staged_ = true;
  id_ = part.id;
  total_ = part.total;
  unsynced_ = 0;
  return {};
}

Result<std::uint64_t> SnapshotReceiver::write(const raft::SnapshotWrite& part) {
  ensure(part.bytes.size() <= part.total && part.offset <= part.total - part.bytes.size(),
         "the core lets no part through that lies outside the whole");
  Result<void> done;
  if (part.offset == 0) {
    done = begin(part);
  } else if (file_ == nullptr || part.id != id_ || part.total != total_ || part.offset != stored_) {
    done = failure(ErrorCode::invalid,
                   fmt::format("a part at {} of the snapshot of entry {} does not continue the {} bytes that are here",
                               part.offset, raw(part.id.point.index), stored_));
  }
  if (done) {
    done = file_->write(part.offset, part.bytes.view());
  }
  unsynced_ += part.bytes.size();
  if (done && unsynced_ >= unsynced_bytes_max) {
    unsynced_ = 0;
    done = file_->sync();
  }
  if (!done) {
    discard();
    return std::unexpected(done.error());
  }
  stored_ = part.offset + part.bytes.size();
  return stored_;
}

Result<wire::SnapshotHeader> SnapshotReceiver::check(const raft::SnapshotId& id, const SnapshotSink& sink,
                                                     const Executor& executor) {
  if (file_ == nullptr || id != id_ || stored_ != total_) {
    return failure(ErrorCode::invalid, "the snapshot that is to be installed was not received whole");
  }
  const SnapshotSink nobody{.reset = [] {}, .item = [](const tree::SnapshotItem&) -> Result<void> { return {}; }};
  auto header = load_snapshot(*directory_, SnapshotFile{.path = path(), .index = id.point.index, .bytes = total_},
                              sink.item ? sink : nobody, executor);
  if (!header) {
    return header;
  }
  if (header->point != id.point || header->configuration_entry != id.configuration) {
    return failure(ErrorCode::corrupt, fmt::format("the snapshot of entry {} of term {} came under the name of another",
                                                   raw(header->point.index), raw(header->point.term)));
  }
  const Identity& identity = directory_->identity();
  const bool has_cluster = identity.cluster_high != 0 || identity.cluster_low != 0;
  if (has_cluster && (header->cluster_high != identity.cluster_high || header->cluster_low != identity.cluster_low)) {
    return failure(ErrorCode::invalid, "the snapshot is another cluster's (R-120)");
  }
  if (auto synced = file_->sync(); !synced) {
    return failure(ErrorCode::io, synced.error().message);
  }
  return header;
}

Result<wire::SnapshotHeader> SnapshotReceiver::verify(const raft::SnapshotId& id, const SnapshotSink& sink,
                                                      const Executor& executor) {
  auto header = check(id, sink, executor);
  if (!header) {
    discard();
  }
  file_.reset();
  return header;
}

std::string SnapshotReceiver::take_staged() {
  ensure(is_staged_ && file_ == nullptr, "only a snapshot that was verified is installed");
  is_staged_ = false;
  return path();
}

}  // namespace quorate::storage
