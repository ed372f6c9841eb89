#pragma once

// How a loop names what its poller watches: a kind in the top byte, and what the kind needs below.

#include <cstdint>
#include <utility>

#include "net/poller.hpp"
#include "replica/mailbox.hpp"

namespace quorate::server {

enum class TagKind : std::uint8_t { inbox, signals, listener, connection, lingering };

constexpr std::uint32_t tag_life_bits = 24;

constexpr net::Tag make_tag(TagKind kind, std::uint32_t slot = 0, std::uint32_t life = 0) {
  return net::Tag{(static_cast<std::uint64_t>(kind) << 56U) |
                  (static_cast<std::uint64_t>(life & ((1U << tag_life_bits) - 1)) << 32U) | slot};
}
constexpr TagKind kind_of(net::Tag tag) {
  return static_cast<TagKind>(std::to_underlying(tag) >> 56U);
}
constexpr std::uint32_t slot_of(net::Tag tag) {
  return static_cast<std::uint32_t>(std::to_underlying(tag));
}
// The tag of a connection of the front. A report about a former life of the slot does not match it.
constexpr net::Tag tag_of(replica::ConnectionRef connection) {
  return make_tag(TagKind::connection, connection.slot, connection.life);
}

}  // namespace quorate::server
