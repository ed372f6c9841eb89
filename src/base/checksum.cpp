#include "base/checksum.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace quorate {

std::uint64_t checksum(ByteView bytes, std::uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

}  // namespace quorate
