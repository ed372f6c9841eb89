#include "wire/command.hpp"

#include <array>
#include <gtest/gtest.h>
#include <string>
#include <utility>
#include <vector>

#include "base/prng.hpp"
#include "wire/test_support.hpp"

namespace quorate::wire {
namespace {

bool same(const Command& a, const Command& b) {
  return a.kind == b.kind && a.stream == b.stream && a.number == b.number && a.session == b.session &&
         a.generation == b.generation && a.xid == b.xid && a.opcode == b.opcode && a.request == b.request &&
         std::ranges::equal(a.credentials, b.credentials);
}

std::string encoded(const Command& command) {
  std::string out;
  encode_command(out, command);
  return out;
}

ErrorCode error_of(ByteView bytes) {
  std::vector<tree::Identity> scratch;
  const Result<Command> command = decode_command(bytes, scratch);
  EXPECT_FALSE(command);
  return command ? ErrorCode::io : command.error().code;
}

// A random command; `texts` owns what its views point to.
Command random_command(Prng& prng, std::vector<std::string>& texts, std::vector<tree::Identity>& identities) {
  constexpr std::array<std::string_view, 7> schemes = {"ip", "digest", "super", "sasl", "x509", "kerberos", "world"};
  texts.clear();
  identities.clear();
  texts.reserve(16);
  const auto text = [&](std::size_t length) {
    return ByteView(texts.emplace_back(testing::random_bytes(prng, prng.below(length))));
  };
  for (std::uint64_t left = prng.below(4); left > 0; --left) {
    identities.push_back({.scheme = schemes.at(prng.below(schemes.size())), .id = text(40)});
  }
  Command command;
  command.kind = static_cast<CommandKind>(prng.below(6));
  command.stream = {.server = NodeId{static_cast<std::uint32_t>(prng.below(255))},
                    .incarnation = prng.next_u64(),
                    .start = testing::random_number(prng)};
  command.number = testing::random_number(prng);
  command.session = SessionId{testing::random_signed(prng)};
  command.generation = static_cast<std::uint32_t>(testing::random_number(prng));
  command.credentials = identities;
  command.xid = static_cast<std::int32_t>(testing::random_signed(prng));
  command.opcode = Opcode{static_cast<std::int32_t>(testing::random_signed(prng))};
  command.request = text(200);
  return command;
}

// The form is final: every later binary reads it (docs/formats/entry.md).
TEST(command, a_client_request_looks_like_this_for_ever) {
  const std::array<tree::Identity, 2> credentials = {tree::Identity{"ip", "::1"}, tree::Identity{"new", "x"}};
  Command command;
  command.kind = CommandKind::client_request;
  command.stream = {.server = NodeId{1}, .incarnation = 0x1122334455667788, .start = 300};
  command.number = 1000;
  command.session = SessionId{0x0100000000000203};
  command.generation = 2;
  command.credentials = credentials;
  command.xid = -8;
  command.opcode = Opcode::set_data;
  command.request = "body";
  EXPECT_EQ(testing::hex(encoded(command)),
            "11"
            "1f"  // version 1, kind 1; all fields are there
            "01"
            "8877665544332211"
            "ac02"  // stream
            "e807"  // number
            "01"
            "8304"  // session
            "02"
            "0f"
            "0a"  // generation, xid, opcode
            "02"
            "01033a3a31"
            "00036e65770178"  // credentials
            "626f6479");
}

TEST(command, what_is_zero_takes_no_room) {
  Command command;
  command.kind = CommandKind::abandoned;
  command.stream = {.server = NodeId{3}, .incarnation = 0, .start = 1};
  command.number = 7;
  EXPECT_EQ(testing::hex(encoded(command)),
            "1000"
            "03"
            "0000000000000000"
            "01"
            "07");
}

TEST(command, every_kind_comes_back_as_it_went) {
  Prng prng(2);
  std::vector<std::string> texts;
  std::vector<tree::Identity> identities;
  std::vector<tree::Identity> scratch;
  for (int round = 0; round < 20000; ++round) {
    const Command command = random_command(prng, texts, identities);
    const std::string bytes = encoded(command);
    const Result<Command> back = decode_command(bytes, scratch);
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_TRUE(same(*back, command));
    EXPECT_FALSE(is_null(back->request)) << "an empty request is not a null one";
  }
}

TEST(command, a_cut_before_the_request_is_an_error) {
  const std::array<tree::Identity, 1> credentials = {tree::Identity{"digest", "bob:hash"}};
  Command command;
  command.kind = CommandKind::client_request;
  command.stream = {.server = NodeId{1}, .incarnation = 5, .start = 6};
  command.number = 7;
  command.session = SessionId{8};
  command.generation = 9;
  command.xid = 10;
  command.opcode = Opcode::create;
  command.credentials = credentials;
  const std::string bytes = encoded(command);
  std::vector<tree::Identity> scratch;
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    const std::vector<char> exact(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(length));
    EXPECT_EQ(error_of({exact.data(), exact.size()}), ErrorCode::corrupt) << length;
  }
}

TEST(command, what_a_newer_version_writes_is_unsupported_not_corrupt) {
  Command command;
  command.number = 1;
  std::string bytes = encoded(command);
  const auto with_first = [&](unsigned char first, unsigned char flags) {
    bytes[0] = static_cast<char>(first);
    bytes[1] = static_cast<char>(flags);
    return bytes;
  };
  EXPECT_EQ(error_of(with_first(0x20, 0)), ErrorCode::unsupported);
  EXPECT_EQ(error_of(with_first(0x00, 0)), ErrorCode::unsupported);
  EXPECT_EQ(error_of(with_first(0x16, 0)), ErrorCode::unsupported);
  EXPECT_EQ(error_of(with_first(0x10, 0x20)), ErrorCode::unsupported);
  EXPECT_EQ(error_of(with_first(0x10, 0x01)), ErrorCode::corrupt);
  const std::vector<tree::Identity> credentials = {{.scheme = "ip", .id = "::1"}};
  command.credentials = credentials;
  std::string scheme = encoded(command);
  scheme[scheme.size() - 5] = '\x08';
  EXPECT_EQ(error_of(scheme), ErrorCode::unsupported);
}

TEST(command, a_field_that_is_there_is_not_zero) {
  const std::string start = testing::unhex(
      "11"
      "00"
      "01"
      "0000000000000000"
      "01"
      "01");
  for (const std::string_view field : {"010000", "0200", "0400", "0800", "1000"}) {
    std::string bytes = start + testing::unhex(field.substr(2));
    bytes[1] = testing::unhex(field.substr(0, 2))[0];
    EXPECT_EQ(error_of(bytes), ErrorCode::corrupt) << field;
  }
}

TEST(command, credentials_are_bounded) {
  std::string bytes = testing::unhex(
      "1110"
      "01"
      "0000000000000000"
      "01"
      "01");
  std::string huge;
  huge.push_back('\x01');  // One credential,
  huge.push_back('\x01');  // of scheme ip,
  huge += testing::unhex("808004");
  huge += std::string(65536, 'x');
  EXPECT_EQ(error_of(bytes + huge), ErrorCode::corrupt);
  EXPECT_EQ(error_of(bytes + testing::unhex("ffffffff0f0100")), ErrorCode::corrupt);  // Four thousand million of them.
}

TEST(command, credentials_bytes_says_what_they_take) {
  const std::array<tree::Identity, 2> credentials = {tree::Identity{"ip", "127.0.0.1"}, tree::Identity{"foo", "x"}};
  Command with;
  with.credentials = credentials;
  EXPECT_EQ(credentials_bytes(credentials), encoded(with).size() - encoded(Command{}).size());
}

TEST(command, session_requests_come_back) {
  SessionRequest request{.timeout_ms = 30000};
  std::ranges::copy(testing::unhex("00112233445566778899aabbccddeeff"), request.password.begin());
  std::string bytes;
  encode_session_request(bytes, request);
  EXPECT_EQ(testing::hex(bytes),
            "00112233445566778899aabbccddeeff"
            "e0d403");
  const Result<SessionRequest> back = decode_session_request(bytes);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->password, request.password);
  EXPECT_EQ(back->timeout_ms, 30000);
  EXPECT_FALSE(decode_session_request(bytes + "x"));
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_FALSE(decode_session_request(bytes.substr(0, length)));
  }
}

