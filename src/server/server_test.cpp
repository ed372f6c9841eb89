// A whole server in this process, on a port of the system's choice, spoken to in raw frames over loopback. Every wait
// has a deadline.

#include "server/server.hpp"

#include <csignal>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "server/loop.hpp"
#include "server/signals.hpp"
#include "server/start.hpp"
#include "server/testing/raw_client.hpp"
#include "storage/data_directory.hpp"
#include "storage/recovery.hpp"
#include "storage/wal.hpp"
#include "wire/command.hpp"
#include "wire/configuration.hpp"

namespace quorate::server {
namespace {

using namespace testing;

TEST(server, a_session_writes_and_reads) {
  Running running;
  Client client(running.port());
  EXPECT_NE(client.handshake(), 0);
  client.send(create_request(1, "/a", "hello"));
  const std::optional<std::string> created = client.frame();
  ASSERT_TRUE(created.has_value());
  EXPECT_EQ(read_int32(*created, 0), 1);
  EXPECT_EQ(read_int32(*created, 12), 0);
  EXPECT_EQ(created->substr(16), text("/a"));
  client.send(get_request(2, "/a"));
  const std::optional<std::string> got = client.frame();
  ASSERT_TRUE(got.has_value());
  EXPECT_EQ(got->substr(16, 9), text("hello"));
}

// replies come in the order of the requests, reads see the writes before them.
TEST(server, a_pipeline_of_writes_and_reads_is_answered_in_order) {
  Running running;
  Client client(running.port());
  ASSERT_NE(client.handshake(), 0);
  std::string pipeline;
  constexpr std::int32_t count = 60;
  for (std::int32_t number = 0; number < count; ++number) {
    const std::string path = "/p" + std::to_string(number);
    pipeline += create_request(2 * number + 1, path, path) + get_request(2 * number + 2, path);
  }
  client.send(pipeline);
  for (std::int32_t number = 0; number < count; ++number) {
    const std::optional<std::string> created = client.frame();
    const std::optional<std::string> got = client.frame();
    ASSERT_TRUE(created && got);
    ASSERT_EQ(read_int32(*created, 0), 2 * number + 1);
    ASSERT_EQ(read_int32(*got, 0), 2 * number + 2);
    ASSERT_EQ(read_int32(*got, 12), 0);
  }
}

TEST(server, what_was_acknowledged_is_there_after_a_restart) {
  Running running;
  {
    Client client(running.port());
    ASSERT_NE(client.handshake(), 0);
    for (std::int32_t number = 0; number < 50; ++number) {
      client.send(create_request(number + 1, "/k" + std::to_string(number), "value"));
      ASSERT_EQ(client.error(), 0);
    }
  }
  EXPECT_EQ(running.stop(), ExitCode::stopped);
  running.start();
  Client client(running.port());
  ASSERT_NE(client.handshake(), 0);
  for (std::int32_t number = 0; number < 50; ++number) {
    client.send(get_request(number + 1, "/k" + std::to_string(number)));
    ASSERT_EQ(client.error(), 0) << number;
  }
}

// snapshots are taken by count while writes go on, and a start needs only one and what follows it.
TEST(server, snapshots_are_taken_under_load_and_loaded_at_the_next_start) {
  Config config;
  config.snapshot_entries = 200;
  Running running(config);
  constexpr std::int32_t count = 3000;
  {
    Client client(running.port());
    ASSERT_NE(client.handshake(), 0);
    std::string pipeline;
    for (std::int32_t number = 0; number < count; ++number) {
      pipeline += create_request(number + 1, "/s" + std::to_string(number), std::string(100, 'x'));
      if (number % 100 == 99) {
        client.send(std::exchange(pipeline, {}));
        for (int reply = 0; reply < 100; ++reply) {
          ASSERT_EQ(client.error(), 0);
        }
      }
    }
  }
  running.stop();
  std::size_t snapshots = 0;
  for (const auto& file : std::filesystem::directory_iterator(running.config().data_directory + "/snapshots")) {
    snapshots += file.path().extension() == ".snapshot" ? 1U : 0U;
  }
  EXPECT_GE(snapshots, 1U);
  EXPECT_LE(snapshots, 3U);  // Older ones are purged.
  running.start();
  Client client(running.port());
  ASSERT_NE(client.handshake(), 0);
  for (std::int32_t number = 0; number < count; ++number) {
    client.send(get_request(number + 1, "/s" + std::to_string(number)));
    ASSERT_EQ(client.error(), 0) << number;
  }
}

TEST(server, a_session_survives_a_restart_and_is_resumed_with_its_password) {
  Running running;
  std::string reply;
  {
    Client client(running.port());
    client.send(frame_of_connect());
    reply = client.frame().value();
  }
  running.stop();
  running.start();
  Client client(running.port());
  const std::int64_t session = read_int64(reply, 8);
  client.send(frame_of_connect(session, reply.substr(20, 16)));
  EXPECT_EQ(read_int64(client.frame().value(), 8), session);
  Client thief(running.port());
  thief.send(frame_of_connect(session, std::string(16, 'x')));
  EXPECT_EQ(read_int64(thief.frame().value(), 8), 0);
}

// Protocol 15, 16: reply, then FIN.
TEST(server, close_session_is_answered_and_then_the_server_closes) {
  Running running;
  Client client(running.port());
  ASSERT_NE(client.handshake(), 0);
  client.send(frame(int32(1) + int32(-11)));
  EXPECT_EQ(client.error(), 0);
  EXPECT_EQ(client.rest(), "");
}

// Protocol 14.1: hard close, no bytes.
TEST(server, connections_of_one_address_are_limited) {
  Config config;
  config.connections_per_address_max = 2;
  Running running(config);
  Client first(running.port());
  Client second(running.port());
  ASSERT_NE(first.handshake(), 0);
  ASSERT_NE(second.handshake(), 0);
  Client third(running.port());
  EXPECT_EQ(third.rest(), "");
  first.stream().close();
  second.send(get_request(1, "/"));
  EXPECT_EQ(second.error(), 0);
}

TEST(server, all_connections_together_are_limited) {
  Config config;
  config.connections_max = 1;
  Running running(config);
  Client first(running.port());
  ASSERT_NE(first.handshake(), 0);
  Client second(running.port());
  EXPECT_EQ(second.rest(), "");
}

// Protocol 1.5: a timeout of 0 reads as a refusal, so none is granted whatever the bounds are.
TEST(server, a_granted_timeout_is_never_zero) {
  Config config;
  config.min_session_timeout_ms = 0;
  config.max_session_timeout_ms = 0;
  Running running(config);
  Client client(running.port());
  client.send(frame_of_connect());
  const std::optional<std::string> reply = client.frame();
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(read_int32(*reply, 4), 1);
}

// S-201, protocol 1.8.
TEST(server, a_connection_that_asks_for_no_session_is_closed) {
  Config config;
  config.handshake_timeout_ms = 50;
  Running running(config);
  Client client(running.port());
  EXPECT_EQ(client.rest(), "");
}

// S-101: an absurd length closes the connection before anything is allocated.
TEST(server, an_absurd_frame_closes_its_connection_and_no_other) {
  Running running;
  Client good(running.port());
  ASSERT_NE(good.handshake(), 0);
  for (const std::int32_t length : {-1, 0x7FFFFFFF, 100 << 20}) {
    Client bad(running.port());
    ASSERT_NE(bad.handshake(), 0);
    bad.send(int32(length));
    EXPECT_EQ(bad.rest(), "");
  }
  good.send(get_request(1, "/"));
  EXPECT_EQ(good.error(), 0);
}

// Operations 2.1.
TEST(server, four_letter_words_are_answered_and_the_connection_ends) {
  Config config;
  config.four_letter_words = {"ruok"};
  Running running(config);
  struct Case {
    const char* word;
    const char* begins;
  };
  for (const Case& sample : {Case{"ruok\n", "imok"}, Case{"srvr", "Zookeeper version: "},
                             Case{"mntr", "mntr is not executed because it is not in the whitelist.\n"},
                             Case{"stmk", "stmk is not executed because it is not in the whitelist.\n"}}) {
    Client client(running.port());
    client.send(sample.word);
    const std::string answer = client.rest();
    EXPECT_EQ(answer.substr(0, std::string(sample.begins).size()), sample.begins);
  }
}

TEST(server, every_four_letter_word_has_an_answer) {
  Config config;
  config.four_letter_words = {"*"};
  Running running(config);
  Client client(running.port());
  ASSERT_NE(client.handshake(), 0);
  for (const char* word : {"conf", "cons", "dirs", "dump", "envi", "hash", "isro", "mntr", "ruok", "srvr", "stat",
                           "wchs", "gtmk", "crst", "srst"}) {
    Client asker(running.port());
    asker.send(word);
    const bool may_be_empty = std::string_view(word) == "hash";  // No digest is remembered yet (operations 2.10).
    EXPECT_TRUE(!asker.rest().empty() || may_be_empty) << word;
  }
}

TEST(server, a_busy_port_and_a_held_directory_have_codes_of_their_own) {
  Running running;
  Config config = running.config();
  config.port = running.port();
  const auto busy = Server::start(config, running.disk());
  ASSERT_FALSE(busy.has_value());
  EXPECT_EQ(busy.error().code, ExitCode::cannot_listen);
  EXPECT_NE(busy.error().message.find(std::to_string(running.port())), std::string::npos);
  config.port = 0;
  const auto held = Server::start(config, running.disk());
  ASSERT_FALSE(held.has_value());
  EXPECT_EQ(held.error().code, ExitCode::data_directory);
  config.data_directory = config.log_directory = "/dev/null/data";
  EXPECT_EQ(Server::start(config, running.disk()).error().code, ExitCode::data_directory);
}

TEST(server, a_zookeepers_data_directory_is_not_taken_for_an_empty_one) {
  Running running;
  Config config = running.config();
  config.port = 0;
  config.data_directory += "/theirs";
  config.log_directory = config.data_directory;
  std::filesystem::create_directories(config.data_directory + "/version-2");
  const auto refused = Server::start(config, running.disk());
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ExitCode::data_directory);
  EXPECT_NE(refused.error().message.find("version-2"), std::string::npos);
  std::filesystem::remove(config.data_directory + "/version-2");
  EXPECT_TRUE(Server::start(config, running.disk()).has_value());
}

// Appends an entry to the log of a stopped server, as another version of it would.
void append_entry(const Running& running, storage::Disk& disk, raft::EntryKind kind, const std::string& command) {
  const storage::Paths paths{.data = running.config().data_directory, .log = running.config().log_directory};
  auto directory = storage::DataDirectory::open(disk, paths, storage::Identity{.node = NodeId{1}});
  ASSERT_TRUE(directory.has_value()) << directory.error().message;
  const storage::SnapshotSink nothing{.reset = [] {},
                                      .item = [](const tree::SnapshotItem&) -> Result<void> { return {}; }};
  const auto recovery = storage::recover(*directory, nothing, {});
  ASSERT_TRUE(recovery.has_value());
  const raft::Entry& last = recovery->log.recovered.entries.back();
  const raft::Entry entry{.term = Term{raw(last.term) + 1},
                          .index = Index{raw(last.index) + 1},
                          .time = last.time,
                          .kind = kind,
                          .command = Blob::copy(command)};
  ASSERT_TRUE(directory->begin_start(recovery->starts).has_value());
  auto wal = storage::Wal::open(*directory, storage::WalConfig{.segment_bytes = 1U << 20}, recovery->log.position);
  ASSERT_TRUE(wal.has_value());
  (*wal)->stage(raft::HardState{.term = entry.term, .vote = NodeId{1}}, {&entry, 1}, last.index, raft::PersistToken{1});
  auto flush = (*wal)->take_flush();
  ASSERT_TRUE(flush.run().has_value());
  (*wal)->finish(std::move(flush));
}

// Every file of the data directory with its content.
std::map<std::string, std::string> files_below(const std::string& directory) {
  std::map<std::string, std::string> files;
  for (const auto& file : std::filesystem::recursive_directory_iterator(directory)) {
    if (file.is_regular_file()) {
      std::ifstream stream(file.path(), std::ios::binary);
      files[file.path().string()] = std::string(std::istreambuf_iterator<char>(stream), {});
    }
  }
  return files;
}

// not even started on, so the process ends with a code that says so instead of in the middle of the log, and
// the newer version finds its directory as it left it.
TEST(server, data_of_a_newer_version_is_refused_with_a_code_of_its_own_and_left_alone) {
  std::string feature_level;
  wire::encode_term_start(feature_level, wire::TermStart{.leader = NodeId{1}, .feature_level = 99, .switches = {}});
  std::string others;
  wire::encode_configuration(others, raft::Configuration{.members = {{.id = NodeId{1}}, {.id = NodeId{2}}}});
  const std::vector<std::tuple<raft::EntryKind, std::string, std::string>> newer = {
      {raft::EntryKind::noop, feature_level, "99"},
      {raft::EntryKind::command, std::string("\x2f\0", 2), "command version 2"},
      {raft::EntryKind::configuration, "\x07", "version 7"},
      {raft::EntryKind::configuration, others, "several servers"},
  };
  for (const auto& [kind, command, told] : newer) {
    Running running;
    running.stop();
    append_entry(running, running.disk(), kind, command);
    const auto before = files_below(running.config().data_directory);
    const auto refused = Server::start(running.config(), running.disk());
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, ExitCode::newer_format);
    EXPECT_NE(refused.error().message.find(told), std::string::npos) << refused.error().message;
    EXPECT_TRUE(files_below(running.config().data_directory) == before) << told;
  }
}

