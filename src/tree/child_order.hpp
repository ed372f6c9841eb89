#pragma once

// The order of short child lists. The protocol leaves it open (3.4), but tests of clients compare lists with what
// ZooKeeper gave them: the order of a Java HashSet made with room for 8. Quorate gives the same order while lists are
// short enough for such comparisons.

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace quorate::tree {

// Longer lists come in the order of creation.
inline constexpr std::size_t ordered_children_max = 16;
inline constexpr std::size_t ordered_buckets_max = 32;  // Of a set of so many.

// The bucket of the name in a set of `count` names that never was larger; names of one bucket stand in the order of
// creation. `name` is UTF-8; what is not gives some bucket, too.
[[nodiscard]] std::uint32_t bucket_of(std::string_view name, std::size_t count);

}  // namespace quorate::tree
