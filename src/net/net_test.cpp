// Loopback only; every wait has a deadline and fails the test when it passes.

#include <array>
#include <functional>
#include <gtest/gtest.h>
#include <optional>
#include <string>
#include <sys/resource.h>
#include <thread>
#include <vector>

#include "net/address.hpp"
#include "net/clock.hpp"
#include "net/listener.hpp"
#include "net/mailbox.hpp"
#include "net/poller.hpp"
#include "net/stream.hpp"
#include "net/timers.hpp"

namespace quorate::net {
namespace {

constexpr Tag listener_tag{1};
constexpr Tag client_tag{2};
constexpr Tag server_tag{3};

Listener open_listener(const char* host = "127.0.0.1") {
  Result<Listener> listener = Listener::open(resolve(host, 0).value().front(), 16);
  EXPECT_TRUE(listener.has_value());
  return std::move(*listener);
}

// Polls until the report satisfies the claim, at most five seconds.
bool wait_until(Poller& poller, const std::function<bool(const Ready&)>& claim) {
  const MonoTime end = after_ms(monotonic_now(), 5000);
  std::vector<Ready> ready;
  for (MonoTime now = monotonic_now(); now < end; now = monotonic_now()) {
    poller.wait(now, end, ready);
    for (const Ready& report : ready) {
      if (claim(report)) {
        return true;
      }
    }
  }
  return false;
}

// A connected pair over one listener; both ends registered edge-triggered.
struct Pair {
  Poller poller;
  Listener listener = open_listener();
  Stream client = std::move(*Stream::connect(listener.address()));
  Stream server;

  Pair() {
    EXPECT_TRUE(poller.add(listener.number(), Interest::input_level, listener_tag).has_value());
    EXPECT_TRUE(poller.add(client.number(), Interest::input_or_output, client_tag).has_value());
    EXPECT_TRUE(wait_until(poller, [](const Ready& ready) { return ready.tag == listener_tag; }));
    Listener::Accepted accepted;
    EXPECT_EQ(listener.accept(accepted), Listener::Outcome::accepted);
    server = std::move(accepted.stream);
    EXPECT_TRUE(poller.add(server.number(), Interest::input_edge, server_tag).has_value());
    EXPECT_TRUE(client.connect_outcome().has_value());
  }
};

TEST(address, text_forms) {
  struct Case {
    const char* text;
    const char* host;
    std::uint16_t port;
  };
  const std::array<Case, 6> cases{{
      {"localhost:2181", "localhost", 2181},
      {"localhost", "localhost", 7},
      {"[::1]:2181", "::1", 2181},
      {"[::1]", "::1", 7},
      {"::1", "::1", 7},
      {"0.0.0.0:0", "0.0.0.0", 0},
  }};
  for (const Case& sample : cases) {
    EXPECT_EQ(parse_host_port(sample.text, 7).value(), (HostPort{sample.host, sample.port})) << sample.text;
  }
  for (const char* bad : {"a:65536", "a:", "a:x", "a:1x", "a:-1", "[::1", "[::1]2181"}) {
    EXPECT_FALSE(parse_host_port(bad, 7).has_value()) << bad;
  }
}

TEST(address, describes_both_families) {
  EXPECT_EQ(describe(resolve("127.0.0.1", 80).value().front()), "127.0.0.1:80");
  EXPECT_EQ(describe(resolve("::1", 80).value().front()), "[::1]:80");
  EXPECT_TRUE(resolve("127.8.9.1", 1).value().front().is_loopback());
  EXPECT_FALSE(resolve("0.0.0.0", 1).value().front().is_loopback());
}

TEST(listener, a_busy_port_is_named_as_such) {
  const Listener first = open_listener();
  const Result<Listener> second = Listener::open(first.address(), 16);
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, ErrorCode::busy);
  EXPECT_NE(second.error().message.find(describe(first.address())), std::string::npos);
}

// A server that still reads its data has its port, but turns clients away instead of letting them hang.
TEST(listener, a_bound_one_refuses_until_it_listens) {
  Listener listener = Listener::bind(resolve("127.0.0.1", 0).value().front()).value();
  EXPECT_NE(listener.address().port(), 0);
  Poller poller;
  Result<Stream> early = Stream::connect(listener.address());
  if (early) {
    ASSERT_TRUE(poller.add(early->number(), Interest::input_or_output, server_tag).has_value());
    ASSERT_TRUE(wait_until(poller, [](const Ready& ready) { return ready.tag == server_tag; }));
    EXPECT_TRUE(early->send("x").ended);
  }
  ASSERT_TRUE(listener.listen(16).has_value());
  ASSERT_TRUE(poller.add(listener.number(), Interest::input_level, listener_tag).has_value());
  const Result<Stream> late = Stream::connect(listener.address());
  ASSERT_TRUE(late.has_value());
  EXPECT_TRUE(wait_until(poller, [](const Ready& ready) { return ready.tag == listener_tag; }));
}

TEST(stream, bytes_arrive_and_the_end_is_seen) {
  Pair pair;
  const std::array<ByteView, 2> pieces{"hello ", "world"};
  EXPECT_EQ(pair.client.send(pieces).bytes, 11U);
  ASSERT_TRUE(wait_until(pair.poller, [](const Ready& ready) { return ready.tag == server_tag && ready.input; }));
  std::array<char, 64> block{};
  const Transfer read = pair.server.read(block);
  EXPECT_EQ(ByteView(block.data(), read.bytes), "hello world");
  EXPECT_TRUE(read.blocked);
  EXPECT_TRUE(pair.server.read(block).blocked);

  pair.client.close();
  ASSERT_TRUE(wait_until(pair.poller, [](const Ready& ready) { return ready.tag == server_tag && ready.hangup; }));
  EXPECT_TRUE(pair.server.read(block).ended);
}

TEST(stream, a_reader_that_does_not_read_blocks_the_sender_and_room_is_reported) {
  Pair pair;
  const std::string chunk(1U << 20, 'x');
  std::size_t sent = 0;
  Transfer last;
  for (int round = 0; round < 64 && !last.blocked; ++round) {
    last = pair.server.send(ByteView(chunk));
    sent += last.bytes;
  }
  ASSERT_TRUE(last.blocked);
  pair.poller.change(pair.server.number(), Interest::input_or_output, server_tag);

  std::string block(1U << 20, '\0');
  std::size_t got = 0;
  bool room = false;
  const MonoTime end = after_ms(monotonic_now(), 5000);
  std::vector<Ready> ready;
  while ((got < sent || !room) && monotonic_now() < end) {
    got += pair.client.read(block).bytes;
    pair.poller.wait(monotonic_now(), after_ms(monotonic_now(), 1), ready);
    for (const Ready& report : ready) {
      room = room || (report.tag == server_tag && report.output);
    }
  }
  EXPECT_EQ(got, sent);
  EXPECT_TRUE(room);
}

TEST(stream, an_aborted_connection_ends_for_the_other_side) {
  Pair pair;
  pair.server.abort();
  ASSERT_TRUE(wait_until(pair.poller, [](const Ready& ready) { return ready.tag == client_tag && ready.hangup; }));
  std::array<char, 8> block{};
  EXPECT_TRUE(pair.client.read(block).ended);
}

TEST(stream, a_refused_connect_is_an_outcome) {
  Address address;
  {
    address = open_listener().address();  // A port that was free a moment ago.
  }
  Poller poller;
  Result<Stream> stream = Stream::connect(address);
  if (stream) {
    ASSERT_TRUE(poller.add(stream->number(), Interest::input_or_output, client_tag).has_value());
    ASSERT_TRUE(wait_until(poller, [](const Ready& ready) { return ready.output; }));
    EXPECT_FALSE(stream->connect_outcome().has_value());
  }
}

// Operations: at the descriptor limit new clients are refused, the rest goes on.
TEST(listener, without_descriptors_a_client_is_refused_at_once_and_later_ones_are_served) {
  Pair pair;
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  Result<Stream> late = Stream::connect(pair.listener.address());
  ASSERT_TRUE(late.has_value());
  rlimit tight = before;
  tight.rlim_cur = static_cast<rlim_t>(late->number()) + 1;  // Lowest free numbers are taken first: no room is left.
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &tight), 0);
  ASSERT_TRUE(wait_until(pair.poller, [](const Ready& ready) { return ready.tag == listener_tag; }));
  Listener::Accepted accepted;
  const Listener::Outcome outcome = pair.listener.accept(accepted);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(outcome, Listener::Outcome::refused);

  const Result<Stream> fresh = Stream::connect(pair.listener.address());
  ASSERT_TRUE(fresh.has_value());
  ASSERT_TRUE(wait_until(pair.poller, [](const Ready& ready) { return ready.tag == listener_tag; }));
  EXPECT_EQ(pair.listener.accept(accepted), Listener::Outcome::accepted);
}

