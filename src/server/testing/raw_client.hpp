#pragma once

// A client of raw frames, and a whole server in this process on a port of the system's choice. For tests: every wait
// has a deadline.

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <gtest/gtest.h>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "net/address.hpp"
#include "net/clock.hpp"
#include "net/poller.hpp"
#include "net/stream.hpp"
#include "server/server.hpp"
#include "storage/disk.hpp"
#include "storage/posix_disk.hpp"

namespace quorate::server::testing {

inline constexpr std::int64_t patience_ms = 20'000;

inline std::string big_endian(std::uint64_t value, int bytes) {
  std::string out;
  for (int at = bytes - 1; at >= 0; --at) {
    out.push_back(static_cast<char>((value >> (8 * at)) & 0xFFU));
  }
  return out;
}
inline std::string int32(std::int32_t value) {
  return big_endian(static_cast<std::uint32_t>(value), 4);
}
inline std::string int64(std::int64_t value) {
  return big_endian(static_cast<std::uint64_t>(value), 8);
}
inline std::string text(std::string_view value) {
  return int32(static_cast<std::int32_t>(value.size())) + std::string(value);
}
inline std::string frame(const std::string& body) {
  return int32(static_cast<std::int32_t>(body.size())) + body;
}
inline std::int32_t read_int32(std::string_view bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t byte = 0; byte < 4; ++byte) {
    value = (value << 8U) | static_cast<unsigned char>(bytes.at(at + byte));
  }
  return static_cast<std::int32_t>(value);
}
inline std::int64_t read_int64(std::string_view bytes, std::size_t at) {
  const auto high = static_cast<std::uint32_t>(read_int32(bytes, at));
  const auto low = static_cast<std::uint32_t>(read_int32(bytes, at + 4));
  return static_cast<std::int64_t>((static_cast<std::uint64_t>(high) << 32U) | low);
}

inline std::string create_request(std::int32_t xid, std::string_view path, std::string_view data) {
  return frame(int32(xid) + int32(1) + text(path) + text(data) + int32(1) + int32(31) + text("world") + text("anyone") +
               int32(0));
}
inline std::string get_request(std::int32_t xid, std::string_view path) {
  return frame(int32(xid) + int32(4) + text(path) + std::string(1, '\0'));
}

inline std::string frame_of_connect(std::int64_t session = 0, std::string_view password = std::string_view()) {
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

  // Whether a frame, or the end, comes within that time.
  bool hears_within(std::int64_t milliseconds) {
    const MonoTime end = after_ms(net::monotonic_now(), milliseconds);
    std::array<char, 65536> block;
    while (received_.empty()) {
      const net::Transfer got = stream_.read(block);
      received_.append(block.data(), got.bytes);
      const MonoTime now = net::monotonic_now();
      if (got.ended || got.bytes > 0 || now >= end) {
        return got.ended || got.bytes > 0;
      }
      poller_.wait(now, end, ready_);
    }
    return true;
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
  explicit Running(Config config = {}, storage::Disk* disk = nullptr)
      : config_(std::move(config)), used_disk_(disk != nullptr ? disk : &disk_) {
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
    Started<std::unique_ptr<Server>> started = Server::start(config_, *used_disk_);
    ASSERT_TRUE(started.has_value()) << started.error().message;
    server_ = std::move(*started);
    port_ = server_->port();
    has_ended_ = false;
    thread_ = std::thread([this] {
      code_ = server_->run();
      has_ended_ = true;
    });
  }
  ExitCode stop() {
    if (server_) {
      server_->stop();
      thread_.join();
      server_.reset();
    }
    return code_;
  }

  // By itself. Its connections are closed by stop() or wait().
  [[nodiscard]] bool has_ended() const { return has_ended_; }

  // Ends by itself: waits for that.
  ExitCode wait() {
    thread_.join();
    server_.reset();
    return code_;
  }

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] const Config& config() const { return config_; }
  storage::PosixDisk& disk() { return disk_; }

 private:
  Config config_;
  std::string directory_;
  storage::PosixDisk disk_;
  storage::Disk* used_disk_;
  std::unique_ptr<Server> server_;
  std::thread thread_;
  std::atomic<bool> has_ended_{false};
  std::uint16_t port_ = 0;
  ExitCode code_ = ExitCode::unexpected;
};

}  // namespace quorate::server::testing
