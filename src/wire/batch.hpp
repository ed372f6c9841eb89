#pragma once

// Batches: runs of entries that share term and time, the unit on disk and between peers (design chapters 3 and 8).
// The encoding carries a checksum of its own, so that the bytes on disk are the very bytes that the peers get.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "raft/types.hpp"

namespace quorate::wire {

// Appends one batch. The entries are contiguous and share term and time.
void encode_batch(std::string& out, std::span<const raft::Entry> entries);

// Appends the batch's entries to `into`; their commands are slices of `bytes`. Returns how many bytes the batch took.
// Errors: short, checksum, version, impossible counts or lengths.
Result<std::size_t> decode_batch(const Blob& bytes, std::vector<raft::Entry>& into);

// How many of the first entries make one batch: same term and time, contiguous, within the limits.
[[nodiscard]] std::size_t batch_length(std::span<const raft::Entry> entries);

}  // namespace quorate::wire
