// The tree's budget (S-206): what would take the tree over it is refused before it has a number, and what brings it
// back under it goes on.

#include "replica/growth.hpp"

#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "replica/testing/harness.hpp"

namespace quorate::replica::testing {
namespace {

using wire::Opcode;

constexpr std::size_t budget = 2U << 20;
const std::string large(100'000, 'x');

ServerOptions with_budget() {
  ServerOptions options;
  options.tree_bytes_max = budget;
  return options;
}

std::string path_of(int number) {
  return "/n" + std::to_string(number);
}

// Creates until one is refused; how many there are.
int fill(Client& client) {
  for (int number = 0; number < 100; ++number) {
    if (const Reply reply = client.create(path_of(number), large); reply.error != 0) {
      EXPECT_EQ(reply.error, -7);
      return number;
    }
  }
  ADD_FAILURE() << "nothing was refused";
  return 0;
}

std::string multi_of_create(std::string_view path, ByteView data) {
  return Body().number(1).flag(false).number(-1).bytes + create_body(path, data) +
         Body().number(-1).flag(true).number(-1).bytes;
}
std::string multi_of_delete(std::string_view path) {
  return Body().number(2).flag(false).number(-1).bytes + delete_body(path) +
         Body().number(-1).flag(true).number(-1).bytes;
}

TEST(Growth, what_grows_the_tree_is_refused_before_it_has_a_number) {
  Server server(with_budget());
  Client client = Client::with_session(server);
  const int count = fill(client);
  EXPECT_GE(count, 15);
  EXPECT_LE(server.replica.tree().live_bytes(), budget);
  const Index before = server.replica.applied();
  for (const Opcode opcode : {Opcode::create, Opcode::create2, Opcode::create_container}) {
    EXPECT_EQ(client.call(opcode, create_body("/more", large, opcode == Opcode::create_container ? 4 : 0)).error, -7);
  }
  EXPECT_EQ(client.call(Opcode::set_data, set_body("/zookeeper", large)).error, -7);
  EXPECT_EQ(client.call(Opcode::multi, multi_of_create("/more", large)).error, -7);
  const std::string long_acl = Body().text("/n0").number(1).number(31).text("ip").text(large).number(-1).bytes;
  EXPECT_EQ(client.call(Opcode::set_acl, long_acl).error, -7);
  EXPECT_EQ(server.replica.applied(), before);
  EXPECT_EQ(server.replica.stats().refused_for_memory, 7U);
}

TEST(Growth, reads_sessions_and_what_does_not_grow_the_tree_go_on) {
  Server server(with_budget());
  Client client = Client::with_session(server);
  const int count = fill(client);
  EXPECT_EQ(client.call(Opcode::get_data, watch_body("/n0")).error, 0);
  EXPECT_EQ(client.call(Opcode::set_data, set_body("/n0", std::string(large.size(), 'y'))).error, 0) << "no longer";
  EXPECT_EQ(client.create("/small", "x").error, 0) << "it still fits";
  // Whoever is to delete something needs a session.
  Client newcomer = Client::with_session(server);
  EXPECT_EQ(newcomer.call(Opcode::remove, delete_body("/n1")).error, 0);
  EXPECT_EQ(newcomer.call(Opcode::multi, multi_of_delete("/n2")).error, 0);
  EXPECT_EQ(client.create("/n1", large).error, 0) << "what was deleted makes room";
  EXPECT_EQ(client.create("/n2", large).error, 0);
  EXPECT_EQ(client.create(path_of(count), large).error, -7);
  EXPECT_EQ(client.call(Opcode::set_data, set_body("/n0", "short")).error, 0);
  EXPECT_EQ(client.create(path_of(count), large).error, 0);
  EXPECT_EQ(newcomer.call(Opcode::close_session).error, 0);
}

TEST(Growth, what_is_under_way_counts) {
  Server server(with_budget());
  Client client = Client::with_session(server);
  server.set_disk_slow(true);
  constexpr int count = 40;
  for (int number = 0; number < count; ++number) {
    client.post(Opcode::create, create_body(path_of(number), large));
    server.turn();
  }
  EXPECT_GE(server.replica.stats().refused_for_memory, 15U) << "none of them was executed when they came";
  server.set_disk_slow(false);
  server.finish_disk();
  server.run(10);
  EXPECT_EQ(client.take_all().size(), std::size_t{count});
  EXPECT_LE(server.replica.tree().live_bytes(), budget);
  // All that was under way has been taken off again.
  EXPECT_EQ(client.call(Opcode::remove, delete_body("/n0")).error, 0);
  EXPECT_EQ(client.create("/n0", large).error, 0);
}

TEST(Growth, the_figure_is_an_upper_bound_and_not_far_off) {
  Server server;
  Client client = Client::with_session(server);
  std::size_t estimated = 0;
  wire::DecodeScratch scratch;
  wire::Request request;
  const std::size_t before = server.replica.tree().live_bytes();
  for (int number = 0; number < 20'000; ++number) {
    const std::string body = create_body(path_of(number), std::string(100, 'd'));
    const Submission submission{.kind = wire::CommandKind::client_request, .opcode = Opcode::create, .request = body};
    estimated += growth_of(submission, server.replica.tree(), scratch, request);
    client.post(Opcode::create, body);
    if (number % 100 == 99) {
      server.run(4);
      client.take_all();
    }
  }
  const std::size_t grown = server.replica.tree().live_bytes() - before;
  EXPECT_EQ(server.replica.tree().znode_count(), 20'004U);
  EXPECT_LE(grown, estimated);
  EXPECT_LE(estimated, grown * 2);
}

TEST(Growth, without_a_budget_nothing_is_refused) {
  Server server;
  Client client = Client::with_session(server);
  for (int number = 0; number < 30; ++number) {
    ASSERT_EQ(client.create(path_of(number), large).error, 0);
  }
  EXPECT_EQ(server.replica.stats().refused_for_memory, 0U);
}

}  // namespace
}  // namespace quorate::replica::testing
