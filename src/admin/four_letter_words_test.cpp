#include "admin/four_letter_words.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <memory>
#include <optional>
#include <regex>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// The expected texts are answers of ZooKeeper 3.8 to the same words, captured from a server with two sessions. The
// order of sessions, paths and connections is arbitrary there; here it is ascending.

namespace quorate::admin {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr std::string_view version = "3.9.0-quorate-0.1.0-abc1234, built on 2026-11-21 12:00 UTC";
constexpr SessionId first{0x100002e173c0000};
constexpr SessionId second{0x100002e173c0001};
const std::vector<std::string> everything{"*"};
const Whitelist all{everything, false};

Snapshot captured() {
  Snapshot snapshot;
  ServerStatus& server = snapshot.server;
  server.version = version;
  server.latency = {.count = 303, .sum_us = 242'000, .minimum_us = 400, .maximum_us = 10'999};
  server.packets_received = 319;
  server.packets_sent = 321;
  server.connections = 3;
  server.last_zxid = Zxid{0x131};
  server.znodes = 8;
  snapshot.connections.push_back(
      {.peer = "127.0.0.1:36684",
       .received = 309,
       .sent = 310,
       .session =
           ConnectionStatus::Session{
               .id = first,
               .last_operation = "GETD",
               .established = WallTime{1795265306845},
               .timeout_ms = 20000,
               .last_xid = 0x134,
               .last_zxid = Zxid{0x131},
               .response_ms = 3022286,
               .last_latency_us = 1200,
               .latency = {.count = 309, .sum_us = 240'000, .minimum_us = 0, .maximum_us = 10'000}},
       .expires = WallTime{1795265335000}});
  snapshot.connections.push_back({.peer = "127.0.0.1:36694",
                                  .received = 4,
                                  .sent = 5,
                                  .session = ConnectionStatus::Session{.id = second,
                                                                       .last_operation = "NA",
                                                                       .established = WallTime{1795265306866},
                                                                       .timeout_ms = 10000,
                                                                       .last_xid = -1,
                                                                       .last_zxid = Zxid{-1},
                                                                       .response_ms = 0,
                                                                       .last_latency_us = 0,
                                                                       .latency = {}},
                                  .expires = WallTime{1795265325000}});
  snapshot.connections.push_back({.peer = "127.0.0.1:36728",
                                  .reading = false,
                                  .received = 1,
                                  .session = std::nullopt,
                                  .expires = WallTime{1795265325000}});
  snapshot.sessions = {{.id = first, .timeout_ms = 20000, .expires = WallTime{1795265329000}},
                       {.id = second, .timeout_ms = 10000, .expires = WallTime{1795265319000}}};
  snapshot.ephemerals = {
      {.owner = second, .path = "/w/g"}, {.owner = first, .path = "/w/f"}, {.owner = first, .path = "/w/e"}};
  snapshot.watch_summary = {.watchers = 2, .paths = 2, .watches = 3};
  snapshot.watches = {
      {.session = second, .path = "/w"}, {.session = first, .path = "/w/g"}, {.session = first, .path = "/w"}};
  snapshot.digests = {{.zxid = Zxid{0x80}, .digest = 9672922354},
                      {.zxid = Zxid{0x100}, .digest = static_cast<std::uint64_t>(std::int64_t{-5})}};
  snapshot.configuration = {.client_port = 22811,
                            .secure_client_port = -1,
                            .data_directory = "/data/version-2",
                            .log_directory = "/log/version-2",
                            .tick_ms = 2000,
                            .connections_per_address_max = 60,
                            .min_session_timeout_ms = 4000,
                            .max_session_timeout_ms = 40000,
                            .listen_backlog = -1,
                            .server = NodeId{0},
                            .ensemble = std::nullopt};
  snapshot.directories = {.data_bytes = 67109337, .log_bytes = 67109338};
  return snapshot;
}

std::string ask(Word word, const Snapshot& snapshot) {
  return answer(word, std::string(argument_bytes(word), '\0'), all, snapshot).text;
}

TEST(four_letter_words, exactly_the_words_of_operations_2_2_are_recognised) {
  for (const Word word : all_words()) {
    EXPECT_EQ(describe(word).size(), 4U);
    EXPECT_EQ(recognise(describe(word)), word);
  }
  EXPECT_EQ(all_words().size(), word_count);
  for (const std::string_view text : {"", "RUOK", "ruo", "ruok\n", "reqs", "kill", "xxxx", "\0\0\0\0"}) {
    EXPECT_EQ(recognise(text), std::nullopt) << text;
  }
  EXPECT_EQ(recognise(std::string_view{"\0\0\0\x2D", 4}), std::nullopt);  // A frame's length.
}

TEST(four_letter_words, only_stmk_has_an_argument) {
  for (const Word word : all_words()) {
    EXPECT_EQ(argument_bytes(word), word == Word::stmk ? 8U : 0U);
  }
}

TEST(four_letter_words, srvr_alone_is_allowed_by_default) {
  const Whitelist defaults{{}, false};
  for (const Word word : all_words()) {
    EXPECT_EQ(defaults.allows(word), word == Word::srvr) << describe(word);
  }
  const std::vector<std::string> listed{"ruok", "mntr", "nonsense", ""};
  const Whitelist some{listed, false};
  for (const Word word : all_words()) {
    EXPECT_EQ(some.allows(word), word == Word::srvr || word == Word::ruok || word == Word::mntr) << describe(word);
    EXPECT_TRUE(all.allows(word));
  }
  const Whitelist read_only{{}, true};
  EXPECT_TRUE(read_only.allows(Word::isro));
  EXPECT_FALSE(read_only.allows(Word::ruok));
}

TEST(four_letter_words, a_word_that_is_not_allowed_has_one_line_and_no_effect) {
  const Whitelist defaults{{}, false};
  for (const Word word : all_words()) {
    if (word == Word::srvr) {
      continue;
    }
    const Answer refused = answer(word, std::string(argument_bytes(word), '\x01'), defaults, captured());
    EXPECT_EQ(refused.text, std::string{describe(word)} + " is not executed because it is not in the whitelist.\n");
    EXPECT_EQ(refused.effect, Effect::none);
  }
}

TEST(four_letter_words, without_a_leader_most_words_say_so) {  // operations 2.1
  Snapshot snapshot = captured();
  snapshot.server.serving = false;
  const std::string sorry = "This ZooKeeper instance is not currently serving requests";
  for (const Word word : all_words()) {
    const std::string text = ask(word, snapshot);
    switch (word) {
      case Word::ruok:
        EXPECT_EQ(text, "imok");
        break;
      case Word::isro:
        EXPECT_EQ(text, "null");
        break;
      case Word::envi:
        EXPECT_THAT(text, StartsWith("Environment:\n"));
        break;
      case Word::gtmk:
      case Word::stmk:
        EXPECT_THAT(text, testing::Not(HasSubstr(sorry)));
        break;
      case Word::hash:
        EXPECT_EQ(text, sorry);
        break;
      default:
        EXPECT_EQ(text, sorry + "\n") << describe(word);
    }
  }
  EXPECT_EQ(answer(Word::srst, {}, all, snapshot).effect, Effect::none);
}

TEST(four_letter_words, short_answers_are_complete_as_they_are) {  // 2.11, gotcha 37, V62
  Snapshot snapshot = captured();
  EXPECT_EQ(ask(Word::ruok, snapshot), "imok");
  EXPECT_EQ(ask(Word::isro, snapshot), "rw");
  EXPECT_EQ(ask(Word::gtmk, snapshot), "306");
  snapshot.server.read_only_mode = true;
  EXPECT_EQ(ask(Word::isro, snapshot), "ro");
}

TEST(four_letter_words, resets_and_masks_are_effects_for_the_server) {
  const Answer reset = answer(Word::srst, {}, all, captured());
  EXPECT_EQ(reset.text, "Server stats reset.\n");
  EXPECT_EQ(reset.effect, Effect::reset_server_statistics);
  const Answer connections = answer(Word::crst, {}, all, captured());
  EXPECT_EQ(connections.text, "Connection stats reset.\n");
  EXPECT_EQ(connections.effect, Effect::reset_connection_statistics);
  const Answer mask = answer(Word::stmk, std::string_view{"\0\0\0\0\0\0\x01\x32", 8}, all, captured());
  EXPECT_EQ(mask.text, "306");
  EXPECT_EQ(mask.effect, Effect::set_trace_mask);
  EXPECT_EQ(mask.trace_mask, 306);
  EXPECT_EQ(answer(Word::stmk, std::string(8, '\xFF'), all, captured()).text, "-1");
  EXPECT_EQ(answer(Word::mntr, {}, all, captured()).effect, Effect::none);
}

constexpr std::string_view captured_figures =
    "Latency min/avg/max: 0/0.7987/10\n"
    "Received: 319\n"
    "Sent: 321\n"
    "Connections: 3\n"
    "Outstanding: 0\n"
    "Zxid: 0x131\n"
    "Mode: standalone\n"
    "Node count: 9\n";

TEST(four_letter_words, srvr_looks_as_captured) {
  EXPECT_EQ(ask(Word::srvr, captured()),
            "Zookeeper version: " + std::string{version} + "\n" + std::string{captured_figures});
}

TEST(four_letter_words, a_leader_adds_its_proposals_and_read_only_mode_its_warning) {
  Snapshot snapshot = captured();
  snapshot.server.role = Role::leader;
  snapshot.server.ensemble =
      EnsembleStatus{.peer_state = "leading - broadcast",
                     .quorum_size = 3,
                     .leader = LeaderStatus{.proposal_sizes = {.last = 61, .minimum = 48, .maximum = 89}}};
  EXPECT_THAT(ask(Word::srvr, snapshot),
              testing::EndsWith("Mode: leader\nNode count: 9\nProposal sizes last/min/max: 61/48/89\n"));
  snapshot.server.ensemble->leader = LeaderStatus{};
  EXPECT_THAT(ask(Word::srvr, snapshot), testing::EndsWith("Proposal sizes last/min/max: -1/-1/-1\n"));
  snapshot.server.read_only_mode = true;
  EXPECT_THAT(ask(Word::srvr, snapshot),
              HasSubstr("\nREAD-ONLY mode; serving only read-only clients\nLatency min/avg/max: "));
}

TEST(four_letter_words, stat_looks_as_captured) {
  EXPECT_EQ(ask(Word::stat, captured()), "Zookeeper version: " + std::string{version} +
                                             "\n"
                                             "Clients:\n"
                                             " /127.0.0.1:36684[1](queued=0,recved=309,sent=310)\n"
                                             " /127.0.0.1:36694[1](queued=0,recved=4,sent=5)\n"
                                             " /127.0.0.1:36728[0](queued=0,recved=1,sent=0)\n"
                                             "\n" +
                                             std::string{captured_figures});
}

TEST(four_letter_words, cons_looks_as_captured) {
  EXPECT_EQ(
      ask(Word::cons, captured()),
      " /127.0.0.1:36684[1](queued=0,recved=309,sent=310,sid=0x100002e173c0000,lop=GETD,est=1795265306845,to=20000,"
      "lcxid=0x134,lzxid=0x131,lresp=3022286,llat=1,minlat=0,avglat=0,maxlat=10)\n"
      " /127.0.0.1:36694[1](queued=0,recved=4,sent=5,sid=0x100002e173c0001,lop=NA,est=1795265306866,to=10000,"
      "lzxid=0xffffffffffffffff,lresp=0,llat=0,minlat=0,avglat=0,maxlat=0)\n"
      " /127.0.0.1:36728[0](queued=0,recved=1,sent=0)\n"
      "\n");
  Snapshot writing = captured();
  writing.connections.resize(1);
  writing.connections[0].writing = true;
  EXPECT_THAT(ask(Word::stat, writing), HasSubstr("[5](queued"));
}

TEST(four_letter_words, dump_looks_as_captured) {
  EXPECT_EQ(ask(Word::dump, captured()),
            "SessionTracker dump:\n"
            "Session Sets (2)/(2):\n"
            "1 expire at Sat Nov 21 12:48:39 UTC 2026:\n"
            "\t0x100002e173c0001\n"
            "1 expire at Sat Nov 21 12:48:49 UTC 2026:\n"
            "\t0x100002e173c0000\n"
            "ephemeral nodes dump:\n"
            "Sessions with Ephemerals (2):\n"
            "0x100002e173c0000:\n"
            "\t/w/e\n"
            "\t/w/f\n"
            "0x100002e173c0001:\n"
            "\t/w/g\n"
            "Connections dump:\n"
            "Connections Sets (2)/(3):\n"
            "2 expire at Sat Nov 21 12:48:45 UTC 2026:\n"
            "\tip: /127.0.0.1:36694 sessionId: 0x100002e173c0001\n"
            "\tip: /127.0.0.1:36728 sessionId: 0x0\n"
            "1 expire at Sat Nov 21 12:48:55 UTC 2026:\n"
            "\tip: /127.0.0.1:36684 sessionId: 0x100002e173c0000\n");
}

TEST(four_letter_words, dump_of_a_quiet_server_and_of_a_follower) {
  Snapshot snapshot = captured();
  snapshot.sessions.clear();
  snapshot.ephemerals.clear();
  snapshot.connections.clear();
  EXPECT_EQ(ask(Word::dump, snapshot),
            "SessionTracker dump:\nSession Sets (0)/(0):\nephemeral nodes dump:\nSessions with Ephemerals (0):\n"
            "Connections dump:\nConnections Sets (0)/(0):\n");
  snapshot.sessions = {{.id = second, .timeout_ms = 10000, .expires = std::nullopt},
                       {.id = first, .timeout_ms = 36000000, .expires = std::nullopt}};
  EXPECT_THAT(ask(Word::dump, snapshot),
              StartsWith("SessionTracker dump:\nGlobal Sessions(2):\n0x100002e173c0000\t36000000ms\n"
                         "0x100002e173c0001\t10000ms\nephemeral nodes dump:\n"));
}

TEST(four_letter_words, watches_look_as_captured) {
  Snapshot snapshot = captured();
  EXPECT_EQ(ask(Word::wchs, snapshot), "2 connections watching 2 paths\nTotal watches:3\n");
  EXPECT_EQ(ask(Word::wchc, snapshot), "0x100002e173c0000\n\t/w\n\t/w/g\n0x100002e173c0001\n\t/w\n\n");
  EXPECT_EQ(ask(Word::wchp, snapshot), "/w\n\t0x100002e173c0000\n\t0x100002e173c0001\n/w/g\n\t0x100002e173c0000\n\n");
  snapshot.watches.clear();
  snapshot.watch_summary = {};
  EXPECT_EQ(ask(Word::wchs, snapshot), "0 connections watching 0 paths\nTotal watches:0\n");
  EXPECT_EQ(ask(Word::wchc, snapshot), "\n");
  EXPECT_EQ(ask(Word::wchp, snapshot), "\n");
}

TEST(four_letter_words, conf_and_dirs_look_as_captured) {
  EXPECT_EQ(
      ask(Word::conf, captured()),
      "clientPort=22811\nsecureClientPort=-1\ndataDir=/data/version-2\ndataDirSize=67109337\n"
      "dataLogDir=/log/version-2\ndataLogSize=67109338\ntickTime=2000\nmaxClientCnxns=60\nminSessionTimeout=4000\n"
      "maxSessionTimeout=40000\nclientPortListenBacklog=-1\nserverId=0\n");
  EXPECT_EQ(ask(Word::dirs, captured()), "datadir_size: 67109337\nlogdir_size: 67109338\n");
}

TEST(four_letter_words, conf_of_an_ensemble_ends_with_its_membership) {
  Snapshot snapshot = captured();
  snapshot.configuration.ensemble =
      ConfigurationStatus::Ensemble{.init_limit = 10,
                                    .sync_limit = 5,
                                    .election_port = 3888,
                                    .quorum_port = 2888,
                                    .observer = false,
                                    .membership =
                                        "server.1=10.0.0.1:2888:3888:participant;10.0.0.1:2181\n"
                                        "version=400000002"};
  EXPECT_THAT(ask(Word::conf, snapshot),
              testing::EndsWith("serverId=0\ninitLimit=10\nsyncLimit=5\nelectionAlg=3\nelectionPort=3888\n"
                                "quorumPort=2888\npeerType=0\nmembership: \n"
                                "server.1=10.0.0.1:2888:3888:participant;10.0.0.1:2181\nversion=400000002"));
  snapshot.server.read_only_mode = true;
  EXPECT_THAT(ask(Word::conf, snapshot), testing::EndsWith("quorumPort=2888\npeerType=0\n"));
}

TEST(four_letter_words, hash_lists_digests_as_signed_numbers) {
  EXPECT_EQ(ask(Word::hash, captured()), "80: 9672922354\n100: -5\n");
  EXPECT_EQ(ask(Word::hash, Snapshot{}), "");
}

TEST(four_letter_words, envi_has_the_keys_in_order) {
  Snapshot snapshot = captured();
  snapshot.environment = {.host_name = "localhost",
                          .os_name = "Linux",
                          .os_arch = "amd64",
                          .os_version = "6.1",
                          .user_name = "quorate",
                          .user_home = "/home/quorate",
                          .user_directory = "/srv",
                          .memory_free_bytes = (247ULL << 20U) + 1000,
                          .memory_max_bytes = 256ULL << 20U,
                          .memory_total_bytes = 256ULL << 20U};
  EXPECT_EQ(ask(Word::envi, snapshot), "Environment:\nzookeeper.version=" + std::string{version} +
                                           "\nhost.name=localhost\nos.name=Linux\nos.arch=amd64\nos.version=6.1\n"
                                           "user.name=quorate\nuser.home=/home/quorate\nuser.dir=/srv\n"
                                           "os.memory.free=247MB\nos.memory.max=256MB\nos.memory.total=256MB\n");
}

TEST(four_letter_words, the_version_begins_with_a_number_that_tools_compare) {  // operations 2.11
  EXPECT_EQ(version_text("0.1.0", "abc1234", "2026-11-21 12:00 UTC"), version);
  EXPECT_TRUE(std::regex_search(ask(Word::srvr, captured()),
                                std::regex{R"(^Zookeeper version: (\d+)\.(\d+)\.(\d+)-.*, built on)"}));
}

std::vector<std::pair<std::string, std::string>> lines_of(const std::string& text) {
  std::vector<std::pair<std::string, std::string>> lines;
  std::istringstream stream{text};
  for (std::string line; std::getline(stream, line);) {
    const std::size_t tab = line.find('\t');
    EXPECT_NE(tab, std::string::npos) << line;
    lines.emplace_back(line.substr(0, tab), line.substr(tab + 1));
  }
  return lines;
}

Snapshot with_metrics() {
  Snapshot snapshot = captured();
  auto metrics = std::make_unique<Metrics>();
  for (const std::uint64_t fsync_us : {79'400U, 0U, 20'000U, 30'000U, 4'000U}) {
    metrics->fsync_us.record(fsync_us);
  }
  for (int count = 0; count < 999; ++count) {
    metrics->update_latency_us.record(2'000);
  }
  metrics->update_latency_us.record(60'000);
  metrics->batch_entries.record(7);
  metrics->commits = 12;
  snapshot.metrics = std::move(metrics);
  return snapshot;
}

std::string value_of(const Snapshot& snapshot, std::string_view key) {
  for (const auto& [name, value] : lines_of(ask(Word::mntr, snapshot))) {
    if (name == key) {
      return value;
    }
  }
  return "absent";
}

TEST(four_letter_words, mntr_begins_with_version_and_state_and_every_line_is_a_number_after_them) {
  const auto lines = lines_of(ask(Word::mntr, with_metrics()));
  ASSERT_GT(lines.size(), 100U);
  EXPECT_EQ(lines[0], std::pair(std::string{"zk_version"}, std::string{version}));
  EXPECT_EQ(lines[1], std::pair(std::string{"zk_server_state"}, std::string{"standalone"}));
  const std::regex number{R"(-?\d+(\.\d{1,4})?)"};
  const std::regex key{R"(zk_[a-z0-9_]+)"};
  std::vector<std::string> names;
  for (std::size_t index = 2; index < lines.size(); ++index) {
    EXPECT_TRUE(std::regex_match(lines[index].first, key)) << lines[index].first;
    EXPECT_TRUE(std::regex_match(lines[index].second, number)) << lines[index].first << " " << lines[index].second;
    names.push_back(lines[index].first);
  }
  std::ranges::sort(names);
  EXPECT_EQ(std::ranges::adjacent_find(names), names.end()) << "no key stands twice";
}

TEST(four_letter_words, mntr_has_every_name_that_monitoring_tools_need) {  // operations 2.9, bold
  for (const std::string_view key : {"zk_version",
                                     "zk_server_state",
                                     "zk_avg_latency",
                                     "zk_max_latency",
                                     "zk_min_latency",
                                     "zk_packets_received",
                                     "zk_packets_sent",
                                     "zk_num_alive_connections",
                                     "zk_outstanding_requests",
                                     "zk_znode_count",
                                     "zk_watch_count",
                                     "zk_ephemerals_count",
                                     "zk_approximate_data_size",
                                     "zk_open_file_descriptor_count",
                                     "zk_max_file_descriptor_count",
                                     "zk_global_sessions",
                                     "zk_local_sessions",
                                     "zk_uptime",
                                     "zk_last_client_response_size",
                                     "zk_max_client_response_size",
                                     "zk_min_client_response_size",
                                     "zk_connection_drop_probability",
                                     "zk_auth_failed_count",
                                     "zk_fsync_threshold_exceed_count",
                                     "zk_commit_count",
                                     "zk_connection_rejected",
                                     "zk_stale_sessions_expired",
                                     "zk_bytes_received_count",
                                     "zk_avg_fsynctime",
                                     "zk_sum_snapshottime",
                                     "zk_cnt_election_time",
                                     "zk_p50_readlatency",
                                     "zk_p95_updatelatency",
                                     "zk_p99_updatelatency",
                                     "zk_p999_readlatency"}) {
    EXPECT_NE(value_of(with_metrics(), key), "absent") << key;
  }
}

TEST(four_letter_words, mntr_tells_what_was_measured) {
  const Snapshot snapshot = with_metrics();
  EXPECT_EQ(value_of(snapshot, "zk_avg_latency"), "0.7987");
  EXPECT_EQ(value_of(snapshot, "zk_max_latency"), "10");
  EXPECT_EQ(value_of(snapshot, "zk_znode_count"), "9");
  EXPECT_EQ(value_of(snapshot, "zk_last_client_response_size"), "-1");
  EXPECT_EQ(value_of(snapshot, "zk_connection_drop_probability"), "0.0");
  EXPECT_EQ(value_of(snapshot, "zk_commit_count"), "12");
  EXPECT_EQ(value_of(snapshot, "zk_avg_fsynctime"), "26.68");
  EXPECT_EQ(value_of(snapshot, "zk_min_fsynctime"), "0");
  EXPECT_EQ(value_of(snapshot, "zk_max_fsynctime"), "79");
  EXPECT_EQ(value_of(snapshot, "zk_cnt_fsynctime"), "5");
  EXPECT_EQ(value_of(snapshot, "zk_sum_fsynctime"), "133");
  EXPECT_EQ(value_of(snapshot, "zk_p50_updatelatency"), "2");
  EXPECT_EQ(value_of(snapshot, "zk_p999_updatelatency"), "2");
  EXPECT_EQ(value_of(snapshot, "zk_max_updatelatency"), "60");
  EXPECT_EQ(value_of(snapshot, "zk_max_sync_processor_batch_size"), "7");
  EXPECT_EQ(value_of(snapshot, "zk_avg_readlatency"), "0.0");  // Nothing measured is zero, not NaN.
  EXPECT_EQ(value_of(snapshot, "zk_p99_readlatency"), "0");
  EXPECT_EQ(value_of(snapshot, "zk_peer_state"), "absent");
  EXPECT_EQ(value_of(snapshot, "zk_followers"), "absent");
}

TEST(four_letter_words, mntr_of_a_leader_counts_its_followers) {
  Snapshot snapshot = with_metrics();
  snapshot.server.role = Role::leader;
  snapshot.server.ensemble =
      EnsembleStatus{.peer_state = "leading - broadcast",
                     .quorum_size = 3,
                     .leader = LeaderStatus{.followers = 2, .synced_followers = 1, .learners = 2, .pending_syncs = 1}};
  const auto lines = lines_of(ask(Word::mntr, snapshot));
  EXPECT_EQ(lines[1].second, "leader");
  EXPECT_EQ(lines[2], std::pair(std::string{"zk_peer_state"}, std::string{"leading - broadcast"}));
  EXPECT_EQ(value_of(snapshot, "zk_quorum_size"), "3");
  EXPECT_EQ(value_of(snapshot, "zk_followers"), "2");
  EXPECT_EQ(value_of(snapshot, "zk_synced_followers"), "1");
  EXPECT_EQ(value_of(snapshot, "zk_pending_syncs"), "1");
  EXPECT_EQ(value_of(snapshot, "zk_learners"), "2");
  EXPECT_EQ(value_of(snapshot, "zk_min_proposal_size"), "-1");
}

TEST(four_letter_words, long_answers_end_at_the_bound_and_say_so) {  // S-112
  Snapshot snapshot = captured();
  const std::string path = "/" + std::string(1000, 'x');
  for (int count = 0; count < 5000; ++count) {
    snapshot.watches.push_back({.session = SessionId{count}, .path = path + std::to_string(count)});
    snapshot.ephemerals.push_back({.owner = SessionId{count}, .path = path + std::to_string(count)});
  }
  snapshot.connections.assign(40'000, snapshot.connections[0]);
  for (const Word word : {Word::wchc, Word::wchp, Word::dump, Word::cons, Word::stat}) {
    const std::string text = ask(word, snapshot);
    EXPECT_LT(text.size(), answer_bytes_max + 4096) << describe(word);
    EXPECT_GT(text.size(), answer_bytes_max / 4) << describe(word);
    EXPECT_TRUE(text.contains("\n(cut: more than one answer may carry)\n")) << describe(word);
  }
  EXPECT_TRUE(ask(Word::dump, snapshot).contains("Connections Sets ("));
  EXPECT_TRUE(ask(Word::stat, snapshot).ends_with(captured_figures));
}

TEST(four_letter_words, what_was_not_gathered_is_owned_up_to) {
  Snapshot snapshot = captured();
  snapshot.omitted = {.connections = true, .sessions = true, .ephemerals = true, .watches = true};
  for (const Word word : {Word::wchc, Word::wchp, Word::dump, Word::cons, Word::stat}) {
    EXPECT_THAT(ask(word, snapshot), HasSubstr("\n(cut: ")) << describe(word);
  }
}

TEST(four_letter_words, paths_cannot_forge_lines) {
  Snapshot snapshot = captured();
  snapshot.watches = {{.session = first, .path = "/a\n0x1\n\t/b"}};
  EXPECT_EQ(ask(Word::wchc, snapshot), "0x100002e173c0000\n\t/a?0x1?\?/b\n\n");
}

TEST(four_letter_words, each_word_names_the_parts_it_shows) {
  for (const Word word : all_words()) {
    Snapshot without = with_metrics();
    const Parts parts = parts_of(word);
    if (!parts.metrics) {
      without.metrics = nullptr;
    }
    if (!parts.connections) {
      without.connections.clear();
    }
    if (!parts.sessions) {
      without.sessions.clear();
    }
    if (!parts.ephemerals) {
      without.ephemerals.clear();
    }
    if (!parts.watch_summary) {
      without.watch_summary = {};
    }
    if (!parts.watches) {
      without.watches.clear();
    }
    if (!parts.digests) {
      without.digests.clear();
    }
    if (!parts.configuration) {
      without.configuration = {};
    }
    if (!parts.directories) {
      without.directories = {};
    }
    if (!parts.environment) {
      without.environment = {};
    }
    EXPECT_EQ(ask(word, without), ask(word, with_metrics())) << describe(word);
  }
  EXPECT_EQ(parts_of(Word::srvr), Parts{});
}

TEST(four_letter_words, gathering_stops_at_its_budget) {
  GatherBudget rows{2, 100};
  EXPECT_TRUE(rows.spend(10));
  EXPECT_TRUE(rows.spend(10));
  EXPECT_FALSE(rows.is_spent());
  EXPECT_FALSE(rows.spend(10));
  EXPECT_TRUE(rows.is_spent());
  GatherBudget bytes{10, 100};
  EXPECT_TRUE(bytes.spend(100));
  EXPECT_FALSE(bytes.spend(1));
  EXPECT_FALSE(bytes.spend(0));  // Spent is spent: no gap in what is shown.
}

}  // namespace
}  // namespace quorate::admin
