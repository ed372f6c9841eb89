#include "wire/packing.hpp"

#include <gtest/gtest.h>
#include <limits>
#include <string>
#include <vector>

#include "base/prng.hpp"
#include "wire/errors.hpp"
#include "wire/opcodes.hpp"
#include "wire/test_support.hpp"

namespace quorate::wire {
namespace {

std::string varint(std::uint64_t value) {
  std::string out;
  Packer(out).write_varint(value);
  return testing::hex(out);
}

TEST(packing, varints_are_leb128) {
  EXPECT_EQ(varint(0), "00");
  EXPECT_EQ(varint(127), "7f");
  EXPECT_EQ(varint(128), "8001");
  EXPECT_EQ(varint(624485), "e58e26");
  EXPECT_EQ(varint(std::numeric_limits<std::uint64_t>::max()), "ffffffffffffffffff01");
}

TEST(packing, numbers_come_back) {
  Prng prng(1);
  for (int round = 0; round < 20000; ++round) {
    const std::uint64_t number = testing::random_number(prng);
    const std::int64_t other = testing::random_signed(prng);
    std::string out;
    Packer packer(out);
    packer.write_varint(number);
    EXPECT_EQ(out.size(), varint_bytes(number));
    packer.write_zigzag(other);
    packer.write_fixed64(number);
    packer.write_fixed32(static_cast<std::uint32_t>(number));
    Unpacker unpacker(out);
    EXPECT_EQ(unpacker.read_varint(), number);
    EXPECT_EQ(unpacker.read_zigzag(), other);
    EXPECT_EQ(unpacker.read_fixed64(), number);
    EXPECT_EQ(unpacker.read_fixed32(), static_cast<std::uint32_t>(number));
    EXPECT_TRUE(unpacker.finished());
  }
}

TEST(packing, only_the_shortest_form_of_a_number_is_read) {
  for (const std::string_view hex :
       {"8000", "ff00", "80808000", "ffffffffffffffffff02", "ffffffffffffffffffff01", "80", "ffffffffffffffffff", ""}) {
    const std::string bytes = testing::unhex(hex);
    Unpacker unpacker(bytes);
    EXPECT_EQ(unpacker.read_varint(), 0U);
    EXPECT_FALSE(unpacker.ok()) << hex;
  }
}

TEST(packing, a_failure_sticks) {
  Unpacker unpacker(
      "\x05"
      "ab");
  EXPECT_EQ(unpacker.read_sized(), "");
  EXPECT_FALSE(unpacker.ok());
  EXPECT_EQ(unpacker.read_byte(), 0);
  EXPECT_EQ(unpacker.read_varint(), 0U);
  EXPECT_TRUE(is_null(unpacker.read_nullable()));
  EXPECT_FALSE(unpacker.finished());
}

TEST(packing, null_and_empty_stay_apart) {
  std::string out;
  Packer packer(out);
  packer.write_nullable(null_bytes);
  packer.write_nullable(empty_bytes);
  packer.write_nullable("x");
  Unpacker unpacker(out);
  EXPECT_TRUE(is_null(unpacker.read_nullable()));
  const ByteView empty = unpacker.read_nullable();
  EXPECT_TRUE(!is_null(empty) && empty.empty());
  EXPECT_EQ(unpacker.read_nullable(), "x");
}

TEST(packing, counts_fit_into_what_is_left) {
  std::string out;
  Packer packer(out);
  packer.write_varint(3);
  packer.write_raw("abcdef");
  EXPECT_EQ(Unpacker(out).read_count(2), 3U);
  Unpacker unpacker(out);
  EXPECT_EQ(unpacker.read_count(3), 0U);
  EXPECT_FALSE(unpacker.ok());
}

// The codes are in every log and snapshot: final.
TEST(packing, scheme_codes_are_final) {
  const std::vector<std::pair<std::string, std::string>> codes = {{"ip", "01"},   {"digest", "02"},     {"super", "03"},
                                                                  {"sasl", "04"}, {"x509", "05"},       {"world", "06"},
                                                                  {"auth", "07"}, {"foo", "0003666f6f"}};
  for (const auto& [scheme, code] : codes) {
    std::string out;
    Packer packer(out);
    pack_scheme(packer, scheme);
    EXPECT_EQ(testing::hex(out), code);
    Unpacker unpacker(out);
    EXPECT_EQ(unpack_scheme(unpacker), scheme);
    EXPECT_TRUE(unpacker.finished());
  }
  const std::string spelt_out = testing::unhex(
      "0002"
      "6970");
  Unpacker older(spelt_out);
  EXPECT_EQ(unpack_scheme(older), "ip") << "as a version wrote it that had no code for it";
  Unpacker unknown("\x08");
  EXPECT_EQ(unpack_scheme(unknown), "");
  EXPECT_EQ(undecodable(unknown, "x", "a field").error().code, ErrorCode::unsupported);
}

TEST(packing, unknown_switches_are_a_newer_versions) {
  for (unsigned bits = 0; bits < 16; ++bits) {
    const tree::Switches switches{.skip_acl = (bits & 1) != 0,
                                  .enforce_quota = (bits & 2) != 0,
                                  .extended_types = (bits & 4) != 0,
                                  .reconfig_enabled = (bits & 8) != 0};
    std::string out;
    Packer packer(out);
    pack_switches(packer, switches);
    EXPECT_EQ(out, std::string(1, static_cast<char>(bits)));
    Unpacker unpacker(out);
    EXPECT_EQ(unpack_switches(unpacker), switches);
  }
  Unpacker unknown("\x10");
  EXPECT_EQ(unpack_switches(unknown), tree::Switches{});
  EXPECT_EQ(undecodable(unknown, "x", "a field").error().code, ErrorCode::unsupported);
}

TEST(packing, only_what_fails_first_is_told) {
  Unpacker unpacker("\x10");
  unpacker.read_fixed64();
  EXPECT_FALSE(unpacker.ok());
  unpacker.fail_unknown("a field");
  EXPECT_EQ(undecodable(unpacker, "x", "a field").error().code, ErrorCode::corrupt);
}

// Protocol 2.5 step 7, and 3.21.
TEST(opcodes, exactly_the_listed_numbers_are_accepted_from_clients) {
  for (std::int32_t number = -200; number <= 200; ++number) {
    const bool listed = (number >= 1 && number <= 9) || number == 11 || number == 12 ||
                        (number >= 14 && number <= 22) || (number >= 100 && number <= 107) || number == -11;
    const OpcodeInfo* info = find_opcode(number);
    EXPECT_EQ(info != nullptr && info->from_client, listed) << number;
    if (info != nullptr) {
      EXPECT_EQ(static_cast<std::int32_t>(info->opcode), number);
    }
  }
  EXPECT_EQ(find_opcode(std::numeric_limits<std::int32_t>::min()), nullptr);
  EXPECT_EQ(find_opcode(std::numeric_limits<std::int32_t>::max()), nullptr);
}

TEST(opcodes, the_table_finds_itself) {
  for (const OpcodeInfo& info : opcode_table()) {
    EXPECT_EQ(find_opcode(static_cast<std::int32_t>(info.opcode)), &info) << info.name;
    EXPECT_FALSE(info.short_name.empty());
  }
  EXPECT_EQ(opcode_table().size(), 32U);  // The rows of protocol 3.0.
}

// Protocol 13: a code outside the table breaks clients.
TEST(errors, every_status_has_a_row_and_markers_are_never_sent) {
  const std::vector<std::int32_t> sent = {0,    -2,   -5,   -6,   -7,   -8,   -13,  -14,  -101, -102, -103, -108,
                                          -110, -111, -112, -114, -115, -119, -120, -121, -123, -124, -125, -127};
  std::vector<std::int32_t> table;
  for (const ErrorInfo& info : error_table()) {
    EXPECT_FALSE(info.meaning.empty()) << info.name;
    EXPECT_EQ(error_name(info.status), info.name);
    if (info.sent_to_clients) {
      table.push_back(static_cast<std::int32_t>(info.status));
    }
  }
  EXPECT_EQ(table, sent);
  EXPECT_EQ(error_name(tree::Status::no_node), "NoNode");
  EXPECT_EQ(error_name(tree::Status{-99}), "unknown");
}

}  // namespace
}  // namespace quorate::wire
