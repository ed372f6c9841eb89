#pragma once

// Bounds that several rooms share, with the proofs of their relations. A bound that only one room
// knows stands in that room.

#include <cstddef>
#include <cstdint>

namespace quorate::limits {

// A client frame's payload by default (jute.maxbuffer, protocol 1.1); configurable up to frame_bytes_ceiling.
inline constexpr std::size_t frame_bytes_default = 0xFFFFF;
inline constexpr std::size_t frame_bytes_ceiling = 64U << 20;

// One entry's command: the largest request plus everything that stands around it (ids, credentials).
inline constexpr std::size_t credentials_bytes_max = 64U << 10;
inline constexpr std::size_t entry_bytes_max = frame_bytes_ceiling + credentials_bytes_max + 1024;

// One batch: what one turn of the loop proposes, one record on disk, one message to a peer.
inline constexpr std::size_t batch_bytes_soft = 4U << 20;  // A batch is closed when it reaches this.
inline constexpr std::size_t batch_entries_max = 16384;
inline constexpr std::size_t batch_bytes_max = batch_bytes_soft + entry_bytes_max;

// The decoder's 32-bit lengths must be able to name any batch.
static_assert(batch_bytes_max < (std::size_t{1} << 31));

inline constexpr std::size_t password_bytes = 16;
inline constexpr std::uint32_t node_id_max = 254;  // The top byte of session ids; 255 marks TTL owners (protocol 1.6).

}  // namespace quorate::limits
