#pragma once

// Network addresses as text, for the ACL scheme `ip` (protocol 6.3).

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace quorate::tree {

struct Address {
  std::array<std::uint8_t, 16> bytes{};  // Network order; an IPv4 address fills the first four.
  std::uint32_t bits = 0;                // 32 or 128: the family.
};

// An address and how many of its leading bits count.
struct AddressPrefix {
  Address address;
  std::uint32_t bits = 0;
};

// IPv4: four decimal parts, leading zeros are no octal. IPv6: the forms of RFC 4291 2.2, without a zone.
[[nodiscard]] std::optional<Address> parse_address(std::string_view text);
// An address with an optional "/bits"; without one, all bits count.
[[nodiscard]] std::optional<AddressPrefix> parse_address_prefix(std::string_view text);
// False if the families differ: an IPv4 prefix never covers an IPv6 address.
[[nodiscard]] bool covers(const AddressPrefix& prefix, const Address& address);

}  // namespace quorate::tree
