#include "base/checksum.hpp"

#include <cstddef>
#include <cstdint>
#include <gtest/gtest.h>
#include <set>
#include <string>

namespace quorate {
namespace {

TEST(checksum, is_xxh3_by_its_published_values) {
  // Data directories outlive binaries: the function must never change.
  EXPECT_EQ(checksum(""), 0x2D06800538D394C2U);
  EXPECT_EQ(checksum("quorate"), 0x5A1CAE77224BC7FFU);
  EXPECT_EQ(checksum("quorate", 1), 0x3766ED6B93B026C9U);
}

TEST(checksum, null_and_empty_have_one_value) {
  EXPECT_EQ(checksum(null_bytes), checksum(empty_bytes));
}

TEST(checksum, every_flipped_bit_and_every_lost_byte_shows) {
  std::string bytes;
  for (std::size_t index = 0; index < 300; ++index) {  // Longer than the 240 bytes from which XXH3 goes another way.
    bytes.push_back(static_cast<char>(index * 7));
  }
  std::set<std::uint64_t> seen{checksum(bytes)};
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string damaged = bytes;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_TRUE(seen.insert(checksum(damaged)).second) << bit;
  }
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_TRUE(seen.insert(checksum(ByteView{bytes}.substr(0, length))).second) << length;
  }
}

TEST(checksum, another_seed_gives_another_value) {  // What keeps a recycled segment's former life from verifying.
  std::set<std::uint64_t> seen;
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    EXPECT_TRUE(seen.insert(checksum("record", seed)).second) << seed;
  }
}

}  // namespace
}  // namespace quorate
