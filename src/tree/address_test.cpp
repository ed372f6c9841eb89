#include "tree/address.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <gtest/gtest.h>
#include <string_view>

namespace quorate::tree {
namespace {

struct TextCase {
  std::string_view text;
  bool valid;
};

TEST(address, v4_is_four_decimal_parts) {
  for (const TextCase& one : std::to_array<TextCase>({
           {"127.0.0.1", true},
           {"0.0.0.0", true},
           {"255.255.255.255", true},
           {"010.000.1.0001", true},  // Java's parseInt: leading zeros change nothing.
           {"+1.2.3.4", true},        // So are signs.
           {"-0.0.0.0", true},
           {"+.0.0.1", false},
           {"++1.0.0.1", false},
           {"256.0.0.1", false},
           {"1.2.3", false},
           {"1.2.3.4.5", false},
           {"1.2.3.", false},
           {"1..3.4", false},
           {".1.2.3", false},
           {"1.2.3.4 ", false},
           {"a.b.c.d", false},
           {"-1.0.0.0", false},
           {"4294967297.0.0.1", false},  // No wrapping around.
           {"", false},
           {"localhost", false},
       })) {
    EXPECT_EQ(parse_address(one.text).has_value(), one.valid) << one.text;
  }
}

TEST(address, v6_takes_the_forms_of_rfc_4291) {
  for (const TextCase& one : std::to_array<TextCase>({
           {"::", true},
           {"::1", true},
           {"1::", true},
           {"2001:db8::8:800:200C:417A", true},
           {"2001:DB8:0:0:8:800:200c:417a", true},
           {"0:0:0:0:0:0:0:1", true},
           {"::ffff:10.0.0.1", true},
           {"1:2:3:4:5:6:7::", true},
           {"1:2:3:4:5:6:1.2.3.4", true},
           {"1:2:3:4:5:6:7", false},
           {"1:2:3:4:5:6:7:8:9", false},
           {"1:2:3:4:5:6:7:8::", false},  // Nothing is left to be compressed.
           {"1::2::3", false},
           {":1", false},
           {"1:", false},
           {":::", false},
           {"::1:", false},
           {"12345::", false},
           {"g::", false},
           {"fe80::1%eth0", false},
           {"1.2.3.4::", false},
           {"1:2:3:4:5:6:7:1.2.3.4", false},
           {":", false},
       })) {
    EXPECT_EQ(parse_address(one.text).has_value(), one.valid) << one.text;
  }
}

TEST(address, equal_v6_addresses_have_equal_bytes_however_they_are_written) {
  const auto long_form = parse_address("2001:0db8:0000:0000:0000:0000:0a00:0001");
  for (const std::string_view text : {"2001:db8::a00:1", "2001:DB8::10.0.0.1", "2001:db8:0::0:a00:1"}) {
    const auto address = parse_address(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(address->bytes, long_form->bytes) << text;
  }
}

TEST(address, prefix_lengths_end_at_the_family) {
  for (const TextCase& one : std::to_array<TextCase>({
           {"10.0.0.0/0", true},
           {"10.0.0.0/8", true},
           {"10.0.0.0/32", true},
           {"10.0.0.0/08", true},
           {"10.0.0.0/+8", true},
           {"10.0.0.0/33", false},
           {"10.0.0.0/-1", false},
           {"10.0.0.0/", false},
           {"10.0.0.0/8/8", false},
           {"10.0.0.0/x", false},
           {"::/0", true},
           {"fd00::/8", true},
           {"::1/128", true},
           {"::1/129", false},
           {"/8", false},
       })) {
    EXPECT_EQ(parse_address_prefix(one.text).has_value(), one.valid) << one.text;
  }
}

struct CoverCase {
  std::string_view prefix;
  std::string_view address;
  bool covered;
};

TEST(address, a_prefix_covers_what_shares_its_leading_bits) {
  for (const CoverCase& one : std::to_array<CoverCase>({
           {"10.1.2.3", "10.1.2.3", true},
           {"10.1.2.3", "10.1.2.4", false},
           {"10.1.2.3/24", "10.1.2.200", true},  // Bits behind the prefix do not count, in the entry either.
           {"10.1.2.3/24", "10.1.3.3", false},
           {"10.0.0.0/9", "10.127.0.1", true},
           {"10.0.0.0/9", "10.128.0.1", false},
           {"192.168.1.128/25", "192.168.1.127", false},
           {"192.168.1.128/25", "192.168.1.255", true},
           {"1.2.3.4/31", "1.2.3.5", true},
           {"1.2.3.4/31", "1.2.3.6", false},
           {"0.0.0.0/0", "203.0.113.7", true},
           {"0.0.0.0/0", "::1", false},  // Families must agree.
           {"::/0", "127.0.0.1", false},
           {"::/0", "fe80::1", true},
           {"fd00::/8", "fdff::1", true},
           {"fd00::/8", "fe00::1", false},
           {"2001:db8::/33", "2001:db8:7fff::", true},
           {"2001:db8::/33", "2001:db8:8000::", false},
           {"::1", "0:0:0:0:0:0:0:1", true},
           {"::1/128", "::2", false},
       })) {
    EXPECT_EQ(covers(*parse_address_prefix(one.prefix), *parse_address(one.address)), one.covered)
        << one.prefix << " " << one.address;
  }
}

TEST(address, covering_is_comparing_bit_by_bit) {
  const Address low = *parse_address("1:2:3:4:5:6:7:8");
  for (std::uint32_t different = 0; different < 128; ++different) {
    Address other = low;
    other.bytes[different / 8] ^= static_cast<std::uint8_t>(0x80U >> (different % 8));
    for (std::uint32_t bits = 0; bits <= 128; ++bits) {
      ASSERT_EQ(covers({.address = low, .bits = bits}, other), bits <= different) << bits << " " << different;
    }
  }
}

}  // namespace
}  // namespace quorate::tree
