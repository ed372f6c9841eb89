#include "storage/segment.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <utility>

#include "base/ensure.hpp"

namespace quorate::storage {
namespace {

constexpr std::size_t name_digits = 20;
constexpr std::string_view name_suffix = ".log";
constexpr std::size_t zeros_bytes = 1U << 20;
// A long run of dirty pages would stall whoever syncs next, so they go out as they come.
constexpr std::size_t zeros_unsynced_max = 8U << 20;

Result<void> write_zeros(File& file, std::uint64_t bytes) {
  const std::string zeros(std::min<std::uint64_t>(bytes, zeros_bytes), '\0');
  std::uint64_t unsynced = 0;
  for (std::uint64_t offset = 0; offset < bytes; offset += zeros.size()) {
    const std::uint64_t length = std::min<std::uint64_t>(zeros.size(), bytes - offset);
    if (auto written = file.write(offset, ByteView{zeros}.substr(0, length)); !written) {
      return written;
    }
    unsynced += length;
    if (unsynced >= zeros_unsynced_max) {
      unsynced = 0;
      if (auto synced = file.sync(); !synced) {
        return synced;
      }
    }
  }
  return file.sync();
}

}  // namespace

std::string segment_name(std::uint64_t sequence) {
  return fmt::format("{:020}{}", sequence, name_suffix);
}

std::optional<std::uint64_t> parse_segment_name(std::string_view name) {
  if (name.size() != name_digits + name_suffix.size() || !name.ends_with(name_suffix)) {
    return std::nullopt;
  }
  std::uint64_t sequence = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name_digits, sequence);
  // Sequence numbers are the high half of a position.
  if (error != std::errc{} || end != name.data() + name_digits || sequence == 0 || sequence > UINT32_MAX) {
    return std::nullopt;
  }
  return sequence;
}

std::string segment_path(const DataDirectory& directory, std::uint64_t sequence) {
  return directory.log_directory() + "/" + segment_name(sequence);
}

Result<void> prewrite(DataDirectory& directory, const std::string& path, std::uint64_t bytes) {
  Disk& disk = directory.disk();
  const std::string temporary = path + ".tmp";
  auto file = disk.open(temporary, Disk::Open::create_new);
  if (!file) {
    return std::unexpected(file.error());
  }
  auto made = write_zeros(**file, bytes);
  file->reset();
  if (made) {
    made = disk.rename(temporary, path);
  }
  if (!made) {
    // Whatever took the space must not stay; that the removal fails too would add nothing to the message.
    (void)disk.remove(temporary);
    return made;
  }
  return disk.sync_directory(directory.log_directory());
}

void SegmentWriter::lay(std::string& buffer, ByteView payload) {
  const std::uint64_t length = wire::record_bytes(payload.size());
  ensure(length <= room(), "the caller rolls over to a new segment when the room is short");
  const wire::RecordHeader header{
      .payload_bytes = static_cast<std::uint32_t>(payload.size()),
      .position = offset,
      .chain = chain,
      .synced_through = synced_through,
      .commit_hint = std::min(commit_hint, synced_index),
      .hard_state = hard_state,
  };
  const std::size_t before = buffer.size();
  chain = wire::encode_record(buffer, header, payload, generation);
  ensure(buffer.size() - before == length, "a record fills whole blocks");
  last_record = log_position(sequence, offset);
  offset += length;
}

void SegmentWriter::mark_synced() {
  synced_through = last_record;
  synced_index = last_index;
}

Result<SegmentWriter> begin_segment(DataDirectory& directory, const Spare& spare, const NewSegment& segment,
                                    const SegmentWriter& previous) {
  ensure(segment.sequence <= UINT32_MAX, "2^32 segments are more than any disk holds");
  ensure(directory.has_begun_start(), "a start is counted before it writes (R-715)");
  Disk& disk = directory.disk();
  auto file = disk.open(spare.path, Disk::Open::existing);
  if (!file) {
    return std::unexpected(file.error());
  }
  SegmentWriter writer{
      .file = std::move(*file),
      .sequence = segment.sequence,
      .first_index = segment.first_index,
      .generation = segment.generation,
      .bytes = spare.bytes,
      .offset = wire::log_block_bytes,
      .chain = previous.chain,
      .last_record = previous.last_record,
      .synced_through = previous.synced_through,
      .hard_state = previous.hard_state,
      .last_index = previous.last_index,
      .synced_index = previous.synced_index,
      .commit_hint = previous.commit_hint,
  };
  std::string buffer;
  wire::encode_segment_header(buffer, wire::SegmentHeader{
                                          .cluster = directory.identity().cluster_high,
                                          .incarnation = directory.identity().incarnation_high,
                                          .sequence = segment.sequence,
                                          .generation = segment.generation,
                                          .chain = previous.chain,
                                          .first_index = segment.first_index,
                                          .hard_state = previous.hard_state,
                                          .file_bytes = spare.bytes,
                                          .starts = directory.identity().starts,
                                      });
  ensure(buffer.size() == wire::log_block_bytes, "a segment header fills one block");
  for (const std::string& payload : segment.payloads) {
    writer.lay(buffer, payload);
  }
  if (!segment.payloads.empty()) {
    // All of it is durable before the file gets its name, so an empty record may already vouch for the copies:
    // damage to them is never taken for a torn write.
    writer.mark_synced();
    writer.lay(buffer, {});
  }
  if (auto written = writer.file->write(0, buffer); !written) {
    return std::unexpected(written.error());
  }
  if (auto synced = writer.file->sync_data(); !synced) {
    return std::unexpected(synced.error());
  }
  writer.mark_synced();
  if (auto renamed = disk.rename(spare.path, segment_path(directory, segment.sequence)); !renamed) {
    return std::unexpected(renamed.error());
  }
  if (auto synced = disk.sync_directory(directory.log_directory()); !synced) {
    return failure(ErrorCode::io, synced.error().message);
  }
  if (auto recorded = directory.record_newest_segment(segment.sequence); !recorded) {
    return failure(ErrorCode::io, recorded.error().message);
  }
  return writer;
}

}  // namespace quorate::storage
