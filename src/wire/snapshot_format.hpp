#pragma once

// A snapshot file's bytes (docs/formats/snapshot.md): header, compressed and checksummed blocks of items, footer with
// counts and a digest of the whole file. Blocks stand alone, so they are written and loaded in parallel. Pure.

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/limits.hpp"
#include "base/result.hpp"
#include "raft/types.hpp"
#include "tree/snapshot.hpp"
#include "wire/command.hpp"

namespace quorate::wire {

struct StreamPosition {
  StreamId stream;
  std::uint64_t number = 0;  // The last one executed.
};

struct SnapshotHeader {
  std::uint32_t version = 2;  // As read; the newest is what is written.
  std::uint64_t cluster_high = 0;
  std::uint64_t cluster_low = 0;
  raft::LogId point;  // The last entry that the state includes.
  Zxid zxid_base{};   // zxid = base + index (design chapter 5).
  std::uint32_t feature_level = known_feature_level;
  raft::Configuration configuration;
  raft::LogId configuration_entry{};  // The entry that it came from; zero: from founding.
  std::vector<StreamPosition> streams;
};

// A header is never longer; a reader that takes this much of the file has all of it.
inline constexpr std::size_t snapshot_header_bytes_max = 1U << 20;
void encode_snapshot_header(std::string& out, const SnapshotHeader& header);
// And its length in bytes. Errors here and below: corrupt, unsupported.
Result<std::pair<SnapshotHeader, std::size_t>> decode_snapshot_header(ByteView bytes);

// Items, uncompressed, appended one after the other until block_bytes are reached.
inline constexpr std::size_t snapshot_block_bytes = 256U << 10;
void encode_item(std::string& out, const tree::SnapshotItem& item);
// The item at the start of `bytes` and its length; views into `bytes`, ACL entries into `scratch`.
Result<std::size_t> decode_item(ByteView bytes, std::vector<tree::AclEntry>& scratch, tree::SnapshotItem& into);

// Blocks: compressed (zstd) items with lengths and a checksum. Sizes are bounded before memory is taken (S-601).
// The largest: a block that was a byte short of full and then took the largest item, whose name came with one request
// and whose data with another.
inline constexpr std::size_t snapshot_item_bytes_max = 2 * limits::frame_bytes_ceiling + 1024;
inline constexpr std::size_t snapshot_block_raw_bytes_max = (1U << 20) + snapshot_item_bytes_max;
inline constexpr std::size_t snapshot_block_header_bytes = 24;
static_assert(snapshot_block_bytes < (1U << 20));

void encode_block(std::string& out, ByteView items);
struct BlockFrame {
  ByteView compressed;
  std::size_t raw_bytes = 0;
  std::size_t bytes = 0;   // The whole block.
  bool is_stored = false;  // Not compressed: it would not have become shorter.
};
// The length of the whole block whose first snapshot_block_header_bytes these are; not yet checked, but bounded.
Result<std::size_t> peek_block_bytes(ByteView header);
// The block at the start of `bytes`, checked.
Result<BlockFrame> peek_block(ByteView bytes);
Result<std::string> open_block(const BlockFrame& block);

// The digest of a file is that of its parts in order, the header and then each block: digest = extend_digest(digest,
// part), from 0. So it needs no part twice, and an exchanged, missing or foreign block shows.
[[nodiscard]] std::uint64_t extend_digest(std::uint64_t digest, ByteView part);

struct SnapshotFooter {
  std::uint64_t blocks = 0;
  std::uint64_t items = 0;
  std::uint64_t file_bytes = 0;  // The whole file, footer included.
  std::uint64_t digest = 0;      // Of all bytes before the footer (extend_digest).
};
inline constexpr std::size_t snapshot_footer_bytes = 48;
void encode_snapshot_footer(std::string& out, const SnapshotFooter& footer);
Result<SnapshotFooter> decode_snapshot_footer(ByteView last_bytes);

}  // namespace quorate::wire
