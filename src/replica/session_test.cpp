// Handshakes and the life of sessions (protocol 1.4 to 1.8, 8; ).

#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "replica/testing/harness.hpp"

namespace quorate::replica::testing {
namespace {

using wire::Opcode;

Client resume(Server& server, const Connected& session, std::int32_t timeout_ms = 10000) {
  Client client(server);
  client.send(connect_frame(timeout_ms, session.session, session.password));
  server.run();
  return client;
}

TEST(Handshake, a_modern_client_gets_37_bytes) {  // V01
  Server server;
  Client client(server);
  client.send(
      from_hex("0000002d000000000000000000000000000027100000000000000000"
               "000000100000000000000000000000000000000000"));
  server.run();
  const std::string bytes = client.raw_output();
  ASSERT_EQ(bytes.size(), 41U);
  EXPECT_EQ(bytes.substr(0, 12), from_hex("000000250000000000002710"));
  EXPECT_EQ(bytes.substr(20, 4), from_hex("00000010"));
  EXPECT_EQ(bytes.back(), '\0');
}

TEST(Handshake, a_client_without_the_flag_gets_none_back) {  // V02, gotcha 1
  Server server;
  Client client(server);
  client.send(connect_frame(10000, 0, std::string(16, '\0'), 0, false));
  server.run();
  const auto connected = client.take_connected();
  ASSERT_TRUE(connected.has_value());
  EXPECT_EQ(connected->payload_bytes, 36U);
}

TEST(Handshake, timeouts_are_clamped) {  // V03
  struct Row {
    std::int32_t wanted;
    std::int32_t given;
  };
  Server server;
  for (const Row row : {Row{1000, 4000}, Row{600000, 40000}, Row{10000, 10000}, Row{0, 4000}, Row{-5, 4000}}) {
    EXPECT_EQ(Client::with_session(server, row.wanted).session.timeout_ms, row.given);
  }
}

TEST(Handshake, a_client_that_has_seen_more_is_closed_without_a_word) {  // V04, gotcha 4
  Server server;
  Client client(server);
  client.send(connect_frame(10000, 0, std::string(16, '\0'), 1'000'000));
  server.run();
  EXPECT_TRUE(client.is_closed());
  EXPECT_TRUE(client.raw_output().empty());
}

TEST(Handshake, a_negative_last_zxid_passes) {  // Protocol 1.5 step 5
  Server server;
  Client client(server);
  client.send(connect_frame(10000, 0, std::string(16, '\0'), -1));
  server.run();
  EXPECT_TRUE(client.take_connected().has_value());
}

TEST(Handshake, what_does_not_decode_is_closed) {  // Protocol 1.1, 1.5 step 2
  Server server;
  for (const std::string& bytes :
       {framed(""), framed("0123456789"), std::string("\xff\xff\xff\xff", 4), std::string("\x7f\xff\xff\xff", 4)}) {
    Client client(server);
    client.send(bytes);
    server.run();
    EXPECT_TRUE(client.is_closed());
    EXPECT_TRUE(client.raw_output().empty());
  }
}

TEST(Handshake, a_silent_connection_is_dropped) {  // Protocol 1.8
  Server server;
  Client client(server);
  server.advance_ms(9000);
  server.run();
  EXPECT_FALSE(client.is_closed());
  server.advance_ms(1001);
  server.run();
  EXPECT_TRUE(client.is_closed());
}

TEST(Handshake, a_second_connect_request_is_an_unknown_operation) {  // Protocol 1.5
  Server server;
  Client client = Client::with_session(server);
  client.send(connect_frame(10000));
  server.run();
  const auto reply = client.take();
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(reply->xid, 0);
  EXPECT_EQ(reply->zxid, -1);
  EXPECT_EQ(reply->error, -6);
  EXPECT_TRUE(client.is_closed());
}

TEST(Handshake, four_letter_words_go_to_admin) {  // Protocol 1.9
  Server server;
  Client client(server);
  client.send("ruok and more");
  server.run();
  std::vector<Front::AdminRequest> asked;
  server.front.take_admin_requests(asked);
  ASSERT_EQ(asked.size(), 1U);
  EXPECT_EQ(std::string(asked[0].word.begin(), asked[0].word.end()), "ruok");
  server.front.answer_admin(asked[0].connection, "imok");
  server.run();
  EXPECT_EQ(client.raw_output(), "imok");
  EXPECT_TRUE(client.is_closed());
}

TEST(Handshake, stmk_waits_for_its_mask) {  // Operations 2.1
  Server server;
  Client client(server);
  std::vector<Front::AdminRequest> asked;
  client.send("stmk1234");
  server.run();
  server.front.take_admin_requests(asked);
  EXPECT_TRUE(asked.empty());
  client.send("5678");
  server.run();
  server.front.take_admin_requests(asked);
  ASSERT_EQ(asked.size(), 1U);
  EXPECT_EQ(asked[0].rest, "12345678");
}

TEST(Handshake, stmk_that_is_not_allowed_waits_for_nothing) {  // Operations 2.1
  ServerOptions options;
  options.front.stmk_is_allowed = false;
  Server server(options);
  Client client(server);
  client.send("stmk");
  server.run();
  std::vector<Front::AdminRequest> asked;
  server.front.take_admin_requests(asked);
  ASSERT_EQ(asked.size(), 1U);
  EXPECT_EQ(std::string(asked[0].word.begin(), asked[0].word.end()), "stmk");
  EXPECT_TRUE(asked[0].rest.empty());
}

TEST(Handshake, an_unknown_word_and_a_word_after_the_handshake_close) {  // Protocol 1.9
  Server server;
  Client unknown(server);
  unknown.send("what");
  Client late = Client::with_session(server);
  late.send("ruok");
  server.run();
  EXPECT_TRUE(unknown.is_closed());
  EXPECT_TRUE(late.is_closed());
  EXPECT_TRUE(late.raw_output().empty());
}

TEST(Handshake, connections_come_out_of_a_bucket_if_one_is_set) {  // Protocol 14.5
  ServerOptions options;
  options.front.connection_throttle.tokens_max = 2;
  options.front.connection_throttle.fill_ms = 1000;
  Server server(options);
  server.run();
  Client::with_session(server);
  Client::with_session(server);
  Client third(server);
  third.send(connect_frame(10000));
  server.run();
  EXPECT_TRUE(third.is_closed());
  EXPECT_TRUE(third.raw_output().empty());
  server.advance_ms(1000);
  Client::with_session(server);
}

TEST(Session, ids_carry_the_server_and_passwords_differ) {  // Design chapter 5, R-712
  Server server;
  const Client first = Client::with_session(server);
  const Client second = Client::with_session(server);
  EXPECT_EQ(first.session.session >> 56, 1);
  EXPECT_NE(first.session.session, second.session.session);
  EXPECT_NE(first.session.password, second.session.password);
  EXPECT_EQ(first.session.password.size(), 16U);
}

TEST(Session, a_resume_keeps_id_and_password_and_closes_the_older_connection) {  // V05, gotcha 34
  Server server;
  Client old = Client::with_session(server, 10000);
  Client fresh = resume(server, old.session, 20000);
  const auto connected = fresh.take_connected();
  ASSERT_TRUE(connected.has_value());
  EXPECT_EQ(connected->session, old.session.session);
  EXPECT_EQ(connected->password, old.session.password);
  EXPECT_EQ(connected->timeout_ms, 20000);
  EXPECT_TRUE(old.is_closed());
  EXPECT_TRUE(old.raw_output().empty());
  EXPECT_EQ(fresh.create("/a").error, 0);
}

TEST(Session, a_wrong_password_is_refused_and_does_not_disturb_the_owner) {  // V06, protocol 1.5 Q:
  Server server;
  Client owner = Client::with_session(server);
  Connected guess = owner.session;
  guess.password = std::string(16, '\x22');
  const Index before = server.replica.applied();
  Client guesser = resume(server, guess);
  EXPECT_EQ(server.replica.applied(), before);  // Refused here, without an entry.
  EXPECT_EQ(guesser.raw_output(), from_hex("000000250000000000000000000000000000000000000010000000000000000000000000"
                                           "0000000000"));
  EXPECT_TRUE(guesser.is_closed());
  EXPECT_FALSE(owner.is_closed());
  EXPECT_EQ(owner.create("/a").error, 0);
}

TEST(Session, an_old_client_is_refused_without_the_flag) {  // V08
  Server server;
  Client client(server);
  client.send(connect_frame(10000, 0x77, std::string(16, '\x22'), 0, false));
  server.run();
  EXPECT_EQ(client.raw_output(), from_hex("0000002400000000000000000000000000000000000000100000000000000000000000000"
                                          "0000000"));
  EXPECT_TRUE(client.is_closed());
}

TEST(Session, a_closed_session_cannot_be_resumed) {  // V07
  Server server;
  Client client = Client::with_session(server);
  EXPECT_EQ(client.call(Opcode::close_session).error, 0);
  Client again = resume(server, client.session);
  const auto connected = again.take_connected();
  ASSERT_TRUE(connected.has_value());
  EXPECT_EQ(connected->session, 0);
  EXPECT_EQ(connected->timeout_ms, 0);
  EXPECT_TRUE(again.is_closed());
}

TEST(Session, closing_answers_then_ends_the_connection_and_the_ephemerals) {  // V11, V41
  Server server;
  Client owner = Client::with_session(server);
  Client watcher = Client::with_session(server);
  owner.create("/e", "", 1);
  watcher.call(Opcode::exists, watch_body("/e", true));
  owner.post(Opcode::close_session);
  owner.post(Opcode::exists, watch_body("/e"));  // Dropped: it follows the end.
  server.run();
  const auto replies = owner.take_all();
  ASSERT_EQ(replies.size(), 1U);
  EXPECT_EQ(replies[0].error, 0);
  EXPECT_TRUE(replies[0].body.empty());
  EXPECT_TRUE(owner.is_closed());
  const auto event = watcher.take();
  ASSERT_TRUE(event.has_value());
  EXPECT_EQ(event_of(*event), (std::pair<std::int32_t, std::string>{2, "/e"}));
  EXPECT_EQ(event->zxid, replies[0].zxid);
  EXPECT_EQ(watcher.call(Opcode::exists, watch_body("/e")).error, -101);
}

TEST(Session, a_write_through_the_former_connection_is_void_and_closes_it) {  // R-714, protocol 8.4
  Server server;
  Client old = Client::with_session(server);
  server.set_disk_slow(true);
  Client fresh(server);
  fresh.send(connect_frame(10000, old.session.session, old.session.password));
  server.turn();
  old.post(Opcode::create, create_body("/late"));  // Behind the resume in the log.
  server.turn();
  server.finish_disk();
  server.set_disk_slow(false);
  server.run();
  EXPECT_TRUE(old.is_closed());
  EXPECT_TRUE(old.take_all().empty());
  EXPECT_EQ(server.replica.stats().void_entries, 1U);
  ASSERT_TRUE(fresh.take_connected().has_value());
  EXPECT_EQ(fresh.call(Opcode::exists, watch_body("/late")).error, -101);
}

TEST(Session, a_write_before_the_resume_in_the_log_still_counts) {
  Server server;
  Client old = Client::with_session(server);
  server.set_disk_slow(true);
  old.post(Opcode::create, create_body("/early"));
  server.turn();
  Client fresh(server);
  fresh.send(connect_frame(10000, old.session.session, old.session.password));
  server.turn();
  server.finish_disk();
  server.set_disk_slow(false);
  server.run();
  EXPECT_EQ(old.take_all().size(), 1U);
  ASSERT_TRUE(fresh.take_connected().has_value());
  EXPECT_EQ(fresh.call(Opcode::exists, watch_body("/early")).error, 0);
}

TEST(Session, silence_ends_it_within_timeout_and_a_tick) {  // V09, protocol 8.2
  Server server;
  Client client = Client::with_session(server, 4000);
  client.create("/e", "", 1);
  server.pass_ms(3990);
  EXPECT_FALSE(client.is_closed());
  for (int i = 0; i < 22; ++i) {
    server.advance_ms(100);
    server.run();
  }
  EXPECT_TRUE(client.is_closed());
  EXPECT_TRUE(client.take_all().empty());  // Gotcha 36.
  Client other = Client::with_session(server);
  EXPECT_EQ(other.call(Opcode::exists, watch_body("/e")).error, -101);
  Client again = resume(server, client.session);
  EXPECT_EQ(again.take_connected()->session, 0);
}

TEST(Session, pings_keep_it_alive_even_while_the_disk_stalls) {  // Protocol 8.2
  Server server;
  Client client = Client::with_session(server, 4000);
  server.set_disk_slow(true);
  client.post(Opcode::create, create_body("/a"));
  for (int i = 0; i < 20; ++i) {
    client.send(request_frame(-2, Opcode::ping));
    server.advance_ms(1000);
    server.run();
  }
  server.finish_disk();
  server.set_disk_slow(false);
  server.run();
  EXPECT_FALSE(client.is_closed());
  EXPECT_EQ(client.take_all().size(), 21U);
}

TEST(Session, after_a_pause_of_the_server_what_waited_in_the_sockets_is_heard_first) {
  Server server;
  Client client = Client::with_session(server, 4000);
  server.advance_ms(30000);  // The loop stood still; the client's pings were sent all the while.
  client.send(request_frame(-2, Opcode::ping));
  server.run();
  EXPECT_FALSE(client.is_closed());
  EXPECT_EQ(client.take_all().size(), 1U);
  server.pass_ms(6500);
  EXPECT_TRUE(client.is_closed());
}

// The machine slept, and the clients with it: nobody could speak, so nobody was silent. From then on time counts again.
TEST(Session, time_in_which_the_server_did_not_run_counts_for_nobody) {
  Server server;
  Client client = Client::with_session(server, 4000);
  server.pass_ms(1000);
  server.advance_ms(3'600'000);
  server.run(20);
  server.pass_ms(2500);
  EXPECT_FALSE(client.is_closed());
  server.pass_ms(3000);
  EXPECT_TRUE(client.is_closed());
}

TEST(Session, a_server_that_is_never_in_time_still_finds_out_who_is_gone) {
  Server server;
  Client client = Client::with_session(server, 4000);
  for (int turn = 0; turn < 12; ++turn) {
    server.advance_ms(1100);
    server.turn();
  }
  EXPECT_TRUE(client.is_closed());
}

// Neither its client, which waits for an answer, nor one that gave up and comes back, can be heard while the log takes
// nothing in.
TEST(Session, while_the_disk_stalls_nobody_expires) {
  Server server;
  Client writer = Client::with_session(server, 4000);
  Client silent = Client::with_session(server, 4000);
  Client gone = Client::with_session(server, 4000);
  gone.hang_up();
  server.set_disk_slow(true);
  writer.post(Opcode::create, create_body("/a"));
  server.pass_ms(2000);
  Client back(server);
  back.send(connect_frame(4000, gone.session.session, gone.session.password));
  server.pass_ms(9500);
  server.finish_disk();
  server.set_disk_slow(false);
  server.run();
  EXPECT_EQ(server.replica.stats().sessions_expired, 0U);
  const auto resumed = back.take_connected();
  ASSERT_TRUE(resumed.has_value());
  EXPECT_EQ(resumed->session, gone.session.session);
  server.pass_ms(2500);
  EXPECT_FALSE(silent.is_closed());
  server.pass_ms(6500);
  EXPECT_TRUE(silent.is_closed());  // Time counts again.
}

TEST(Session, a_long_start_takes_nothing_from_a_timeout) {
  ServerOptions options;
  Server before(options);
  Client client = Client::with_session(before, 4000);
  ServerOptions next = before.after_restart(options);
  next.replay_ms = 60'000;
  Server after(next);
  after.pass_ms(3500);
  EXPECT_EQ(after.replica.stats().sessions_expired, 0U);
  after.pass_ms(3000);
  EXPECT_EQ(after.replica.stats().sessions_expired, 1U);
}

TEST(Session, events_and_half_frames_do_not_keep_it_alive) {  // Protocol 8.2
  Server server;
  Client silent = Client::with_session(server, 4000);
  Client writer = Client::with_session(server, 40000);
  silent.call(Opcode::add_watch, Body().text("/").number(1).bytes);
  silent.send(std::string_view("\0\0\x10\0", 4));  // A frame of 4096 bytes that never ends.
  for (int i = 0; i < 70; ++i) {
    server.advance_ms(100);
    if (i % 10 == 0) {
      writer.create("/n" + std::to_string(i));
    }
    silent.send(std::string_view("\0", 1));
    server.run(1);
    EXPECT_FALSE(i < 40 && silent.is_closed());
  }
  EXPECT_TRUE(silent.is_closed());
  EXPECT_EQ(server.replica.stats().sessions_expired, 1U);
}

TEST(Session, a_restarted_server_gives_every_session_its_full_timeout) {
  ServerOptions options;
  Server before(options);
  Client client = Client::with_session(before, 4000);
  ServerOptions next = before.after_restart(options);
  next.now = after_ms(next.now, 3'600'000);
  Server after(next);
  after.pass_ms(3900);
  Client again = resume(after, client.session);
  EXPECT_EQ(again.take_connected()->session, client.session.session);
}

TEST(Session, a_resume_that_the_log_has_first_makes_an_expiry_void) {
  Server server;
  Client old = Client::with_session(server, 4000);
  server.pass_ms(4500);
  server.set_disk_slow(true);
  Client fresh(server);
  fresh.send(connect_frame(4000, old.session.session, old.session.password));
  server.pass_ms(1600);  // Proposes the expiry, behind the resume.
  server.finish_disk();
  server.set_disk_slow(false);
  server.run(1);
  EXPECT_EQ(server.replica.stats().void_entries, 1U);
  EXPECT_EQ(server.replica.stats().sessions_expired, 0U);
  EXPECT_FALSE(fresh.is_closed());
  ASSERT_TRUE(fresh.take_connected().has_value());
}

TEST(Session, writes_behind_its_end_in_the_log_get_session_expired) {
  Server server;
  Client client = Client::with_session(server, 4000);
  server.set_disk_slow(true);
  server.pass_ms(8000);
  client.post(Opcode::create, create_body("/late"));
  server.turn();
  server.finish_disk();
  server.set_disk_slow(false);
  server.run();
  EXPECT_TRUE(client.is_closed());
  Client other = Client::with_session(server);
  EXPECT_EQ(other.call(Opcode::exists, watch_body("/late")).error, -101);
}

TEST(Session, a_vanished_client_leaves_its_session_until_it_expires) {  // Protocol 1.7
  Server server;
  Client client = Client::with_session(server, 4000);
  client.create("/e", "", 1);
  client.hang_up();
  Client other = Client::with_session(server, 40000);
  EXPECT_EQ(other.call(Opcode::exists, watch_body("/e")).error, 0);
  server.pass_ms(6200);
  EXPECT_EQ(other.call(Opcode::exists, watch_body("/e")).error, -101);
}

TEST(Session, a_slots_next_connection_gets_nothing_of_the_last_one) {
  Server server;
  Client watcher = Client::with_session(server);
  Client writer = Client::with_session(server);
  writer.create("/a");
  watcher.call(Opcode::get_data, watch_body("/a", true));
  watcher.call(Opcode::add_watch, Body().text("/").number(1).bytes);
  server.set_disk_slow(true);
  watcher.post(Opcode::create, create_body("/b"));
  writer.post(Opcode::set_data, set_body("/a", "x"));
  server.turn();
  server.finish_disk();
  while (server.replica.apply(64)) {
  }
  // Reply and event are in the mailbox; now the watcher goes and another connection comes.
  watcher.hang_up();
  server.set_disk_slow(false);
  Client next = Client::with_session(server);
  server.run();
  EXPECT_TRUE(next.take_all().empty());
  EXPECT_EQ(server.front.watches().watch_count(), 0U);
  EXPECT_EQ(server.front.stats().outstanding, 0U);
}

}  // namespace
}  // namespace quorate::replica::testing
