#include "sim/search/key_index.hpp"

#include <limits>

#include "base/checksum.hpp"
#include "base/ensure.hpp"

namespace quorate::sim::search {
namespace {

constexpr std::size_t smallest_table = 1024;

// Keys need not be hashes: a pair of small numbers is one too.
std::uint64_t mixed(const Key& key) {
  std::uint64_t value = key[0] * 0x9e37'79b9'7f4a'7c15U + key[1];
  value = (value ^ (value >> 32U)) * 0xd6e8'feb8'6659'fd93U;
  return value ^ (value >> 32U);
}

}  // namespace

Key key_of(ByteView bytes) {
  return {checksum(bytes, 1), checksum(bytes, 2)};
}

std::pair<std::uint32_t, bool> KeyIndex::insert(const Key& key) {
  if (2 * (keys_.size() + 1) > slots_.size()) {
    grow();
  }
  const std::size_t slot = slot_of(key);
  if (slots_[slot] != 0) {
    return {slots_[slot] - 1, false};
  }
  ensure(keys_.size() < std::numeric_limits<std::uint32_t>::max() - 1, "a search has fewer states than a number has");
  keys_.push_back(key);
  slots_[slot] = static_cast<std::uint32_t>(keys_.size());
  return {slots_[slot] - 1, true};
}

std::size_t KeyIndex::slot_of(const Key& key) const {
  const std::size_t mask = slots_.size() - 1;
  std::size_t slot = mixed(key) & mask;
  while (slots_[slot] != 0 && keys_[slots_[slot] - 1] != key) {
    slot = (slot + 1) & mask;
  }
  return slot;
}

void KeyIndex::grow() {
  slots_.assign(slots_.empty() ? smallest_table : 2 * slots_.size(), 0);
  for (std::size_t number = 0; number < keys_.size(); ++number) {
    slots_[slot_of(keys_[number])] = static_cast<std::uint32_t>(number + 1);
  }
}

}  // namespace quorate::sim::search
