// The client port with a front of its own and times of the test's choice, spoken to over loopback.

#include "server/client_port.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <gtest/gtest.h>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include "admin/four_letter_words.hpp"
#include "net/address.hpp"
#include "net/clock.hpp"
#include "replica/mailbox.hpp"
#include "server/testing/raw_client.hpp"
#include "tree/tree.hpp"

namespace {

// What the system says to accept4 from now on; 0: what it really says.
std::atomic<int> accept_error{0};
std::atomic<int> accepts{0};

}  // namespace

// In the C library's place, for no test can make the system run out of memory.
extern "C" int accept4(int number, sockaddr* address, socklen_t* bytes, int flags) {
  ++accepts;
  if (accept_error != 0) {
    errno = accept_error;
    return -1;
  }
  return static_cast<int>(::syscall(SYS_accept4, number, address, bytes, flags));
}

namespace quorate::server {
namespace {

using testing::patience_ms;

struct Desk {
  tree::Tree tree{0};
  replica::Front front{replica::FrontConfig{}, tree, Prng(1)};
  replica::Mailbox mail;
  net::Poller poller;
  ClientPort port;
  std::vector<net::Ready> ready;

  explicit Desk(ClientPortConfig config = {}) : port(config, poller, front, listen()) { port.open(); }

  static std::vector<net::Listener> listen() {
    std::vector<net::Listener> listeners;
    listeners.push_back(net::Listener::open(net::resolve("127.0.0.1", 0).value().front(), 16).value());
    return listeners;
  }
  // One turn of a loop that has no replica.
  void turn() { turn(net::monotonic_now()); }
  // The same, and `now` is what the port takes for the time.
  void turn(MonoTime now) {
    const MonoTime real = net::monotonic_now();
    poller.wait(real, after_ms(real, 50), ready);
    for (const net::Ready& each : ready) {
      port.on_ready(each, now);
    }
    port.read(now);
    front.serve(mail, now);
    port.obey();
  }
  std::optional<replica::Front::AdminRequest> wait_for_word() {
    std::vector<replica::Front::AdminRequest> requests;
    const MonoTime end = after_ms(net::monotonic_now(), patience_ms);
    while (requests.empty() && net::monotonic_now() < end) {
      turn();
      front.take_admin_requests(requests);
    }
    return requests.empty() ? std::nullopt : std::optional(requests.front());
  }
};

TEST(client_port, the_front_recognises_the_words_that_admin_answers) {  // Operations 2.2
  std::set<std::string_view> answered;
  for (const admin::Word word : admin::all_words()) {
    answered.insert(admin::describe(word));
  }
  const auto recognised = replica::Front::admin_words();
  EXPECT_EQ(std::set(recognised.begin(), recognised.end()), answered);
}

// S-203: the front is through with a closing connection; if the other side never reads what is left, it goes all the
// same, and at once with its place among the address's connections.
TEST(client_port, a_closing_connection_whose_other_side_does_not_read_is_cut_off) {
  Desk desk;
  net::Stream client = net::Stream::connect(desk.port.listeners().front().address()).value();
  const std::string word = "ruok";
  ASSERT_EQ(client.send(word).bytes, word.size());
  const auto request = desk.wait_for_word();
  ASSERT_TRUE(request.has_value());
  desk.front.answer_admin(request->connection, std::string(64U << 20, 'x'));  // More than any socket holds.
  const MonoTime answered = net::monotonic_now();
  desk.turn();
  ASSERT_EQ(desk.port.connections(), 1U);
  desk.port.tick(after_ms(answered, 5'000));
  EXPECT_EQ(desk.port.connections(), 1U);
  desk.port.tick(after_ms(net::monotonic_now(), 11'000));
  EXPECT_EQ(desk.port.connections(), 0U);
}

// S-203: one that takes some bytes now and then is not cut off for silence, and yet does not stay for ever.
TEST(client_port, a_closing_connection_whose_other_side_dribbles_ends_after_a_minute) {
  Desk desk;
  net::Stream client = net::Stream::connect(desk.port.listeners().front().address()).value();
  const std::string word = "ruok";
  ASSERT_EQ(client.send(word).bytes, word.size());
  const auto request = desk.wait_for_word();
  ASSERT_TRUE(request.has_value());
  desk.front.answer_admin(request->connection, std::string(256U << 20, 'x'));
  const MonoTime answered = net::monotonic_now();
  desk.turn(answered);
  std::vector<char> block(1U << 20);
  for (std::int64_t seconds = 8; seconds <= 56; seconds += 8) {
    const MonoTime now = after_ms(answered, seconds * 1000);
    const std::size_t before = desk.front.outgoing(request->connection).size();
    const MonoTime end = after_ms(net::monotonic_now(), patience_ms);
    while (desk.front.outgoing(request->connection).size() == before && net::monotonic_now() < end) {
      client.read(block);
      desk.turn(now);
    }
    desk.port.tick(now);
    ASSERT_EQ(desk.port.connections(), 1U) << "after " << seconds << " s";
  }
  ASSERT_GT(desk.front.outgoing(request->connection).size(), 0U) << "there is something left to wait for";
  desk.port.tick(after_ms(answered, 59'000));
  EXPECT_EQ(desk.port.connections(), 1U);
  desk.port.tick(after_ms(answered, 61'000));
  EXPECT_EQ(desk.port.connections(), 0U);
}

// Clients that wait in the system's queue are reported at once, for ever: a loop that tries again each time would spin.
TEST(client_port, clients_that_the_system_has_no_memory_for_wait_and_the_loop_does_not_spin) {
  for (const int error : {ENOMEM, ENOBUFS}) {
    Desk desk;
    net::Stream client = net::Stream::connect(desk.port.listeners().front().address()).value();
    const std::string word = "ruok";
    accept_error = error;
    accepts = 0;
    const MonoTime end = after_ms(net::monotonic_now(), patience_ms);
    while (accepts == 0 && net::monotonic_now() < end) {
      desk.turn();
    }
    int reports = 0;
    for (int turn = 0; turn < 8; ++turn) {
      desk.turn();
      reports += desk.ready.empty() ? 0 : 1;
    }
    EXPECT_LE(reports, 1) << "the change of interest may report once more";
    EXPECT_LE(accepts, 2);
    EXPECT_EQ(desk.port.stats().refused, static_cast<std::uint64_t>(accepts.load()));
    accept_error = 0;
    desk.port.tick(net::monotonic_now());
    ASSERT_EQ(client.send(word).bytes, word.size());
    EXPECT_TRUE(desk.wait_for_word().has_value()) << "who waited is served when there is memory again";
  }
}

// A small limit of descriptors keeps some back, not all.
TEST(client_port, few_descriptors_still_serve_a_client) {
  Desk desk(ClientPortConfig{.descriptors_max = 32});
  net::Stream client = net::Stream::connect(desk.port.listeners().front().address()).value();
  const std::string word = "ruok";
  ASSERT_EQ(client.send(word).bytes, word.size());
  EXPECT_TRUE(desk.wait_for_word().has_value());
  EXPECT_EQ(desk.port.stats().refused, 0U);
}

}  // namespace
}  // namespace quorate::server
