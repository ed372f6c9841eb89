#pragma once

// What a segment says about a record in it that does not check. Private to this room.

#include <cstdint>

#include "base/bytes.hpp"
#include "base/ids.hpp"

namespace quorate::storage {

// What valid records behind a bad one prove.
struct Evidence {
  std::uint64_t records = 0;
  std::uint64_t synced_through = 0;
  Index commit_hint{};
  Index last_index{};
  Term term{};         // The highest one that any of them was written in or holds.
  bool judged = true;  // False: too many claims to check; hostile or very badly damaged.
};

// Looks through the segment's bytes from the given block border on. Records start at block borders and carry their own
// position under the checksum, so looking at every border finds whatever a search byte by byte would.
[[nodiscard]] Evidence search(ByteView segment, std::uint64_t from, std::uint64_t generation);

}  // namespace quorate::storage
