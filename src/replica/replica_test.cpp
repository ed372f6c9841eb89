// What entries do, whoever wrote them: streams, determinism, time, snapshots, containers (R-3xx, R-7xx).

#include "replica/replica.hpp"

#include <gtest/gtest.h>
#include <map>
#include <string>
#include <vector>

#include "replica/testing/harness.hpp"
#include "wire/configuration.hpp"

namespace quorate::replica::testing {
namespace {

using wire::Opcode;

// A log written by hand: a first term's no-op, then what the test adds.
struct HandWritten {
  std::vector<raft::Entry> entries;

  HandWritten() {
    std::string noop;
    wire::encode_term_start(noop, wire::TermStart{.leader = Server::id, .switches = {}, .hash_secret = 77});
    add(raft::EntryKind::noop, std::move(noop));
  }
  void add(raft::EntryKind kind, std::string command) {
    entries.push_back(raft::Entry{.term = Term{1},
                                  .index = Index{entries.size() + 1},
                                  .time = WallTime{1000},
                                  .kind = kind,
                                  .command = Blob::adopt(std::move(command))});
  }
  void add(const wire::Command& command) {
    std::string bytes;
    wire::encode_command(bytes, command);
    add(raft::EntryKind::command, std::move(bytes));
  }
  // A session of another server's; its id is that server and the entry's zxid (design chapter 5).
  SessionId add_session(const wire::StreamId& stream, std::uint64_t number) {
    std::string request;
    wire::encode_session_request(request, wire::SessionRequest{.password = {}, .timeout_ms = 40000});
    add(wire::Command{.kind = wire::CommandKind::create_session,
                      .stream = stream,
                      .number = number,
                      .credentials = {},
                      .request = request});
    return SessionId{(std::int64_t{raw(stream.server)} << 56) | static_cast<std::int64_t>(entries.size())};
  }
  void add_create(const wire::StreamId& stream, std::uint64_t number, SessionId session, std::uint32_t generation,
                  std::string_view path) {
    const std::string body = create_body(path);
    add(wire::Command{.kind = wire::CommandKind::client_request,
                      .stream = stream,
                      .number = number,
                      .session = session,
                      .generation = generation,
                      .credentials = {},
                      .xid = 1,
                      .opcode = Opcode::create,
                      .request = body});
  }
  [[nodiscard]] ServerOptions options() const {
    ServerOptions options;
    options.log = entries;
    options.hard_state = raft::HardState{.term = Term{1}, .vote = Server::id};
    options.start = 5;
    return options;
  }
};

constexpr wire::StreamId other{.server = NodeId{2}, .incarnation = 4, .start = 3};

bool has(const Server& server, std::string_view path) {
  return server.replica.tree().find(path).has_value();
}

TEST(Streams, a_gap_and_an_older_start_are_void_and_a_repetition_is_skipped) {  // R-715, I-205
  HandWritten log;
  const SessionId session = log.add_session(other, 1);
  log.add_create(other, 2, session, 1, "/two");
  log.add_create(other, 2, session, 1, "/again");
  log.add_create(other, 4, session, 1, "/gap");
  log.add_create(other, 3, session, 1, "/three");
  wire::StreamId older = other;
  older.start = 2;
  log.add_create(older, 1, session, 1, "/older");
  wire::StreamId newer = other;
  newer.start = 4;
  log.add_create(newer, 2, session, 1, "/newer_gap");
  log.add_create(newer, 1, session, 1, "/newer");
  log.add_create(other, 4, session, 1, "/former");
  const Server server(log.options());
  const std::uint32_t generation = server.replica.tree().sessions().find(session)->generation;
  ASSERT_EQ(generation, 1U) << "the log above takes the first generation to be 1";
  EXPECT_TRUE(has(server, "/two"));
  EXPECT_FALSE(has(server, "/again"));
  EXPECT_FALSE(has(server, "/gap"));
  EXPECT_TRUE(has(server, "/three"));
  EXPECT_FALSE(has(server, "/older"));
  EXPECT_FALSE(has(server, "/newer_gap"));
  EXPECT_TRUE(has(server, "/newer"));
  EXPECT_FALSE(has(server, "/former"));
  EXPECT_EQ(server.replica.stats().void_entries, 5U);
}

TEST(Streams, an_abandoned_number_keeps_its_place) {  // Design chapter 6
  HandWritten log;
  const SessionId session = log.add_session(other, 1);
  log.add(wire::Command{
      .kind = wire::CommandKind::abandoned, .stream = other, .number = 2, .credentials = {}, .request = empty_bytes});
  log.add_create(other, 3, session, 1, "/three");
  const Server server(log.options());
  EXPECT_TRUE(has(server, "/three"));
  EXPECT_EQ(server.replica.stats().void_entries, 0U);
}

TEST(Streams, a_write_of_another_generation_has_no_effect) {  // R-714, I-204
  HandWritten log;
  const SessionId session = log.add_session(other, 1);
  log.add_create(other, 2, session, 2, "/wrong");
  log.add_create(other, 3, session, 1, "/right");
  const Server server(log.options());
  EXPECT_FALSE(has(server, "/wrong"));
  EXPECT_TRUE(has(server, "/right"));
}

TEST(Streams, an_expiry_decided_in_another_term_is_void) {
  HandWritten log;
  const SessionId session = log.add_session(other, 1);
  std::string term;
  wire::encode_term(term, Term{9});
  log.add(wire::Command{.kind = wire::CommandKind::expire_session,
                        .stream = other,
                        .number = 2,
                        .session = session,
                        .generation = 1,
                        .credentials = {},
                        .request = term});
  const Server server(log.options());
  EXPECT_NE(server.replica.tree().sessions().find(session), nullptr);
  EXPECT_EQ(server.replica.stats().void_entries, 1U);
}

TEST(Streams, positions_go_into_snapshots) {
  HandWritten log;
  log.add_session(other, 1);
  Server server(log.options());
  Client::with_session(server);
  const wire::SnapshotHeader header = server.replica.begin_snapshot([](const tree::SnapshotItem&) {});
  ASSERT_EQ(header.streams.size(), 2U);
  EXPECT_EQ(header.streams[0].stream.start, 5U);
  EXPECT_EQ(header.streams[0].number, 1U);
  EXPECT_EQ(header.streams[1].stream, other);
  EXPECT_EQ(header.streams[1].number, 1U);
  EXPECT_EQ(header.point.index, server.replica.applied());
  while (!server.replica.step_snapshot(100)) {
  }
}

TEST(Snapshots, keep_the_configuration_that_was_applied_and_the_entry_it_came_from) {
  const raft::Configuration renamed{.members = {raft::Member{.id = Server::id, .address = "elsewhere:2888:3888;2181"}},
                                    .removed = {{.id = NodeId{7}, .incarnation_high = 1, .incarnation_low = 2}}};
  HandWritten log;
  std::string bytes;
  wire::encode_configuration(bytes, renamed);
  log.add(raft::EntryKind::configuration, bytes);
  Server server(log.options());
  const wire::SnapshotHeader header = server.replica.begin_snapshot([](const tree::SnapshotItem&) {});
  EXPECT_EQ(header.configuration, renamed);
  EXPECT_EQ(header.configuration_entry, (raft::LogId{.term = Term{1}, .index = Index{2}}));
  server.replica.abandon_snapshot();
}

TEST(Snapshots, keep_what_was_restored_while_no_entry_changes_it) {
  ReplicaConfig config;
  config.raft.self = Server::id;
  config.stream = {.server = Server::id, .incarnation = 9, .start = 2};
  Restored restored{.log = {.hard_state = {},
                            .snapshot = {.term = Term{3}, .index = Index{10}},
                            .configuration = {.members = {raft::Member{.id = Server::id}}},
                            .configuration_entry = {.term = Term{2}, .index = Index{5}},
                            .entries = {}},
                    .tree = tree::Tree(1),
                    .streams = {},
                    .feature_level = 7};
  Replica replica(config, std::move(restored), Prng(1));
  const wire::SnapshotHeader header = replica.begin_snapshot([](const tree::SnapshotItem&) {});
  EXPECT_EQ(header.configuration_entry, (raft::LogId{.term = Term{2}, .index = Index{5}}));
  EXPECT_EQ(header.feature_level, 7U);
  replica.abandon_snapshot();
}

// A run with a bit of everything.
void work(Server& server) {
  Client a = Client::with_session(server, 4000);
  Client b = Client::with_session(server, 40000);
  a.create("/a", "1");
  a.create("/a", "again");
  a.create("/a/e", "2", 1);
  b.create("/a/s-", "3", 2);
  b.create("/a/s-", "3", 3);
  b.call(Opcode::create_container, create_body("/c", "", 4));
  b.call(Opcode::set_data, set_body("/a", "4"));
  b.call(Opcode::set_data, set_body("/a", "5", 7));
  b.call(Opcode::remove, delete_body("/missing"));
  Body multi;
  multi.number(1).flag(false).number(-1).text("/m").buffer("x").open_acl().number(0);
  multi.number(5).flag(false).number(-1).text("/m").buffer("y").number(0);
  multi.number(-1).flag(true).number(-1);
  b.call(Opcode::multi, multi.bytes);
  server.pass_ms(14000);  // Expires a.
  b.create("/last");
}

TEST(Replay, the_same_log_gives_the_same_digest) {  // I-307, I-301
  const ServerOptions options;
  Server before(options);
  work(before);
  const std::uint64_t digest = before.replica.tree().digest();
  EXPECT_EQ(digest, before.replica.tree().recompute_digest());

  // The replaying tree starts with another secret; the first entry brings the right one. The hint lets the log be
  // applied before a new term's no-op is, so that both stand at the same index.
  ReplicaConfig config;
  config.raft.self = Server::id;
  config.stream = {.server = Server::id, .incarnation = 9, .start = 2};
  raft::Recovered log;
  log.hard_state = before.hard_state;
  log.configuration.members = {raft::Member{.id = Server::id}};
  log.entries = before.durable;
  log.commit_hint = before.durable.back().index;
  Replica replica(config, Restored{.log = log, .tree = tree::Tree(555), .streams = {}}, Prng(3));
  while (replica.apply(3)) {
  }
  ASSERT_EQ(replica.applied(), before.replica.applied());
  EXPECT_EQ(replica.tree().digest(), digest);
  EXPECT_EQ(replica.tree().recompute_digest(), digest);
}

TEST(Replay, a_restarted_server_has_its_sessions_and_its_znodes) {
  const ServerOptions options;
  Server before(options);
  work(before);
  Server after(before.after_restart(options));
  EXPECT_EQ(after.replica.tree().sessions().size(), before.replica.tree().sessions().size());
  EXPECT_EQ(after.replica.tree().znode_count(), before.replica.tree().znode_count());
  EXPECT_EQ(after.replica.core().term(), Term{2});
}

TEST(Replay, acknowledged_writes_survive_and_unsynced_ones_do_not_appear) {
  const ServerOptions options;
  Server before(options);
  Client client = Client::with_session(before);
  client.create("/kept");
  before.set_disk_slow(true);
  client.post(Opcode::create, create_body("/lost"));
  before.run();
  EXPECT_TRUE(client.take_all().empty());
  const Server after(before.after_restart(options));
  EXPECT_TRUE(has(after, "/kept"));
  EXPECT_FALSE(has(after, "/lost"));
}

TEST(Replay, watches_of_a_front_that_is_attached_early_still_fire) {
  // The first no-op replaces the tree; fronts stay attached to it.
  Server server;
  Client client = Client::with_session(server);
  client.call(Opcode::exists, watch_body("/a", true));
  client.create("/a");
  EXPECT_EQ(client.events.size(), 1U);
}

TEST(Time, entries_take_the_leaders_clock_and_never_go_back) {  // R-709, design chapter 3
  Server server;
  Client client = Client::with_session(server, 40000);
  client.create("/a");
  const WallTime first = server.durable.back().time;
  EXPECT_EQ(first, server.wall);
  server.wall = WallTime{raw(server.wall) - 500'000};  // The operator sets the clock back.
  server.now = after_ms(server.now, 250);
  client.create("/b");
  EXPECT_EQ(raw(server.durable.back().time), raw(first) + 250);  // Not frozen: monotonic time counts on.
}

TEST(Time, a_restart_with_a_clock_behind_goes_on_from_the_log) {
  const ServerOptions options;
  Server before(options);
  Client client = Client::with_session(before, 40000);
  client.create("/a");
  ServerOptions next = before.after_restart(options);
  next.wall = WallTime{5};
  Server after(next);
  Client again = Client::with_session(after);
  again.create("/b");
  EXPECT_GE(after.durable.back().time, before.durable.back().time);
}

TEST(Serving, nothing_is_taken_before_an_entry_of_the_own_term_is_applied) {
  Server server;
  EXPECT_TRUE(server.replica.is_serving());
  EXPECT_EQ(server.replica.core().term(), Term{1});
  ServerOptions options;
  options.disk_is_slow = false;
  ReplicaConfig config;
  config.raft.self = NodeId{1};
  config.stream = {.server = NodeId{1}, .incarnation = 1, .start = 1};
  raft::Recovered log;
  log.configuration.members = {raft::Member{.id = NodeId{1}}};
  Replica replica(config, Restored{.log = log, .tree = tree::Tree(1), .streams = {}}, Prng(1));
  Mailbox mail;
  tree::WatchTable watches;
  replica.attach(0, mail, watches);
  EXPECT_FALSE(replica.is_serving());
  EXPECT_FALSE(replica.submit(0, Submission{.kind = wire::CommandKind::create_session, .request = "x"}));
}

TEST(Serving, what_was_applied_before_the_first_tick_expires_no_session) {
  HandWritten log;
  const SessionId session = log.add_session(other, 1);
  ReplicaConfig config;
  config.raft.self = NodeId{1};
  config.stream = {.server = NodeId{1}, .incarnation = 1, .start = 1};
  raft::Recovered recovered;
  recovered.configuration.members = {raft::Member{.id = NodeId{1}}};
  recovered.entries = log.entries;
  Replica replica(config, Restored{.log = recovered, .tree = tree::Tree(1), .streams = {}}, Prng(1));
  Output output;
  const auto turn = [&] {
    replica.take_output(output);
    if (output.token) {
      replica.persisted(*output.token);
    }
    while (replica.apply(8)) {
    }
  };
  turn();
  EXPECT_TRUE(replica.is_serving());
  replica.tick(MonoTime{1'000'000'000'000}, WallTime{1});
  turn();
  EXPECT_NE(replica.tree().sessions().find(session), nullptr);
}

TEST(Digests, are_remembered_every_128_zxids_and_not_for_ever) {  // Operations 2.10
  Server server;
  Client client = Client::with_session(server, 40000);
  std::map<std::int64_t, std::uint64_t> expected;
  client.create("/a");
  while (expected.size() < 3) {
    client.call(Opcode::set_data, set_body("/a", std::to_string(expected.size())));
    if (raw(server.replica.tree().last_zxid()) % 128 == 0) {
      expected.emplace(raw(server.replica.tree().last_zxid()), server.replica.tree().digest());
    }
  }
  std::map<std::int64_t, std::uint64_t> remembered;
  std::int64_t newest = 0;
  const auto look = [&](Zxid zxid, std::uint64_t digest) {
    EXPECT_GT(raw(zxid), newest);
    newest = raw(zxid);
    remembered.emplace(newest, digest);
  };
  server.replica.for_each_digest(look);
  EXPECT_EQ(remembered, expected);
  while (raw(server.replica.tree().last_zxid()) < 128 * 1030) {
    for (int i = 0; i < 2000; ++i) {
      client.post(Opcode::remove, delete_body("/missing"));
    }
    server.run(2);
    client.take_all();
  }
  remembered.clear();
  newest = 0;
  server.replica.for_each_digest(look);
  EXPECT_EQ(remembered.size(), 1024U);
  EXPECT_GT(remembered.begin()->first, 128);
}

TEST(Switches, each_terms_leader_stamps_its_own) {  // Design chapter 3
  ServerOptions options;
  options.switches.skip_acl = true;
  Server before(options);
  EXPECT_TRUE(before.replica.tree().switches().skip_acl);
  options.switches.skip_acl = false;
  const Server after(before.after_restart(options));
  EXPECT_FALSE(after.replica.tree().switches().skip_acl);
}

TEST(Snapshots, are_due_between_half_and_the_whole_count) {
  ServerOptions options;
  options.snapshot_entries = 100;
  Server server(options);
  Client client = Client::with_session(server);
  std::vector<std::uint64_t> gaps;
  for (int round = 0; round < 5; ++round) {
    const Index start = server.replica.applied();
    while (!server.output.start_snapshot) {
      client.create("/a");
    }
    gaps.push_back(raw(server.replica.applied()) - raw(start));
    const auto header = server.replica.begin_snapshot([](const tree::SnapshotItem&) {});
    while (!server.replica.step_snapshot(1000)) {
    }
    server.replica.snapshot_durable(header.point);
    server.turn();
    EXPECT_FALSE(server.output.start_snapshot);
  }
  for (const std::uint64_t gap : gaps) {
    EXPECT_GE(gap, 48U);
    EXPECT_LE(gap, 102U);
  }
  EXPECT_NE(gaps[1], gaps[2]);
}

TEST(Snapshots, an_abandoned_one_is_due_again_after_a_while) {
  ServerOptions options;
  options.snapshot_entries = 10;
  Server server(options);
  Client client = Client::with_session(server, 40000);
  while (!server.output.start_snapshot) {
    client.create("/a");
  }
  (void)server.replica.begin_snapshot([](const tree::SnapshotItem&) {});
  server.replica.abandon_snapshot();
  server.turn();
  EXPECT_FALSE(server.output.start_snapshot);
  server.advance_ms(10001);
  server.turn();
  EXPECT_TRUE(server.output.start_snapshot);
}

TEST(Containers, one_among_thousands_goes_in_the_first_pass) {  // Protocol 9
  ServerOptions options;
  options.container_check_ms = 4000;
  Server server(options);
  Client client = Client::with_session(server, 40000);
  const auto create_many = [&](std::string_view prefix) {
    for (int i = 0; i < 2000; ++i) {
      client.post(Opcode::create_container, create_body(std::string(prefix) + std::to_string(i), "", 4));
    }
    server.run();
    client.take_all();
  };
  create_many("/before");
  client.call(Opcode::create_container, create_body("/used", "", 4));
  client.create("/used/x");
  client.call(Opcode::remove, delete_body("/used/x"));
  create_many("/after");
  server.advance_ms(4000);
  server.run(12);
  EXPECT_EQ(client.call(Opcode::exists, watch_body("/used")).error, -101);
  EXPECT_EQ(client.call(Opcode::exists, watch_body("/before7")).error, 0);
}

TEST(Containers, an_emptied_container_goes_and_a_new_one_stays) {  // V18, protocol 9
  ServerOptions options;
  options.container_check_ms = 1000;
  Server server(options);
  Client client = Client::with_session(server, 40000);
  client.call(Opcode::create_container, create_body("/used", "", 4));
  client.call(Opcode::create_container, create_body("/never", "", 4));
  client.create("/used/c");
  for (int i = 0; i < 3; ++i) {
    server.advance_ms(1001);
    server.run();
  }
  EXPECT_TRUE(has(server, "/used"));
  client.call(Opcode::remove, delete_body("/used/c"));
  client.call(Opcode::exists, watch_body("/used", true));
  for (int i = 0; i < 3; ++i) {
    server.advance_ms(1001);
    server.run();
  }
  EXPECT_FALSE(has(server, "/used"));
  EXPECT_TRUE(has(server, "/never"));
  const auto event = client.take();
  ASSERT_TRUE(event.has_value());
  EXPECT_EQ(event_of(*event), (std::pair<std::int32_t, std::string>{2, "/used"}));
  EXPECT_EQ(server.replica.stats().containers_deleted, 1U);
}

TEST(Containers, a_ttl_znode_goes_by_the_time_in_the_log) {  // Protocol 9
  ServerOptions options;
  options.container_check_ms = 1000;
  options.switches.extended_types = true;
  Server server(options);
  Client client = Client::with_session(server, 40000);
  const std::string body = Body().text("/t").buffer("").open_acl().number(5).wide(2000).bytes;
  EXPECT_EQ(client.call(Opcode::create_ttl, body).error, 0);
  server.advance_ms(1500);
  server.run();
  EXPECT_TRUE(has(server, "/t"));
  server.advance_ms(1500);
  server.run();
  EXPECT_FALSE(has(server, "/t"));
}

TEST(Containers, many_go_in_slices) {
  ServerOptions options;
  options.container_check_ms = 1000;
  Server server(options);
  Client client = Client::with_session(server, 40000);
  for (int i = 0; i < 600; ++i) {
    const std::string path = "/c" + std::to_string(i);
    client.post(Opcode::create_container, create_body(path, "", 4));
    client.post(Opcode::create, create_body(path + "/x"));
    client.post(Opcode::remove, delete_body(path + "/x"));
  }
  server.run(10);
  client.take_all();
  server.advance_ms(2000);
  server.run(10);
  EXPECT_EQ(server.replica.stats().containers_deleted, 600U);
}

TEST(Sessions, a_taken_id_is_tried_again_with_the_next_entry) {  // Design chapter 5
  // As after an import: a session whose id is the one that entry 12 would give.
  tree::Tree tree(1);
  tree.advance(Zxid{10}, WallTime{1});
  const tree::ApplyContext twelfth{.zxid = Zxid{12}, .time = WallTime{1}, .session = {}, .credentials = {}};
  ASSERT_TRUE(tree.create_session(twelfth, NodeId{1}, 40000, tree::Password{}).has_value());
  ServerOptions options;
  options.start = 2;
  Server server(options,
                Restored{.log = {.hard_state = {.term = Term{1}, .vote = Server::id},
                                 .snapshot = {.term = Term{1}, .index = Index{10}},
                                 .configuration = {.members = {raft::Member{.id = Server::id}}, .outgoing = {}},
                                 .entries = {}},
                         .tree = std::move(tree),
                         .streams = {}});
  Client client = Client::with_session(server);
  EXPECT_EQ(client.session.session, (std::int64_t{1} << 56) + 13);
  EXPECT_EQ(server.replica.tree().sessions().size(), 2U);
  EXPECT_EQ(client.create("/a").error, 0);
}

}  // namespace
}  // namespace quorate::replica::testing
