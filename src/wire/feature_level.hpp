#pragma once

// What a cluster has agreed to write: a replicated number, carried by each term's start and by snapshots. A
// binary reads every level up to this one; data of a higher one is `unsupported` wherever it is met.

#include <cstdint>

namespace quorate::wire {

inline constexpr std::uint32_t known_feature_level = 1;

}  // namespace quorate::wire