TEST(mailbox, values_arrive_in_order_and_wake_the_loop) {
  Mailbox<int> mailbox;
  Poller poller;
  ASSERT_TRUE(poller.add(mailbox.waker().number(), Interest::input_level, client_tag).has_value());
  std::thread sender([&mailbox] {
    for (int value = 0; value < 10000; ++value) {
      mailbox.post(value);
    }
  });
  std::vector<int> all;
  std::vector<int> batch;
  while (all.size() < 10000 && wait_until(poller, [](const Ready& ready) { return ready.input; })) {
    mailbox.waker().drain();
    mailbox.take_all(batch);
    all.insert(all.end(), batch.begin(), batch.end());
  }
  sender.join();
  ASSERT_EQ(all.size(), 10000U);
  for (int value = 0; value < 10000; ++value) {
    ASSERT_EQ(all[static_cast<std::size_t>(value)], value);
  }
}

TEST(poller, a_deadline_ends_a_wait_and_a_past_one_does_not_wait) {
  Poller poller;
  std::vector<Ready> ready;
  const MonoTime start = monotonic_now();
  poller.wait(start, after_ms(start, 5), ready);
  EXPECT_TRUE(ready.empty());
  EXPECT_GE(elapsed_us(start, monotonic_now()), 5000);
  const MonoTime again = monotonic_now();
  poller.wait(again, start, ready);
  EXPECT_LT(elapsed_us(again, monotonic_now()), 1'000'000);
}

TEST(timers, come_due_in_order_and_never_early) {
  Timers timers;
  timers.add(MonoTime{30}, Tag{3});
  timers.add(MonoTime{10}, Tag{1});
  timers.add(MonoTime{20}, Tag{9});
  timers.add(MonoTime{20}, Tag{2});
  EXPECT_EQ(timers.next(), MonoTime{10});
  EXPECT_EQ(timers.take_due(MonoTime{9}), std::nullopt);
  EXPECT_EQ(timers.take_due(MonoTime{25}), Tag{1});
  EXPECT_EQ(timers.take_due(MonoTime{25}), Tag{2});
  EXPECT_EQ(timers.take_due(MonoTime{25}), Tag{9});
  EXPECT_EQ(timers.take_due(MonoTime{25}), std::nullopt);
  EXPECT_EQ(timers.take_due(MonoTime{30}), Tag{3});
  EXPECT_EQ(timers.size(), 0U);
}

}  // namespace
}  // namespace quorate::net
