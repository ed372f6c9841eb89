// The rules of protocol 2.5 and of the first checks in 3, on requests made for the purpose.

#include "wire/requests.hpp"

#include <array>
#include <gtest/gtest.h>
#include <string>
#include <utility>
#include <vector>

#include "base/prng.hpp"
#include "wire/jute.hpp"
#include "wire/test_support.hpp"

namespace quorate::wire {
namespace {

using testing::text_of;
using tree::Status;

constexpr ByteView null = null_bytes;

// A body under construction.
class Body {
 public:
  Body& integer(std::int32_t value) {
    Writer(bytes_).write_int(value);
    return *this;
  }
  Body& big(std::int64_t value) {
    Writer(bytes_).write_long(value);
    return *this;
  }
  Body& flag(bool value) {
    Writer(bytes_).write_bool(value);
    return *this;
  }
  Body& text(ByteView value) {
    Writer(bytes_).write_buffer(value);
    return *this;
  }
  Body& raw(ByteView bytes) {
    bytes_.append(bytes);
    return *this;
  }
  Body& open_acl() { return integer(1).integer(31).text("world").text("anyone"); }
  Body& create(ByteView path, std::int32_t flags) { return text(path).text("d").open_acl().integer(flags); }
  Body& element(Opcode opcode) { return integer(std::to_underlying(opcode)).flag(false).integer(-1); }
  Body& end() { return integer(-1).flag(true).integer(-1); }

