// Every name of `mntr` moves when what it names happens (operations 2.9, 4); which ones cannot, on a server alone, is
// listed with the reason.

#include "admin/metrics.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <gtest/gtest.h>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/log_writer.hpp"
#include "server/testing/raw_client.hpp"
#include "storage/posix_disk.hpp"

namespace quorate::server {
namespace {

using namespace testing;

// A disk whose flushes of large writes wait as long as the gate is shut. Small ones may be the loop's own.
class GatedDisk final : public storage::Disk {
 public:
  void shut() { shut_ = true; }
  void open_gate() {
    shut_ = false;
    shut_.notify_all();
  }

  Result<std::unique_ptr<storage::File>> open(const std::string& path, Open how) override {
    Result<std::unique_ptr<storage::File>> file = disk_.open(path, how);
    return file ? std::make_unique<GatedFile>(std::move(*file), shut_) : std::move(file);
  }
  Result<void> make_directory(const std::string& path) override { return disk_.make_directory(path); }
  Result<std::vector<std::string>> list(const std::string& path) override { return disk_.list(path); }
  Result<bool> exists(const std::string& path) override { return disk_.exists(path); }
  Result<void> rename(const std::string& from, const std::string& to) override { return disk_.rename(from, to); }
  Result<void> remove(const std::string& path) override { return disk_.remove(path); }
  Result<void> sync_directory(const std::string& path) override { return disk_.sync_directory(path); }
  Result<std::uint64_t> free_bytes(const std::string& path) override { return disk_.free_bytes(path); }
  Result<std::unique_ptr<storage::File>> lock(const std::string& path) override { return disk_.lock(path); }

 private:
  class GatedFile final : public storage::File {
   public:
    GatedFile(std::unique_ptr<storage::File> file, std::atomic<bool>& shut) : file_(std::move(file)), shut_(shut) {}
    Result<std::size_t> read(std::uint64_t offset, std::span<char> into) override { return file_->read(offset, into); }
    Result<void> write(std::uint64_t offset, ByteView bytes) override {
      is_large_ = is_large_ || bytes.size() > LogWriterConfig{}.inline_bytes_max;
      return file_->write(offset, bytes);
    }
    Result<void> sync() override { return file_->sync(); }
    Result<void> sync_data() override {
      if (std::exchange(is_large_, false)) {
        shut_.wait(true);
      }
      return file_->sync_data();
    }
    Result<void> truncate(std::uint64_t bytes) override { return file_->truncate(bytes); }
    [[nodiscard]] Result<std::uint64_t> size() override { return file_->size(); }

   private:
    std::unique_ptr<storage::File> file_;
    std::atomic<bool>& shut_;
    bool is_large_ = false;
  };

  storage::PosixDisk disk_;
  std::atomic<bool> shut_{false};
};

using Figures = std::map<std::string, std::string>;  // Lines of mntr, without the prefix zk_.

std::string ask(std::uint16_t port, std::string_view word) {
  Client asker(port);
  asker.send(std::string(word));
  return asker.rest();
}

Figures figures_of(std::uint16_t port) {
  std::string text;
  const MonoTime end_of_patience = after_ms(net::monotonic_now(), patience_ms);
  while (text.empty() && net::monotonic_now() < end_of_patience) {
    text = ask(port, "mntr");  // Nothing: a limit of connections is reached for the moment.
  }
  Figures figures;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string line = text.substr(at, end - at);
    at = end + 1;
    if (const std::size_t tab = line.find('\t'); tab != std::string::npos && line.starts_with("zk_")) {
      figures[line.substr(3, tab - 3)] = line.substr(tab + 1);
    }
  }
  EXPECT_FALSE(figures.empty()) << text;
  return figures;
}

std::string word_of(const Figures& figures, const std::string& key) {
  const auto found = figures.find(key);
  return found == figures.end() ? "absent" : found->second;
}

// All that mntr shows of one metric.
std::string shown(const Figures& figures, std::string_view name) {
  std::string all;
  for (const char* kind : {"", "avg_", "min_", "max_", "cnt_", "sum_", "p50_", "p95_", "p99_", "p999_"}) {
    if (const auto found = figures.find(kind + std::string(name)); found != figures.end()) {
      all += found->first + "=" + found->second + " ";
    }
  }
  return all;
}

// What a server alone can never move, and why.
const std::map<std::string_view, std::string_view> constant = {
    {"local_sessions", "every session is global in this version"},
    {"non_mtls_remote_conn_count", "TLS comes later"},
    {"non_mtls_local_conn_count", "TLS comes later"},
    {"outstanding_tls_handshake", "TLS comes later"},
    {"looking_count", "a server alone has no election"},
    {"election_time", "a server alone has no election"},
    {"snap_count", "there is nobody to send a snapshot to"},
    {"digest_mismatches_count", "there is no other replica to compare with"},
    {"unrecoverable_error_count", "such an error ends the process"},
    {"max_file_descriptor_count", "the process' limit"},
    {"tree_limit_bytes", "a setting"},
    {"dbinittime", "measured once, at the start"},
    {"startup_snap_load_time", "measured once, at the start"},
    {"startup_txns_load_time", "measured once, at the start"},
    {"startup_txns_loaded", "measured once, at the start"},
};

std::string connect_frame(std::int32_t timeout_ms, std::int64_t session, const std::string& password) {
  return frame(int32(0) + int64(0) + int32(timeout_ms) + int64(session) + text(password) + std::string(1, '\0'));
}
std::string watch_request(std::int32_t xid, std::int32_t opcode, std::string_view path) {
  return frame(int32(xid) + int32(opcode) + text(path) + std::string(1, '\1'));
}
std::string ephemeral_request(std::int32_t xid, std::string_view path) {
  return frame(int32(xid) + int32(1) + text(path) + text("") + int32(1) + int32(31) + text("world") + text("anyone") +
               int32(1));
}

// The events of a server's life, each with what it moves.
class Life {
 public:
  Life() : running_(config(), &disk_) {}
  ~Life() { disk_.open_gate(); }
  Life(const Life&) = delete;
  Life& operator=(const Life&) = delete;

