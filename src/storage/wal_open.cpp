// How a log is opened: the new segment that every start begins, and the files that are kept ready.

#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "base/ensure.hpp"
#include "storage/install.hpp"
#include "storage/wal_state.hpp"
#include "wire/batch.hpp"
#include "wire/log_format.hpp"

namespace quorate::storage {
namespace {

constexpr std::uint64_t first_segment_bytes = 1U << 20;  // Of a start.
// What a start's segment must have room for behind the copies: term and no-op, and sessions that come back.
constexpr std::uint64_t start_room_bytes = 4 * wire::log_block_bytes;

}  // namespace

// Spares that an earlier start left are as good as new: a new generation voids whatever they hold. Those of another
// size may be all that a start on a full disk has.
Result<void> Wal::State::adopt_spares() {
  Disk& disk = directory->disk();
  const auto names = disk.list(directory->log_directory());
  if (!names) {
    return std::unexpected(names.error());
  }
  for (const std::string& name : *names) {
    const bool is_reserve = name == reserve_name;
    if (!is_reserve && !name.starts_with(spare_prefix)) {
      continue;
    }
    const std::string path = directory->log_directory() + "/" + name;
    auto file = disk.open(path, Disk::Open::existing);
    if (!file) {
      return std::unexpected(file.error());
    }
    const auto bytes = (*file)->size();
    if (!bytes) {
      return std::unexpected(bytes.error());
    }
    if (is_reserve) {
      reserve = Spare{path, *bytes};
    } else {
      spares.push_back(Spare{path, *bytes});
    }
  }
  return {};
}

// The smallest file that is large enough: a larger one stays for what needs it.
std::optional<Spare> Wal::State::take_ready(std::uint64_t bytes, bool with_reserve) {
  auto best = spares.end();
  for (auto spare = spares.begin(); spare != spares.end(); ++spare) {
    if (spare->bytes >= bytes && (best == spares.end() || spare->bytes < best->bytes)) {
      best = spare;
    }
  }
  if (with_reserve && reserve && reserve->bytes >= bytes && (best == spares.end() || reserve->bytes < best->bytes)) {
    return std::exchange(reserve, std::nullopt);
  }
  if (best == spares.end()) {
    return std::nullopt;
  }
  Spare taken = std::move(*best);
  spares.erase(best);
  return taken;
}

// A file of at least `bytes` for the segment that open() begins. It is small, so that a start is short, and the spare
// stays for the first rolling over.
Result<Spare> Wal::State::take_file(std::uint64_t bytes) {
  Spare made{next_spare_path(), std::max(bytes, std::min(config.segment_bytes, first_segment_bytes))};
  auto done = prewrite(*directory, made.path, made.bytes);
  if (done) {
    return made;
  }
  if (done.error().code != ErrorCode::no_space) {
    return std::unexpected(done.error());
  }
  spare_failed = true;
  if (std::optional<Spare> ready = take_ready(bytes, true)) {
    return std::move(*ready);
  }
  return failure(ErrorCode::no_space,
                 fmt::format("the disk is full, and no file that was kept ready for a start has the {} bytes that this "
                             "one needs; free that much and start again: {}",
                             bytes, done.error().message));
}

// On a full disk each start takes one of the files that were kept ready, and gives up what the segment before held
// beyond its records. What it took is made good from that at once, before anybody else takes it: so the next start
// finds what this one found.
Result<void> Wal::State::restore_reserve() {
  if (!spare_failed) {
    return {};  // The spare job makes it, beside service.
  }
  const auto free = directory->disk().free_bytes(directory->log_directory());
  std::uint64_t bytes = free ? std::min(*free, reserve_bytes()) : 0;
  const std::uint64_t useful = std::max(reserve ? reserve->bytes : 0, 2 * start_room_bytes);
  // The file system keeps some of its free bytes for itself.
  for (; bytes > useful; bytes -= bytes / 8) {
    bytes = bytes / wire::log_block_bytes * wire::log_block_bytes;
    auto done = prewrite(*directory, reserve_path(), bytes);
    if (done) {
      reserve = Spare{reserve_path(), bytes};
      return {};
    }
    if (done.error().code != ErrorCode::no_space) {
      return done;
    }
  }
  return {};
}

// More files than are of use, or of a size that was configured once. While space is short all of them are of use.
Result<void> Wal::State::drop_surplus() {
  std::vector<Spare> kept;
  for (Spare& spare : spares) {
    if (spare_failed || (spare.bytes == config.segment_bytes && kept.size() <= config.recycled_segments_max)) {
      kept.push_back(std::move(spare));
    } else if (auto removed = directory->disk().remove(spare.path); !removed) {
      return removed;
    }
  }
  spares = std::move(kept);
  return {};
}

// The new segment: all that is not provably durable is copied into it before it counts.
Result<void> Wal::State::begin(const Position& position) {
  // The header and the marker that vouches for the copies.
  std::uint64_t bytes = 2 * wire::log_block_bytes + start_room_bytes;
  for (const std::string& payload : position.tail) {
    bytes += wire::record_bytes(payload.size());
  }
  auto file = take_file(bytes);
  if (!file) {
    return std::unexpected(file.error());
  }
  SegmentWriter before;
  before.chain = position.chain;
  before.last_record = position.synced_through;
  before.synced_through = position.synced_through;
  before.hard_state = position.hard_state;
  before.last_index = position.last_index;
  // While a copy stands that a later one replaces in part, no hint may call that part committed.
  before.synced_index = raw(position.tail_first) == 0 ? position.last_index : previous(position.tail_first);
  before.commit_hint = position.commit_hint;
  auto begun = begin_segment(*directory, *file,
                             NewSegment{
                                 .sequence = position.replace_newest ? position.sequence : position.sequence + 1,
                                 .generation = next_generation(),
                                 .first_index = position.first_index,
                                 .payloads = position.tail,
                             },
                             before);
  if (!begun) {
    return std::unexpected(begun.error());
  }
  writer = std::move(*begun);
  writer_bytes = writer.bytes;
  map_tail(position);
  return {};
}

// Where the copies stand.
void Wal::State::map_tail(const Position& position) {
  map = position.map;
  std::uint64_t offset = wire::log_block_bytes;
  std::vector<raft::Entry> entries;
  for (const std::string& payload : position.tail) {
    const Blob bytes = Blob::copy(payload);
    for (std::size_t at = 0; at < bytes.size();) {
      entries.clear();
      const auto length = wire::decode_batch(bytes.slice(at, bytes.size() - at), entries);
      ensure(length.has_value(), "recovery has decoded what it hands over");
      map.add(PlacedBatch{.first = entries.front().index,
                          .last = entries.back().index,
                          .term = entries.front().term,
                          .position = log_position(writer.sequence, offset),
                          .in_payload = static_cast<std::uint32_t>(at)});
      at += *length;
    }
    offset += wire::record_bytes(payload.size());
  }
}

// What stands behind the log's end in the segment before was never acknowledged or is copied now.
Result<void> Wal::State::cut(const Position& position) {
  if (position.replace_newest || closed.empty() || closed.back().file_bytes <= position.keep_bytes) {
    return {};
  }
  auto file = directory->disk().open(segment_path(*directory, closed.back().sequence), Disk::Open::existing);
  if (!file) {
    return std::unexpected(file.error());
  }
  if (auto shortened = (*file)->truncate(position.keep_bytes); !shortened) {
    return shortened;
  }
  closed.back().file_bytes = position.keep_bytes;
  return (*file)->sync();
}

Wal::Wal() : state_(std::make_unique<State>()) {}
Wal::~Wal() = default;

Result<std::unique_ptr<Wal>> Wal::open(DataDirectory& directory, WalConfig config, const Position& position) {
  ensure(config.segment_bytes >= 4 * wire::log_block_bytes && config.segment_bytes <= UINT32_MAX,
         "a segment holds a header and records, and offsets have 32 bits");
  config.segment_bytes = config.segment_bytes / wire::log_block_bytes * wire::log_block_bytes;
  std::unique_ptr<Wal> wal(new Wal);
  State& state = *wal->state_;
  state.directory = &directory;
  state.config = config;
  state.closed.assign(position.segments.begin(), position.segments.end());
  state.voided = position.voided;
  state.release_before = Index{};
  state.recovered_last = position.last_index;
  if (auto adopted = state.adopt_spares(); !adopted) {
    return std::unexpected(adopted.error());
  }
  if (auto begun = state.begin(position); !begun) {
    return std::unexpected(begun.error());
  }
  if (position.install) {
    if (auto done = finish_install(directory, *position.install); !done) {
      return std::unexpected(done.error());
    }
  }
  if (auto shortened = state.cut(position); !shortened) {
    return std::unexpected(shortened.error());
  }
  if (auto restored = state.restore_reserve(); !restored) {
    return std::unexpected(restored.error());
  }
  if (auto dropped = state.drop_surplus(); !dropped) {
    return std::unexpected(dropped.error());
  }
  for (const Segment& segment : state.closed) {
    state.recovered_bytes += segment.file_bytes;
  }
  return wal;
}

}  // namespace quorate::storage
