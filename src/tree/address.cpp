#include "tree/address.hpp"

#include <algorithm>
#include <cstddef>

namespace quorate::tree {
namespace {

// A number from 0 to `limit` as Java's parseInt reads it, which is what ZooKeeper's addresses go through: leading zeros
// and a sign are taken.
std::optional<std::uint32_t> parse_decimal(std::string_view text, std::uint32_t limit) {
  const bool is_negative = text.starts_with('-');
  if (is_negative || text.starts_with('+')) {
    text.remove_prefix(1);
  }
  if (text.empty()) {
    return std::nullopt;
  }
  std::uint32_t value = 0;
  for (const char digit : text) {
    if (digit < '0' || digit > '9') {
      return std::nullopt;
    }
    value = (value * 10) + static_cast<std::uint32_t>(digit - '0');
    if (value > limit) {
      return std::nullopt;
    }
  }
  return is_negative && value != 0 ? std::nullopt : std::optional{value};
}

std::optional<std::uint32_t> parse_group(std::string_view text) {
  if (text.empty() || text.size() > 4) {
    return std::nullopt;
  }
  std::uint32_t value = 0;
  for (const char digit : text) {
    std::uint32_t nibble = 0;
    if (digit >= '0' && digit <= '9') {
      nibble = static_cast<std::uint32_t>(digit - '0');
    } else if (digit >= 'a' && digit <= 'f') {
      nibble = static_cast<std::uint32_t>(digit - 'a') + 10;
    } else if (digit >= 'A' && digit <= 'F') {
      nibble = static_cast<std::uint32_t>(digit - 'A') + 10;
    } else {
      return std::nullopt;
    }
    value = (value << 4U) | nibble;
  }
  return value;
}

bool parse_quad(std::string_view text, std::uint8_t* into) {
  for (std::size_t part = 0; part < 4; ++part) {
    const std::size_t dot = part < 3 ? text.find('.') : text.size();
    if (dot == std::string_view::npos) {
      return false;
    }
    const std::optional<std::uint32_t> value = parse_decimal(text.substr(0, dot), 255);
    if (!value) {
      return false;
    }
    into[part] = static_cast<std::uint8_t>(*value);
    text.remove_prefix(part < 3 ? dot + 1 : dot);
  }
  return true;
}

// Bytes of one side of a "::": groups with ':' between them, the last one possibly an IPv4 address.
struct Groups {
  std::array<std::uint8_t, 16> bytes{};
  std::size_t size = 0;
};

bool append_groups(std::string_view text, bool quad_allowed, Groups& groups) {
  while (!text.empty()) {
    const std::size_t colon = text.find(':');
    const std::string_view group = text.substr(0, colon);
    const bool is_last = colon == std::string_view::npos;
    if (is_last && quad_allowed && group.contains('.')) {
      if (groups.size + 4 > 16 || !parse_quad(group, &groups.bytes[groups.size])) {
        return false;
      }
      groups.size += 4;
      return true;
    }
    const std::optional<std::uint32_t> value = parse_group(group);
    if (!value || groups.size + 2 > 16) {
      return false;
    }
    groups.bytes[groups.size++] = static_cast<std::uint8_t>(*value >> 8U);
    groups.bytes[groups.size++] = static_cast<std::uint8_t>(*value & 0xFFU);
    if (is_last) {
      return true;
    }
    text.remove_prefix(colon + 1);
    if (text.empty()) {
      return false;  // A ':' at the end.
    }
  }
  return true;
}

std::optional<Address> parse_v6(std::string_view text) {
  const std::size_t gap = text.find("::");
  Groups head;
  Groups tail;
  if (gap == std::string_view::npos) {
    if (!append_groups(text, true, head) || head.size != 16) {
      return std::nullopt;
    }
  } else if (!append_groups(text.substr(0, gap), false, head) || !append_groups(text.substr(gap + 2), true, tail) ||
             head.size + tail.size > 14) {
    return std::nullopt;
  }
  Address address{.bytes = head.bytes, .bits = 128};
  std::copy_n(tail.bytes.begin(), tail.size, address.bytes.end() - static_cast<std::ptrdiff_t>(tail.size));
  return address;
}

}  // namespace

std::optional<Address> parse_address(std::string_view text) {
  if (text.contains(':')) {
    return parse_v6(text);
  }
  Address address{.bytes = {}, .bits = 32};
  if (!parse_quad(text, address.bytes.data())) {
    return std::nullopt;
  }
  return address;
}

std::optional<AddressPrefix> parse_address_prefix(std::string_view text) {
  const std::size_t slash = text.find('/');
  const std::optional<Address> address = parse_address(text.substr(0, slash));
  if (!address) {
    return std::nullopt;
  }
  if (slash == std::string_view::npos) {
    return AddressPrefix{.address = *address, .bits = address->bits};
  }
  const std::optional<std::uint32_t> bits = parse_decimal(text.substr(slash + 1), address->bits);
  if (!bits) {
    return std::nullopt;
  }
  return AddressPrefix{.address = *address, .bits = *bits};
}

bool covers(const AddressPrefix& prefix, const Address& address) {
  if (prefix.address.bits != address.bits) {
    return false;
  }
  const std::size_t whole = prefix.bits / 8;
  if (!std::equal(address.bytes.begin(), address.bytes.begin() + static_cast<std::ptrdiff_t>(whole),
                  prefix.address.bytes.begin())) {
    return false;
  }
  const std::uint32_t rest = prefix.bits % 8;
  if (rest == 0) {
    return true;
  }
  const std::uint32_t mask = 0xFFU & ~(0xFFU >> rest);
  return (address.bytes[whole] & mask) == (prefix.address.bytes[whole] & mask);
}

}  // namespace quorate::tree
