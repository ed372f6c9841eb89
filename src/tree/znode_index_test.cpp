// The index against a list, through growth, deletion and equal hashes.

#include "tree/znode_index.hpp"

#include <cstdint>
#include <gtest/gtest.h>
#include <map>
#include <utility>

#include "base/prng.hpp"

namespace quorate::tree {
namespace {

SlotNumber find_exact(const ZnodeIndex& index, std::uint64_t key, SlotNumber wanted) {
  return index.find(key, [&](SlotNumber slot) { return slot == wanted; });
}

TEST(ZnodeIndex, holds_exactly_what_was_inserted_and_not_erased) {
  for (const std::size_t reserved : {std::size_t{0}, std::size_t{1}, std::size_t{3000}}) {
    Prng prng(reserved + 5);
    ZnodeIndex index;
    index.reserve(reserved);
    std::map<SlotNumber, std::uint64_t> twin;
    SlotNumber next = 1;
    for (int step = 0; step < 60'000; ++step) {
      // First it grows, then it shrinks, so that segments fill, split and empty.
      if (twin.empty() || prng.chance(step < 40'000 ? 3 : 1, 4)) {
        const std::uint64_t key = prng.chance(1, 100) && !twin.empty() ? twin.begin()->second : prng.next_u64();
        index.insert(key, next);
        twin.emplace(next++, key);
      } else {
        auto victim = twin.lower_bound(static_cast<SlotNumber>(prng.below(next)));
        victim = victim == twin.end() ? twin.begin() : victim;
        index.erase(victim->second, victim->first);
        EXPECT_EQ(find_exact(index, victim->second, victim->first), no_slot);
        twin.erase(victim);
      }
    }
    EXPECT_EQ(index.size(), twin.size());
    for (const auto& [slot, key] : twin) {
      ASSERT_EQ(find_exact(index, key, slot), slot);
    }
  }
}

TEST(ZnodeIndex, keeps_apart_what_shares_one_hash) {
  ZnodeIndex index;
  for (SlotNumber slot = 1; slot <= 100; ++slot) {
    index.insert(42, slot);
  }
  index.erase(42, 50);
  for (SlotNumber slot = 1; slot <= 100; ++slot) {
    EXPECT_EQ(find_exact(index, 42, slot), slot == 50 ? no_slot : slot);
  }
}

}  // namespace
}  // namespace quorate::tree
