#pragma once

// Segments of the log as files: their names, how they are made, and how records are laid into them.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "raft/types.hpp"
#include "storage/data_directory.hpp"
#include "wire/log_format.hpp"

namespace quorate::storage {

// A segment that is not written any more.
struct Segment {
  std::uint64_t sequence = 0;
  Index first_index{};  // It and later segments hold this entry and those after it.
  std::uint64_t file_bytes = 0;
};

// A prewritten file that waits to become a segment.
struct Spare {
  std::string path;
  std::uint64_t bytes = 0;
};

[[nodiscard]] std::string segment_name(std::uint64_t sequence);
[[nodiscard]] std::optional<std::uint64_t> parse_segment_name(std::string_view name);
[[nodiscard]] std::string segment_path(const DataDirectory& directory, std::uint64_t sequence);

// A place in the log: segment in the high half, offset in the low one, so that positions compare in log order.
[[nodiscard]] constexpr std::uint64_t log_position(std::uint64_t sequence, std::uint64_t offset) {
  return sequence << 32 | offset;
}
[[nodiscard]] constexpr std::uint64_t segment_of(std::uint64_t position) {
  return position >> 32;
}
[[nodiscard]] constexpr std::uint64_t offset_of(std::uint64_t position) {
  return position & UINT32_MAX;
}

// Makes a file of zeros, durable under `path` in the log directory when it returns. no_space leaves nothing behind.
Result<void> prewrite(DataDirectory& directory, const std::string& path, std::uint64_t bytes);

// The open end of the log: where the next record goes and what it must say.
struct SegmentWriter {
  std::unique_ptr<File> file;
  std::uint64_t sequence = 0;
  Index first_index{};
  std::uint64_t generation = 0;
  std::uint64_t bytes = 0;           // Of the file.
  std::uint64_t offset = 0;          // Where the next record goes.
  std::uint64_t chain = 0;           // Checksum of the record before.
  std::uint64_t last_record = 0;     // Position of the newest record.
  std::uint64_t synced_through = 0;  // Position of the newest record that is known durable.
  raft::HardState hard_state;
  Index last_index{};    // Of all that was written.
  Index synced_index{};  // Of all that is known durable: bounds the commit hint.
  Index commit_hint{};

  [[nodiscard]] std::uint64_t room() const { return bytes - offset; }
  // Appends the encoded record to `buffer`, to be written at the offset that stood before.
  void lay(std::string& buffer, ByteView payload);
  void mark_synced();
};

// Starts the next segment in the file at `spare`: header, then the given records, then its name, each durable before
// the next. `previous` is where the log stands; the result is open and continues it. no_space: nothing changed
// but the spare's content.
struct NewSegment {
  std::uint64_t sequence = 0;
  std::uint64_t generation = 0;
  Index first_index{};
  std::span<const std::string> payloads;  // Written before the segment gets its name.
};
Result<SegmentWriter> begin_segment(DataDirectory& directory, const Spare& spare, const NewSegment& segment,
                                    const SegmentWriter& previous);

}  // namespace quorate::storage
