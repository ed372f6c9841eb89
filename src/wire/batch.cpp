#include "wire/batch.hpp"

#include <limits>
#include <utility>

#include "base/checksum.hpp"
#include "base/ensure.hpp"
#include "base/ids.hpp"
#include "wire/packing.hpp"

namespace quorate::wire {

namespace {

// "QBT" and the version (docs/formats/log.md).
constexpr std::uint32_t magic = 0x00544251;
constexpr std::uint32_t magic_mask = 0x00FFFFFF;
constexpr std::uint32_t version = 1;
constexpr std::size_t checked_from = 16;  // The checksum covers what follows it, and by its seed what stands before it.
constexpr std::size_t checksum_at = 8;
constexpr std::size_t entry_bytes_min = 2;
constexpr auto last_kind = raft::EntryKind::configuration;

static_assert(batch_encoded_bytes_max <= static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()));

std::size_t encoded_bytes(const raft::Entry& entry) {
  return varint_bytes(entry.command.size()) + 1 + entry.command.size();
}

std::uint64_t sum_of(ByteView batch) {
  return checksum(batch.substr(checked_from), get_little<std::uint64_t>(batch.data()));
}

std::unexpected<Error> corrupt(const char* what) {
  return failure(ErrorCode::corrupt, std::string("batch of log entries: ") + what);
}

struct BatchHeader {
  std::size_t bytes = 0;  // The whole batch.
  Term term{};
  Index first{};
  WallTime time{};
  std::size_t count = 0;
};

// The header of a batch that is wholly there and checks.
Result<BatchHeader> decode_batch_header(ByteView bytes) {
  if (bytes.size() < batch_header_bytes) {
    return corrupt("shorter than its header");
  }
  Unpacker unpacker(bytes.substr(0, batch_header_bytes));
  const std::uint32_t mark = unpacker.read_fixed32();
  const std::size_t payload = unpacker.read_fixed32();
  const std::uint64_t sum = unpacker.read_fixed64();
  BatchHeader header;
  header.bytes = batch_header_bytes + payload;
  header.term = Term{unpacker.read_fixed64()};
  header.first = Index{unpacker.read_fixed64()};
  header.time = WallTime{static_cast<std::int64_t>(unpacker.read_fixed64())};
  header.count = unpacker.read_fixed32();
  if ((mark & magic_mask) != magic) {
    return corrupt("no batch starts here");
  }
  if (header.bytes > bytes.size() || header.bytes > batch_encoded_bytes_max) {
    return corrupt("longer than the bytes that are there");
  }
  if (sum != sum_of(bytes.substr(0, header.bytes))) {
    return corrupt("the checksum does not match");
  }
  if (mark >> 24 != version) {
    return newer_than_known("batch of log entries", "version " + std::to_string(mark >> 24));
  }
  return header;
}

// What holds even if the checksum was made for the occasion.
bool is_possible(const BatchHeader& header) {
  const std::size_t payload = header.bytes - batch_header_bytes;
  const bool fits =
      header.count >= 1 && header.count <= limits::batch_entries_max && header.count <= payload / entry_bytes_min;
  return fits && raw(header.first) >= 1 &&
         raw(header.first) <= std::numeric_limits<std::uint64_t>::max() - header.count;
}

Result<void> decode_entries(const Blob& bytes, const BatchHeader& header, std::vector<raft::Entry>& into) {
  Unpacker unpacker(bytes.view().substr(0, header.bytes));
  unpacker.read_raw(batch_header_bytes);
  Index index = header.first;
  for (std::size_t i = 0; i < header.count; ++i) {
    const std::uint64_t length = unpacker.read_varint_up_to(limits::entry_bytes_max);
    const auto kind = static_cast<raft::EntryKind>(unpacker.read_byte());
    const std::size_t start = unpacker.position();
    unpacker.read_raw(length);
    if (!unpacker.ok()) {
      return corrupt("an entry does not decode");
    }
    if (kind > last_kind) {
      return newer_than_known("log entry", "kind " + std::to_string(std::to_underlying(kind)));
    }
    into.push_back({.term = header.term,
                    .index = index,
                    .time = header.time,
                    .kind = kind,
                    .command = bytes.slice(start, length)});
    index = next(index);
  }
  if (!unpacker.finished()) {
    return corrupt("bytes behind the last entry");
  }
  return {};
}

}  // namespace

void encode_batch(std::string& out, std::span<const raft::Entry> entries) {
  ensure(!entries.empty(), "a batch has entries");
  ensure(batch_length(entries) == entries.size(), "a batch is one run within the limits");
  const raft::Entry& first = entries.front();
  ensure(raw(first.index) >= 1, "the first entry of a log has index 1");
  std::size_t payload = 0;
  for (const raft::Entry& entry : entries) {
    ensure(entry.command.size() <= limits::entry_bytes_max, "an entry was bounded before it was proposed");
    ensure(entry.kind <= last_kind, "an entry has a kind of the table");
    payload += encoded_bytes(entry);
  }
  append_filled(out, batch_header_bytes + payload, [&](char* const start) {
    char* at = put_little(start, magic | (version << 24));
    at = put_little(at, static_cast<std::uint32_t>(payload));
    at += sizeof(std::uint64_t);
    at = put_little(at, raw(first.term));
    at = put_little(at, raw(first.index));
    at = put_little(at, raw(first.time));
    at = put_little(at, static_cast<std::uint32_t>(entries.size()));
    for (const raft::Entry& entry : entries) {
      at = put_varint(at, entry.command.size());
      *at++ = static_cast<char>(entry.kind);
      at = put_bytes(at, entry.command.view());
    }
    put_little(start + checksum_at, sum_of({start, batch_header_bytes + payload}));
  });
}

Result<std::size_t> decode_batch(const Blob& bytes, std::vector<raft::Entry>& into) {
  const Result<BatchHeader> header = decode_batch_header(bytes.view());
  if (!header) {
    return std::unexpected(header.error());
  }
  if (!is_possible(*header)) {
    return corrupt("impossible counts");
  }
  const std::size_t before = into.size();
  if (const Result<void> decoded = decode_entries(bytes, *header, into); !decoded) {
    into.resize(before);
    return std::unexpected(decoded.error());
  }
  return header->bytes;
}

std::size_t batch_length(std::span<const raft::Entry> entries) {
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const raft::Entry& entry = entries[i];
    const bool continues = i == 0 || (entry.term == entries[0].term && entry.time == entries[0].time &&
                                      entry.index == next(entries[i - 1].index));
    if (!continues || i == limits::batch_entries_max || bytes >= limits::batch_bytes_soft) {
      return i;
    }
    bytes += encoded_bytes(entry);
  }
  return entries.size();
}

}  // namespace quorate::wire
