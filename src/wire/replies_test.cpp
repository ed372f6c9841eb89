// Replies byte for byte as a real server sent them (the golden vectors, protocol 16), and what no reply may be.

#include "wire/replies.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <gtest/gtest.h>
#include <string>
#include <string_view>
#include <vector>

#include "wire/test_support.hpp"

namespace quorate::wire {
namespace {

using testing::hex;
using tree::Status;

ReplyHeader header(std::int32_t xid, std::int64_t zxid, Status status = Status::ok) {
  return {.xid = xid, .zxid = Zxid{zxid}, .status = status};
}

tree::Stat fresh_stat(std::int64_t zxid, std::int64_t time) {
  tree::Stat stat;
  stat.czxid = stat.mzxid = stat.pzxid = Zxid{zxid};
  stat.ctime = stat.mtime = WallTime{time};
  return stat;
}

tree::OperationResult result_with(std::string_view path, const tree::Stat& stat = {}) {
  tree::OperationResult result;
  result.path = path;
  result.stat = stat;
  return result;
}

tree::OperationResult failed_with(Status status) {
  tree::OperationResult result;
  result.status = status;
  return result;
}

tree::Password password_of(std::string_view text) {
  tree::Password password{};
  std::ranges::copy(testing::unhex(text), password.begin());
  return password;
}

std::string encoded(const std::function<void(std::string&)>& encode) {
  std::string out = "kept";
  encode(out);
  EXPECT_EQ(out.substr(0, 4), "kept") << "a reply is appended";
  return hex(ByteView(out).substr(4));
}

TEST(replies, handshake_answers_have_the_flag_byte_if_and_only_if_the_request_had_it) {
  // V01, V02, V06, V08; protocol 1.4: the C client reads exactly 41 bytes.
  const ConnectReply accepted{.timeout_ms = 10000,
                              .session = SessionId{0x0100003ea7ea0000},
                              .password = password_of("84f41c23c1e547a50205f5cb72364de9")};
  EXPECT_EQ(encoded([&](auto& out) { encode_connect_reply(out, accepted); }),
            "0000002500000000000027100100003ea7ea00000000001084f41c23c1e547a50205f5cb72364de900");
  const ConnectReply old{.timeout_ms = 10000,
                         .session = SessionId{0x0100003ea7ea0001},
                         .password = password_of("97151723613127eaf7475cf746bf61b6"),
                         .with_read_only_flag = false};
  EXPECT_EQ(encoded([&](auto& out) { encode_connect_reply(out, old); }),
            "0000002400000000000027100100003ea7ea00010000001097151723613127eaf7475cf746bf61b6");
  EXPECT_EQ(encoded([](auto& out) { encode_connect_reply(out, ConnectReply{}); }),
            "0000002500000000000000000000000000000000000000100000000000000000000000000000000000");
  EXPECT_EQ(encoded([](auto& out) { encode_connect_reply(out, ConnectReply{.with_read_only_flag = false}); }),
            "00000024000000000000000000000000000000000000001000000000000000000000000000000000");
}

TEST(replies, header_only_replies_are_twenty_bytes) {
  // V10, V27, V46, V56.
  EXPECT_EQ(encoded([](auto& out) { encode_header_only(out, header(ping_xid, 0x11)); }),
            "00000010fffffffe000000000000001100000000");
  EXPECT_EQ(encoded([](auto& out) { encode_header_only(out, header(3, 0x68, Status::bad_version)); }),
            "00000010000000030000000000000068ffffff99");
  EXPECT_EQ(encoded([](auto& out) { encode_header_only(out, header(2, 0xdb, Status::no_watcher)); }),
            "000000100000000200000000000000dbffffff87");
  EXPECT_EQ(encoded([](auto& out) { encode_header_only(out, header(1, -1, Status::unimplemented)); }),
            "0000001000000001fffffffffffffffffffffffa");
}

TEST(replies, write_replies_follow_the_opcode) {
  // V12: create answers the path alone. V17: create2 the Stat as well.
  const tree::OperationResult created = result_with("/g01");
  EXPECT_EQ(encoded([&](auto& out) { encode_write_reply(out, header(1, 0x16), Opcode::create, created); }),
            "0000001800000001000000000000001600000000000000042f673031");
  tree::OperationResult with_stat = result_with("/g05", fresh_stat(0x2d, 0x1a1fc3257e1));
  with_stat.stat.data_length = 3;
  const std::string create2 =
      "0000005c00000001000000000000002d00000000000000042f673035000000000000002d000000000000002d000001a1fc3257e1000001a1"
      "fc3257e100000000000000000000000000000000000000000000000300000000000000000000002d";
  for (const Opcode opcode : {Opcode::create2, Opcode::create_container, Opcode::create_ttl}) {
    EXPECT_EQ(encoded([&](auto& out) { encode_write_reply(out, header(1, 0x2d), opcode, with_stat); }), create2);
  }
  // V26, V29: setData and setACL answer the Stat.
  tree::OperationResult set = result_with({}, fresh_stat(0x5e, 0x1a1fc325ab7));
  set.stat.mzxid = Zxid{0x5f};
  set.stat.mtime = WallTime{0x1a1fc325ac1};
  set.stat.version = 1;
  set.stat.data_length = 2;
  for (const Opcode opcode : {Opcode::set_data, Opcode::set_acl}) {
    EXPECT_EQ(encoded([&](auto& out) { encode_write_reply(out, header(2, 0x5f), opcode, set); }),
              "0000005400000002000000000000005f00000000000000000000005e000000000000005f000001a1fc325ab7000001a1fc325ac1"
              "00000001000000000000000000000000000000000000000200000000000000000000005e");
  }
  // V27: delete answers nothing; neither does a failed create.
  EXPECT_EQ(encoded([](auto& out) { encode_write_reply(out, header(5, 0x6a), Opcode::remove, {}); }),
            "0000001000000005000000000000006a00000000");
  EXPECT_EQ(encoded([&](auto& out) {
              encode_write_reply(out, header(6, 0x6b, Status::node_exists), Opcode::create2, with_stat);
            }),
            "0000001000000006000000000000006bffffff92");
}

TEST(replies, data_tells_null_from_empty) {
  // V23, V46; protocol 15.17.
  tree::Stat stat = fresh_stat(0x4e, 0x1a1fc325974);
  stat.data_length = 5;
  EXPECT_EQ(
      encoded([&](auto& out) { encode_data_reply(out, header(3, 0x4f), "data!", stat); }),
      "0000005d00000003000000000000004f00000000000000056461746121000000000000004e000000000000004e000001a1fc32597400"
      "0001a1fc32597400000000000000000000000000000000000000000000000500000000000000000000004e");
  const tree::Stat null_stat = fresh_stat(0x4f, 0x1a1fc325977);
  EXPECT_EQ(
      encoded([&](auto& out) { encode_data_reply(out, header(4, 0x4f), null_bytes, null_stat); }),
      "0000005800000004000000000000004f00000000ffffffff000000000000004f000000000000004f000001a1fc325977000001a1fc32"
      "597700000000000000000000000000000000000000000000000000000000000000000000004f");
  const tree::Stat empty_stat = fresh_stat(0xdb, 0x1a1fc3266f7);
  EXPECT_EQ(
      encoded([&](auto& out) { encode_data_reply(out, header(3, 0xdb), empty_bytes, empty_stat); }),
      "000000580000000300000000000000db000000000000000000000000000000db00000000000000db000001a1fc3266f7000001a1fc32"
      "66f70000000000000000000000000000000000000000000000000000000000000000000000db");
  EXPECT_EQ(encoded([&](auto& out) { encode_data_reply(out, header(5, 0x4f, Status::no_node), "data!", stat); }),
            "0000001000000005000000000000004fffffff9b");
}

TEST(replies, every_stat_field_has_its_place) {
  tree::Stat stat;
  stat.czxid = Zxid{0x0101010101010101};
  stat.mzxid = Zxid{0x0202020202020202};
  stat.ctime = WallTime{0x0303030303030303};
  stat.mtime = WallTime{0x0404040404040404};
  stat.version = 0x05050505;
  stat.cversion = 0x06060606;
  stat.aversion = 0x07070707;
  stat.ephemeral_owner = 0x0808080808080808;
  stat.data_length = 0x09090909;
  stat.num_children = 0x0a0a0a0a;
  stat.pzxid = Zxid{0x0b0b0b0b0b0b0b0b};
  EXPECT_EQ(
      encoded([&](auto& out) { encode_stat_reply(out, header(1, 2), stat); }).substr(40),
      "0101010101010101020202020202020203030303030303030404040404040404050505050606060607070707080808080808080809090909"
      "0a0a0a0a0b0b0b0b0b0b0b0b");
}

TEST(replies, lists_are_counted_at_their_end) {
  // V24, V54.
  const auto kid = [](std::string& out) {
    ListReply reply(out, header(3, 0x53));
    reply.add("kid");
    reply.finish();
  };
  EXPECT_EQ(encoded(kid), "0000001b0000000300000000000000530000000000000001000000036b6964");
  const auto kid_with_stat = [](std::string& out) {
    tree::Stat stat = fresh_stat(0x52, 0x1a1fc325a31);
    stat.cversion = 1;
    stat.num_children = 1;
    stat.pzxid = Zxid{0x53};
    ListReply reply(out, header(4, 0x53));
    reply.add("kid");
    reply.finish(stat);
  };
  EXPECT_EQ(
      encoded(kid_with_stat),
      "0000005f0000000400000000000000530000000000000001000000036b696400000000000000520000000000000052000001a1fc325a"
      "31000001a1fc325a31000000000000000100000000000000000000000000000000000000010000000000000053");
  const std::vector<std::string> one = {"/g36"};
  EXPECT_EQ(encoded([&](auto& out) { encode_strings_reply(out, header(2, 0xf7), one); }),
            "0000001c0000000200000000000000f70000000000000001000000042f673336");
  EXPECT_EQ(encoded([](auto& out) { encode_strings_reply(out, header(3, 0xf7), {}); }),
            "000000140000000300000000000000f70000000000000000");
  EXPECT_EQ(encoded([](auto& out) { ListReply(out, header(3, 0xf7, Status::no_node)).finish(); }),
            "000000100000000300000000000000f7ffffff9b");
}

TEST(replies, a_list_beyond_the_bound_becomes_an_error) {
  const std::string name(16U << 20, 'n');
  const auto too_many = [&](std::string& out) {
    ListReply reply(out, header(3, 0x53));
    for (std::size_t i = 0; i <= reply_bytes_max / name.size(); ++i) {
      reply.add(name);
    }
    reply.finish(tree::Stat{});
  };
  EXPECT_EQ(encoded(too_many), "00000010000000030000000000000053fffffffb");
}

TEST(replies, a_multi_read_beyond_the_bound_becomes_an_error) {
  const std::string data(1U << 20, 'd');
  std::string out;
  MultiReadReply reply(out, header(3, 0x53));
  std::size_t largest = 0;
  for (std::size_t i = 0; i < 1000; ++i) {
    reply.add_data(data, {});
    largest = std::max(largest, out.size());
  }
  reply.begin_children();
  reply.add_child("kid");
  reply.end_children();
  reply.finish();
  EXPECT_LE(largest, reply_bytes_max);
  EXPECT_EQ(hex(out), "00000010000000030000000000000053fffffffb");
}

TEST(replies, a_multi_read_keeps_to_the_bound_of_its_caller) {  // S-203
  constexpr std::size_t bound = 1000;
  const auto with_data = [&](std::size_t bytes) {
    std::string out;
    MultiReadReply reply(out, header(3, 0x53), bound);
    reply.add_data(std::string(bytes, 'd'), {});
    EXPECT_EQ(reply.is_too_long(), bytes > bound);
    EXPECT_LE(reply.bytes(), bound);
    reply.finish();
    return out;
  };
  EXPECT_GT(with_data(500).size(), 500U);
  EXPECT_EQ(hex(with_data(bound + 1)), "00000010000000030000000000000053fffffffb");
}

TEST(replies, acl_lists_hide_the_hashes_of_digests_from_those_who_may_not_administer) {
  // V29 (verbatim) and V31 (masked); protocol 3.6.
  tree::Stat stat = fresh_stat(0x73, 0x1a1fc325be3);
  stat.aversion = 1;
  const std::vector<tree::AclEntry> world = {{1, {"world", "anyone"}}, {31, {"world", "anyone"}}};
  EXPECT_EQ(
      encoded([&](auto& out) { encode_acl_reply(out, header(3, 0x74), world, stat, false); }),
      "0000008600000003000000000000007400000000000000020000000100000005776f726c6400000006616e796f6e650000001f000000"
      "05776f726c6400000006616e796f6e6500000000000000730000000000000073000001a1fc325be3000001a1fc325be3000000000000"
      "000000000001000000000000000000000000000000000000000000000073");
  const std::vector<tree::AclEntry> bob = {{31, {"digest", "bob:ikIaKsbtGweaHnb/jKn7OHqbunM="}},
                                           {1, {"world", "anyone"}}};
  EXPECT_EQ(
      encoded([&](auto& out) { encode_acl_reply(out, header(2, 0x7f), bob, fresh_stat(0x7f, 0x1a1fc325d87), true); }),
      "0000008600000002000000000000007f00000000000000020000001f0000000664696765737400000005626f623a7800000001000000"
      "05776f726c6400000006616e796f6e65000000000000007f000000000000007f000001a1fc325d87000001a1fc325d87000000000000"
      "00000000000000000000000000000000000000000000000000000000007f");
}

TEST(replies, small_bodies) {
  // V28, V43, V55, V61. A sync without a path gets null back (3.8), no other string is ever null (1.2).
  EXPECT_EQ(encoded([](auto& out) { encode_string_reply(out, header(1, 0x70), "/nope", true); }),
            "0000001900000001000000000000007000000000000000052f6e6f7065");
  EXPECT_EQ(encoded([](auto& out) { encode_string_reply(out, header(1, 0x70), {}, true); }),
            "0000001400000001000000000000007000000000ffffffff");
  EXPECT_EQ(encoded([](auto& out) { encode_string_reply(out, header(1, 0x70), {}, false); }),
            "000000140000000100000000000000700000000000000000");
  EXPECT_EQ(encoded([](auto& out) { encode_int_reply(out, header(1, 0xbe), 0); }),
            "000000140000000100000000000000be0000000000000000");
  EXPECT_EQ(encoded([](auto& out) { encode_int_reply(out, header(4, 0xfc), 2); }),
            "000000140000000400000000000000fc0000000000000002");
  EXPECT_EQ(encoded([](auto& out) { encode_sasl_reply(out, header(1, 0), null_bytes); }),
            "0000001400000001000000000000000000000000ffffffff");
}

TEST(replies, who_am_i_names_users_without_their_hashes) {
  // V35; protocol 3.20.
  const std::vector<tree::Identity> credentials = {{"digest", "bob:ikIaKsbtGweaHnb/jKn7OHqbunM="}, {"ip", "127.0.0.1"}};
  EXPECT_EQ(encoded([&](auto& out) { encode_who_am_i_reply(out, header(2, 0x8b), credentials); }),
            "0000003800000002000000000000008b00000000000000020000000664696765737400000003626f62000000026970000000093132"
            "372e302e302e31");
}

TEST(replies, events_carry_the_connected_state) {
  // V36, but for the header's zxid: the transaction's from 3.9 on (protocol 0).
  EXPECT_EQ(encoded([](auto& out) { encode_event(out, Zxid{-1}, tree::EventType::created, "/g20"); }),
            "00000020ffffffffffffffffffffffff000000000000000100000003000000042f673230");
  EXPECT_EQ(encoded([](auto& out) { encode_event(out, Zxid{0x8f}, tree::EventType::deleted, "/g20"); }),
            "00000020ffffffff000000000000008f000000000000000200000003000000042f673230");
}

TEST(replies, multi_answers_one_result_an_operation) {
  // V48.
  tree::OperationResult set = result_with({}, fresh_stat(0xe1, 0x1a1fc326869));
  set.stat.mzxid = set.stat.pzxid = Zxid{0xe2};
  set.stat.mtime = WallTime{0x1a1fc32686e};
  set.stat.version = set.stat.cversion = set.stat.num_children = 1;
  set.stat.data_length = 2;
  const std::array<Opcode, 5> opcodes = {Opcode::create, Opcode::set_data, Opcode::check, Opcode::create,
                                         Opcode::remove};
  const std::array<tree::OperationResult, 5> results = {
      result_with("/g32/a"), set, {}, result_with("/g32/s-0000000001"), {}};
  EXPECT_EQ(encoded([&](auto& out) { encode_multi_reply(out, header(2, 0xe2), opcodes, results); }),
            "000000a90000000200000000000000e200000000000000010000000000000000062f6733322f610000000500000000000000000000"
            "0000e100000000000000e2000001a1fc326869000001a1fc32686e00000001000000010000000000000000000000000000000200"
            "00000100000000000000e20000000d0000000000000000010000000000000000112f6733322f732d303030303030303030310000"
            "00020000000000ffffffff01ffffffff");
  EXPECT_EQ(encoded([](auto& out) { encode_multi_reply(out, header(1, 0xe9), {}, {}); }),  // V50
            "000000190000000100000000000000e900000000ffffffff01ffffffff");
}

TEST(replies, multi_answers_containers_and_ttls_as_create2) {
  // Protocol 3.14: type 15, path and Stat.
  const std::array<Opcode, 1> container = {Opcode::create_container};
  const std::array<Opcode, 1> create2 = {Opcode::create2};
  const std::array<tree::OperationResult, 1> results = {result_with("/c")};
  const std::string answer = encoded([&](auto& out) { encode_multi_reply(out, header(1, 1), container, results); });
  EXPECT_EQ(answer, encoded([&](auto& out) { encode_multi_reply(out, header(1, 1), create2, results); }));
  EXPECT_EQ(answer.substr(40, 8 + 2 + 8 + 12), "0000000f0000000000000000022f63");
}

TEST(replies, a_failed_multi_answers_errors_under_a_good_header) {
  // V49; protocol 15.11.
  const std::array<Opcode, 3> opcodes = {Opcode::create, Opcode::check, Opcode::create};
  const std::array<tree::OperationResult, 3> results = {result_with("/g33/a"), failed_with(Status::bad_version),
                                                        failed_with(Status::runtime_inconsistency)};
  EXPECT_EQ(encoded([&](auto& out) { encode_multi_reply(out, header(2, 0xe6), opcodes, results); }),
            "000000400000000200000000000000e600000000ffffffff000000000000000000ffffffff00ffffff99ffffff99ffffffff00ffff"
            "fffefffffffeffffffff01ffffffff");
  EXPECT_EQ(encoded([](auto& out) { encode_multi_reply(out, header(1, 7, Status::marshalling_error), {}, {}); }),
            "00000010000000010000000000000007fffffffb");  // V51: refused as a whole.
}

TEST(replies, multi_read_mixes_results_and_errors) {
  // V53.
  tree::Stat stat = fresh_stat(0xf3, 0x1a1fc3269ba);
  stat.cversion = stat.data_length = stat.num_children = 1;
  stat.pzxid = Zxid{0xf4};
  const auto encode = [&](std::string& out) {
    MultiReadReply reply(out, header(3, 0xf4));
    reply.add_data("q", stat);
    reply.begin_children();
    reply.add_child("k");
    reply.end_children();
    reply.add_error(Status::no_node);
    reply.finish();
  };
  EXPECT_EQ(
      encoded(encode),
      "0000008a0000000300000000000000f400000000000000040000000000000000017100000000000000f300000000000000f3000001a1"
      "fc3269ba000001a1fc3269ba0000000000000001000000000000000000000000000000010000000100000000000000f4000000080000"
      "00000000000001000000016bffffffff00ffffff9bffffff9bffffffff01ffffffff");
}

}  // namespace
}  // namespace quorate::wire
