#pragma once

// The write-ahead log's bytes (docs/formats/log.md): little-endian, versioned, checksummed with XXH3 seeded by the
// segment's generation. Pure: storage owns the files.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "raft/types.hpp"

namespace quorate::wire {

// Segment headers and records start at block borders and are padded to whole blocks, so that a block that was synced is
// never written again: a torn later write cannot touch acknowledged bytes.
inline constexpr std::size_t log_block_bytes = 4096;

// The first block of a segment.
struct SegmentHeader {
  std::uint32_t version = 1;
  std::uint64_t cluster = 0;      // First 64 bits of the cluster id.
  std::uint64_t incarnation = 0;  // First 64 bits of the data directory's.
  std::uint64_t sequence = 0;     // Segments are numbered without gaps.
  std::uint64_t generation = 0;   // New for each life of a recycled file; seeds the records' checksums.
  std::uint64_t chain = 0;        // The chain value that the first record continues.
  Index first_index{};            // The first entry that this segment may hold.
  raft::HardState hard_state;     // As of the segment's creation, so that older segments may go.
  std::uint64_t file_bytes = 0;   // Of the whole file; 0: not recorded (the first landing).
  std::uint64_t starts = 0;       // The start counter of the start that made it; 0: not recorded.
};
void encode_segment_header(std::string& out, const SegmentHeader& header);  // log_block_bytes long.
// Errors: corrupt (no header here: a prewritten or torn block), unsupported (a newer version, or a field that this one
// does not know).
Result<SegmentHeader> decode_segment_header(ByteView block);

// A record: this header, then a payload of batches (wire/batch.hpp), then zeros up to the next block border. One flush
// writes one record.
struct RecordHeader {
  std::uint32_t payload_bytes = 0;
  std::uint64_t position = 0;        // Offset of the record in its segment: a misdirected write is recognised.
  std::uint64_t chain = 0;           // checksum of the previous record: a missing or swapped record is recognised.
  std::uint64_t synced_through = 0;  // Highest log position (segment sequence << 32 | offset) known durable.
  Index commit_hint{};
  std::optional<raft::HardState> hard_state;
};
inline constexpr std::size_t record_header_bytes = 72;
inline constexpr std::size_t record_payload_bytes_max = std::size_t{1} << 30;

// A whole record on disk, padding included.
constexpr std::size_t record_bytes(std::size_t payload_bytes) {
  return (record_header_bytes + payload_bytes + log_block_bytes - 1) / log_block_bytes * log_block_bytes;
}

// Appends the record; the checksum covers header and payload. Returns its checksum, the next record's chain.
// header.payload_bytes is taken from the payload.
std::uint64_t encode_record(std::string& out, const RecordHeader& header, ByteView payload, std::uint64_t generation);

// The same without a copy of the payload: begin_record() reserves the header and returns where the record starts, the
// caller appends batches to `out`, finish_record() fills in the header and pads.
[[nodiscard]] std::size_t begin_record(std::string& out);
std::uint64_t finish_record(std::string& out, std::size_t start, const RecordHeader& header, std::uint64_t generation);

struct DecodedRecord {
  RecordHeader header;
  ByteView payload;
  std::uint64_t checksum = 0;
  std::size_t bytes = 0;           // The whole record, padding included.
  bool has_unknown_flags = false;  // A newer version's: the record is not to be used.
};
// The record at the start of `bytes`, if one stands there whole, padding included, and checks under `generation`;
// position is the caller's to compare. nullopt: no valid record (zeros, torn, damaged, of a former life). Looks at any
// bytes safely, and cheaply unless they carry a record's mark and this generation.
[[nodiscard]] std::optional<DecodedRecord> decode_record(ByteView bytes, std::uint64_t generation);

// What stands in the place of a record's header, unverified: for saying what a record that does not check may have
// been, and for bounding what checking it would cost. nullopt: no record's mark, or another generation's.
[[nodiscard]] std::optional<RecordHeader> peek_record(ByteView bytes, std::uint64_t generation);

}  // namespace quorate::wire
