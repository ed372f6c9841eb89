// Recovery over hostile bytes (S-601, S-603): a log segment, or a snapshot, from the fuzzer's bytes. Whatever they are,
// recovery says something, and what it accepts it accepts again.

#include <cstddef>
#include <cstdint>

#include "base/ensure.hpp"
#include "sim/disk.hpp"
#include "storage/recovery.hpp"
#include "storage/verify.hpp"
#include "wire/log_format.hpp"

namespace quorate::sim {
namespace {

const storage::Paths paths{.data = "data", .log = "data"};
const storage::Identity identity{
    .cluster_high = 7, .cluster_low = 8, .node = NodeId{1}, .incarnation_high = 42, .incarnation_low = 43, .starts = 0};
constexpr std::uint64_t generation = 5;

// The fuzzer cannot make checksums, so they are made for it: each chunk of its bytes becomes a record, whose header
// fields it chooses as well. Odd chunks stay as they are.
std::string segment_of(ByteView bytes) {
  std::string segment;
  wire::encode_segment_header(segment, wire::SegmentHeader{.cluster = 7,
                                                           .incarnation = 42,
                                                           .sequence = 1,
                                                           .generation = generation,
                                                           .chain = 0,
                                                           .first_index = Index{1},
                                                           .hard_state = {}});
  std::uint64_t chain = 0;
  while (bytes.size() >= 8 && segment.size() < (1U << 18)) {
    const auto field = [&bytes](std::size_t at) {
      return static_cast<std::uint64_t>(static_cast<unsigned char>(bytes[at]));
    };
    const std::size_t length = std::min<std::size_t>(bytes.size() - 8, field(0) + 256 * (field(1) % 32));
    const ByteView payload = bytes.substr(8, length);
    if (field(2) % 4 == 3) {
      segment += payload;
      segment.resize((segment.size() + wire::log_block_bytes - 1) / wire::log_block_bytes * wire::log_block_bytes);
    } else {
      chain = wire::encode_record(
          segment,
          wire::RecordHeader{.payload_bytes = static_cast<std::uint32_t>(payload.size()),
                             .position = segment.size() + (field(2) % 4 == 2 ? wire::log_block_bytes : 0),
                             .chain = chain + field(2) % 4,
                             .synced_through = storage::log_position(1, field(3) * wire::log_block_bytes),
                             .commit_hint = Index{field(4)},
                             .hard_state = raft::HardState{.term = Term{field(5)}, .vote = NodeId{1}}},
          payload, generation);
    }
    bytes.remove_prefix(8 + length);
  }
  return segment;
}

void put(Disk& disk, const std::string& path, ByteView bytes) {
  ensure(disk.open(path, storage::Disk::Open::create_new).has_value(), "the path is free");
  disk.overwrite(path, 0, bytes);
}

}  // namespace
}  // namespace quorate::sim

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace quorate;
  if (size == 0) {
    return 0;
  }
  const ByteView bytes{reinterpret_cast<const char*>(data) + 1, size - 1};
  sim::Disk disk;
  ensure(storage::DataDirectory::open(disk, sim::paths, sim::identity).has_value(), "a new directory opens");
  if (data[0] % 2 == 0) {
    sim::put(disk, "data/log/00000000000000000001.log", data[0] % 4 == 0 ? sim::segment_of(bytes) : std::string{bytes});
  } else {
    sim::put(disk, "data/snapshots/00000000000000000001.snapshot", bytes);
  }
  auto directory = storage::DataDirectory::open(disk, sim::paths, sim::identity);
  ensure(directory.has_value(), "nothing touched the identity");
  const auto first = storage::recover_everything(*directory, {});
  if (!first || !first->may_start()) {
    return 0;
  }
  ensure(directory->begin_start(first->starts).has_value(), "the simulated disk has space");
  auto wal = storage::Wal::open(*directory, storage::WalConfig{.segment_bytes = 1U << 16}, first->log.position);
  ensure(wal.has_value(), "the simulated disk has space");
  const auto second = storage::recover_everything(*directory, {});
  ensure(second && second->may_start(), "what was accepted is accepted again");
  ensure(second->log.recovered.entries == first->log.recovered.entries, "recovery is idempotent (R-122)");
  ensure(second->log.recovered.hard_state == first->log.recovered.hard_state, "term and vote stay");
  return 0;
}
