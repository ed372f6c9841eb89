#include "client/connection.hpp"

#include <cstdint>
#include <gtest/gtest.h>
#include <limits>
#include <string>
#include <variant>
#include <vector>

#include "wire/jute.hpp"

namespace quorate::client {
namespace {

std::string framed(const std::string& payload) {
  std::string out;
  wire::Writer writer(out);
  const std::size_t frame = writer.begin_frame();
  out.append(payload);
  writer.end_frame(frame);
  return out;
}

std::string handshake_reply(std::int64_t session = 0x100000000000007, std::int32_t timeout_ms = 4000) {
  std::string payload;
  wire::Writer writer(payload);
  writer.write_int(0);
  writer.write_int(timeout_ms);
  writer.write_long(session);
  writer.write_buffer(std::string(16, 'p'));
  writer.write_bool(false);
  return framed(payload);
}

std::string reply(std::int32_t xid, std::int64_t zxid, std::int32_t error = 0, const std::string& body = {}) {
  std::string payload;
  wire::Writer writer(payload);
  writer.write_int(xid);
  writer.write_long(zxid);
  writer.write_int(error);
  return framed(payload + body);
}

std::string event(std::int64_t zxid, const std::string& path) {
  std::string body;
  wire::Writer writer(body);
  writer.write_int(3);
  writer.write_int(3);
  writer.write_string(path);
  return reply(-1, zxid, 0, body);
}

// What came out, copied, since views last only until the connection is empty.
struct Taken {
  std::vector<std::string> log;

