// A whole server in this process, on a port of the system's choice, spoken to in raw frames over loopback. Every wait
// has a deadline.

#include "server/server.hpp"

#include <array>
#include <cstdlib>
#include <filesystem>
#include <gtest/gtest.h>
#include <memory>
#include <optional>
#include <string>
#include <sys/resource.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

#include "net/clock.hpp"
#include "net/poller.hpp"
#include "net/stream.hpp"
#include "storage/posix_disk.hpp"

namespace quorate::server {
namespace {

constexpr std::int64_t patience_ms = 20'000;

std::string big_endian(std::uint64_t value, int bytes) {
  std::string out;
  for (int at = bytes - 1; at >= 0; --at) {
    out.push_back(static_cast<char>((value >> (8 * at)) & 0xFFU));
  }
  return out;
}
std::string int32(std::int32_t value) {
  return big_endian(static_cast<std::uint32_t>(value), 4);
}
std::string int64(std::int64_t value) {
  return big_endian(static_cast<std::uint64_t>(value), 8);
}
std::string text(std::string_view value) {
  return int32(static_cast<std::int32_t>(value.size())) + std::string(value);
}
std::string frame(const std::string& body) {
  return int32(static_cast<std::int32_t>(body.size())) + body;
}
std::int32_t read_int32(std::string_view bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t byte = 0; byte < 4; ++byte) {
    value = (value << 8U) | static_cast<unsigned char>(bytes.at(at + byte));
  }
  return static_cast<std::int32_t>(value);
}
std::int64_t read_int64(std::string_view bytes, std::size_t at) {
  const auto high = static_cast<std::uint32_t>(read_int32(bytes, at));
  const auto low = static_cast<std::uint32_t>(read_int32(bytes, at + 4));
  return static_cast<std::int64_t>((static_cast<std::uint64_t>(high) << 32U) | low);
}

std::string create_request(std::int32_t xid, std::string_view path, std::string_view data) {
  return frame(int32(xid) + int32(1) + text(path) + text(data) + int32(1) + int32(31) + text("world") + text("anyone") +
               int32(0));
}
std::string get_request(std::int32_t xid, std::string_view path) {
  return frame(int32(xid) + int32(4) + text(path) + std::string(1, '\0'));
}

std::string frame_of_connect(std::int64_t session = 0, std::string_view password = std::string_view()) {
  const std::string secret = password.empty() ? std::string(16, '\0') : std::string(password);
  return frame(int32(0) + int64(0) + int32(10'000) + int64(session) + text(secret) + std::string(1, '\0'));
}

// A client of raw frames.
class Client {
 public:
  explicit Client(std::uint16_t port)
      : stream_(std::move(*net::Stream::connect(net::resolve("127.0.0.1", port).value().front()))) {
    EXPECT_TRUE(poller_.add(stream_.number(), net::Interest::input_or_output, net::Tag{1}).has_value());
    wait_for([](const net::Ready& ready) { return ready.output; });
  }

  void send(const std::string& bytes) {
    std::size_t sent = 0;
    const MonoTime end = after_ms(net::monotonic_now(), patience_ms);
    while (sent < bytes.size() && net::monotonic_now() < end) {
      const net::Transfer done = stream_.send(ByteView(bytes).substr(sent));
      sent += done.bytes;
      if (done.ended) {
        return;
      }
      if (done.blocked) {
        poller_.wait(net::monotonic_now(), end, ready_);
      }
    }
  }

  // The next frame's body; nullopt if the server closed first.
  std::optional<std::string> frame() {
    while (received_.size() < 4 || received_.size() < 4 + static_cast<std::size_t>(read_int32(received_, 0))) {
      if (!receive_more()) {
        return std::nullopt;
      }
    }
    const auto length = static_cast<std::size_t>(read_int32(received_, 0));
    std::string body = received_.substr(4, length);
    received_.erase(0, 4 + length);
    return body;
  }

  // Everything until the server closes.
  std::string rest() {
    while (receive_more()) {
    }
    return std::exchange(received_, {});
  }

  // The id of a new session; 0 if there was none.
  std::int64_t handshake() {
    send(frame_of_connect());
    const std::optional<std::string> reply = frame();
    return reply && reply->size() >= 36 ? read_int64(*reply, 8) : 0;
  }

  // The error code of the reply to the next request; -1000 if the server closed.
  std::int32_t error() {
    const std::optional<std::string> reply = frame();
    return reply && reply->size() >= 16 ? read_int32(*reply, 12) : -1000;
  }

  net::Stream& stream() { return stream_; }

 private:
  template <class Claim>
  void wait_for(Claim claim) {
    const MonoTime end = after_ms(net::monotonic_now(), patience_ms);
    while (net::monotonic_now() < end) {
      poller_.wait(net::monotonic_now(), end, ready_);
      for (const net::Ready& ready : ready_) {
        if (claim(ready)) {
          return;
        }
      }
    }
    ADD_FAILURE() << "nothing came";
  }

  bool receive_more() {
    std::array<char, 65536> block;
    for (;;) {
      const net::Transfer got = stream_.read(block);
      received_.append(block.data(), got.bytes);
      if (got.ended) {
        return false;
      }
      if (got.bytes > 0) {
        return true;
      }
      const MonoTime now = net::monotonic_now();
      poller_.wait(now, after_ms(now, patience_ms), ready_);
      if (ready_.empty()) {
        ADD_FAILURE() << "the server says nothing";
        return false;
      }
    }
  }

  net::Poller poller_;
  net::Stream stream_;
  std::vector<net::Ready> ready_;
  std::string received_;
};

// A server over a directory that is its own and goes with it.
class Running {
 public:
  explicit Running(Config config = {}) : config_(std::move(config)) {
    std::array<char, 64> name{"/tmp/quorate-server-test-XXXXXX"};
    directory_ = ::mkdtemp(name.data());
    config_.data_directory = directory_ + "/data";
    config_.log_directory = directory_ + "/data";
    config_.port = 0;
    config_.segment_bytes = 1U << 20;
    start();
  }
  ~Running() {
    stop();
    std::filesystem::remove_all(directory_);
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  void start() {
    Started<std::unique_ptr<Server>> started = Server::start(config_, disk_);
    ASSERT_TRUE(started.has_value()) << started.error().message;
    server_ = std::move(*started);
    port_ = server_->port();
    thread_ = std::thread([this] { code_ = server_->run(); });
  }
  ExitCode stop() {
    if (server_) {
      server_->stop();
      thread_.join();
      server_.reset();
    }
    return code_;
  }

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] const Config& config() const { return config_; }
  storage::PosixDisk& disk() { return disk_; }

 private:
  Config config_;
  std::string directory_;
  storage::PosixDisk disk_;
  std::unique_ptr<Server> server_;
  std::thread thread_;
  std::uint16_t port_ = 0;
  ExitCode code_ = ExitCode::unexpected;
};

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
                             Case{"mntr", "mntr is not executed because it is not in the whitelist.\n"}}) {
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
    EXPECT_FALSE(asker.rest().empty()) << word;
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
