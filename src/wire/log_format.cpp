#include "wire/log_format.hpp"

#include "base/checksum.hpp"
#include "base/ensure.hpp"
#include "wire/packing.hpp"

namespace quorate::wire {

namespace {

constexpr std::uint64_t segment_mark = 0x00474F4C524F5551;  // "QUORLOG", a zero.
constexpr std::uint32_t segment_version = 1;
// The last eight bytes of a segment's header, in every version; the mark and the version keep their places as well.
constexpr std::size_t segment_checksum_at = log_block_bytes - sizeof(std::uint64_t);

constexpr std::uint32_t record_mark = 0x43455251;  // "QREC". Its layout goes with the segment's version.
constexpr std::size_t record_checked_from = 8;     // Behind the checksum itself.
constexpr std::uint32_t record_has_hard_state = 1;

std::uint64_t record_sum(ByteView header_and_payload, std::uint64_t generation) {
  return checksum(header_and_payload.substr(record_checked_from), generation);
}

void put_record_header(char* at, const RecordHeader& header, std::size_t payload_bytes, std::uint64_t generation) {
  const raft::HardState hard_state = header.hard_state.value_or(raft::HardState{});
  at += record_checked_from;
  at = put_little(at, record_mark);
  at = put_little(at, static_cast<std::uint32_t>(payload_bytes));
  at = put_little(at, header.position);
  at = put_little(at, header.chain);
  at = put_little(at, header.synced_through);
  at = put_little(at, raw(header.commit_hint));
  at = put_little(at, generation);
  at = put_little(at, raw(hard_state.term));
  at = put_little(at, raw(hard_state.vote));
  put_little(at, header.hard_state ? record_has_hard_state : std::uint32_t{0});
}

}  // namespace

void encode_segment_header(std::string& out, const SegmentHeader& header) {
  ensure(header.version == segment_version, "only the current version is written");
  const std::size_t start = out.size();
  Packer packer(out);
  packer.write_fixed64(segment_mark);
  packer.write_fixed32(header.version);
  packer.write_fixed32(0);
  packer.write_fixed64(header.cluster);
  packer.write_fixed64(header.incarnation);
  packer.write_fixed64(header.sequence);
  packer.write_fixed64(header.generation);
  packer.write_fixed64(header.chain);
  packer.write_fixed64(raw(header.first_index));
  packer.write_fixed64(raw(header.hard_state.term));
  packer.write_fixed32(raw(header.hard_state.vote));
  packer.write_fixed32(0);
  packer.write_fixed64(header.file_bytes);
  packer.write_fixed64(header.starts);
  out.resize(start + segment_checksum_at, '\0');
  packer.write_fixed64(checksum(ByteView(out).substr(start)));
  ensure(out.size() - start == log_block_bytes, "a segment's header fills one block");
}

Result<SegmentHeader> decode_segment_header(ByteView block) {
  if (block.size() < log_block_bytes) {
    return failure(ErrorCode::corrupt, "log segment: shorter than its header");
  }
  Unpacker unpacker(block);
  SegmentHeader header;
  if (unpacker.read_fixed64() != segment_mark) {
    return failure(ErrorCode::corrupt, "log segment: no header stands at its start");
  }
  const auto sum = get_little<std::uint64_t>(block.data() + segment_checksum_at);
  if (sum != checksum(block.substr(0, segment_checksum_at))) {
    return failure(ErrorCode::corrupt, "log segment: the header's checksum does not match");
  }
  header.version = unpacker.read_fixed32();
  if (header.version != segment_version) {
    return newer_than_known("log segment", "format version " + std::to_string(header.version));
  }
  std::uint32_t unknown = unpacker.read_fixed32();
  header.cluster = unpacker.read_fixed64();
  header.incarnation = unpacker.read_fixed64();
  header.sequence = unpacker.read_fixed64();
  header.generation = unpacker.read_fixed64();
  header.chain = unpacker.read_fixed64();
  header.first_index = Index{unpacker.read_fixed64()};
  header.hard_state.term = Term{unpacker.read_fixed64()};
  header.hard_state.vote = NodeId{unpacker.read_fixed32()};
  unknown |= unpacker.read_fixed32();
  header.file_bytes = unpacker.read_fixed64();
  header.starts = unpacker.read_fixed64();
  const ByteView rest = block.substr(unpacker.position(), segment_checksum_at - unpacker.position());
  if (unknown != 0 || rest.find_first_not_of('\0') != ByteView::npos) {
    return newer_than_known("log segment", "a field of the header");
  }
  return header;
}

std::size_t begin_record(std::string& out) {
  const std::size_t start = out.size();
  out.resize(start + record_header_bytes);
  return start;
}

std::uint64_t finish_record(std::string& out, std::size_t start, const RecordHeader& header, std::uint64_t generation) {
  ensure(start + record_header_bytes <= out.size(), "a record was begun there");
  ensure(header.position % log_block_bytes == 0, "records start at block borders");
  const std::size_t payload_bytes = out.size() - start - record_header_bytes;
  ensure(payload_bytes <= record_payload_bytes_max, "a flush keeps within a record");
  put_record_header(out.data() + start, header, payload_bytes, generation);
  const std::uint64_t sum = record_sum(ByteView(out).substr(start), generation);
  put_little(out.data() + start, sum);
  out.resize(start + record_bytes(payload_bytes), '\0');
  return sum;
}

std::uint64_t encode_record(std::string& out, const RecordHeader& header, ByteView payload, std::uint64_t generation) {
  const std::size_t start = begin_record(out);
  out.append(payload);
  return finish_record(out, start, header, generation);
}

namespace {

// What stands beside a header's fields: what its first field claims, and its flags.
struct RecordClaims {
  std::uint64_t sum = 0;
  std::uint32_t flags = 0;
};

// The header as it stands there.
std::optional<RecordHeader> read_record_header(ByteView bytes, std::uint64_t generation, RecordClaims& claims) {
  if (bytes.size() < log_block_bytes) {
    return std::nullopt;
  }
  Unpacker unpacker(bytes.substr(0, record_header_bytes));
  RecordHeader header;
  claims.sum = unpacker.read_fixed64();
  const std::uint32_t mark = unpacker.read_fixed32();
  header.payload_bytes = unpacker.read_fixed32();
  header.position = unpacker.read_fixed64();
  header.chain = unpacker.read_fixed64();
  header.synced_through = unpacker.read_fixed64();
  header.commit_hint = Index{unpacker.read_fixed64()};
  const std::uint64_t life = unpacker.read_fixed64();
  const raft::HardState hard_state{.term = Term{unpacker.read_fixed64()}, .vote = NodeId{unpacker.read_fixed32()}};
  claims.flags = unpacker.read_fixed32();
  if (mark != record_mark || life != generation) {
    return std::nullopt;
  }
  if ((claims.flags & record_has_hard_state) != 0) {
    header.hard_state = hard_state;
  }
  return header;
}

}  // namespace

std::optional<RecordHeader> peek_record(ByteView bytes, std::uint64_t generation) {
  RecordClaims claims;
  return read_record_header(bytes, generation, claims);
}

std::optional<DecodedRecord> decode_record(ByteView bytes, std::uint64_t generation) {
  DecodedRecord record;
  RecordClaims claims;
  const auto header = read_record_header(bytes, generation, claims);
  if (!header || header->payload_bytes > record_payload_bytes_max) {
    return std::nullopt;
  }
  record.header = *header;
  record.checksum = claims.sum;
  record.has_unknown_flags = (claims.flags & ~record_has_hard_state) != 0;
  record.bytes = record_bytes(header->payload_bytes);
  if (record.bytes > bytes.size()) {
    return std::nullopt;
  }
  const ByteView whole = bytes.substr(0, record_header_bytes + header->payload_bytes);
  if (record.checksum != record_sum(whole, generation)) {
    return std::nullopt;
  }
  record.payload = whole.substr(record_header_bytes);
  return record;
}

}  // namespace quorate::wire
