#include "wire/configuration.hpp"

#include <algorithm>
#include <functional>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "base/prng.hpp"
#include "wire/packing.hpp"
#include "wire/test_support.hpp"

namespace quorate::wire {
namespace {

raft::Configuration example() {
  return {.members = {{.id = NodeId{1},
                       .incarnation_high = 7,
                       .incarnation_low = 8,
                       .role = raft::MemberRole::voter,
                       .address = "a:1"},
                      {.id = NodeId{2},
                       .incarnation_high = 9,
                       .incarnation_low = 10,
                       .role = raft::MemberRole::voter_to_learner}},
          .outgoing = {NodeId{1}, NodeId{2}},
          .removed = {{.id = NodeId{3}, .incarnation_high = 11, .incarnation_low = 12}},
          .leaves_automatically = true};
}

std::string encoded(const raft::Configuration& configuration) {
  std::string out;
  encode_configuration(out, configuration);
  return out;
}

ErrorCode error_of(ByteView bytes) {
  const std::vector<char> exact(bytes.begin(), bytes.end());
  const auto decoded = decode_configuration({exact.data(), exact.size()});
  EXPECT_FALSE(decoded);
  return decoded ? ErrorCode{} : decoded.error().code;
}

constexpr std::size_t first_role_at = 4 + 1 + 16;

TEST(configuration, looks_like_this_for_ever) {
  EXPECT_EQ(testing::hex(encoded(example())),
            "01"
            "01"
            "02"  //
            "16"
            "01"
            "0700000000000000"
            "0800000000000000"
            "01"
            "03613a31"  //
            "13"
            "02"
            "0900000000000000"
            "0a00000000000000"
            "04"
            "00"  //
            "02"
            "01"
            "02"  //
            "01"
            "03"
            "0b00000000000000"
            "0c00000000000000");
}

TEST(configuration, comes_back_as_it_went) {
  Prng prng(7);
  for (int round = 0; round < 200; ++round) {
    raft::Configuration configuration;
    NodeId id{};
    for (std::size_t left = 1 + prng.below(20); left > 0; --left) {
      id = NodeId{raw(id) + 1 + static_cast<std::uint32_t>(prng.below(1000))};
      configuration.members.push_back({.id = id,
                                       .incarnation_high = prng.next_u64(),
                                       .incarnation_low = prng.next_u64(),
                                       .role = raft::MemberRole{static_cast<std::uint8_t>(1 + prng.below(5))},
                                       .address = testing::random_bytes(prng, prng.below(100))});
      if (configuration.members.back().role >= raft::MemberRole::voter_to_learner || prng.chance(1, 2)) {
        configuration.outgoing.push_back(id);
      }
      if (prng.chance(1, 3)) {
        configuration.removed.push_back({.id = id, .incarnation_high = prng.next_u64(), .incarnation_low = 0});
      }
    }
    configuration.leaves_automatically = prng.chance(1, 2);
    const auto back = decode_configuration(encoded(configuration));
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(*back, configuration);
  }
}

TEST(configuration, every_cut_is_corrupt) {
  const std::string bytes = encoded(example());
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_EQ(error_of(ByteView(bytes).substr(0, length)), ErrorCode::corrupt) << length;
  }
}

TEST(configuration, what_a_newer_version_writes_is_unsupported) {
  const std::string bytes = encoded(example());
  const auto with = [&bytes](std::size_t at, char value) {
    std::string changed = bytes;
    changed[at] = value;
    return changed;
  };
  EXPECT_EQ(error_of(with(0, 2)), ErrorCode::unsupported) << "version";
  EXPECT_EQ(error_of(with(1, 3)), ErrorCode::unsupported) << "flag";
  EXPECT_EQ(error_of(with(first_role_at, 0)), ErrorCode::unsupported) << "role";
  EXPECT_EQ(error_of(with(first_role_at, 6)), ErrorCode::unsupported) << "role";
  std::string field = bytes;
  field[3] = '\x17';
  field.insert(4 + 0x16, 1, 'x');
  EXPECT_EQ(error_of(field), ErrorCode::unsupported) << "a member's field";
  EXPECT_EQ(error_of(bytes + std::string("\x01\x02xy", 4)), ErrorCode::unsupported) << "extension";
  EXPECT_EQ(error_of(bytes + std::string("\x01\x03xy", 4)), ErrorCode::corrupt) << "half an extension";
}

TEST(configuration, lists_that_break_a_rule_are_corrupt) {
  // Checked after decoding, so the bytes are those of a sound one with a number exchanged.
  const std::string bytes = encoded(example());
  const auto with = [&bytes](std::size_t at, char value) {
    std::string changed = bytes;
    changed[at] = value;
    return changed;
  };
  const std::size_t second_id_at = 4 + 0x16 + 1;
  const std::size_t outgoing_at = second_id_at + 0x13;
  EXPECT_EQ(error_of(with(4, 0)), ErrorCode::corrupt) << "no id";
  EXPECT_EQ(error_of(with(4, 2)), ErrorCode::corrupt) << "the same id twice";
  EXPECT_EQ(error_of(with(outgoing_at + 1, 2)), ErrorCode::corrupt) << "the same outgoing voter twice";
  std::string stranger = with(outgoing_at, 3);
  stranger.insert(outgoing_at + 3, 1, '\x09');
  EXPECT_EQ(error_of(stranger), ErrorCode::corrupt) << "an outgoing voter that is no member";
  std::string alone = with(outgoing_at, 1);
  alone.erase(outgoing_at + 2, 1);
  EXPECT_EQ(error_of(alone), ErrorCode::corrupt) << "a member that leaves a vote which it does not have";
  EXPECT_EQ(error_of(testing::unhex("0100000000")), ErrorCode::corrupt) << "nobody";
}

TEST(configuration, counts_and_lengths_are_bounded) {  // S-601
  EXPECT_EQ(error_of(testing::unhex("0100ffffffffffffffff7f")), ErrorCode::corrupt);
  raft::Configuration configuration;
  for (std::uint32_t id = 1; id <= configuration_members_max; ++id) {
    configuration.members.push_back({.id = NodeId{id}, .address = std::string(member_address_bytes_max, 'x')});
    configuration.outgoing.push_back(NodeId{id});
  }
  for (std::uint32_t id = 1; id <= removed_members_max; ++id) {
    configuration.removed.push_back({.id = NodeId{id}, .incarnation_high = 1, .incarnation_low = 1});
  }
  const std::string largest = encoded(configuration);
  EXPECT_LE(largest.size(), configuration_bytes_max);
  EXPECT_TRUE(decode_configuration(largest));

  std::string address;
  Packer packer(address);
  packer.write_raw(testing::unhex("010001"));
  std::string member = testing::unhex("01") + std::string(16, '\0') + "\x01";
  Packer(member).write_sized(std::string(member_address_bytes_max + 1, 'x'));
  packer.write_sized(member);
  packer.write_raw(std::string_view("\0\0", 2));
  EXPECT_EQ(error_of(address), ErrorCode::corrupt) << "an address beyond the limit";

  std::string members = testing::unhex("0100");
  Packer many(members);
  many.write_varint(configuration_members_max + 1);
  for (std::uint64_t id = 1; id <= configuration_members_max + 1; ++id) {
    std::string one;
    Packer record(one);
    record.write_varint(id);
    record.write_raw(std::string(16, '\0') + std::string("\x01\0", 2));
    many.write_sized(one);
  }
  many.write_raw(std::string_view("\0\0", 2));
  EXPECT_EQ(error_of(members), ErrorCode::corrupt) << "more members than there may be";
}

}  // namespace
}  // namespace quorate::wire
