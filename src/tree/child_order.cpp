#include "tree/child_order.hpp"

#include <algorithm>

namespace quorate::tree {
namespace {

constexpr std::uint32_t first_capacity = 8;

// Of the UTF-16 units: 31 times what came before, plus the unit. Names have no character of two units (protocol 1.2).
std::uint32_t hash_of(std::string_view name) {
  std::uint32_t hash = 0;
  const auto byte = [name](std::size_t at) { return std::uint32_t{static_cast<unsigned char>(name[at])}; };
  for (std::size_t at = 0; at < name.size();) {
    if (at + 4 <= name.size() && (byte(at) | byte(at + 1) | byte(at + 2) | byte(at + 3)) < 0x80U) {
      // Four at once: a chain of multiplications would cost more than all the rest.
      hash = hash * (31U * 31 * 31 * 31) + byte(at) * (31U * 31 * 31) + byte(at + 1) * (31U * 31) + byte(at + 2) * 31U +
             byte(at + 3);
      at += 4;
      continue;
    }
    const auto lead = static_cast<unsigned char>(name[at]);
    const std::size_t wanted = lead < 0xC0U ? 1 : lead < 0xE0U ? 2 : 3;
    const std::size_t length = std::min(wanted, name.size() - at);
    std::uint32_t code = length == 1 ? lead : lead & (0x7FU >> wanted);
    for (std::size_t more = 1; more < length; ++more) {
      code = (code << 6U) | (static_cast<unsigned char>(name[at + more]) & 0x3FU);
    }
    hash = hash * 31U + code;
    at += length;
  }
  return hash;
}

}  // namespace

std::uint32_t bucket_of(std::string_view name, std::size_t count) {
  std::uint32_t capacity = first_capacity;
  while (count * 4 > std::size_t{capacity} * 3) {
    capacity *= 2;
  }
  const std::uint32_t hash = hash_of(name);
  return (hash ^ (hash >> 16U)) & (capacity - 1);
}

}  // namespace quorate::tree