// The start of a server with a long log takes a while; who stops it must not wait for that.
TEST(server, a_stop_that_is_asked_for_while_the_log_is_read_ends_the_start) {
  Running running;
  {
    Client client(running.port());
    ASSERT_NE(client.handshake(), 0);
    client.send(create_request(1, "/a", "x"));
    ASSERT_EQ(client.error(), 0);
  }
  running.stop();
  sigset_t before;
  ASSERT_EQ(::pthread_sigmask(SIG_SETMASK, nullptr, &before), 0);
  {
    Signals signals;
    const auto read_whole = open_data(running.config(), running.disk(), &signals);
    ASSERT_TRUE(read_whole.has_value()) << read_whole.error().message;
  }
  {
    Signals signals;
    ASSERT_EQ(std::raise(SIGTERM), 0);
    const auto stopped = open_data(running.config(), running.disk(), &signals);
    ASSERT_FALSE(stopped.has_value());
    EXPECT_EQ(stopped.error().code, ExitCode::stopped) << stopped.error().message;
    EXPECT_FALSE(signals.take_stop()) << "it was taken";
  }
  ASSERT_EQ(::pthread_sigmask(SIG_SETMASK, &before, nullptr), 0);
}

// Nor for what the log does: whoever starts next carries it out, and nobody is there to be answered.
TEST(server, a_stop_that_is_asked_for_while_the_log_is_carried_out_ends_the_start) {
  constexpr std::int32_t writes = 20'000;  // More than one turn's.
  Running running;
  {
    Client client(running.port());
    ASSERT_NE(client.handshake(), 0);
    for (std::int32_t number = 1; number <= writes; ++number) {
      client.send(create_request(number, "/" + std::to_string(number), ""));
      if (number % 1000 == 0) {
        for (int answered = 0; answered < 1000; ++answered) {
          ASSERT_EQ(client.error(), 0);
        }
      }
    }
  }
  running.stop();
  const auto start = [&running] {
    auto data = open_data(running.config(), running.disk());
    EXPECT_TRUE(data.has_value());
    return std::make_unique<Loop>(running.config(), std::move(*data), std::vector<net::Listener>{}, nullptr, 100);
  };
  std::unique_ptr<Loop> loop = start();
  loop->ask_to_stop();
  EXPECT_EQ(loop->run(), ExitCode::stopped);
  EXPECT_LT(raw(loop->applied()), writes) << "it stopped on the way";
  loop.reset();
  running.start();
  Client client(running.port());
  ASSERT_NE(client.handshake(), 0);
  client.send(create_request(1, "/" + std::to_string(writes), ""));
  EXPECT_EQ(client.error(), -110) << "nothing is lost by that";
}