TEST(command, terms_come_back) {
  std::string bytes;
  encode_term(bytes, Term{300});
  EXPECT_EQ(*decode_term(bytes), Term{300});
  EXPECT_FALSE(decode_term(""));
  EXPECT_FALSE(decode_term(bytes + "x"));
}

TEST(command, term_starts_come_back) {
  const TermStart start{.leader = NodeId{3},
                        .feature_level = 1,
                        .switches = {.skip_acl = true, .extended_types = true},
                        .hash_secret = 0x1122334455667788};
  std::string bytes;
  encode_term_start(bytes, start);
  EXPECT_EQ(testing::hex(bytes),
            "01"
            "03"
            "01"
            "05"
            "8877665544332211");
  const Result<TermStart> back = decode_term_start(bytes);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->leader, start.leader);
  EXPECT_EQ(back->feature_level, start.feature_level);
  EXPECT_EQ(back->switches, start.switches);
  EXPECT_EQ(back->hash_secret, start.hash_secret);
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_FALSE(decode_term_start(bytes.substr(0, length)));
  }
  const auto with = [&bytes](std::size_t at, char value) {
    std::string changed = bytes;
    changed[at] = value;
    return decode_term_start(changed).error().code;
  };
  EXPECT_EQ(with(0, 2), ErrorCode::unsupported) << "version";
  EXPECT_EQ(with(2, static_cast<char>(known_feature_level + 1)), ErrorCode::unsupported) << "feature level";
  EXPECT_EQ(with(3, 0x15), ErrorCode::unsupported) << "switch";
}

}  // namespace
}  // namespace quorate::wire
