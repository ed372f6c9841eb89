#pragma once

// Batches: runs of entries that share term and time, the unit on disk and between peers (design chapters 3 and 8).
// The encoding carries a checksum of its own, so that the bytes on disk are the very bytes that the peers get.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/limits.hpp"
#include "base/result.hpp"
#include "raft/types.hpp"

namespace quorate::wire {

inline constexpr std::size_t batch_header_bytes = 44;
inline constexpr std::size_t batch_entry_overhead_max = 6;  // A varint for the length, and the kind.
// The largest batch: one that was a byte short of the soft limit and then took the largest entry.
inline constexpr std::size_t batch_encoded_bytes_max =
    batch_header_bytes + limits::batch_bytes_max + batch_entry_overhead_max;

// Appends one batch. The entries are contiguous, share term and time, and are no more than batch_length() allows.
void encode_batch(std::string& out, std::span<const raft::Entry> entries);

// Appends the batch at the start of `bytes` to `into`; the commands are slices of `bytes`. Returns how many bytes the
// batch took. Errors, after which `into` is as before: corrupt (short, checksum, impossible counts or lengths),
// unsupported (a newer version or an unknown kind of entry).
Result<std::size_t> decode_batch(const Blob& bytes, std::vector<raft::Entry>& into);

// How many of the first entries make one batch: same term and time, contiguous, at most limits::batch_entries_max, and
// closed by the entry that reaches limits::batch_bytes_soft. At least 1 unless there are none.
[[nodiscard]] std::size_t batch_length(std::span<const raft::Entry> entries);

}  // namespace quorate::wire
