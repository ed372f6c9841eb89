#include "storage/evidence.hpp"

#include <algorithm>
#include <vector>

#include "raft/types.hpp"
#include "wire/batch.hpp"
#include "wire/log_format.hpp"

namespace quorate::storage {

namespace {

void look_into(const Blob& payload, Evidence& evidence) {
  std::vector<raft::Entry> entries;
  std::size_t at = 0;
  while (at < payload.size()) {
    const auto length = wire::decode_batch(payload.slice(at, payload.size() - at), entries);
    if (!length) {
      break;
    }
    at += *length;
  }
  for (const raft::Entry& entry : entries) {
    evidence.last_index = std::max(evidence.last_index, entry.index);
    evidence.term = std::max(evidence.term, entry.term);
  }
}

}  // namespace

Evidence search(ByteView segment, std::uint64_t from, std::uint64_t generation) {
  Evidence evidence;
  // False claims of length cost a checksum over what they claim; honest segments hold each byte in one record.
  std::uint64_t budget = 4 * segment.size() + (1U << 20);
  std::uint64_t offset = from;
  while (offset + wire::log_block_bytes <= segment.size()) {
    const ByteView rest = segment.substr(offset);
    const auto claim = wire::peek_record(rest, generation);
    offset += wire::log_block_bytes;
    if (!claim) {
      continue;
    }
    const std::uint64_t cost = std::min<std::uint64_t>(claim->payload_bytes, rest.size());
    if (cost > budget) {
      evidence.judged = false;
      return evidence;
    }
    budget -= cost;
    const auto record = wire::decode_record(rest, generation);
    if (!record) {
      continue;
    }
    ++evidence.records;
    evidence.synced_through = std::max(evidence.synced_through, record->header.synced_through);
    evidence.commit_hint = std::max(evidence.commit_hint, record->header.commit_hint);
    evidence.term = std::max(evidence.term, record->header.hard_state.value_or(raft::HardState{}).term);
    look_into(Blob::copy(record->payload), evidence);
    offset += record->bytes - wire::log_block_bytes;
  }
  return evidence;
}

}  // namespace quorate::storage
