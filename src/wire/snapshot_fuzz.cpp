// Snapshot files: header, blocks, items and footer, with checksums mended before the second try. An accepted item must
// survive its own round trip.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/checksum.hpp"
#include "base/ensure.hpp"
#include "wire/packing.hpp"
#include "wire/snapshot_format.hpp"

namespace {

using quorate::ByteView;
using quorate::checksum;
using quorate::ensure;
namespace wire = quorate::wire;

void decode_items(ByteView bytes) {
  std::vector<quorate::tree::AclEntry> scratch;
  std::vector<quorate::tree::AclEntry> other;
  quorate::tree::SnapshotItem item;
  while (!bytes.empty()) {
    const auto taken = wire::decode_item(bytes, scratch, item);
    if (!taken) {
      return;
    }
    ensure(*taken > 0 && *taken <= bytes.size(), "an item ends inside its bytes");
    std::string once;
    wire::encode_item(once, item);
    quorate::tree::SnapshotItem back;
    ensure(wire::decode_item(once, other, back).has_value(), "what was encoded decodes");
    std::string twice;
    wire::encode_item(twice, back);
    ensure(once == twice, "an item's encoding is stable");
    bytes = bytes.substr(*taken);
  }
}

void decode_all(ByteView bytes) {
  if (const auto header = wire::decode_snapshot_header(bytes)) {
    ensure(header->second <= bytes.size(), "a header ends inside its bytes");
    if (header->first.version == wire::SnapshotHeader{}.version) {
      std::string again;
      wire::encode_snapshot_header(again, header->first);
      ensure(again == bytes.substr(0, header->second), "a header has one encoding");
    }
  }
  (void)wire::decode_snapshot_footer(bytes);
  (void)wire::peek_block_bytes(bytes);
  const auto frame = wire::peek_block(bytes);
  if (frame) {
    ensure(frame->bytes <= bytes.size(), "a block ends inside its bytes");
    if (const auto items = wire::open_block(*frame)) {
      ensure(items->size() == frame->raw_bytes, "a block has its size");
      decode_items(*items);
    }
  }
}

std::string mended(ByteView bytes) {
  std::string copy(bytes);
  if (copy.size() < wire::snapshot_block_header_bytes) {
    return copy;
  }
  const std::size_t behind = copy.size() - wire::snapshot_block_header_bytes;
  if (copy.starts_with("QUORSNP")) {
    wire::put_little(copy.data() + 12, static_cast<std::uint32_t>(behind));
    wire::put_little(copy.data() + 16,
                     checksum(ByteView(copy).substr(24), wire::get_little<std::uint64_t>(copy.data() + 8)));
    return copy;
  }
  wire::put_little(copy.data() + 8, std::uint32_t{0x4B4C4251});
  wire::put_little(copy.data() + 16, static_cast<std::uint32_t>(behind));
  wire::put_little(copy.data(), checksum(ByteView(copy).substr(8)));
  return copy;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::vector<char> exact(data, data + size);
  const ByteView bytes(exact.data(), exact.size());
  decode_all(bytes);
  decode_all(mended(bytes));
  decode_items(bytes);
  return 0;
}
