#include "wire/snapshot_format.hpp"

#include <limits>
#include <zstd.h>

#include "base/checksum.hpp"
#include "base/ensure.hpp"
#include "wire/configuration.hpp"
#include "wire/packing.hpp"

namespace quorate::wire {

namespace {

constexpr std::uint64_t header_mark = 0x00504E53524F5551;  // "QUORSNP", a zero.
constexpr std::uint32_t header_version = 2;
constexpr std::uint32_t first_header_version = 1;  // Members were listed in the body, and only voters and learners.
constexpr std::size_t header_fixed_bytes = 24;     // Mark, version, length of the rest, checksum.

constexpr std::uint32_t block_mark = 0x4B4C4251;  // "QBLK". Its layout goes with the header's version.
constexpr std::size_t block_checked_from = 8;     // Behind the checksum itself.
constexpr std::uint32_t codec_stored = 0;
constexpr std::uint32_t codec_zstd = 1;
constexpr int compression_level = 1;

constexpr std::uint64_t footer_mark = 0x00444E45524F5551;  // "QUOREND", a zero.

constexpr std::size_t member_bytes_min = 1 + 8 + 8 + 1;
constexpr std::size_t stream_bytes_min = 1 + 8 + 1 + 1;

std::unexpected<Error> corrupt(const char* what) {
  return failure(ErrorCode::corrupt, std::string("snapshot: ") + what);
}

NodeId read_node(Unpacker& unpacker) {
  constexpr std::uint64_t highest = std::numeric_limits<std::uint32_t>::max();
  return NodeId{static_cast<std::uint32_t>(unpacker.read_varint_up_to(highest))};
}

void pack_header_body(Packer& packer, const SnapshotHeader& header) {
  packer.write_fixed64(header.cluster_high);
  packer.write_fixed64(header.cluster_low);
  packer.write_varint(raw(header.point.term));
  packer.write_varint(raw(header.point.index));
  packer.write_zigzag(raw(header.zxid_base));
  packer.write_varint(header.feature_level);
  packer.write_varint(raw(header.configuration_entry.term));
  packer.write_varint(raw(header.configuration_entry.index));
  std::string configuration;
  encode_configuration(configuration, header.configuration);
  packer.write_sized(configuration);
  packer.write_varint(header.streams.size());
  for (const StreamPosition& position : header.streams) {
    packer.write_varint(raw(position.stream.server));
    packer.write_fixed64(position.stream.incarnation);
    packer.write_varint(position.stream.start);
    packer.write_varint(position.number);
  }
}

// As version 1 had it.
void read_first_members(Unpacker& unpacker, raft::Configuration& configuration) {
  for (std::size_t left = unpacker.read_count(member_bytes_min); left > 0 && unpacker.ok(); --left) {
    raft::Member member;
    member.id = read_node(unpacker);
    member.incarnation_high = unpacker.read_fixed64();
    member.incarnation_low = unpacker.read_fixed64();
    member.role = unpacker.read_byte() != 0 ? raft::MemberRole::voter : raft::MemberRole::learner;
    configuration.members.push_back(member);
  }
  for (std::size_t left = unpacker.read_count(1); left > 0 && unpacker.ok(); --left) {
    configuration.outgoing.push_back(read_node(unpacker));
  }
}

// The unpacker fails, or the configuration's own error is returned.
Result<void> read_configuration(Unpacker& unpacker, SnapshotHeader& header) {
  if (header.version == first_header_version) {
    read_first_members(unpacker, header.configuration);
    // What is read is written again with the next snapshot, whose encoder takes no other configurations.
    if (unpacker.ok() && !broken_rule(header.configuration).empty()) {
      return corrupt("the configuration breaks a rule");
    }
    return {};
  }
  header.configuration_entry.term = Term{unpacker.read_varint()};
  header.configuration_entry.index = Index{unpacker.read_varint()};
  const ByteView blob = unpacker.read_sized();
  if (!unpacker.ok()) {
    return {};
  }
  Result<raft::Configuration> configuration = decode_configuration(blob);
  if (!configuration) {
    return failure(configuration.error().code, "snapshot: " + configuration.error().message);
  }
  header.configuration = std::move(*configuration);
  return {};
}

Result<void> read_header_body(Unpacker& unpacker, SnapshotHeader& header) {
  header.cluster_high = unpacker.read_fixed64();
  header.cluster_low = unpacker.read_fixed64();
  header.point.term = Term{unpacker.read_varint()};
  header.point.index = Index{unpacker.read_varint()};
  header.zxid_base = Zxid{unpacker.read_zigzag()};
  header.feature_level =
      static_cast<std::uint32_t>(unpacker.read_varint_up_to(std::numeric_limits<std::uint32_t>::max()));
  if (auto read = read_configuration(unpacker, header); !read) {
    return read;
  }
  for (std::size_t left = unpacker.read_count(stream_bytes_min); left > 0 && unpacker.ok(); --left) {
    StreamPosition position;
    position.stream.server = read_node(unpacker);
    position.stream.incarnation = unpacker.read_fixed64();
    position.stream.start = unpacker.read_varint();
    position.number = unpacker.read_varint();
    header.streams.push_back(position);
  }
  if (header.version != first_header_version) {
    read_no_extensions(unpacker, "an extension of the header");
  }
  if (!unpacker.finished()) {
    return undecodable(unpacker, "snapshot", "the header");
  }
  if (header.feature_level > known_feature_level) {
    return newer_than_known("snapshot", "feature level " + std::to_string(header.feature_level));
  }
  return {};
}

// The version and the length stand before the checksum; its seed covers them.
std::uint64_t header_sum(ByteView bytes, std::size_t length) {
  return checksum(bytes.substr(header_fixed_bytes, length), get_little<std::uint64_t>(bytes.data() + 8));
}

}  // namespace

void encode_snapshot_header(std::string& out, const SnapshotHeader& header) {
  ensure(header.version == header_version, "only the current version is written");
  const std::size_t start = out.size();
  out.resize(start + header_fixed_bytes);
  Packer packer(out);
  pack_header_body(packer, header);
  ensure(out.size() - start <= snapshot_header_bytes_max, "members and streams are few");
  const std::size_t length = out.size() - start - header_fixed_bytes;
  char* at = put_little(out.data() + start, header_mark);
  at = put_little(at, header.version);
  at = put_little(at, static_cast<std::uint32_t>(length));
  put_little(at, header_sum(ByteView(out).substr(start), length));
}

Result<std::pair<SnapshotHeader, std::size_t>> decode_snapshot_header(ByteView bytes) {
  if (bytes.size() < header_fixed_bytes) {
    return corrupt("shorter than its header");
  }
  Unpacker fixed(bytes.substr(0, header_fixed_bytes));
  SnapshotHeader header;
  const std::uint64_t mark = fixed.read_fixed64();
  header.version = fixed.read_fixed32();
  const std::size_t length = fixed.read_fixed32();
  const std::uint64_t sum = fixed.read_fixed64();
  if (mark != header_mark) {
    return corrupt("no header stands at its start");
  }
  if (length > bytes.size() - header_fixed_bytes || length > snapshot_header_bytes_max) {
    return corrupt("the header is cut off");
  }
  if (sum != header_sum(bytes, length)) {
    return corrupt("the header's checksum does not match");
  }
  if (header.version < first_header_version || header.version > header_version) {
    return newer_than_known("snapshot", "format version " + std::to_string(header.version));
  }
  Unpacker body(bytes.substr(header_fixed_bytes, length));
  if (const auto read = read_header_body(body, header); !read) {
    return std::unexpected(read.error());
  }
  return std::pair(std::move(header), header_fixed_bytes + length);
}

void encode_block(std::string& out, ByteView items) {
  ensure(items.size() <= snapshot_block_raw_bytes_max, "a block is closed before it outgrows what readers take");
  const std::size_t start = out.size();
  const std::size_t data_at = start + snapshot_block_header_bytes;
  const std::size_t room = ZSTD_compressBound(items.size());
  std::uint32_t codec = codec_zstd;
  out.resize_and_overwrite(data_at + room, [&](char* data, std::size_t) {
    const std::size_t bytes = ZSTD_compress(data + data_at, room, items.data(), items.size(), compression_level);
    if (ZSTD_isError(bytes) == 0 && bytes < items.size()) {
      return data_at + bytes;
    }
    codec = codec_stored;
    return data_at + items.copy(data + data_at, items.size());
  });
  const std::size_t compressed = out.size() - data_at;
  char* at = out.data() + start + block_checked_from;
  at = put_little(at, block_mark);
  at = put_little(at, static_cast<std::uint32_t>(items.size()));
  at = put_little(at, static_cast<std::uint32_t>(compressed));
  put_little(at, codec);
  put_little(out.data() + start, checksum(ByteView(out).substr(start + block_checked_from)));
}

namespace {

struct BlockHeader {
  std::uint64_t checksum = 0;
  std::size_t raw_bytes = 0;
  std::size_t compressed_bytes = 0;
  std::uint32_t codec = 0;
};

Result<BlockHeader> decode_block_header(ByteView bytes) {
  if (bytes.size() < snapshot_block_header_bytes) {
    return corrupt("a block is cut off");
  }
  Unpacker unpacker(bytes.substr(0, snapshot_block_header_bytes));
  BlockHeader header;
  header.checksum = unpacker.read_fixed64();
  const std::uint32_t mark = unpacker.read_fixed32();
  header.raw_bytes = unpacker.read_fixed32();
  header.compressed_bytes = unpacker.read_fixed32();
  header.codec = unpacker.read_fixed32();
  if (mark != block_mark) {
    return corrupt("no block stands where one should");
  }
  const bool stored_whole = header.codec != codec_stored || header.compressed_bytes == header.raw_bytes;
  if (header.raw_bytes > snapshot_block_raw_bytes_max || header.compressed_bytes > header.raw_bytes || !stored_whole) {
    return corrupt("a block has impossible sizes");
  }
  return header;
}

}  // namespace

Result<std::size_t> peek_block_bytes(ByteView header) {
  const Result<BlockHeader> decoded = decode_block_header(header);
  if (!decoded) {
    return std::unexpected(decoded.error());
  }
  return snapshot_block_header_bytes + decoded->compressed_bytes;
}

Result<BlockFrame> peek_block(ByteView bytes) {
  const Result<BlockHeader> header = decode_block_header(bytes);
  if (!header) {
    return std::unexpected(header.error());
  }
  BlockFrame frame;
  frame.raw_bytes = header->raw_bytes;
  frame.bytes = snapshot_block_header_bytes + header->compressed_bytes;
  if (frame.bytes > bytes.size()) {
    return corrupt("a block is cut off");
  }
  if (header->checksum != checksum(bytes.substr(block_checked_from, frame.bytes - block_checked_from))) {
    return corrupt("a block's checksum does not match");
  }
  if (header->codec != codec_stored && header->codec != codec_zstd) {
    return newer_than_known("snapshot", "a block's compression " + std::to_string(header->codec));
  }
  frame.is_stored = header->codec == codec_stored;
  frame.compressed = bytes.substr(snapshot_block_header_bytes, header->compressed_bytes);
  return frame;
}

Result<std::string> open_block(const BlockFrame& block) {
  if (block.is_stored) {
    return std::string(block.compressed);
  }
  // Both sizes must agree before memory is taken (S-601).
  if (ZSTD_getFrameContentSize(block.compressed.data(), block.compressed.size()) != block.raw_bytes) {
    return corrupt("a block's sizes do not agree");
  }
  std::string items;
  std::size_t taken = 0;
  items.resize_and_overwrite(block.raw_bytes, [&](char* data, std::size_t) {
    taken = ZSTD_decompress(data, block.raw_bytes, block.compressed.data(), block.compressed.size());
    return ZSTD_isError(taken) != 0 ? std::size_t{0} : taken;
  });
  if (taken != block.raw_bytes) {
    return corrupt("a block does not decompress");
  }
  return items;
}

std::uint64_t extend_digest(std::uint64_t digest, ByteView part) {
  return checksum(part, digest);
}

void encode_snapshot_footer(std::string& out, const SnapshotFooter& footer) {
  const std::size_t start = out.size();
  Packer packer(out);
  packer.write_fixed64(footer_mark);
  packer.write_fixed64(footer.blocks);
  packer.write_fixed64(footer.items);
  packer.write_fixed64(footer.file_bytes);
  packer.write_fixed64(footer.digest);
  packer.write_fixed64(checksum(ByteView(out).substr(start)));
  ensure(out.size() - start == snapshot_footer_bytes, "a footer has one size");
}

Result<SnapshotFooter> decode_snapshot_footer(ByteView last_bytes) {
  if (last_bytes.size() < snapshot_footer_bytes) {
    return corrupt("shorter than its footer");
  }
  const ByteView bytes = last_bytes.substr(last_bytes.size() - snapshot_footer_bytes);
  Unpacker unpacker(bytes);
  const std::uint64_t mark = unpacker.read_fixed64();
  SnapshotFooter footer;
  footer.blocks = unpacker.read_fixed64();
  footer.items = unpacker.read_fixed64();
  footer.file_bytes = unpacker.read_fixed64();
  footer.digest = unpacker.read_fixed64();
  const std::size_t checked = unpacker.position();
  if (mark != footer_mark) {
    return corrupt("no footer stands at its end: it was never finished, or it is cut off");
  }
  if (unpacker.read_fixed64() != checksum(bytes.substr(0, checked))) {
    return corrupt("the footer's checksum does not match");
  }
  return footer;
}

}  // namespace quorate::wire