  static Config config() {
    Config config;
    config.four_letter_words = {"*"};
    config.tick_ms = 100;
    config.min_session_timeout_ms = 100;
    config.max_session_timeout_ms = 60'000;
    config.handshake_timeout_ms = 700;
    config.sync_warning_us = 1000;
    config.snapshot_entries = 100;
    config.tree_bytes_max = 1U << 20;
    config.throttled_op_wait_ms = 100;
    config.drops_late_requests = true;
    config.large_request_threshold = 200'000;
    config.large_request_bytes_max = 100'000;
    config.connections_max = 40;
    config.connection_throttle = {
        .tokens_max = 30, .fill_ms = 3'600'000, .fill_count = 1, .freeze_ms = 0, .drop_increase = 0.5};
    return config;
  }

  void look() { looks_.push_back(figures_of(running_.port())); }
  // Looks until the figure is another one than at first.
  void wait_for(const std::string& key) {
    const std::string before = word_of(looks_.front(), key);
    const MonoTime end = after_ms(net::monotonic_now(), patience_ms);
    do {
      look();
    } while (word_of(looks_.back(), key) == before && net::monotonic_now() < end);
  }

  void watches_and_writes() {
    Client client(running_.port());
    client.send(connect_frame(30'000, 0, std::string(16, '\0')));
    const std::string session = client.frame().value();
    client.send(create_request(1, "/a", "x"));
    client.send(watch_request(2, 3, "/new"));  // exists
    client.send(watch_request(3, 4, "/a"));    // getData
    client.send(watch_request(4, 8, "/"));     // getChildren
    client.send(ephemeral_request(5, "/e"));
    client.send(frame(int32(6) + int32(100) + int32(0) + text("nobody") + text("x")));  // -115, and the end.
    for (int reply = 0; reply < 6; ++reply) {
      client.frame();
    }
    look();
    Client again(running_.port());
    again.send(connect_frame(30'000, read_int64(session, 8), session.substr(20, 16)));
    ASSERT_TRUE(again.frame().has_value());
    again.send(watch_request(1, 3, "/new") + watch_request(2, 4, "/a") + watch_request(3, 8, "/"));
    for (int reply = 0; reply < 3; ++reply) {
      ASSERT_TRUE(again.frame().has_value());
    }
    look();
    again.send(create_request(4, "/new", "x") + frame(int32(5) + int32(5) + text("/a") + text("y") + int32(-1)) +
               watch_request(6, 4, "/a") + frame(int32(7) + int32(2) + text("/a") + int32(-1)));
    for (int reply = 0; reply < 8; ++reply) {  // Four replies; created, children, changed, deleted.
      ASSERT_TRUE(again.frame().has_value()) << reply;
    }
    std::string many;
    for (std::int32_t number = 0; number < 200; ++number) {
      many += create_request(100 + number, "/many" + std::to_string(number), "x");
    }
    again.send(many);
    for (int reply = 0; reply < 200; ++reply) {
      ASSERT_TRUE(again.frame().has_value());
    }
    wait_for("cnt_snapshottime");
  }

  // While the flush of a large write is held up, for longer than a session's timeout.
  void slow_disk() {
    Client patient(running_.port());
    patient.send(connect_frame(30'000, 0, std::string(16, '\0')));
    Client hasty(running_.port());
    hasty.send(connect_frame(100, 0, std::string(16, '\0')));
    ASSERT_TRUE(patient.frame() && hasty.frame());
    disk_.shut();
    // Too large to be flushed in the loop, which goes on.
    patient.send(create_request(1, "/slow", std::string(100'000, 'x')) + get_request(2, "/slow"));
    wait_until_under_way();
    hasty.send(create_request(1, "/slower", "x") + get_request(2, "/slower"));
    const MonoTime end = after_ms(net::monotonic_now(), 300);
    for (std::int32_t xid = 3; net::monotonic_now() < end; ++xid) {
      look();
      hasty.send(get_request(xid, "/a"));  // What keeps coming keeps the session alive.
    }
    disk_.open_gate();
    patient.frame();
    patient.frame();
    hasty.rest();
    look();
    EXPECT_NE(ask(running_.port(), "srst"), "");
    look();
    disk_.shut();
    patient.send(create_request(3, "/last", std::string(100'000, 'x')) + get_request(4, "/last"));
    const MonoTime later = after_ms(net::monotonic_now(), 20);
    while (net::monotonic_now() < later) {
      look();
    }
    disk_.open_gate();
    patient.frame();
    patient.frame();
    look();  // Nothing but slow requests since srst: the least latency is no longer none.
  }

  void bad_clients() {
    Client silent(running_.port());
    wait_for("sessionless_connections_expired");
    Client gone(running_.port());
    gone.send(connect_frame(100, 0, std::string(16, '\0')));
    gone.frame();
    wait_for("stale_sessions_expired");
    Client large(running_.port());
    ASSERT_NE(large.handshake(), 0);
    large.send(create_request(1, "/large", std::string(300'000, 'x')));
    large.rest();
    Client greedy(running_.port());
    ASSERT_NE(greedy.handshake(), 0);
    for (std::int32_t number = 1; number <= 6; ++number) {
      greedy.send(create_request(number, "/greedy" + std::to_string(number), std::string(180'000, 'x')));
      ASSERT_TRUE(greedy.frame().has_value());
    }
    Client malformed(running_.port());
    malformed.send(frame("x"));
    malformed.rest();
    look();
    std::vector<std::unique_ptr<Client>> many;
    for (int count = 0; count < 50; ++count) {
      many.push_back(std::make_unique<Client>(running_.port()));
    }
    many.resize(20);
    look();
    for (const auto& client : many) {
      client->send(frame_of_connect());
    }
    for (const auto& client : many) {
      client->frame();
    }
    // Without tokens: refused, and from then on more likely so.
    for (int count = 0; count < 20; ++count) {
      Client refused(running_.port());
      refused.send(frame_of_connect());
      refused.frame();
    }
    look();
  }

  void restart() {
    running_.stop();
    running_.start();
    look();
  }

  [[nodiscard]] const std::vector<Figures>& looks() const { return looks_; }

 private:
  void wait_until_under_way() {
    const MonoTime end = after_ms(net::monotonic_now(), patience_ms);
    do {
      look();
    } while (word_of(looks_.back(), "outstanding_requests") == "0" && net::monotonic_now() < end);
  }

  GatedDisk disk_;
  Running running_;
  std::vector<Figures> looks_;
};

TEST(metrics, every_name_moves_or_is_listed_as_constant) {
  Life life;
  life.look();
  life.watches_and_writes();
  life.slow_disk();
  life.bad_clients();
  const std::vector<Figures> looks = life.looks();
  const admin::Metrics none;
  for (const admin::Metric& metric : admin::list_metrics(admin::ServerStatus{}, &none)) {
    const std::string first = shown(looks.front(), metric.name);
    ASSERT_FALSE(first.empty()) << metric.name;
    bool moved = false;
    for (const Figures& look : looks) {
      moved = moved || shown(look, metric.name) != first;
    }
    EXPECT_EQ(moved, !constant.contains(metric.name)) << metric.name << ": " << first;
  }
  life.restart();
  const Figures& last = life.looks().back();
  for (const char* name : {"dbinittime", "startup_snap_load_time", "startup_txns_load_time", "startup_txns_loaded"}) {
    EXPECT_EQ(word_of(last, std::string("cnt_") + name), "1");
  }
  EXPECT_NE(word_of(last, "sum_startup_txns_loaded"), "0");
  EXPECT_EQ(word_of(looks.front(), "cnt_startup_snap_load_time"), "0") << "there was none";
  EXPECT_NE(word_of(last, "max_file_descriptor_count"), "0");
}

// Operations 4.1: count and sum never reset; 2.2: srst names what it puts back.
TEST(metrics, srst_puts_back_latency_and_packets_alone) {
  Config config;
  config.four_letter_words = {"*"};
  Running running(config);
  Client client(running.port());
  ASSERT_NE(client.handshake(), 0);
  for (std::int32_t number = 1; number <= 20; ++number) {
    client.send(create_request(number, "/k" + std::to_string(number), "x"));
    ASSERT_EQ(client.error(), 0);
  }
  const Figures before = figures_of(running.port());
  EXPECT_EQ(ask(running.port(), "srst"), "Server stats reset.\n");
  const Figures after = figures_of(running.port());
  EXPECT_GE(std::stoll(word_of(before, "packets_received")), 21);
  EXPECT_LE(std::stoll(word_of(after, "packets_received")), 2);
  EXPECT_EQ(word_of(after, "avg_latency"), "0.0");
  for (const char* key : {"cnt_updatelatency", "sum_updatelatency", "connection_request_count", "bytes_received_count",
                          "response_bytes", "commit_count", "proposal_count", "cnt_fsynctime",
                          "cnt_propagation_latency", "max_client_response_size", "global_sessions"}) {
    EXPECT_GE(std::stoll(word_of(after, key)), std::stoll(word_of(before, key))) << key;
  }
  EXPECT_EQ(word_of(after, "cnt_updatelatency"), "20");
}

}  // namespace
}  // namespace quorate::server
