// Bounds, and what happens at them (protocol 14, S-2xx, R-317, R-902).

#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "replica/connection.hpp"
#include "replica/testing/harness.hpp"

namespace quorate::replica::testing {
namespace {

using wire::Opcode;

TEST(Limits, a_reader_that_does_not_read_is_not_served_further) {  // S-203
  ServerOptions options;
  options.front.outgoing_bytes_pause = 10000;
  Server server(options);
  Client client = Client::with_session(server);
  client.create("/a", std::string(1000, 'x'));
  server.reads_output = false;
  for (int i = 0; i < 100; ++i) {
    client.post(Opcode::get_data, watch_body("/a"));
  }
  server.run();
  const std::size_t queued = server.front.outgoing(client.connection()).size();
  EXPECT_GT(queued, 10000U);
  EXPECT_LT(queued, 12500U);
  EXPECT_FALSE(server.front.wants_input(client.connection()));
  server.reads_output = true;
  client.post(Opcode::get_data, watch_body("/a"));  // Something to wake the harness with.
  for (int i = 0; i < 20; ++i) {
    server.front.sent(client.connection(), server.front.outgoing(client.connection()).size());
    server.run();
  }
  EXPECT_TRUE(server.front.wants_input(client.connection()));
  EXPECT_EQ(server.front.stats().since_reset.traffic.packets_sent, 1U + 1 + 101);
}

TEST(Limits, a_reader_that_never_reads_its_events_is_cut_off) {  // F-601, S-203
  ServerOptions options;
  options.front.outgoing_bytes_max = 5000;
  Server server(options);
  Client slow = Client::with_session(server);
  Client writer = Client::with_session(server);
  slow.call(Opcode::add_watch, Body().text("/").number(1).bytes);
  server.reads_output = false;
  for (int i = 0; i < 200; ++i) {
    writer.post(Opcode::create, create_body("/n" + std::to_string(i)));
    server.run(1);
    if (!slow.is_closed()) {
      EXPECT_LT(server.front.outgoing(slow.connection()).size(), 5100U);
    }
    server.front.sent(writer.connection(), server.front.outgoing(writer.connection()).size());
  }
  EXPECT_TRUE(slow.is_closed());
  EXPECT_TRUE(server.closed[slow.connection().slot]);  // Aborted.
  EXPECT_FALSE(writer.is_closed());
  EXPECT_EQ(server.front.stats().slow_readers_closed, 1U);
}

TEST(Limits, what_a_cut_off_reader_sent_last_is_not_executed) {  // S-203, R-902
  ServerOptions options;
  options.front.outgoing_bytes_max = 25;
  Server server(options);
  Client client = Client::with_session(server);
  const SessionId session{client.session.session};
  server.reads_output = false;
  server.replica.set_disk_space(DiskSpace::low);
  for (int i = 0; i < 5; ++i) {  // Refused: the third refusal is one too many for who does not read.
    client.post(Opcode::create, create_body("/n"));
  }
  client.post(Opcode::close_session);  // This would go on with a full disk.
  server.turn();
  EXPECT_TRUE(client.is_closed());
  server.run();
  EXPECT_NE(server.replica.tree().sessions().find(session), nullptr);
}

TEST(Limits, a_queue_of_bytes_gives_large_buffers_back) {
  ByteQueue queue;
  queue.bytes().assign(1U << 20, 'x');
  queue.consume(queue.size());
  queue.tidy();
  EXPECT_LT(queue.bytes().capacity(), 1U << 10);
  queue.bytes().assign(1U << 20, 'x');
  queue.release();
  EXPECT_TRUE(queue.empty());
  EXPECT_LT(queue.bytes().capacity(), 1U << 10);
}

TEST(Limits, one_large_reply_is_no_reason_to_close) {
  ServerOptions options;
  options.front.outgoing_bytes_max = 5000;
  Server server(options);
  Client client = Client::with_session(server);
  client.create("/a", std::string(100'000, 'x'));
  EXPECT_EQ(client.call(Opcode::get_data, watch_body("/a")).body.size(), 4U + 100'000 + 68);
}

TEST(Limits, a_multi_read_whose_reply_would_be_too_long_is_an_error) {  // Protocol 3.15
  Server server;
  Client client = Client::with_session(server);
  client.create("/big", std::string(1'000'000, 'x'));
  Body body;
  for (int i = 0; i < 300; ++i) {  // 300 MB of reply for 6 KB of request.
    body.number(4).flag(false).number(-1).text("/big").flag(false);
  }
  body.number(-1).flag(true).number(-1);
  const Reply reply = client.call(Opcode::multi_read, body.bytes);
  EXPECT_NE(reply.error, 0);
  EXPECT_TRUE(reply.body.empty());
  EXPECT_EQ(client.call(Opcode::exists, watch_body("/big")).error, 0);
}

TEST(Limits, a_small_multi_read_gathers_a_few_frames_at_most) {  // S-203, S-204
  Server server;
  Client client = Client::with_session(server);
  client.create("/big", std::string(900'000, 'x'));
  const auto reading = [](int times) {
    Body body;
    for (int i = 0; i < times; ++i) {
      body.number(4).flag(false).number(-1).text("/big").flag(false);
    }
    return body.number(-1).flag(true).number(-1).bytes;
  };
  EXPECT_EQ(client.call(Opcode::multi_read, reading(9)).error, 0);
  const Reply reply = client.call(Opcode::multi_read, reading(10));
  EXPECT_EQ(reply.error, -5);
  EXPECT_TRUE(reply.body.empty());
}

// They cost far more than their bytes say: each is a slice of its own.
TEST(Limits, other_clients_are_served_between_large_multi_reads) {  // S-204
  Server server;
  Client client = Client::with_session(server);
  Client other = Client::with_session(server);
  client.create("/big", std::string(900'000, 'x'));
  Body body;
  for (int i = 0; i < 10; ++i) {
    body.number(4).flag(false).number(-1).text("/big").flag(false);
  }
  body.number(-1).flag(true).number(-1);
  for (int i = 0; i < 20; ++i) {
    client.post(Opcode::multi_read, body.bytes);
  }
  other.post(Opcode::exists, watch_body("/big"));
  EXPECT_TRUE(server.front.serve(server.mail, server.now));
  EXPECT_TRUE(server.front.serve(server.mail, server.now));
  EXPECT_FALSE(server.front.outgoing(other.connection()).empty());
  EXPECT_LT(server.front.outgoing(client.connection()).size(), 5U * 20);
  server.run();
  EXPECT_EQ(client.take_all().size(), 20U);
}

TEST(Limits, when_much_waits_to_be_read_only_those_with_nothing_waiting_are_served) {  // S-203
  ServerOptions options;
  options.front.queued_bytes_max = 15000;
  Server server(options);
  Client first = Client::with_session(server);
  Client second = Client::with_session(server);
  Client quiet = Client::with_session(server);
  first.create("/a", std::string(10000, 'x'));
  server.reads_output = false;
  const auto queued = [&server](const Client& client) { return server.front.outgoing(client.connection()).size(); };
  for (int i = 0; i < 10; ++i) {
    first.post(Opcode::get_data, watch_body("/a"));
    second.post(Opcode::get_data, watch_body("/a"));
  }
  server.run();
  EXPECT_LT(queued(first) + queued(second), 40000U);
  quiet.post(Opcode::get_data, watch_body("/a"));
  quiet.post(Opcode::get_data, watch_body("/a"));
  server.run();
  EXPECT_GT(queued(quiet), 10000U);
  EXPECT_LT(queued(quiet), 11000U);
  first.hang_up();  // What waited for it waits no more.
  server.reads_output = true;
  for (int i = 0; i < 20; ++i) {
    for (const Client* client : {&second, &quiet}) {
      server.front.sent(client->connection(), queued(*client));
    }
    server.run();
  }
  server.front.for_each_connection([&](const ConnectionInfo& info) {
    EXPECT_EQ(info.traffic.packets_sent, info.watcher == quiet.connection().slot ? 1U + 2 : 1U + 10);
  });
}

TEST(Limits, writes_with_large_credentials_wait_and_are_not_refused) {  // Protocol 14.6, S-202
  Server server;
  std::vector<Client> clients;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(Client::with_session(server));
    clients.back().send(
        request_frame(-4, Opcode::auth, Body().number(0).text("digest").buffer(std::string(8000, 'u') + ":pw").bytes));
    server.run();
    ASSERT_EQ(clients.back().take()->error, 0);
  }
  clients[0].create("/a");
  for (int i = 0; i < 3000; ++i) {
    for (Client& client : clients) {
      client.post(Opcode::set_data, set_body("/a", "x"));
    }
  }
  for (int i = 0; i < 20; ++i) {
    server.turn();
    EXPECT_LT(server.output.append.size(), 6300U);  // 48 MiB of them.
  }
  for (Client& client : clients) {
    const std::vector<Reply> replies = client.take_all();
    EXPECT_EQ(replies.size(), 3000U);
    EXPECT_TRUE(std::ranges::all_of(replies, [](const Reply& reply) { return reply.error == 0; }));
  }
  EXPECT_EQ(server.replica.stats().refused, 0U);
}

TEST(Limits, the_replica_counts_credentials_too) {
  ServerOptions options;
  options.limits.uncommitted_bytes_max = 30000;
  Server server(options);
  Client client = Client::with_session(server);
  client.send(
      request_frame(-4, Opcode::auth, Body().number(0).text("digest").buffer(std::string(8000, 'u') + ":pw").bytes));
  server.run();
  client.take();
  for (int i = 0; i < 10; ++i) {
    client.post(Opcode::create, create_body("/n" + std::to_string(i)));
  }
  server.run();
  EXPECT_EQ(server.replica.stats().refused, 7U);
}

TEST(Limits, watches_of_a_connection_are_bounded) {  // S-202
  ServerOptions options;
  options.front.watches = {.registrations_max = 5, .path_bytes_max = 1000, .all_path_bytes_max = 10000};
  Server server(options);
  Client client = Client::with_session(server);
  const auto add_watch = [&client](const std::string& path) {
    return client.call(Opcode::add_watch, Body().text(path).number(0).bytes).error;
  };
  EXPECT_EQ(add_watch("/" + std::string(1000, 'p')), -7);
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(add_watch("/p" + std::to_string(i)), 0);
  }
  EXPECT_EQ(add_watch("/p5"), -7);
  EXPECT_EQ(add_watch("/p4"), 0);
  EXPECT_EQ(client.call(Opcode::exists, watch_body("/", true)).error, -7);
  EXPECT_EQ(client.call(Opcode::get_data, watch_body("/", true)).error, -7);
  EXPECT_EQ(client.call(Opcode::get_children, watch_body("/", true)).error, -7);
  EXPECT_EQ(client.call(Opcode::get_children2, watch_body("/", false)).error, 0);
  EXPECT_EQ(server.front.watches().watch_count(), 10U);  // Each in both registries.
}

TEST(Limits, a_set_watches_that_does_not_fit_ends_the_connection) {  // S-202, protocol 7.6
  for (const std::size_t list : {0U, 1U, 2U, 3U, 4U}) {
    ServerOptions options;
    options.front.watches.registrations_max = 5;
    Server server(options);
    Client client = Client::with_session(server);
    const std::vector<std::string> none;
    Body body;
    body.wide(1'000'000);
    for (std::size_t i = 0; i < 5; ++i) {
      const std::string stem = i == 1 ? "/missing" : "/";  // A missing znode is news to all lists but exist.
      body.list(i != list ? none
                          : std::vector<std::string>{stem, stem + "a", stem + "b", stem + "c", stem + "d", stem + "e"});
    }
    for (const char* path : {"/a", "/b", "/c", "/d", "/e"}) {
      client.create(path);
    }
    client.post(Opcode::set_watches2, body.bytes);
    server.run();
    EXPECT_TRUE(client.is_closed());
    EXPECT_EQ(server.fates[client.connection().slot].reason, CloseReason::too_many_watches);
    EXPECT_TRUE(client.take_all().empty());
  }
}

TEST(Limits, what_waits_unexecuted_is_bounded) {
  ServerOptions options;
  options.front.pipeline_bytes_max = 10000;
  options.front.frame_bytes_max = 1000;
  Server server(options);
  Client client = Client::with_session(server);
  server.set_disk_slow(true);
  client.post(Opcode::create, create_body("/a"));
  int sent = 0;
  while (server.front.wants_input(client.connection()) && sent < 10000) {
    client.post(Opcode::exists, watch_body("/a"));
    ++sent;
    server.turn();
  }
  EXPECT_LT(sent, 1000);
  server.finish_disk();
  server.set_disk_slow(false);
  server.run();
  EXPECT_TRUE(server.front.wants_input(client.connection()));
  EXPECT_EQ(client.take_all().size(), static_cast<std::size_t>(sent) + 1);
}

TEST(Limits, over_the_outstanding_limit_only_idle_connections_go_on) {  // Protocol 14.6
  ServerOptions options;
  options.front.outstanding_max = 10;
  Server server(options);
  Client busy = Client::with_session(server);
  Client idle = Client::with_session(server);
  server.set_disk_slow(true);
  for (int i = 0; i < 30; ++i) {
    busy.post(Opcode::create, create_body("/n" + std::to_string(i)));
  }
  server.turn();
  EXPECT_EQ(server.front.stats().outstanding, 10U);
  EXPECT_FALSE(server.front.wants_input(busy.connection()));
  EXPECT_TRUE(server.front.wants_input(idle.connection()));
  idle.post(Opcode::create, create_body("/idle"));
  server.turn();
  EXPECT_EQ(server.front.stats().outstanding, 11U);
  server.finish_disk();
  server.set_disk_slow(false);
  server.run(8);
  EXPECT_EQ(busy.take_all().size(), 30U);
  EXPECT_TRUE(server.front.wants_input(busy.connection()));
  EXPECT_EQ(server.front.stats().outstanding, 0U);
}

TEST(Limits, a_client_that_is_held_back_does_not_expire) {  // Protocol 8.2, 14.6
  ServerOptions options;
  options.front.outstanding_max = 1;
  Server server(options);
  Client client = Client::with_session(server, 4000);
  server.set_disk_slow(true);
  for (int i = 0; i < 8; ++i) {
    client.post(Opcode::create, create_body("/n" + std::to_string(i)));
  }
  for (int i = 0; i < 120; ++i) {  // Two seconds a write: three sessions' timeouts without being read.
    server.turn();
    server.advance_ms(100);
    if (i % 20 == 19) {
      server.finish_disk();
    }
  }
  EXPECT_FALSE(client.is_closed());
  EXPECT_FALSE(server.front.wants_input(client.connection()));
}

// The others' writes take the whole limit: this one is not answered, and not read from, for four of its timeouts.
TEST(Limits, a_client_that_waits_behind_others_does_not_expire) {  // Protocol 8.2, 14.6
  ServerOptions options;
  options.front.outstanding_bytes_max = 1000;
  Server server(options);
  Client busy = Client::with_session(server, 40000);
  Client waiting = Client::with_session(server, 4000);
  Client silent = Client::with_session(server, 4000);
  server.set_disk_slow(true);
  busy.post(Opcode::create, create_body("/busy", std::string(900, 'x')));
  server.turn();
  waiting.post(Opcode::create, create_body("/waiting", std::string(200, 'x')));
  for (int i = 0; i < 32; ++i) {
    server.pass_ms(500);
    busy.post(Opcode::set_data,
              set_body("/busy", std::string(900, 'x')));  // Stands in line before `waiting`'s is tried.
    server.finish_disk();
  }
  EXPECT_FALSE(waiting.is_closed());
  EXPECT_TRUE(silent.is_closed());
}

TEST(Limits, large_writes_of_many_connections_wait_and_are_not_refused) {  // Protocol 14.6
  Server server;
  std::vector<Client> clients;
  for (int i = 0; i < 80; ++i) {
    clients.push_back(Client::with_session(server));
  }
  for (std::size_t i = 0; i < clients.size(); ++i) {
    clients[i].post(Opcode::create, create_body("/n" + std::to_string(i), std::string(1'000'000, 'x')));
  }
  server.run(8);
  for (Client& client : clients) {
    const auto reply = client.take();
    ASSERT_TRUE(reply.has_value());
    EXPECT_EQ(reply->error, 0);
    EXPECT_TRUE(server.front.wants_input(client.connection()));
  }
}

// The rest of a turn behind one call of serve(): what it left behind is applied, and its mail waits.
void apply_what_was_served(Server& server) {
  for (const Submission& submission : server.front.submissions()) {
    ASSERT_TRUE(server.replica.submit(0, submission));
  }
  server.front.clear_submissions();
  server.replica.take_output(server.output);
  server.replica.persisted(*server.output.token);
  server.replica.apply(64);
}

// Design chapter 7: no call into the front is long, so others are served between the slices.
TEST(Limits, many_watches_are_set_in_slices_and_changes_in_between_are_missed_by_none) {  // Protocol 7.6
  constexpr int many = 20'000;
  Server server;
  Client writer = Client::with_session(server);
  Client watcher = Client::with_session(server);
  Body body;
  std::vector<std::string> paths;
  for (int number = 0; number < many; ++number) {
    paths.push_back("/p" + std::to_string(number));
  }
  const std::vector<std::string> none;
  body.wide(server.replica.tree().last_zxid() == Zxid{} ? 0 : raw(server.replica.tree().last_zxid()));
  body.list(none).list(paths).list(none);
  watcher.post(Opcode::set_watches, body.bytes);
  const auto serve_once = [&server] { return server.front.serve(server.mail, server.now); };
  EXPECT_TRUE(serve_once());
  const std::size_t first_slice = server.front.watches().watch_count();
  EXPECT_GT(first_slice, 0U);
  EXPECT_LT(first_slice, 5000U);
  // Between two slices: one path that is watched by now, and one that is not yet.
  writer.post(Opcode::create, create_body("/p0"));
  writer.post(Opcode::create, create_body("/p" + std::to_string(many - 1)));
  EXPECT_TRUE(serve_once());  // The second slice, then the writer.
  EXPECT_LT(server.front.watches().watch_count(), static_cast<std::size_t>(many));
  EXPECT_TRUE(serve_once());
  apply_what_was_served(server);
  server.run(12);
  EXPECT_EQ(writer.take_all().size(), 2U);
  const std::vector<Reply> replies = watcher.take_all();
  ASSERT_EQ(replies.size(), 3U);
  EXPECT_EQ(event_of(replies[0]), (std::pair<std::int32_t, std::string>{1, "/p0"}));
  EXPECT_EQ(event_of(replies[1]), (std::pair<std::int32_t, std::string>{1, "/p" + std::to_string(many - 1)}));
  EXPECT_EQ(replies[2].error, 0);
  EXPECT_EQ(server.front.watches().watch_count(), static_cast<std::size_t>(many) - 2);
}

TEST(Limits, watches_of_a_closed_connection_go_in_slices_and_reach_no_successor) {
  constexpr int many = 20'000;
  Server server;
  Client writer = Client::with_session(server);
  Client watcher = Client::with_session(server);
  std::vector<std::string> paths;
  for (int number = 0; number < many; ++number) {
    paths.push_back("/p" + std::to_string(number));
  }
  const std::vector<std::string> none;
  watcher.call(Opcode::set_watches, Body().wide(1'000'000).list(none).list(paths).list(none).bytes);
  watcher.hang_up();
  EXPECT_TRUE(server.front.serve(server.mail, server.now));
  EXPECT_GT(server.front.watches().watch_count(), 0U);
  Client next(server);
  EXPECT_NE(next.connection().slot, watcher.connection().slot);
  for (const int number : {0, many / 2, many - 1}) {
    writer.create("/p" + std::to_string(number));
  }
  server.run(12);
  EXPECT_EQ(server.front.watches().watch_count(), 0U);
  EXPECT_TRUE(next.take_all().empty());
  Client last(server);
  EXPECT_EQ(last.connection().slot, watcher.connection().slot);
}

TEST(Limits, many_events_are_delivered_in_slices_and_before_newer_reads) {  // Design chapter 4
  constexpr int many = 20'000;
  Server server;
  Client owner = Client::with_session(server);
  Client watcher = Client::with_session(server);
  watcher.call(Opcode::add_watch, Body().text("/").number(1).bytes);
  for (int number = 0; number < many; ++number) {
    owner.post(Opcode::create, create_body("/e" + std::to_string(number), "", 1));
    if (number % 500 == 0) {
      server.run(2);
    }
  }
  server.run(2);
  watcher.take_all();
  owner.post(Opcode::close_session);
  server.front.serve(server.mail, server.now);
  apply_what_was_served(server);
  watcher.post(Opcode::exists, watch_body("/e0"));
  EXPECT_TRUE(server.front.serve(server.mail, server.now));
  EXPECT_FALSE(server.mail.empty());
  server.run();
  const std::vector<Reply> replies = watcher.take_all();
  ASSERT_EQ(replies.size(), static_cast<std::size_t>(many) + 1);
  EXPECT_EQ(replies.back().error, -101);
  EXPECT_EQ(replies.back().xid, 2);
}

TEST(Limits, with_a_throttle_requests_of_quiet_connections_wait_too) {  // Protocol 14.2
  ServerOptions options;
  options.front.request_throttle_max = 2;
  Server server(options);
  Client busy = Client::with_session(server);
  Client quiet = Client::with_session(server);
  server.set_disk_slow(true);
  for (int i = 0; i < 5; ++i) {
    busy.post(Opcode::create, create_body("/n" + std::to_string(i)));
  }
  server.turn();
  quiet.post(Opcode::exists, watch_body("/"));
  server.turn();
  EXPECT_EQ(server.front.stats().outstanding, 2U);
  EXPECT_TRUE(quiet.take_all().empty());
  server.finish_disk();
  server.set_disk_slow(false);
  server.run(8);
  EXPECT_EQ(quiet.take_all().size(), 1U);
  EXPECT_EQ(busy.take_all().size(), 5U);
}

TEST(Limits, a_throttled_request_of_a_closed_connection_is_dropped) {  // Protocol 14.2
  ServerOptions options;
  options.front.request_throttle_max = 1;
  Server server(options);
  Client busy = Client::with_session(server);
  Client gone = Client::with_session(server);
  server.set_disk_slow(true);
  busy.post(Opcode::create, create_body("/busy"));
  server.turn();
  gone.post(Opcode::create, create_body("/gone"));
  server.turn();
  gone.hang_up();
  server.finish_disk();
  server.set_disk_slow(false);
  server.run(8);
  EXPECT_EQ(busy.take_all().size(), 1U);
  EXPECT_EQ(busy.call(Opcode::exists, watch_body("/gone")).error, -101);
}

TEST(Limits, a_request_older_than_its_sessions_timeout_is_dropped_if_that_is_asked_for) {  // Protocol 14.2
  for (const bool drops : {true, false}) {
    ServerOptions options;
    options.front.drops_late_requests = drops;
    Server server(options);
    Client client = Client::with_session(server, 4000);
    server.set_disk_slow(true);
    client.post(Opcode::create, create_body("/a"));
    client.post(Opcode::exists, watch_body("/a"));  // Waits for the write before it.
    server.turn();
    server.pass_ms(4500);
    server.finish_disk();
    server.set_disk_slow(false);
    server.run();
    EXPECT_EQ(client.is_closed(), drops);
    EXPECT_EQ(client.take_all().size(), drops ? 1U : 2U);
    EXPECT_EQ(server.front.stats().late_requests_dropped, drops ? 1U : 0U);
    if (drops) {
      EXPECT_EQ(server.fates[client.connection().slot].reason, CloseReason::stale_request);
    }
  }
}

// Protocol 14.9: answered with the header's zxid 0, and no entry.
TEST(Limits, a_write_that_acls_refuse_is_answered_early_if_that_is_asked_for) {
  for (const bool early : {true, false}) {
    ServerOptions options;
    options.front.checks_acls_early = early;
    Server server(options);
    Client client = Client::with_session(server);
    const std::string read_only = Body().number(1).number(1).text("world").text("anyone").bytes;
    ASSERT_EQ(client.create("/a").error, 0);
    ASSERT_EQ(client.create("/a/b").error, 0);
    ASSERT_EQ(client.call(Opcode::set_acl, Body().text("/a").bytes + read_only + Body().number(-1).bytes).error, 0);
    const Index before = server.replica.applied();
    for (const auto& [opcode, body] :
         {std::pair{Opcode::create, create_body("/a/x")}, std::pair{Opcode::set_data, set_body("/a", "x")},
          std::pair{Opcode::remove, delete_body("/a/b")},
          std::pair{Opcode::set_acl, Body().text("/a").open_acl().number(-1).bytes}}) {
      const Reply reply = client.call(opcode, body);
      EXPECT_EQ(reply.error, -102);
      EXPECT_EQ(reply.zxid == 0, early);
    }
    const std::string bad_list = Body().number(1).number(31).text("ip").text("nonsense").bytes;
    EXPECT_EQ(client.call(Opcode::create, Body().text("/c").buffer("").bytes + bad_list + Body().number(0).bytes).error,
              -114);
    EXPECT_EQ(server.replica.applied() == before, early);
    EXPECT_EQ(client.create("/none/x").error, -101);  // A missing parent may be on its way: judged in its turn.
    EXPECT_EQ(client.create("/c").error, 0);
  }
}

TEST(Limits, an_early_acl_check_sees_the_writes_before_it) {  // Protocol 14.9, R-720
  ServerOptions options;
  options.front.checks_acls_early = true;
  Server server(options);
  Client client = Client::with_session(server);
  const std::string no_write = Body().number(1).number(31 - 2).text("world").text("anyone").bytes;
  client.call(Opcode::create, Body().text("/a").buffer("").bytes + no_write + Body().number(0).bytes);
  client.post(Opcode::set_acl, Body().text("/a").open_acl().number(-1).bytes);
  client.post(Opcode::set_data, set_body("/a", "x"));
  server.run();
  const std::vector<Reply> replies = client.take_all();
  ASSERT_EQ(replies.size(), 2U);
  EXPECT_EQ(replies[1].error, 0);
}

TEST(Limits, a_request_that_waited_too_long_is_not_executed) {  // Protocol 14.3
  ServerOptions options;
  options.front.throttled_op_wait_ms = 500;
  Server server(options);
  Client client = Client::with_session(server, 40000);
  server.set_disk_slow(true);
  client.post(Opcode::create, create_body("/a"));
  client.post(Opcode::exists, watch_body("/a"));
  client.post(Opcode::create, create_body("/b"));
  client.send(request_frame(-2, Opcode::ping));
  server.turn();
  server.advance_ms(501);
  server.finish_disk();
  server.set_disk_slow(false);
  server.run();
  const auto replies = client.take_all();
  ASSERT_EQ(replies.size(), 4U);
  EXPECT_EQ(replies[0].error, 0);
  EXPECT_EQ(replies[1].error, -127);
  EXPECT_EQ(replies[2].error, -127);
  EXPECT_EQ(replies[3].error, 0);  // Never a ping.
  EXPECT_EQ(client.call(Opcode::exists, watch_body("/b")).error, -101);
}

// A client that dribbles: each receive would be remembered until what came with it is executed (S-106).
TEST(Limits, with_very_many_receives_the_last_ones_count_as_younger) {  // Protocol 14.3
  ServerOptions options;
  options.front.throttled_op_wait_ms = 500;
  Server server(options);
  Client client = Client::with_session(server, 40000);
  server.set_disk_slow(true);
  client.post(Opcode::create, create_body("/a"));
  server.turn();
  const std::string frame = request_frame(7, Opcode::exists, watch_body("/a"));
  for (int i = 0; i < 60; ++i) {
    for (const char byte : frame) {
      client.send(std::string_view(&byte, 1));
    }
  }
  server.advance_ms(400);
  client.send(frame);
  server.advance_ms(200);
  server.finish_disk();
  server.set_disk_slow(false);
  server.run();
  const std::vector<Reply> replies = client.take_all();
  ASSERT_EQ(replies.size(), 62U);
  EXPECT_EQ(replies[1].error, -127);
  EXPECT_EQ(replies[50].error, -127);
  EXPECT_EQ(replies[60].error, 0);
  EXPECT_EQ(replies[61].error, 0);
}

TEST(Limits, large_requests_under_way_are_bounded_together) {  // Protocol 14.4
  ServerOptions options;
  options.front.large_request_threshold = 1000;
  options.front.large_request_bytes_max = 5000;
  Server server(options);
  Client first = Client::with_session(server);
  Client second = Client::with_session(server);
  server.set_disk_slow(true);
  first.post(Opcode::create, create_body("/a", std::string(3000, 'x')));
  second.post(Opcode::create, create_body("/small"));
  second.post(Opcode::create, create_body("/b", std::string(3000, 'x')));
  server.turn();
  EXPECT_FALSE(first.is_closed());
  EXPECT_TRUE(second.is_closed());
  server.finish_disk();
  server.set_disk_slow(false);
  server.run();
  EXPECT_EQ(first.create("/c", std::string(3000, 'x')).error, 0);
}

// 2.5 step 1: before anybody knows what is in the frame.
TEST(Limits, large_frames_are_bounded_whatever_they_hold) {  // Protocol 14.4
  ServerOptions options;
  options.front.large_request_threshold = 1000;
  options.front.large_request_bytes_max = 5000;
  Server server(options);
  for (const auto& [opcode, body] :
       {std::pair{Opcode::exists, watch_body("/" + std::string(6000, 'x'))},
        std::pair{Opcode::auth, Body().number(0).text("ip").buffer(std::string(6000, 'x')).bytes},
        std::pair{Opcode::create, std::string(6000, '\xff')}}) {
    Client client = Client::with_session(server);
    client.post(opcode, body);
    server.run();
    EXPECT_TRUE(client.is_closed());
    EXPECT_EQ(server.fates[client.connection().slot].reason, CloseReason::large_requests);
    EXPECT_TRUE(client.take_all().empty());
  }
  Client client = Client::with_session(server);
  EXPECT_EQ(client.call(Opcode::exists, watch_body("/" + std::string(4000, 'x'))).error, -101);
}

TEST(Limits, a_handshake_is_a_request_among_the_large_ones) {  // Protocol 14.4
  ServerOptions options;
  options.front.large_request_threshold = 1000;
  options.front.large_request_bytes_max = 5000;
  Server server(options);
  Client client = Client::with_session(server);
  const std::string padded = framed(connect_frame(10000).substr(4) + std::string(2000, 'x'));
  Client patient(server);
  patient.send(padded);
  server.run();
  EXPECT_TRUE(patient.take_connected().has_value()) << "bytes behind a record are nothing (protocol 1.1)";
  server.set_disk_slow(true);
  client.post(Opcode::create, create_body("/large", std::string(4000, 'x')));
  server.turn();
  Client newcomer(server);
  newcomer.send(padded);
  server.turn();
  EXPECT_EQ(server.fates[newcomer.connection().slot].reason, CloseReason::large_requests);
  // One of the usual length is none of them.
  Client usual(server);
  usual.send(connect_frame(10000));
  server.turn();
  server.set_disk_slow(false);
  server.finish_disk();
  server.run();
  EXPECT_TRUE(usual.take_connected().has_value());
}

TEST(Limits, a_full_disk_refuses_writes_before_they_have_a_number) {
  Server server;
  Client client = Client::with_session(server);
  client.create("/a", "x");
  const Index before = server.replica.applied();
  server.replica.set_disk_space(DiskSpace::low);
  EXPECT_EQ(client.create("/b").error, -7);
  EXPECT_EQ(client.call(Opcode::get_data, watch_body("/a")).error, 0);
  EXPECT_EQ(server.replica.applied(), before);
  // A new session is a write like any other; there is no error to answer it with.
  Client newcomer(server);
  newcomer.send(connect_frame(10000));
  server.run();
  EXPECT_TRUE(newcomer.is_closed());
  // What clients have they may keep, and give up.
  Client again(server);
  again.send(connect_frame(10000, client.session.session, client.session.password));
  server.run();
  EXPECT_EQ(again.take_connected()->session, client.session.session);
  // With no space at all nobody waits for an answer that may never come.
  server.replica.set_disk_space(DiskSpace::none);
  Client late(server);
  late.send(connect_frame(10000, client.session.session, client.session.password));
  server.run();
  EXPECT_TRUE(late.is_closed());
  EXPECT_EQ(again.call(Opcode::close_session).error, -7);
  server.replica.set_disk_space(DiskSpace::low);
  EXPECT_EQ(again.call(Opcode::close_session).error, 0);
  server.replica.set_disk_space(DiskSpace::enough);
  Client third = Client::with_session(server);
  EXPECT_EQ(third.create("/b").error, 0);
}

TEST(Limits, a_refusal_keeps_its_place_among_the_replies) {  // R-902, protocol 2.4 rule 1
  Server server;
  Client client = Client::with_session(server);
  server.set_disk_slow(true);
  const auto first = client.post(Opcode::create, create_body("/a"));
  server.turn();
  server.replica.set_disk_space(DiskSpace::low);
  const auto second = client.post(Opcode::create, create_body("/b"));
  server.turn();
  server.replica.set_disk_space(DiskSpace::enough);
  const auto third = client.post(Opcode::create, create_body("/c"));
  server.turn();
  EXPECT_TRUE(client.take_all().empty());
  server.finish_disk();
  server.set_disk_slow(false);
  server.run();
  const auto replies = client.take_all();
  ASSERT_EQ(replies.size(), 3U);
  EXPECT_EQ(replies[0].xid, first);
  EXPECT_EQ(replies[1].xid, second);
  EXPECT_EQ(replies[1].error, -7);
  EXPECT_EQ(replies[2].xid, third);
  EXPECT_EQ(replies[2].error, 0);
}

TEST(Limits, what_the_core_refuses_waits_and_what_the_queue_refuses_is_answered) {  // R-317, design chapter 6
  ServerOptions options;
  options.limits.uncommitted_entries_max = 4;
  Server server(options);
  Client client = Client::with_session(server);
  server.set_disk_slow(true);
  const auto post = [&](int number) { client.post(Opcode::create, create_body("/n" + std::to_string(number))); };
  post(0);
  post(1);
  post(2);
  server.turn();  // In the core.
  post(3);
  post(4);
  server.turn();  // Too much for the core: queued.
  for (int i = 5; i < 10; ++i) {
    post(i);
  }
  server.turn();  // Only two more fit into the queue.
  EXPECT_EQ(server.replica.stats().refused, 3U);
  server.finish_disk();
  server.set_disk_slow(false);
  server.run(8);
  const auto replies = client.take_all();
  ASSERT_EQ(replies.size(), 10U);
  for (std::size_t i = 0; i < replies.size(); ++i) {
    EXPECT_EQ(replies[i].error, i < 7 ? 0 : -7) << i;
  }
}

TEST(Limits, statistics_count_frames_and_connections) {
  Server server;
  Client client = Client::with_session(server);
  client.create("/a");
  client.call(Opcode::get_data, watch_body("/a"));
  const FrontStats& stats = server.front.stats();
  EXPECT_EQ(stats.connections, 1U);
  EXPECT_EQ(stats.since_reset.traffic.packets_received, 3U);
  EXPECT_EQ(stats.since_reset.traffic.packets_sent, 3U);
  EXPECT_EQ(stats.since_reset.latency.count, 2U);
  EXPECT_EQ(stats.write_latency_us.count(), 1U);
  EXPECT_EQ(stats.read_latency_us.count(), 1U);
  int visited = 0;
  server.front.for_each_connection([&](const ConnectionInfo& info) {
    ++visited;
    EXPECT_EQ(info.ip, "10.0.0.1");
    EXPECT_EQ(raw(info.session), client.session.session);
    EXPECT_EQ(info.last_operation, "GETD");
    EXPECT_EQ(info.last_xid, 2);
    EXPECT_EQ(info.timeout_ms, 10000);
    EXPECT_EQ(raw(info.last_zxid), raw(server.replica.zxid_of(server.replica.applied())));
  });
  EXPECT_EQ(visited, 1);
  const FrontStats before = stats;
  server.front.reset_stats();  // Operations 2.2: latency and packets. 4.1: count and sum never reset.
  EXPECT_EQ(stats.since_reset.traffic.packets_received, 0U);
  EXPECT_EQ(stats.since_reset.traffic.packets_sent, 0U);
  EXPECT_EQ(stats.since_reset.latency.count, 0U);
  EXPECT_EQ(stats.connections, 1U);
  EXPECT_EQ(stats.connections_opened, 1U);
  EXPECT_EQ(stats.sessions_connected, 1U);
  EXPECT_EQ(stats.write_latency_us.count(), 1U);
  EXPECT_EQ(stats.read_latency_us.count(), 1U);
  EXPECT_EQ(stats.bytes_received, before.bytes_received);
  EXPECT_GT(stats.bytes_received, 0U);
  EXPECT_EQ(stats.reply_bytes_last, before.reply_bytes_last);
  EXPECT_EQ(stats.reply_bytes_max, before.reply_bytes_max);
  client.hang_up();
  EXPECT_EQ(stats.connections, 0U);
}

}  // namespace
}  // namespace quorate::replica::testing
