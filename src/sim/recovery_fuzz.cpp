// Recovery over hostile bytes (S-601, S-603): a log segment, a snapshot, or one of each, from the fuzzer's bytes.
// Whatever they are, recovery says something, and what it accepts it accepts again.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/ensure.hpp"
#include "sim/disk.hpp"
#include "storage/recovery.hpp"
#include "storage/verify.hpp"
#include "tree/tree.hpp"
#include "wire/log_format.hpp"
#include "wire/packing.hpp"
#include "wire/snapshot_format.hpp"

namespace quorate::sim {
namespace {

const storage::Paths paths{.data = "data", .log = "data"};
constexpr std::uint64_t generation = 5;
constexpr std::uint64_t segment_bytes_max = 1U << 20;

constexpr storage::Identity standard_identity{
    .cluster_high = 7, .cluster_low = 8, .node = NodeId{1}, .incarnation_high = 42, .incarnation_low = 43, .starts = 0};

// The two files of a directory, and whose it is: what the fuzzer has may be another's. An empty file is not there.
struct Files {
  std::string snapshot;
  std::string log;
  storage::Identity identity = standard_identity;
};

storage::Identity identity_of_log(ByteView log) {
  storage::Identity identity = standard_identity;
  if (const auto segment = wire::decode_segment_header(log.substr(0, wire::log_block_bytes))) {
    identity.cluster_high = segment->cluster;
    identity.incarnation_high = segment->incarnation;
  }
  return identity;
}

storage::Identity identity_of_snapshot(ByteView snapshot) {
  storage::Identity identity = standard_identity;
  if (const auto header = wire::decode_snapshot_header(snapshot)) {
    identity.cluster_high = header->first.cluster_high;
    identity.cluster_low = header->first.cluster_low;
    const raft::Member& member = header->first.configuration.members.front();
    identity.node = member.id;
    identity.incarnation_high = member.incarnation_high;
    identity.incarnation_low = member.incarnation_low;
  }
  return identity;
}

// The fuzzer cannot make checksums, so they are made for it: each chunk of its bytes becomes a record, whose header
// fields it chooses as well. Odd chunks stay as they are.
std::string segment_of(ByteView bytes, const storage::Identity& identity) {
  std::string segment;
  wire::encode_segment_header(segment, wire::SegmentHeader{.cluster = identity.cluster_high,
                                                           .incarnation = identity.incarnation_high,
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

// The same for a snapshot: chunks of items become blocks, and the footer tells the truth about them.
std::string snapshot_of(ByteView bytes) {
  std::string file;
  wire::encode_snapshot_header(
      file, wire::SnapshotHeader{.cluster_high = 7,
                                 .cluster_low = 8,
                                 .point = {.term = Term{1}, .index = Index{1}},
                                 .zxid_base = Zxid{0},
                                 .configuration = {.members = {raft::Member{.id = NodeId{1},
                                                                            .incarnation_high = 42,
                                                                            .incarnation_low = 43,
                                                                            .role = raft::MemberRole::voter}}},
                                 .streams = {}});
  wire::SnapshotFooter footer{.digest = wire::extend_digest(0, file)};
  std::vector<tree::AclEntry> scratch;
  tree::SnapshotItem item;
  while (bytes.size() >= 2) {
    const auto low = static_cast<unsigned char>(bytes[0]);
    const auto high = static_cast<unsigned char>(bytes[1]);
    const ByteView items = bytes.substr(2, low + 256U * high);
    bytes.remove_prefix(2 + items.size());
    const std::size_t start = file.size();
    wire::encode_block(file, items);
    footer.digest = wire::extend_digest(footer.digest, ByteView(file).substr(start));
    ++footer.blocks;
    ByteView rest = items;
    for (auto taken = wire::decode_item(rest, scratch, item); taken && !rest.empty();
         taken = wire::decode_item(rest, scratch, item)) {
      ++footer.items;
      rest.remove_prefix(*taken);
    }
  }
  footer.file_bytes = file.size() + wire::snapshot_footer_bytes;
  wire::encode_snapshot_footer(file, footer);
  return file;
}

void put(Disk& disk, const std::string& path, ByteView bytes) {
  ensure(disk.open(path, storage::Disk::Open::create_new).has_value(), "the path is free");
  disk.overwrite(path, 0, bytes);
}

// The first byte says what the others are.
Files files_from(std::uint8_t kind, ByteView bytes) {
  switch (kind % 8) {
    case 0:
    case 4:
      return {.snapshot = {}, .log = segment_of(bytes, standard_identity)};
    case 2:
    case 6:
      return {.snapshot = {}, .log = std::string{bytes}, .identity = identity_of_log(bytes)};
    case 3:
      return {.snapshot = snapshot_of(bytes), .log = {}};
    case 7: {
      if (bytes.size() < 4) {
        return {};
      }
      const ByteView rest = bytes.substr(4);
      const std::size_t length = std::min<std::size_t>(rest.size(), wire::get_little<std::uint32_t>(bytes.data()));
      const storage::Identity identity = identity_of_snapshot(rest);
      return {.snapshot = std::string{rest.substr(0, length)},
              .log = segment_of(rest.substr(length), identity),
              .identity = identity};
    }
    default:
      return {.snapshot = std::string{bytes}, .log = {}, .identity = identity_of_snapshot(bytes)};
  }
}

void put_files(Disk& disk, const Files& files) {
  if (!files.log.empty()) {
    std::string log = files.log;
    // Seeds leave out the zeros at a segment's end, without which it would be a shortened one.
    const auto header = wire::decode_segment_header(ByteView(log).substr(0, wire::log_block_bytes));
    if (header && header->file_bytes > log.size() && header->file_bytes <= segment_bytes_max) {
      log.resize(header->file_bytes);
    }
    put(disk, "data/log/00000000000000000001.log", log);
  }
  if (!files.snapshot.empty()) {
    const auto header = wire::decode_snapshot_header(files.snapshot);
    const std::string name = std::to_string(header ? raw(header->first.point.index) : 1);
    put(disk, "data/snapshots/" + std::string(20 - name.size(), '0') + name + ".snapshot", files.snapshot);
  }
}

// As a start reads it: into a tree.
Result<storage::Recovery> recover_into(storage::DataDirectory& directory, tree::Tree& tree) {
  const storage::SnapshotSink sink{
      .reset = [&tree] { tree = tree::Tree::for_loading(); },
      .item = [&tree](const tree::SnapshotItem& item) -> Result<void> { return tree.load(item); },
      .finish = [&tree] { return tree.finish_loading(); }};
  return storage::recover(directory, sink, {});
}

}  // namespace
}  // namespace quorate::sim

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace quorate;
  if (size == 0) {
    return 0;
  }
  const sim::Files files = sim::files_from(data[0], ByteView{reinterpret_cast<const char*>(data) + 1, size - 1});
  sim::Disk disk;
  ensure(storage::DataDirectory::open(disk, sim::paths, files.identity).has_value(), "a new directory opens");
  sim::put_files(disk, files);
  auto directory = storage::DataDirectory::open(disk, sim::paths, files.identity);
  ensure(directory.has_value(), "nothing touched the identity");
  (void)storage::recover_everything(*directory, {});
  tree::Tree tree = tree::Tree::for_loading();
  const auto first = sim::recover_into(*directory, tree);
  if (!first || !first->may_start()) {
    return 0;
  }
  ensure(tree.digest() == tree.recompute_digest(), "what was loaded is what the digest says");
  ensure(directory->begin_start(first->starts).has_value(), "the simulated disk has space");
  auto wal = storage::Wal::open(*directory, storage::WalConfig{.segment_bytes = 1U << 16}, first->log.position);
  ensure(wal.has_value(), "the simulated disk has space");
  tree::Tree again = tree::Tree::for_loading();
  const auto second = sim::recover_into(*directory, again);
  ensure(second && second->may_start(), "what was accepted is accepted again");
  ensure(again.digest() == tree.digest(), "the same snapshot yields the same tree");
  ensure(second->log.recovered.entries == first->log.recovered.entries, "recovery is idempotent (R-122)");
  ensure(second->log.recovered.hard_state == first->log.recovered.hard_state, "term and vote stay");
  return 0;
}
