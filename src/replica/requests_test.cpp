// Requests that the front answers itself, and malformed ones (protocol 2.5, 3, 6, 7).

#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "replica/testing/harness.hpp"

namespace quorate::replica::testing {
namespace {

using wire::Opcode;

std::string digest_auth(std::string_view secret) {
  return request_frame(-4, Opcode::auth, Body().number(0).text("digest").buffer(secret).bytes);
}

TEST(Requests, unknown_operations_are_answered_and_closed) {  // Protocol 2.5 step 7, gotcha 40
  for (const std::int32_t type : {0, 10, 13, 23, -1, -10, 99, 108, 2'000'000'000}) {
    Server server;
    Client client = Client::with_session(server);
    client.send(request_frame(5, type, delete_body("/a")));
    server.run();
    const auto reply = client.take();
    ASSERT_TRUE(reply.has_value()) << type;
    EXPECT_EQ(reply->xid, 5);
    EXPECT_EQ(reply->zxid, -1);
    EXPECT_EQ(reply->error, -6);
    EXPECT_TRUE(client.is_closed());
  }
}

TEST(Requests, a_frame_without_a_header_closes) {  // Protocol 1.1
  Server server;
  Client client = Client::with_session(server);
  client.send(framed("1234567"));
  server.run();
  EXPECT_TRUE(client.is_closed());
  EXPECT_TRUE(client.raw_output().empty());
}

TEST(Requests, a_frame_of_the_limit_is_accepted_and_one_more_byte_closes) {  // Protocol 1.1
  ServerOptions options;
  options.front.frame_bytes_max = 1000;
  Server server(options);
  Client fits = Client::with_session(server);
  fits.send(framed(Body().number(1).number(11).bytes + std::string(992, 'x')));
  Client exceeds = Client::with_session(server);
  exceeds.send(framed(Body().number(1).number(11).bytes + std::string(993, 'x')));
  server.run();
  EXPECT_EQ(fits.take_all().size(), 1U);
  EXPECT_FALSE(fits.is_closed());
  EXPECT_TRUE(exceeds.is_closed());
}

TEST(Requests, bodies_that_do_not_decode_get_their_code_and_the_connection_stays) {  // Protocol 2.5
  Server server;
  Client client = Client::with_session(server);
  for (const Opcode opcode :
       {Opcode::create, Opcode::remove, Opcode::exists, Opcode::get_data, Opcode::set_data, Opcode::get_acl,
        Opcode::set_acl, Opcode::get_children, Opcode::get_children2, Opcode::sync, Opcode::create2,
        Opcode::check_watches, Opcode::remove_watches, Opcode::create_ttl, Opcode::set_watches, Opcode::set_watches2,
        Opcode::add_watch, Opcode::get_all_children_number}) {
    EXPECT_EQ(client.call(opcode).error, -5) << static_cast<int>(opcode);
  }
  EXPECT_EQ(client.call(Opcode::delete_container, Body().text("/a").bytes).error, -8);
  EXPECT_EQ(client.call(Opcode::add_watch, Body().text("/a").number(2).bytes).error, -5);
  EXPECT_EQ(client.call(Opcode::check_watches, Body().text("/a").number(6).bytes).error, -5);
  EXPECT_FALSE(client.is_closed());
}

TEST(Requests, ping_takes_minus_two_whatever_was_sent) {  // V10
  Server server;
  Client client = Client::with_session(server);
  client.send(from_hex("00000008fffffffe0000000b"));
  server.run();
  const Index applied = server.replica.applied();
  std::string expected = from_hex("00000010fffffffe");
  wire::Writer(expected).write_long(raw(server.replica.zxid_of(applied)));
  wire::Writer(expected).write_int(0);
  EXPECT_EQ(client.raw_output(), expected);
}

TEST(Requests, reads_report_the_newest_zxid) {  // Protocol 2.2
  Server server;
  Client client = Client::with_session(server);
  const Reply created = client.create("/a", "x");
  EXPECT_EQ(client.call(Opcode::get_data, watch_body("/a")).zxid, created.zxid);
  EXPECT_EQ(client.call(Opcode::get_data, watch_body("/missing")).zxid, created.zxid);
  EXPECT_EQ(client.call(Opcode::get_data, watch_body("/missing")).error, -101);
}

TEST(Requests, null_and_empty_data_differ) {  // V23, gotcha 17
  Server server;
  Client client = Client::with_session(server);
  client.create("/null", null_bytes);
  client.create("/empty", empty_bytes);
  EXPECT_EQ(client.call(Opcode::get_data, watch_body("/null")).body.substr(0, 4), from_hex("ffffffff"));
  EXPECT_EQ(client.call(Opcode::get_data, watch_body("/empty")).body.substr(0, 4), from_hex("00000000"));
}

TEST(Requests, exists_on_a_missing_znode_leaves_a_watch_and_get_data_does_not) {  // V40, gotcha 9
  Server server;
  Client client = Client::with_session(server);
  EXPECT_EQ(client.call(Opcode::get_data, watch_body("/a", true)).error, -101);
  EXPECT_EQ(server.front.watches().watch_count(), 0U);
  EXPECT_EQ(client.call(Opcode::exists, watch_body("/a", true)).error, -101);
  client.create("/a");
  ASSERT_EQ(client.events.size(), 1U);
  EXPECT_EQ(event_of(client.events[0]).first, 1);
}

TEST(Requests, exists_refuses_a_null_character_only) {  // Protocol 3.3
  Server server;
  Client client = Client::with_session(server);
  EXPECT_EQ(client.call(Opcode::exists, watch_body(std::string_view("/a\0b", 4))).error, -8);
  EXPECT_EQ(client.call(Opcode::exists, watch_body("not/a/path")).error, -101);
  EXPECT_EQ(client.call(Opcode::exists, watch_body("")).error, 0);
}

TEST(Requests, children_come_as_names_and_with_the_stat) {  // V24
  Server server;
  Client client = Client::with_session(server);
  client.create("/p");
  client.create("/p/x");
  client.create("/p/y");
  const Reply plain = client.call(Opcode::get_children, watch_body("/p"));
  const Reply with_stat = client.call(Opcode::get_children2, watch_body("/p"));
  EXPECT_EQ(plain.body.size(), 4U + 5 + 5);
  EXPECT_EQ(with_stat.body.size(), 4U + 5 + 5 + 68);
  EXPECT_EQ(wire::Reader(plain.body).read_int(), 2);
}

TEST(Requests, reading_needs_permission) {  // V27 and its kin, protocol 6.1
  Server server;
  Client owner = Client::with_session(server);
  owner.send(digest_auth("bob:pw"));
  server.run();
  EXPECT_EQ(owner.take()->error, 0);
  const std::string acl = Body().number(1).number(31).text("auth").text("").bytes;
  owner.call(Opcode::create, Body().text("/s").buffer("x").bytes + acl + Body().number(0).bytes);
  Client other = Client::with_session(server);
  for (const Opcode opcode : {Opcode::exists, Opcode::get_data, Opcode::get_children, Opcode::get_children2}) {
    EXPECT_EQ(other.call(opcode, watch_body("/s", true)).error, -102);
    EXPECT_EQ(owner.call(opcode, watch_body("/s")).error, 0);
  }
  EXPECT_EQ(server.front.watches().watch_count(), 0U);
  EXPECT_EQ(other.call(Opcode::get_acl, Body().text("/s").bytes).error, -102);
  EXPECT_EQ(other.call(Opcode::get_all_children_number, Body().text("/s").bytes).error, -102);
}

TEST(Requests, a_digest_is_masked_for_who_may_only_read) {  // Protocol 3.6
  Server server;
  Client owner = Client::with_session(server);
  owner.send(digest_auth("bob:pw"));
  server.run();
  owner.take();
  const std::string acl =
      Body().number(2).number(31).text("auth").text("").number(1).text("world").text("anyone").bytes;
  owner.call(Opcode::create, Body().text("/s").buffer("x").bytes + acl + Body().number(0).bytes);
  Client other = Client::with_session(server);
  const std::string full = owner.call(Opcode::get_acl, Body().text("/s").bytes).body;
  const std::string masked = other.call(Opcode::get_acl, Body().text("/s").bytes).body;
  EXPECT_NE(full.find("bob:ikIaKsbtGweaHnb/jKn7OHqbunM="), std::string::npos);  // Protocol 6.3's example.
  EXPECT_EQ(masked.find("ikIa"), std::string::npos);
  EXPECT_NE(masked.find("bob:x"), std::string::npos);
}

TEST(Requests, descendants_are_counted_at_any_depth) {  // Protocol 3.19
  Server server;
  Client client = Client::with_session(server);
  EXPECT_EQ(wire::Reader(client.call(Opcode::get_all_children_number, Body().text("/").bytes).body).read_int(), 3);
  client.create("/a");
  client.create("/a/b");
  EXPECT_EQ(wire::Reader(client.call(Opcode::get_all_children_number, Body().text("/a").bytes).body).read_int(), 1);
}

TEST(Requests, ephemerals_are_the_callers_own_by_plain_prefix) {  // Protocol 3.18, gotcha 45
  Server server;
  Client client = Client::with_session(server);
  Client other = Client::with_session(server);
  client.create("/a", "", 1);
  client.create("/ab", "", 1);
  client.create("/c", "", 1);
  other.create("/a2", "", 1);
  const auto count = [&](std::string_view prefix) {
    return wire::Reader(client.call(Opcode::get_ephemerals, Body().text(prefix).bytes).body).read_int();
  };
  EXPECT_EQ(count("/a"), 2);
  EXPECT_EQ(count("/"), 3);
  EXPECT_EQ(count(""), 3);
  EXPECT_EQ(count("  "), 3);
}

TEST(Requests, who_am_i_names_every_credential) {  // Protocol 3.20
  Server server;
  Client client = Client::with_session(server, 10000, "10.1.2.3");
  client.send(digest_auth("bob:pw"));
  server.run();
  client.take();
  const std::string body = client.call(Opcode::who_am_i).body;
  EXPECT_EQ(wire::Reader(body).read_int(), 2);
  EXPECT_NE(body.find("10.1.2.3"), std::string::npos);
  EXPECT_NE(body.find("bob"), std::string::npos);
  EXPECT_EQ(body.find("bob:"), std::string::npos);
}

TEST(Requests, multi_read_answers_each_operation_and_sets_no_watch) {  // Protocol 3.15
  Server server;
  Client client = Client::with_session(server);
  client.create("/a", "x");
  Body body;
  body.number(4).flag(false).number(-1).text("/a").flag(true);
  body.number(8).flag(false).number(-1).text("/missing").flag(true);
  body.number(8).flag(false).number(-1).text("/").flag(true);
  body.number(-1).flag(true).number(-1);
  const Reply reply = client.call(Opcode::multi_read, body.bytes);
  EXPECT_EQ(reply.error, 0);
  wire::Reader reader(reply.body);
  EXPECT_EQ(reader.read_int(), 4);
  EXPECT_FALSE(reader.read_bool());
  EXPECT_EQ(reader.read_int(), 0);
  EXPECT_EQ(reader.read_buffer(), "x");
  wire::Reader rest(ByteView(reply.body).substr(9 + 5 + 68));
  EXPECT_EQ(rest.read_int(), -1);
  EXPECT_FALSE(rest.read_bool());
  EXPECT_EQ(rest.read_int(), -101);
  EXPECT_EQ(rest.read_int(), -101);
  EXPECT_EQ(rest.read_int(), 8);
  EXPECT_FALSE(rest.read_bool());
  EXPECT_EQ(rest.read_int(), 0);
  EXPECT_EQ(rest.read_int(), 2);
  EXPECT_FALSE(rest.read_string().empty());
  EXPECT_FALSE(rest.read_string().empty());
  EXPECT_EQ(rest.read_int(), -1);
  EXPECT_TRUE(rest.read_bool());
  EXPECT_EQ(rest.read_int(), -1);
  EXPECT_TRUE(rest.ok());
  EXPECT_EQ(rest.remaining(), 0U);
  EXPECT_EQ(server.front.watches().watch_count(), 0U);
}

TEST(Requests, a_failed_multi_says_so_in_its_body) {  // V35, gotcha 11
  Server server;
  Client client = Client::with_session(server);
  Body body;
  body.number(1).flag(false).number(-1).text("/m").buffer("").open_acl().number(0);
  body.number(2).flag(false).number(-1).text("/missing").number(-1);
  body.number(-1).flag(true).number(-1);
  const Reply reply = client.call(Opcode::multi, body.bytes);
  EXPECT_EQ(reply.error, 0);
  EXPECT_EQ(reply.body, from_hex("ffffffff000000000000000000"
                                 "ffffffff00ffffff9bffffff9b"
                                 "ffffffff01ffffffff"));
  EXPECT_EQ(client.call(Opcode::exists, watch_body("/m")).error, -101);
}

TEST(Requests, reconfig_is_disabled) {  // V60, protocol 12.2
  Server server;
  Client client = Client::with_session(server);
  const std::string body = Body().text("server.2=h:1:2").text("").text("").wide(-1).bytes;
  EXPECT_EQ(client.call(Opcode::reconfig, body).error, -123);
  EXPECT_FALSE(client.is_closed());
}

TEST(Requests, reconfig_of_a_lone_server_is_not_possible_where_it_is_allowed) {  // Protocol 12.2 row 4
  ServerOptions options;
  options.switches.reconfig_enabled = true;
  Server server(options);
  Client client = Client::with_session(server);
  const std::string body = Body().text("server.2=h:1:2").text("").text("").wide(-1).bytes;
  EXPECT_EQ(client.call(Opcode::reconfig, body).error, -6);
  EXPECT_EQ(client.call(Opcode::reconfig, body.substr(0, 3)).error, -5);
  EXPECT_FALSE(client.is_closed());
}

TEST(Watches, persistent_and_recursive_ones_stay) {  // V43, V44
  Server server;
  Client client = Client::with_session(server);
  const Reply added = client.call(Opcode::add_watch, Body().text("/w").number(1).bytes);
  EXPECT_EQ(added.body, from_hex("00000000"));
  client.create("/w");
  client.create("/w/x");
  client.call(Opcode::set_data, set_body("/w/x", "1"));
  ASSERT_EQ(client.events.size(), 3U);
  EXPECT_EQ(event_of(client.events[2]), (std::pair<std::int32_t, std::string>{3, "/w/x"}));
  EXPECT_EQ(client.call(Opcode::check_watches, Body().text("/w").number(5).bytes).error, 0);
  EXPECT_EQ(client.call(Opcode::remove_watches, Body().text("/w").number(3).bytes).error, 0);
  EXPECT_EQ(client.call(Opcode::check_watches, Body().text("/w").number(5).bytes).error, -121);
  EXPECT_EQ(client.call(Opcode::remove_watches, Body().text("/w").number(3).bytes).error, -121);
}

TEST(Watches, a_returning_client_hears_what_it_missed_before_the_reply) {  // V42, protocol 7.6
  Server server;
  Client writer = Client::with_session(server);
  for (const char* path : {"/s", "/s/1", "/s/2", "/s/3", "/s/4"}) {
    writer.create(path);
  }
  const std::int64_t seen = writer.call(Opcode::exists, watch_body("/s")).zxid;
  writer.call(Opcode::set_data, set_body("/s/1", "1"));
  writer.create("/s/2/c");
  writer.call(Opcode::remove, delete_body("/s/3"));
  writer.create("/s/5");
  Client client = Client::with_session(server);
  client.send(request_frame(
      -8, Opcode::set_watches,
      Body().wide(seen).list({"/s/1", "/s/3", "/s/4"}).list({"/s/5", "/s/6"}).list({"/s/2", "/s/4"}).bytes));
  server.run();
  const auto frames = client.take_all();
  ASSERT_EQ(frames.size(), 5U);
  const std::vector<std::pair<std::int32_t, std::string>> expected = {
      {3, "/s/1"}, {2, "/s/3"}, {1, "/s/5"}, {4, "/s/2"}};
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(event_of(frames[i]), expected[i]);
    EXPECT_EQ(frames[i].zxid, -1);
  }
  EXPECT_EQ(frames[4].xid, -8);
  EXPECT_TRUE(frames[4].body.empty());
  writer.call(Opcode::set_data, set_body("/s/4", "x"));
  writer.create("/s/6");
  EXPECT_EQ(client.take_all().size(), 2U);
}

TEST(Watches, an_event_needs_read_permission_on_what_changed) {  // Protocol 7.4
  Server server;
  Client owner = Client::with_session(server);
  owner.send(digest_auth("bob:pw"));
  server.run();
  owner.take();
  Client other = Client::with_session(server);
  other.call(Opcode::exists, watch_body("/s", true));
  const std::string acl = Body().number(1).number(31).text("auth").text("").bytes;
  owner.call(Opcode::create, Body().text("/s").buffer("x").bytes + acl + Body().number(0).bytes);
  server.run();
  EXPECT_TRUE(other.take_all().empty());
}

TEST(Auth, unknown_schemes_end_the_connection_after_the_answer) {  // Protocol 6.6
  for (const char* scheme : {"foo", "world", "auth", "super", "sasl", "x509", ""}) {
    Server server;
    Client client = Client::with_session(server);
    client.send(request_frame(9, Opcode::auth, Body().number(0).text(scheme).buffer("x").bytes));
    server.run();
    const auto reply = client.take();
    ASSERT_TRUE(reply.has_value());
    EXPECT_EQ(reply->xid, 9);
    EXPECT_EQ(reply->zxid, 0);
    EXPECT_EQ(reply->error, -115);
    EXPECT_TRUE(client.is_closed());
  }
}

TEST(Auth, a_digest_without_data_fails_and_ip_succeeds) {  // Protocol 6.3, 6.6
  Server server;
  Client client = Client::with_session(server);
  client.send(request_frame(1, Opcode::auth, Body().number(0).text("ip").buffer("").bytes));
  client.send(request_frame(2, Opcode::auth, Body().number(0).text("digest").buffer(null_bytes).bytes));
  server.run();
  const auto replies = client.take_all();
  ASSERT_EQ(replies.size(), 2U);
  EXPECT_EQ(replies[0].error, 0);
  EXPECT_EQ(replies[1].error, -115);
  EXPECT_TRUE(client.is_closed());
}

TEST(Auth, a_body_that_does_not_decode_closes_without_a_word) {  // Protocol 2.5
  Server server;
  Client client = Client::with_session(server);
  client.send(request_frame(1, Opcode::auth, "xx"));
  server.run();
  EXPECT_TRUE(client.is_closed());
  EXPECT_TRUE(client.raw_output().empty());
}

TEST(Auth, the_super_digest_opens_everything) {  // Protocol 6.3
  ServerOptions options;
  options.front.super_digest = "bob:ikIaKsbtGweaHnb/jKn7OHqbunM=";
  Server server(options);
  Client client = Client::with_session(server);
  EXPECT_EQ(client.call(Opcode::set_data, set_body("/zookeeper/config", "x")).error, -102);
  client.send(digest_auth("bob:pw"));
  server.run();
  EXPECT_EQ(client.take()->error, 0);
  EXPECT_EQ(client.call(Opcode::set_data, set_body("/zookeeper/config", "x")).error, 0);
}

TEST(Auth, enforced_schemes_refuse_everything_else) {  // Protocol 2.5 step 4, 14.11
  ServerOptions options;
  options.front.enforced_schemes = {"digest"};
  Server server(options);
  Client stranger = Client::with_session(server);
  stranger.post(Opcode::ping);
  server.run();
  const auto reply = stranger.take();
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(reply->error, -124);
  EXPECT_EQ(reply->zxid, 0);
  EXPECT_TRUE(stranger.is_closed());
  Client friendly = Client::with_session(server);
  friendly.send(digest_auth("bob:pw"));
  server.run();
  friendly.take();
  EXPECT_EQ(friendly.create("/a").error, 0);
}

TEST(Auth, sasl_ends_with_a_null_token) {  // Protocol 6.7
  Server server;
  Client client = Client::with_session(server);
  const Reply reply = client.call(Opcode::sasl, Body().buffer("").bytes);
  EXPECT_EQ(reply.error, 0);
  EXPECT_EQ(reply.zxid, 0);
  EXPECT_EQ(reply.body, from_hex("ffffffff"));
}

TEST(Auth, a_credential_beyond_the_bound_is_a_failure_for_good) {  // S-202, gotcha 33
  Server server;
  Client client = Client::with_session(server);
  for (int i = 0; i < 100; ++i) {
    client.send(digest_auth(std::string(2000, 'u') + std::to_string(i) + ":pw"));
  }
  server.run();
  EXPECT_TRUE(client.is_closed());
  EXPECT_EQ(server.fates[client.connection().slot].reason, CloseReason::too_many_credentials);
  const std::vector<Reply> replies = client.take_all();
  ASSERT_EQ(replies.size(), 5U);  // 8 KiB.
  for (std::size_t i = 0; i < replies.size(); ++i) {
    EXPECT_EQ(replies[i].error, i < 4 ? 0 : -115);
  }
}

TEST(Auth, who_asks_for_sasl_again_and_again_is_cut_off) {  // Protocol 6.7, S-202
  Server server;
  Client client = Client::with_session(server);
  for (int i = 0; i < 9; ++i) {
    EXPECT_EQ(client.call(Opcode::sasl, Body().buffer("").bytes).error, 0);
  }
  EXPECT_FALSE(client.is_closed());
  client.post(Opcode::sasl, Body().buffer("").bytes);
  client.post(Opcode::sasl, Body().buffer("").bytes);
  server.run();
  EXPECT_TRUE(client.is_closed());
  EXPECT_EQ(client.take_all().size(), 1U);
}

// The tree is large enough for a look at what the pipeline will touch: nothing but time may depend on it.
TEST(Requests, reads_in_a_row_are_answered_in_a_large_tree_as_in_a_small_one) {
  Server server;
  Client client = Client::with_session(server, 40000);
  constexpr int znodes = 70'000;
  for (int number = 0; number < znodes; ++number) {
    client.post(Opcode::create, create_body("/n" + std::to_string(number), std::to_string(number)));
    if (number % 500 == 499) {
      server.run(4);
    }
  }
  server.run(4);
  client.take_all();
  std::vector<std::int32_t> wanted;
  std::string burst;
  std::int32_t xid = 1'000'000;
  const auto add = [&](Opcode opcode, const std::string& body, std::int32_t error) {
    burst += request_frame(++xid, opcode, body);
    wanted.push_back(error);
  };
  for (int number = 0; number < 40; ++number) {
    add(Opcode::get_data, watch_body("/n" + std::to_string(number * 1733)), 0);
    add(Opcode::exists, watch_body("/none" + std::to_string(number)), -101);
    add(Opcode::get_children, watch_body(""), 0);
    add(Opcode::get_data, watch_body("no/slash"), -101);
    add(Opcode::get_data, Body().number(1 << 30).bytes, -5);
    add(Opcode::get_data, "", -5);
    add(Opcode::who_am_i, "", 0);
    if (number % 10 == 9) {
      add(Opcode::set_data, set_body("/n0", "x"), 0);
    }
  }
  client.send(burst);
  server.run(50);
  const std::vector<Reply> replies = client.take_all();
  ASSERT_EQ(replies.size(), wanted.size());
  for (std::size_t i = 0; i < replies.size(); ++i) {
    EXPECT_EQ(replies[i].error, wanted[i]) << i;
  }
}

}  // namespace
}  // namespace quorate::replica::testing