  void take(Connection& connection, const std::string& bytes) {
    connection.receive(bytes);
    Incoming incoming;
    while (connection.next(incoming)) {
      if (const auto* opened = std::get_if<SessionOpened>(&incoming)) {
        log.push_back("session " + std::to_string(opened->timeout_ms) + " " + std::string(opened->password));
      } else if (const auto* got = std::get_if<Reply>(&incoming)) {
        log.push_back("reply " + std::to_string(got->xid) + " tag " + std::to_string(got->tag) + " error " +
                      std::to_string(got->error) + " " + std::string(got->body));
      } else if (const auto* told = std::get_if<WatchEvent>(&incoming)) {
        log.push_back("event " + std::to_string(told->type) + " " + std::string(told->path));
      }
    }
  }
};

void forget_output(Connection& connection) {
  connection.sent(connection.output().size());
}

Connection open_connection() {
  Connection connection(Settings{.password = {}});
  Taken taken;
  taken.take(connection, handshake_reply());
  forget_output(connection);
  return connection;
}

std::string failure_of(const Connection& connection) {
  return connection.failure() ? connection.failure()->message : "";
}

TEST(Connection, handshake_asks_for_a_new_session_with_forty_five_bytes) {  // protocol 1.4
  const Connection connection(Settings{.timeout_ms = 0x1234, .password = {}});
  const ByteView output = connection.output();
  ASSERT_EQ(output.size(), 4U + 45U);
  EXPECT_EQ(output.substr(0, 4), ByteView("\0\0\0\x2d", 4));
  EXPECT_EQ(output.substr(16, 4), ByteView("\0\0\x12\x34", 4));
  EXPECT_EQ(output.substr(28, 4), ByteView("\0\0\0\x10", 4));
}

TEST(Connection, resume_sends_session_password_and_last_zxid) {  // protocol 1.4
  const Connection connection(
      Settings{.session = SessionId{0x0102030405060708}, .password = "0123456789abcdef", .last_zxid_seen = Zxid{77}});
  const ByteView output = connection.output();
  EXPECT_EQ(output.substr(8, 8), ByteView("\0\0\0\0\0\0\0\x4d", 8));
  EXPECT_EQ(output.substr(20, 8), ByteView("\1\2\3\4\5\6\7\x08", 8));
  EXPECT_EQ(output.substr(32, 16), "0123456789abcdef");
}

TEST(Connection, refused_session_is_a_failure) {  // protocol 1.5 step 9
  Connection connection(Settings{.password = {}});
  Taken taken;
  taken.take(connection, handshake_reply(0, 0));
  EXPECT_TRUE(taken.log.empty());
  ASSERT_TRUE(connection.failure());
  EXPECT_EQ(connection.failure()->code, ErrorCode::refused);
}

TEST(Connection, request_carries_its_xid_and_opcode) {  // protocol 1.3
  Connection connection = open_connection();
  EXPECT_EQ(connection.submit(wire::Opcode::get_data, "body", 0), 1);
  EXPECT_EQ(connection.output(), ByteView("\0\0\0\x0c\0\0\0\1\0\0\0\4body", 16));
  EXPECT_EQ(connection.submit(wire::Opcode::get_data, "body", 0), 2);
}

TEST(Connection, prebuilt_frame_equals_a_submitted_request) {
  Connection one = open_connection();
  Connection other = open_connection();
  const std::string frame = make_frame(wire::Opcode::set_data, "some body");
  for (int times = 0; times < 3; ++times) {
    one.submit(wire::Opcode::set_data, "some body", 0);
    other.submit_frame(frame, 0);
  }
  EXPECT_EQ(one.output(), other.output());
}

TEST(Connection, frames_split_at_every_byte_come_out_the_same) {  // protocol 1.1
  const std::string stream = handshake_reply() + event(5, "/watched") + reply(1, 6, 0, "first") + reply(2, 7, -101) +
                             reply(3, 8, 0, std::string(300, 'x'));
  const std::vector<std::string> expected = {"session 4000 pppppppppppppppp", "event 3 /watched",
                                             "reply 1 tag 10 error 0 first", "reply 2 tag 20 error -101 ",
                                             "reply 3 tag 30 error 0 " + std::string(300, 'x')};
  const std::size_t handshake_bytes = handshake_reply().size();
  for (std::size_t cut = handshake_bytes; cut <= stream.size(); ++cut) {
    for (const std::size_t step : {std::size_t{1}, std::size_t{7}, stream.size()}) {
      Connection connection(Settings{.password = {}});
      Taken taken;
      taken.take(connection, stream.substr(0, handshake_bytes));
      for (const std::uint64_t tag : {10U, 20U, 30U}) {
        connection.submit(wire::Opcode::get_data, "", tag);
      }
      taken.take(connection, stream.substr(handshake_bytes, cut - handshake_bytes));
      for (std::size_t at = cut; at < stream.size(); at += step) {
        taken.take(connection, stream.substr(at, step));
      }
      ASSERT_EQ(taken.log, expected) << "cut at " << cut << ", then steps of " << step;
      ASSERT_EQ(connection.requests_pending(), 0U);
    }
  }
}

TEST(Connection, handshake_may_arrive_byte_by_byte) {
  Connection connection(Settings{.password = {}});
  Taken taken;
  for (const char byte : handshake_reply()) {
    EXPECT_FALSE(connection.is_open());
    taken.take(connection, std::string(1, byte));
  }
  EXPECT_TRUE(connection.is_open());
  EXPECT_EQ(taken.log.size(), 1U);
}

TEST(Connection, reply_with_another_xid_than_the_next_is_a_failure) {  // protocol 2.4 rule 1
  Connection connection = open_connection();
  Taken taken;
  connection.submit(wire::Opcode::get_data, "", 0);
  connection.submit(wire::Opcode::get_data, "", 0);
  taken.take(connection, reply(2, 5));
  EXPECT_TRUE(taken.log.empty());
  EXPECT_NE(failure_of(connection).find("xid 2 where xid 1"), std::string::npos) << failure_of(connection);
}

TEST(Connection, reply_without_a_request_is_a_failure) {
  Connection connection = open_connection();
  Taken taken;
  taken.take(connection, reply(1, 5));
  EXPECT_NE(failure_of(connection).find("no request"), std::string::npos);
}

TEST(Connection, zxid_that_goes_back_is_a_failure) {  // protocol 2.2
  Connection connection = open_connection();
  Taken taken;
  connection.submit(wire::Opcode::get_data, "", 0);
  connection.submit(wire::Opcode::get_data, "", 0);
  taken.take(connection, reply(1, 9) + reply(2, 8));
  EXPECT_EQ(taken.log.size(), 1U);
  EXPECT_NE(failure_of(connection).find("back in time"), std::string::npos);
}

TEST(Connection, zxids_that_mean_none_are_no_way_back) {  // protocol 2.2: auth 0, unknown -1, events of 3.8 -1
  Connection connection = open_connection();
  Taken taken;
  connection.submit(wire::Opcode::get_data, "", 0);
  connection.submit(wire::Opcode::auth, "", 0);
  taken.take(connection, reply(1, 9) + reply(2, 0) + event(-1, "/a") + event(3, "/b"));
  EXPECT_EQ(taken.log.size(), 4U);
  EXPECT_EQ(connection.last_zxid(), Zxid{9});
  EXPECT_EQ(failure_of(connection), "");
}

TEST(Connection, after_a_failure_nothing_more_comes_out) {
  Connection connection = open_connection();
  Taken taken;
  taken.take(connection, reply(1, 5));
  ASSERT_TRUE(connection.failure());
  taken.take(connection, event(6, "/a"));
  taken.take(connection, event(7, "/a"));
  EXPECT_TRUE(taken.log.empty());
}

TEST(Connection, absurd_lengths_are_failures_before_they_are_waited_for) {  // protocol 1.1
  for (const std::int32_t length : {-1, std::numeric_limits<std::int32_t>::min(), 101, 0x7fffffff, 15}) {
    Connection connection(Settings{.password = {}, .frame_bytes_max = 100});
    Taken taken;
    taken.take(connection, handshake_reply());
    std::string bytes;
    wire::Writer writer(bytes);
    writer.write_int(length);
    taken.take(connection, bytes + std::string(15, '\0'));
    EXPECT_TRUE(connection.failure()) << length;
  }
}

TEST(Connection, ping_goes_out_after_a_third_of_the_timeout_of_silence) {  // protocol 8.2
  Connection connection = open_connection();                               // 4000 ms were negotiated.
  connection.tick(MonoTime{0});
  connection.tick(after_ms(MonoTime{0}, 1333));
  EXPECT_TRUE(connection.output().empty());
  connection.tick(after_ms(MonoTime{0}, 1334));
  EXPECT_EQ(connection.output(), ByteView("\0\0\0\x08\xff\xff\xff\xfe\0\0\0\x0b", 12));
  connection.tick(after_ms(MonoTime{0}, 2600));
  EXPECT_EQ(connection.output().size(), 12U) << "one ping at a time";
}

TEST(Connection, request_stands_in_for_a_ping) {
  Connection connection = open_connection();
  connection.tick(MonoTime{0});
  connection.submit(wire::Opcode::get_data, "", 0);
  forget_output(connection);
  connection.tick(after_ms(MonoTime{0}, 1000));
  connection.tick(after_ms(MonoTime{0}, 2000));
  EXPECT_TRUE(connection.output().empty());
  connection.tick(after_ms(MonoTime{0}, 2334));
  EXPECT_FALSE(connection.output().empty());
}

TEST(Connection, pong_may_overtake_replies_and_is_not_shown) {  // protocol 2.4 rule 7
  Connection connection = open_connection();
  connection.tick(MonoTime{0});
  connection.tick(after_ms(MonoTime{0}, 1400));
  connection.submit(wire::Opcode::get_data, "", 4);
  Taken taken;
  taken.take(connection, reply(-2, 3) + reply(1, 3));
  EXPECT_EQ(taken.log, std::vector<std::string>{"reply 1 tag 4 error 0 "});
}

TEST(Connection, pong_that_nobody_asked_for_is_a_failure) {
  Connection connection = open_connection();
  Taken taken;
  taken.take(connection, reply(-2, 3));
  EXPECT_TRUE(connection.failure());
}

TEST(Connection, server_that_is_silent_for_two_thirds_of_the_timeout_is_given_up) {
  Connection connection = open_connection();
  connection.tick(MonoTime{0});
  connection.tick(after_ms(MonoTime{0}, 1400));
  connection.tick(after_ms(MonoTime{0}, 2665));
  EXPECT_FALSE(connection.failure());
  connection.tick(after_ms(MonoTime{0}, 2667));
  EXPECT_TRUE(connection.failure());
}

TEST(Connection, closing_ends_the_requests) {  // protocol 3.22
  Connection connection = open_connection();
  connection.submit_close(9);
  EXPECT_FALSE(connection.is_open());
  Taken taken;
  taken.take(connection, reply(1, 12));
  EXPECT_EQ(taken.log, std::vector<std::string>{"reply 1 tag 9 error 0 "});
}

TEST(Connection, part_of_the_output_may_be_sent) {
  Connection connection = open_connection();
  connection.submit(wire::Opcode::get_data, "abcdefgh", 0);
  const std::string whole(connection.output());
  connection.sent(5);
  EXPECT_EQ(connection.output(), whole.substr(5));
  connection.submit(wire::Opcode::get_data, "ijkl", 0);
  EXPECT_TRUE(connection.output().starts_with(whole.substr(5)));
}

TEST(Fifo, keeps_the_order_while_it_grows_and_wraps) {
  Fifo<int> fifo;
  int pushed = 0;
  int popped = 0;
  for (int round = 0; round < 200; ++round) {
    for (int times = 0; times < round % 40; ++times) {
      fifo.push(pushed++);
    }
    for (int times = 0; times < round % 37 && !fifo.empty(); ++times) {
      ASSERT_EQ(fifo.front(), popped++);
      fifo.pop();
    }
    ASSERT_EQ(fifo.size(), static_cast<std::size_t>(pushed - popped));
  }
  EXPECT_GT(popped, 1000);
}

}  // namespace
}  // namespace quorate::client
