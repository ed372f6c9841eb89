// The order of replies, events and reads (protocol 2.4, design chapter 4).

#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "replica/testing/harness.hpp"

namespace quorate::replica::testing {
namespace {

using wire::Opcode;

TEST(Order, a_read_behind_a_write_waits_for_it_and_sees_it) {  // Protocol 2.4 rule 2, R-720
  Server server;
  Client client = Client::with_session(server);
  server.set_disk_slow(true);
  const auto create = client.post(Opcode::create, create_body("/a", "one"));
  const auto get = client.post(Opcode::get_data, watch_body("/a"));
  server.run();
  EXPECT_TRUE(client.take_all().empty());
  server.finish_disk();
  server.run();
  const auto replies = client.take_all();
  ASSERT_EQ(replies.size(), 2U);
  EXPECT_EQ(replies[0].xid, create);
  EXPECT_EQ(replies[1].xid, get);
  EXPECT_EQ(replies[1].error, 0);
  EXPECT_EQ(wire::Reader(replies[1].body).read_buffer(), "one");
  EXPECT_GE(replies[1].zxid, replies[0].zxid);
}

TEST(Order, writes_in_a_row_are_under_way_together) {
  Server server;
  Client client = Client::with_session(server);
  server.set_disk_slow(true);
  for (int i = 0; i < 5; ++i) {
    client.post(Opcode::create, create_body("/n" + std::to_string(i)));
  }
  server.turn();
  EXPECT_EQ(server.front.stats().outstanding, 5U);
  EXPECT_EQ(server.output.append.size(), 5U);
  EXPECT_EQ(server.output.append.front().time, server.output.append.back().time);
}

TEST(Order, reads_of_other_connections_do_not_wait) {  // Protocol 2.4 rule 2
  Server server;
  Client writer = Client::with_session(server);
  Client reader = Client::with_session(server);
  server.set_disk_slow(true);
  writer.post(Opcode::create, create_body("/a"));
  server.run();
  EXPECT_EQ(reader.call(Opcode::exists, watch_body("/a")).error, -101);
  EXPECT_TRUE(writer.take_all().empty());
}

TEST(Order, a_long_mix_is_answered_in_the_order_of_the_requests) {  // Protocol 2.4 rule 1, gotcha 6
  Server server;
  Client client = Client::with_session(server);
  client.create("/a");
  std::vector<std::int32_t> expected;
  for (int i = 0; i < 500; ++i) {
    switch (i % 5) {
      case 0:
      case 1:
        expected.push_back(client.post(Opcode::set_data, set_body("/a", std::to_string(i))));
        break;
      case 2:
        expected.push_back(client.post(Opcode::get_data, watch_body("/a")));
        break;
      case 3:
        expected.push_back(client.post(Opcode::set_data, "bad"));
        break;
      default:
        client.send(request_frame(-2, Opcode::ping));
        expected.push_back(-2);
    }
  }
  server.run(600);
  const auto replies = client.take_all();
  ASSERT_EQ(replies.size(), expected.size());
  std::int64_t newest = 0;
  for (std::size_t i = 0; i < replies.size(); ++i) {
    EXPECT_EQ(replies[i].xid, expected[i]);
    EXPECT_GE(replies[i].zxid, newest);  // Protocol 2.2.
    newest = replies[i].zxid;
    EXPECT_EQ(replies[i].error, i % 5 == 3 ? -5 : 0);
  }
}

TEST(Order, an_event_comes_before_the_reply_to_the_write_that_fired_it) {  // V37, V52, protocol 2.4 rule 4
  Server server;
  Client client = Client::with_session(server);
  client.create("/a");
  client.call(Opcode::get_data, watch_body("/a", true));
  client.post(Opcode::set_data, set_body("/a", "x"));
  server.run();
  const auto frames = client.take_all();
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_EQ(frames[0].xid, -1);
  EXPECT_EQ(event_of(frames[0]), (std::pair<std::int32_t, std::string>{3, "/a"}));
  EXPECT_EQ(frames[0].zxid, frames[1].zxid);  // From 3.9 on the event carries its transaction's (protocol 2.2).
  EXPECT_EQ(frames[1].error, 0);
}

TEST(Order, no_client_reads_new_data_before_its_event) {  // Design chapter 4
  Server server;
  Client writer = Client::with_session(server);
  Client reader = Client::with_session(server);
  writer.create("/a", "old");
  reader.call(Opcode::get_data, watch_body("/a", true));
  server.set_disk_slow(true);
  writer.post(Opcode::set_data, set_body("/a", "new"));
  server.run();
  reader.post(Opcode::get_data, watch_body("/a"));
  server.finish_disk();
  while (server.replica.apply(64)) {
  }
  // The entry is applied, its event waits in the mailbox, the read in the input.
  server.run();
  const auto frames = reader.take_all();
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_EQ(frames[0].xid, -1);
  EXPECT_EQ(wire::Reader(frames[1].body).read_buffer(), "new");
}

TEST(Order, the_reply_that_sets_a_watch_comes_before_the_watchs_event) {  // Protocol 2.4 rule 5
  Server server;
  Client watcher = Client::with_session(server);
  Client writer = Client::with_session(server);
  writer.create("/a");
  const auto get = watcher.post(Opcode::get_data, watch_body("/a", true));
  writer.post(Opcode::set_data, set_body("/a", "x"));
  server.run();
  const auto frames = watcher.take_all();
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_EQ(frames[0].xid, get);
  EXPECT_EQ(frames[1].xid, -1);
}

TEST(Order, sync_and_ping_stand_behind_the_connections_writes) {  // Protocol 2.4 rule 7, chapter 10
  Server server;
  Client client = Client::with_session(server);
  server.set_disk_slow(true);
  const auto create = client.post(Opcode::create, create_body("/a"));
  const auto sync = client.post(Opcode::sync, Body().text("/nowhere").bytes);
  client.send(request_frame(77, Opcode::ping));
  server.run();
  EXPECT_TRUE(client.take_all().empty());
  server.finish_disk();
  server.run();
  const auto replies = client.take_all();
  ASSERT_EQ(replies.size(), 3U);
  EXPECT_EQ(replies[0].xid, create);
  EXPECT_EQ(replies[1].xid, sync);
  EXPECT_EQ(wire::Reader(replies[1].body).read_string(), "/nowhere");
  EXPECT_EQ(replies[2].xid, -2);  // Whatever the ping's xid was (protocol 2.1).
}

TEST(Order, credentials_are_those_of_the_moment_of_the_request) {  // Protocol 2.4 rule 9
  Server server;
  Client client = Client::with_session(server);
  const std::string acl = Body().number(1).number(31).text("auth").text("").bytes;
  const std::string before = Body().text("/before").buffer("").bytes + acl + Body().number(0).bytes;
  const std::string after = Body().text("/after").buffer("").bytes + acl + Body().number(0).bytes;
  client.post(Opcode::create, before);
  client.send(request_frame(-4, Opcode::auth, Body().number(0).text("digest").buffer("bob:pw").bytes));
  client.post(Opcode::create, after);
  server.run();
  const auto replies = client.take_all();
  ASSERT_EQ(replies.size(), 3U);
  EXPECT_EQ(replies[0].error, -114);
  EXPECT_EQ(replies[1].xid, -4);
  EXPECT_EQ(replies[1].zxid, 0);
  EXPECT_EQ(replies[2].error, 0);
}

TEST(Order, an_undecodable_write_never_becomes_an_entry) {  // Design chapter 3
  Server server;
  Client client = Client::with_session(server);
  const Index before = server.replica.applied();
  const Reply reply = client.call(Opcode::set_data, "");
  EXPECT_EQ(reply.error, -5);
  EXPECT_EQ(reply.zxid, raw(server.replica.zxid_of(before)));
  EXPECT_EQ(server.replica.applied(), before);
}

TEST(Order, a_refused_write_is_an_entry_with_a_zxid_of_its_own) {  // V13, protocol 2.2
  Server server;
  Client client = Client::with_session(server);
  const Reply created = client.create("/a");
  const Reply again = client.create("/a");
  EXPECT_EQ(again.error, -110);
  EXPECT_EQ(again.zxid, created.zxid + 1);
  EXPECT_TRUE(again.body.empty());
}

TEST(Order, one_busy_connection_does_not_starve_another) {
  Server server;
  Client busy = Client::with_session(server);
  Client quiet = Client::with_session(server);
  for (int i = 0; i < 3000; ++i) {
    busy.post(Opcode::exists, watch_body("/nothing"));
  }
  quiet.post(Opcode::exists, watch_body("/nothing"));
  server.front.serve(server.mail, server.now);
  EXPECT_FALSE(server.front.outgoing(quiet.connection()).empty());
}

TEST(Order, frames_may_arrive_in_any_pieces) {  // Protocol 1.1
  Server server;
  Client client(server);
  const std::string all = connect_frame(10000) + request_frame(1, Opcode::create, create_body("/a", "data")) +
                          request_frame(2, Opcode::get_data, watch_body("/a"));
  for (const char byte : all) {
    client.send(std::string_view(&byte, 1));
    server.turn();
  }
  server.run();
  ASSERT_TRUE(client.take_connected().has_value());
  const auto replies = client.take_all();
  ASSERT_EQ(replies.size(), 2U);
  EXPECT_EQ(wire::Reader(replies[1].body).read_buffer(), "data");
}

TEST(Order, requests_may_come_in_one_segment_with_the_handshake) {  // Gotcha 39
  Server server;
  Client client(server);
  client.send(connect_frame(10000) + request_frame(0, Opcode::create, create_body("/a")));
  server.run();
  ASSERT_TRUE(client.take_connected().has_value());
  const auto replies = client.take_all();
  ASSERT_EQ(replies.size(), 1U);
  EXPECT_EQ(replies[0].xid, 0);  // Gotcha 5.
}

}  // namespace
}  // namespace quorate::replica::testing
