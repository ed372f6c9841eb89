// Why a connection was closed is told to the shell, whatever the reason (operations 9).

#include "replica/close_reason.hpp"

#include <gtest/gtest.h>
#include <set>
#include <string>
#include <vector>

#include "replica/testing/harness.hpp"

namespace quorate::replica::testing {
namespace {

using wire::Opcode;

Front::Action fate_of(Server& server, const Client& client) {
  const auto fate = server.fates.find(client.connection().slot);
  return fate == server.fates.end() ? Front::Action{} : fate->second;
}

CloseReason reason_for(Server& server, Client& client, std::string_view bytes) {
  client.send(bytes);
  server.run();
  return fate_of(server, client).reason;
}

TEST(CloseReasons, every_reason_has_its_own_words) {
  std::set<std::string_view> words;
  for (std::size_t reason = 0; reason < close_reasons; ++reason) {
    EXPECT_TRUE(words.insert(describe(static_cast<CloseReason>(reason))).second);
  }
}

TEST(CloseReasons, what_cannot_be_read_is_told_apart) {
  Server server;
  Client late(server);
  Client negative(server);
  EXPECT_EQ(reason_for(server, negative, from_hex("ffffffff")), CloseReason::frame_too_large);
  EXPECT_EQ(fate_of(server, negative).refused_length, -1);
  Client large = Client::with_session(server);
  EXPECT_EQ(reason_for(server, large, from_hex("00100000")), CloseReason::frame_too_large);
  EXPECT_EQ(fate_of(server, large).refused_length, 0x100000);
  EXPECT_EQ(fate_of(server, large).session, SessionId{large.session.session});
  Client handshake(server);
  EXPECT_EQ(reason_for(server, handshake, framed("abc")), CloseReason::malformed_handshake);
  Client request = Client::with_session(server);
  EXPECT_EQ(reason_for(server, request, framed("abc")), CloseReason::malformed_request);
  Client unknown = Client::with_session(server);
  EXPECT_EQ(reason_for(server, unknown, request_frame(1, 4711)), CloseReason::unknown_operation);
  server.advance_ms(10'001);
  server.run();
  EXPECT_EQ(fate_of(server, late).reason, CloseReason::late_handshake);
}

TEST(CloseReasons, fates_of_sessions_are_told_apart) {
  Server server;
  Client closing = Client::with_session(server);
  EXPECT_EQ(reason_for(server, closing, request_frame(1, Opcode::close_session)), CloseReason::session_closed);
  Client first = Client::with_session(server);
  Client second(server);
  second.send(connect_frame(10000, first.session.session, first.session.password));
  server.run();
  EXPECT_EQ(fate_of(server, first).reason, CloseReason::session_moved);
  Client guesser(server);
  EXPECT_EQ(reason_for(server, guesser, connect_frame(10000, first.session.session)), CloseReason::session_refused);
  Client ahead(server);
  EXPECT_EQ(reason_for(server, ahead, connect_frame(10000, 0, std::string(16, '\0'), 1'000'000)),
            CloseReason::client_is_ahead);
  Client silent = Client::with_session(server, 4000);
  server.pass_ms(6500);
  EXPECT_EQ(fate_of(server, silent).reason, CloseReason::session_expired);
  EXPECT_EQ(server.replica.stats().last_expired_timeout_ms, 4000);
}

TEST(CloseReasons, limits_are_told) {
  ServerOptions options;
  options.front.connection_throttle.tokens_max = 1;
  options.front.connection_throttle.fill_ms = 1'000'000;
  options.front.enforced_schemes = {"digest"};
  Server server(options);
  Client first = Client::with_session(server);
  Client second(server);
  EXPECT_EQ(reason_for(server, second, connect_frame(10000)), CloseReason::connection_throttled);
  EXPECT_EQ(reason_for(server, first, request_frame(1, Opcode::exists, watch_body("/"))),
            CloseReason::not_authenticated);
  Client word(server);
  word.send("ruok");
  server.run();
  server.front.answer_admin(word.connection(), "imok");
  server.run();
  EXPECT_EQ(fate_of(server, word).reason, CloseReason::four_letter_word);
}

TEST(CloseReasons, a_wrong_scheme_and_a_full_disk_are_told) {
  Server server;
  Client client = Client::with_session(server);
  EXPECT_EQ(reason_for(server, client, request_frame(-4, Opcode::auth, Body().number(0).text("no").buffer("x").bytes)),
            CloseReason::auth_failed);
  server.replica.set_disk_space(DiskSpace::low);
  Client late(server);
  EXPECT_EQ(reason_for(server, late, connect_frame(10000)), CloseReason::writes_are_refused);
}

}  // namespace
}  // namespace quorate::replica::testing
