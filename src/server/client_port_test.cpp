// The client port with a front of its own and times of the test's choice, spoken to over loopback.

#include "server/client_port.hpp"

#include <gtest/gtest.h>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "net/address.hpp"
#include "net/clock.hpp"
#include "replica/mailbox.hpp"
#include "server/testing/raw_client.hpp"
#include "tree/tree.hpp"

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
  void turn() {
    const MonoTime now = net::monotonic_now();
    poller.wait(now, after_ms(now, 50), ready);
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
