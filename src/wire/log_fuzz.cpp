// The log's bytes: segment headers, records and batches. Checksums are mended before the second try, so that what lies
// behind them is reached as well.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/checksum.hpp"
#include "base/ensure.hpp"
#include "wire/batch.hpp"
#include "wire/log_format.hpp"
#include "wire/packing.hpp"

namespace {

using quorate::Blob;
using quorate::ByteView;
using quorate::checksum;
using quorate::ensure;
namespace wire = quorate::wire;

constexpr std::uint64_t generation = 7;

void decode_batches(const Blob& bytes) {
  std::vector<quorate::raft::Entry> entries;
  const auto taken = wire::decode_batch(bytes, entries);
  if (!taken) {
    ensure(entries.empty(), "a failure leaves nothing");
    return;
  }
  ensure(*taken <= bytes.size(), "a batch ends inside its bytes");
  if (wire::batch_length(entries) == entries.size()) {
    std::string again;
    wire::encode_batch(again, entries);
    ensure(again == bytes.view().substr(0, *taken), "a batch has one encoding");
  }
}

void decode_all(ByteView bytes) {
  if (const auto header = wire::decode_segment_header(bytes)) {
    std::string again;
    wire::encode_segment_header(again, *header);
    ensure(again == bytes.substr(0, wire::log_block_bytes), "a header has one encoding");
  }
  if (const auto record = wire::decode_record(bytes, generation)) {
    ensure(record->bytes <= bytes.size(), "a record ends inside its bytes");
    ensure(record->payload.size() == record->header.payload_bytes, "a payload is whole");
  }
  decode_batches(Blob::copy(bytes));
}

// As the writer would have summed these bytes, if they were a header, a record or a batch.
std::string mended(ByteView bytes) {
  std::string copy(bytes);
  if (copy.size() >= wire::batch_header_bytes && copy.starts_with("QBT")) {
    const std::size_t payload =
        std::min<std::size_t>(wire::get_little<std::uint32_t>(copy.data() + 4), copy.size() - wire::batch_header_bytes);
    wire::put_little(copy.data() + 4, static_cast<std::uint32_t>(payload));
    const ByteView batch = ByteView(copy).substr(0, wire::batch_header_bytes + payload);
    wire::put_little(copy.data() + 8, checksum(batch.substr(16), wire::get_little<std::uint64_t>(copy.data())));
    return copy;
  }
  copy.resize((copy.size() + wire::log_block_bytes) / wire::log_block_bytes * wire::log_block_bytes);
  if (copy.starts_with("QUOR")) {
    wire::put_little(copy.data() + 4088, checksum(ByteView(copy).substr(0, 4088)));
    return copy;
  }
  const std::size_t payload =
      std::min<std::size_t>(wire::get_little<std::uint32_t>(copy.data() + 12), copy.size() - wire::record_header_bytes);
  wire::put_little(copy.data() + 8, std::uint32_t{0x43455251});
  wire::put_little(copy.data() + 12, static_cast<std::uint32_t>(payload));
  wire::put_little(copy.data() + 48, generation);
  wire::put_little(copy.data(),
                   checksum(ByteView(copy).substr(8, wire::record_header_bytes - 8 + payload), generation));
  return copy;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::vector<char> exact(data, data + size);
  const ByteView bytes(exact.data(), exact.size());
  decode_all(bytes);
  decode_all(mended(bytes));
  return 0;
}
