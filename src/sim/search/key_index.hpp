#pragma once

// Numbers for keys of 128 bits, in order of arrival: the search's table of what it has seen.

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/bytes.hpp"

namespace quorate::sim::search {

using Key = std::array<std::uint64_t, 2>;

// Two of 2^50 different states share a key with a chance below 2^-28.
[[nodiscard]] Key key_of(ByteView bytes);

class KeyIndex {
 public:
  // The key's number, and whether it is new.
  std::pair<std::uint32_t, bool> insert(const Key& key);
  [[nodiscard]] std::size_t size() const { return keys_.size(); }
  [[nodiscard]] const Key& at(std::uint32_t number) const { return keys_[number]; }

 private:
  [[nodiscard]] std::size_t slot_of(const Key& key) const;
  void grow();

  std::vector<Key> keys_;
  std::vector<std::uint32_t> slots_;  // Number + 1; 0: free. A power of two, half full at most.
};

}  // namespace quorate::sim::search