  [[nodiscard]] ByteView view() const { return bytes_; }
  [[nodiscard]] std::string bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

// "ok" and the meaning, or the status as a number.
std::string decoded(Opcode opcode, const Body& body) {
  DecodeScratch scratch;
  Request request;
  const Status status = decode_request(opcode, body.view(), scratch, request);
  return status == Status::ok ? text_of(request) : std::to_string(std::to_underlying(status));
}

std::string created(Opcode opcode, std::int32_t flags, std::int64_t ttl = 5) {
  Body body;
  body.create("/a", flags);
  if (opcode == Opcode::create_ttl) {
    body.big(ttl);
  }
  const std::string text = decoded(opcode, body);
  const std::size_t at = text.find("flags=");
  return at == std::string::npos ? text : text.substr(at + 6);
}

struct FlagRow {
  Opcode opcode;
  std::array<std::string_view, 9> outcome;  // For flags -1 to 7.
};

TEST(requests, create_flags_and_opcodes_meet_as_protocol_3_1_says) {
  constexpr auto rows = std::to_array<FlagRow>({
      {Opcode::create, {"-8", "0", "1", "2", "3", "0", "5 ttl=-1", "6 ttl=-1", "-8"}},
      {Opcode::create2, {"-8", "0", "1", "2", "3", "0", "5 ttl=-1", "6 ttl=-1", "-8"}},
      {Opcode::create_container, {"-8", "4", "4", "7", "7", "4", "5 ttl=-1", "6 ttl=-1", "-8"}},
      {Opcode::create_ttl, {"-8", "-8", "-8", "-8", "-8", "-8", "5 ttl=5", "6 ttl=5", "-8"}},
  });
  for (const FlagRow& row : rows) {
    for (std::int32_t flags = -1; flags <= 7; ++flags) {
      EXPECT_EQ(created(row.opcode, flags), row.outcome[static_cast<std::size_t>(flags + 1)])
          << std::to_underlying(row.opcode) << " flags " << flags;
    }
  }
}

TEST(requests, create_ttl_without_a_ttl_flag_never_reaches_the_log) {
  // Appendix B: the real servers' poison entry.
  EXPECT_EQ(created(Opcode::create_ttl, 0, -1), "-8");
  EXPECT_EQ(created(Opcode::create_ttl, 4, -1), "-8");
}

TEST(requests, ttl_ranges_are_left_to_the_tree_that_knows_the_switch) {
  for (const std::int64_t ttl : {std::int64_t{0}, std::int64_t{-1}, std::int64_t{1} << 40}) {
    EXPECT_EQ(created(Opcode::create_ttl, 5, ttl), "5 ttl=" + std::to_string(ttl));
  }
}

TEST(requests, only_create_itself_answers_without_a_stat) {
  DecodeScratch scratch;
  Request request;
  for (const Opcode opcode : {Opcode::create, Opcode::create2, Opcode::create_container, Opcode::create_ttl}) {
    ASSERT_EQ(decode_request(opcode, Body().create("/a", 5).big(9).view(), scratch, request), Status::ok);
    EXPECT_EQ(std::get<tree::Create>(request).stat_in_reply, opcode != Opcode::create);
  }
}

TEST(requests, null_paths_are_refused_where_the_table_of_2_5_says_so) {
  const Body null_path = Body().text(null);
  for (const Opcode opcode : {Opcode::exists, Opcode::get_data, Opcode::get_children, Opcode::get_children2,
                              Opcode::get_acl, Opcode::get_all_children_number}) {
    EXPECT_EQ(decoded(opcode, Body().text(null).flag(true)), "-5") << std::to_underlying(opcode);
  }
  EXPECT_EQ(decoded(Opcode::sync, null_path), "path=null");            // 3.8: echoed as null.
  EXPECT_EQ(decoded(Opcode::get_ephemerals, null_path), "path=null");  // 3.18: all.
  // The tree answers after it has judged the session: -5 for delete and create, -8 for setData and setACL.
  EXPECT_EQ(decoded(Opcode::remove, Body().text(null).integer(1)), "path=null version=1");
  EXPECT_EQ(decoded(Opcode::set_data, Body().text(null).text("d").integer(1)), "path=null data=\"d\" version=1");
  EXPECT_EQ(decoded(Opcode::set_acl, Body().text(null).open_acl().integer(1)),
            "path=null acl=[31:world:anyone] version=1");
  EXPECT_EQ(decoded(Opcode::create, Body().create(null, 0)), "path=null data=\"d\" acl=[31:world:anyone] flags=0");
  EXPECT_EQ(decoded(Opcode::create, Body().create(null, 9)), "-8");  // Flags come first (3.1).
}

TEST(requests, null_and_empty_data_stay_apart) {
  EXPECT_EQ(decoded(Opcode::set_data, Body().text("/a").text(null).integer(0)), "path=\"/a\" data=null version=0");
  EXPECT_EQ(decoded(Opcode::set_data, Body().text("/a").text("").integer(0)), "path=\"/a\" data=\"\" version=0");
}

TEST(requests, acl_lists_null_empty_negative_and_overlong) {
  const auto with_count = [](std::int32_t count) {
    return decoded(Opcode::set_acl, Body().text("/a").integer(count).integer(7));
  };
  EXPECT_EQ(with_count(-1), "path=\"/a\" acl=[] version=7");  // Null and empty are both -114, the tree's answer.
  EXPECT_EQ(with_count(0), "path=\"/a\" acl=[] version=7");
  EXPECT_EQ(with_count(-2), "path=\"/a\" acl=[] version=7");  // Other negatives read as empty (1.2).
  EXPECT_EQ(with_count(1), "-5");
  EXPECT_EQ(with_count(0x7FFFFFFF), "-5");  // Nothing is reserved for it (S-103).
  EXPECT_EQ(decoded(Opcode::set_acl, Body().text("/a").integer(1).integer(31).text("auth").text(null).integer(-1)),
            "path=\"/a\" acl=[31:auth:null] version=-1");  // kazoo's null id (15.29).
}

TEST(requests, lengths_below_minus_one_are_malformed) {
  EXPECT_EQ(decoded(Opcode::exists, Body().integer(-2).flag(false)), "-5");
  EXPECT_EQ(decoded(Opcode::exists, Body().integer(0x7FFFFFFF).flag(false)), "-5");
  EXPECT_EQ(decoded(Opcode::set_data, Body().text("/a").integer(-2).integer(0)), "-5");
}

TEST(requests, any_byte_but_zero_is_true) {
  EXPECT_EQ(decoded(Opcode::exists, Body().text("/a").integer(0x7F000000)), "path=\"/a\" watch=true");
}

TEST(requests, watcher_types_and_modes_outside_the_tables_are_malformed) {
  for (std::int32_t type = -1; type <= 7; ++type) {
    const bool known = type >= 1 && type <= 5;
    const std::string expected = known ? "path=\"/a\" type=" + std::to_string(type) : "-5";
    EXPECT_EQ(decoded(Opcode::check_watches, Body().text("/a").integer(type)), expected);
    EXPECT_EQ(decoded(Opcode::remove_watches, Body().text("/a").integer(type)), expected);
  }
  EXPECT_EQ(decoded(Opcode::add_watch, Body().text("/a").integer(0)), "path=\"/a\" mode=0");
  EXPECT_EQ(decoded(Opcode::add_watch, Body().text("/a").integer(1)), "path=\"/a\" mode=1");
  EXPECT_EQ(decoded(Opcode::add_watch, Body().text("/a").integer(2)), "-5");
  EXPECT_EQ(decoded(Opcode::add_watch, Body().text(null).integer(2)), "-5");
  EXPECT_EQ(decoded(Opcode::add_watch, Body().text(null).integer(1)), "-8");  // 3.12, Q:
}

TEST(requests, set_watches_takes_no_null_list_and_no_null_path) {
  const Body full =
      Body().big(7).integer(2).text("/a").text("/b").integer(0).integer(1).text("/c").integer(1).text("/d").integer(0);
  EXPECT_EQ(decoded(Opcode::set_watches, full),
            "relativeZxid=7 data=[\"/a\", \"/b\"] exist=[] child=[\"/c\"] persistent=[] recursive=[]");
  EXPECT_EQ(decoded(Opcode::set_watches2, full),
            "relativeZxid=7 data=[\"/a\", \"/b\"] exist=[] child=[\"/c\"] persistent=[\"/d\"] recursive=[]");
  EXPECT_EQ(decoded(Opcode::set_watches, Body().big(7).integer(0).integer(-1).integer(0)), "-5");
  EXPECT_EQ(decoded(Opcode::set_watches, Body().big(7).integer(1).text(null).integer(0).integer(0)), "-5");
  EXPECT_EQ(decoded(Opcode::set_watches, Body().big(7).integer(0x10000000).integer(0).integer(0)), "-5");
}

TEST(requests, auth_and_sasl) {
  EXPECT_EQ(decoded(Opcode::auth, Body().integer(0).text(null).text(null)), "type=0 scheme=null auth=null");
  EXPECT_EQ(decoded(Opcode::auth, Body().integer(0).text("digest")), "-5");
  EXPECT_EQ(decoded(Opcode::sasl, Body().text("")), "token=\"\"");
  EXPECT_EQ(decoded(Opcode::sasl, Body().text(null)), "-5");
}

TEST(requests, what_has_no_body_ignores_one) {
  for (const Opcode opcode : {Opcode::ping, Opcode::close_session, Opcode::who_am_i}) {
    EXPECT_EQ(decoded(opcode, Body()), "");
    EXPECT_EQ(decoded(opcode, Body().big(-1)), "");
  }
}

TEST(requests, delete_container_is_refused_from_clients) {
  EXPECT_EQ(decoded(Opcode::delete_container, Body().text("/a")), "-8");  // 3.17
  EXPECT_EQ(decoded(Opcode::delete_container, Body()), "-8");
}

TEST(requests, internal_operations_are_not_decoded) {
  for (const Opcode opcode : {Opcode::check, Opcode::create_session, Opcode::error}) {
    EXPECT_EQ(decoded(opcode, Body().text("/a").integer(1)), "-6");
  }
}

TEST(requests, handshakes) {
  const std::string start = Body().integer(3).big(4).integer(5).big(6).text("0123456789abcdef").bytes();
  const auto old = decode_connect(start);
  ASSERT_TRUE(old);
  EXPECT_EQ(old->protocol_version, 3);
  EXPECT_EQ(old->last_zxid_seen, Zxid{4});
  EXPECT_EQ(old->timeout_ms, 5);
  EXPECT_EQ(old->session, SessionId{6});
  EXPECT_EQ(old->password, "0123456789abcdef");
  EXPECT_EQ(old->read_only, std::nullopt);
  EXPECT_EQ(decode_connect(start + '\0')->read_only, false);
  EXPECT_EQ(decode_connect(start + "\1more")->read_only, true);
  EXPECT_TRUE(is_null(decode_connect(Body().integer(0).big(0).integer(0).big(0).text(null).view())->password));
  for (std::size_t length = 0; length < start.size(); ++length) {
    EXPECT_FALSE(decode_connect(start.substr(0, length))) << length;
  }
}

TEST(requests, a_header_needs_eight_bytes) {
  const std::string bytes = Body().integer(-4).integer(100).bytes();
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_FALSE(decode_header(bytes.substr(0, length)));  // V58
  }
  EXPECT_EQ(decode_header(bytes)->xid, -4);
  EXPECT_EQ(decode_header(bytes)->type, 100);
}

// --- multi (protocol 3.14) ---

std::string multi_of(Opcode opcode, const Body& record) {
  return decoded(Opcode::multi, Body().element(opcode).raw(record.view()).end());
}

struct MultiFlagRow {
  Opcode opcode;
  std::array<std::string_view, 9> outcome;  // Opcode and flags for flags -1 to 7.
};

TEST(multi_requests, create_flags_decide_what_an_element_is) {
  constexpr auto rows = std::to_array<MultiFlagRow>({
      {Opcode::create, {"-5", "1 0", "1 1", "1 2", "1 3", "19 4", "-5", "-5", "-5"}},
      {Opcode::create2, {"-5", "15 0", "15 1", "15 2", "15 3", "19 4", "-5", "-5", "-5"}},
      {Opcode::create_container, {"-5", "1 0", "1 1", "1 2", "1 3", "19 4", "-5", "-5", "-5"}},
      {Opcode::create_ttl, {"-5", "1 0", "1 1", "1 2", "1 3", "19 4", "21 5", "21 6", "-5"}},
  });
  DecodeScratch scratch;
  for (const MultiFlagRow& row : rows) {
    for (std::int32_t flags = -1; flags <= 7; ++flags) {
      Body record = Body().create("/a", flags);
      if (row.opcode == Opcode::create_ttl) {
        record.big(9);
      }
      const Body body = Body().element(row.opcode).raw(record.view()).end();
      Request request;
      std::string outcome = "-5";
      if (decode_request(Opcode::multi, body.view(), scratch, request) == Status::ok) {
        const auto& multi = std::get<MultiRequest>(request);
        const auto& create = std::get<tree::Create>(multi.operations[0]);
        outcome = std::to_string(std::to_underlying(multi.opcodes[0])) + " " +
                  std::to_string(std::to_underlying(create.mode));
        EXPECT_EQ(create.stat_in_reply, multi.opcodes[0] != Opcode::create);
      }
      EXPECT_EQ(outcome, row.outcome[static_cast<std::size_t>(flags + 1)])
          << std::to_underlying(row.opcode) << " flags " << flags;
    }
  }
}

TEST(multi_requests, only_the_listed_types_are_taken) {
  const Body record = Body().create("/a", 0).big(-1);  // Long enough for each of them.
  for (const OpcodeInfo& info : opcode_table()) {
    const bool taken = info.short_name == "CREA" || info.opcode == Opcode::set_data;
    if (info.opcode != Opcode::remove && info.opcode != Opcode::check) {
      DecodeScratch scratch;
      Request request;
      const std::string bytes = Body().element(info.opcode).raw(record.view()).end().bytes();
      (void)decode_request(Opcode::multi, bytes, scratch, request);
      EXPECT_EQ(scratch.operations.empty(), !taken) << info.name;
    }
  }
  EXPECT_EQ(multi_of(Opcode::remove, Body().text("/a").integer(3)), "2 path=\"/a\" version=3");
  EXPECT_EQ(multi_of(Opcode::check, Body().text("").integer(3)), "13 path=\"\" version=3");
  EXPECT_EQ(multi_of(Opcode::set_data, Body().text("/a").text("d").integer(3)), "5 path=\"/a\" data=\"d\" version=3");
  EXPECT_EQ(multi_of(Opcode::get_data, Body().text("/a").flag(false)), "-5");  // V51
  EXPECT_EQ(multi_of(Opcode::set_acl, Body().text("/a").open_acl().integer(0)), "-5");
  EXPECT_EQ(multi_of(Opcode::multi, Body().end()), "-5");
  EXPECT_EQ(multi_of(Opcode::delete_container, Body().text("/a")), "-5");
  EXPECT_EQ(multi_of(Opcode{77}, Body()), "-5");
}

TEST(multi_requests, the_done_byte_alone_ends_the_list) {
  EXPECT_EQ(decoded(Opcode::multi, Body().integer(4711).flag(true).integer(42)), "");
  EXPECT_EQ(decoded(Opcode::multi, Body().integer(-1).flag(false).integer(-1)), "-5");
  EXPECT_EQ(decoded(Opcode::multi, Body()), "-5");
  EXPECT_EQ(decoded(Opcode::multi_read, Body()), "-5");
}

TEST(multi_requests, null_paths_and_null_ids_refuse_the_whole) {
  EXPECT_EQ(multi_of(Opcode::create, Body().create(null, 0)), "-5");
  EXPECT_EQ(multi_of(Opcode::remove, Body().text(null).integer(0)), "-5");
  EXPECT_EQ(multi_of(Opcode::set_data, Body().text(null).text("").integer(0)), "-5");
  EXPECT_EQ(multi_of(Opcode::check, Body().text(null).integer(0)), "-5");
  const auto with_id = [](ByteView scheme, ByteView id) {
    return multi_of(Opcode::create, Body().text("/a").text("").integer(1).integer(31).text(scheme).text(id).integer(0));
  };
  EXPECT_EQ(with_id("world", null), "-5");
  EXPECT_EQ(with_id("digest", null), "-5");
  EXPECT_EQ(with_id("ip", null), "-5");
  EXPECT_NE(with_id("auth", null), "-5");  // kazoo's (15.29).
  EXPECT_NE(with_id("world", ""), "-5");   // -114 is the tree's.
}

// The lists of all creates share one vector that grows while the multi is read.
TEST(multi_requests, every_create_keeps_its_own_acl) {
  Body body;
  std::string expected;
  for (std::int32_t i = 0; i < 100; ++i) {
    body.element(Opcode::create).text("/a").text("");
    body.integer(i % 4);
    std::string acl;
    for (std::int32_t entry = 0; entry < i % 4; ++entry) {
      body.integer(i).text("ip").text("10.0.0.1");
      acl += (acl.empty() ? "" : ", ") + std::to_string(i) + ":ip:10.0.0.1";
    }
    body.integer(0);
    expected += (expected.empty() ? "" : "; ") + ("1 path=\"/a\" data=\"\" acl=[" + acl + "] flags=0");
  }
  EXPECT_EQ(decoded(Opcode::multi, body.end()), expected);
}

TEST(multi_requests, a_large_multi_is_bounded_by_what_is_there) {
  Body body;
  for (int i = 0; i < 50000; ++i) {
    body.element(Opcode::remove).text("").integer(-1);
  }
  DecodeScratch scratch;
  Request request;
  ASSERT_EQ(decode_request(Opcode::multi, body.end().view(), scratch, request), Status::ok);
  EXPECT_EQ(std::get<MultiRequest>(request).operations.size(), 50000U);
  EXPECT_EQ(std::get<MultiRequest>(request).opcodes.size(), 50000U);
}

TEST(multi_requests, reads_are_a_multi_of_their_own) {
  const Body good =
      Body().element(Opcode::get_data).text("/a").flag(true).element(Opcode::get_children).text("/b").flag(false).end();
  EXPECT_EQ(decoded(Opcode::multi_read, good), "4 path=\"/a\"; 8 path=\"/b\"");
  EXPECT_EQ(decoded(Opcode::multi, good), "-5");
  for (const Opcode opcode : {Opcode::exists, Opcode::get_children2, Opcode::set_data, Opcode::multi_read}) {
    EXPECT_EQ(decoded(Opcode::multi_read, Body().element(opcode).text("/a").flag(false).end()), "-5");
  }
}

// Never a crash, never a byte too far (ASan), and never half a result under ok.
TEST(requests, random_bytes_are_survived) {
  Prng prng(11);
  DecodeScratch scratch;
  for (int round = 0; round < 200000; ++round) {
    const std::string bytes = testing::random_bytes(prng, prng.below(48));
    std::vector<char> exact(bytes.begin(), bytes.end());
    for (char& byte : exact) {
      byte = prng.chance(2, 3) ? '\0' : static_cast<char>(byte & 0x1F);
    }
    const OpcodeInfo& info = opcode_table()[prng.below(opcode_table().size())];
    Request request;
    if (decode_request(info.opcode, {exact.data(), exact.size()}, scratch, request) == Status::ok) {
      EXPECT_LE(text_of(request).size(), 4000U);
    }
  }
}

}  // namespace
}  // namespace quorate::wire