// S-203, F-601: a client that never reads is closed at a bound; the others do not notice.
TEST(server, a_client_that_never_reads_does_not_hold_the_others_up) {
  Running running;
  Client writer(running.port());
  ASSERT_NE(writer.handshake(), 0);
  writer.send(create_request(1, "/big", std::string(500'000, 'x')));
  ASSERT_EQ(writer.error(), 0);
  Client deaf(running.port());
  ASSERT_NE(deaf.handshake(), 0);
  std::string pipeline;
  for (std::int32_t xid = 1; xid <= 1000; ++xid) {
    pipeline += get_request(xid, "/big");
  }
  deaf.send(pipeline);
  for (std::int32_t xid = 2; xid < 50; ++xid) {
    writer.send(get_request(xid, "/big"));
    ASSERT_EQ(writer.error(), 0);
  }
}

TEST(server, many_connections_at_once_are_all_served) {
  Config config;
  config.connections_per_address_max = 0;
  Running running(config);
  std::vector<std::unique_ptr<Client>> clients;
  for (int count = 0; count < 128; ++count) {
    clients.push_back(std::make_unique<Client>(running.port()));
    clients.back()->send(frame_of_connect());
  }
  for (const auto& client : clients) {
    ASSERT_TRUE(client->frame().has_value());
  }
  for (std::size_t number = 0; number < clients.size(); ++number) {
    for (std::int32_t xid = 1; xid <= 16; ++xid) {
      clients[number]->send(create_request(xid, "/c" + std::to_string(number) + "-" + std::to_string(xid), "v"));
    }
  }
  for (const auto& client : clients) {
    for (std::int32_t xid = 1; xid <= 16; ++xid) {
      ASSERT_EQ(client->error(), 0);
    }
  }
}

}  // namespace
}  // namespace quorate::server
