#pragma once

// A Connection over TCP: the thin shell that moves its bytes. The owner's loop says when.

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "client/connection.hpp"
#include "net/address.hpp"
#include "net/poller.hpp"
#include "net/stream.hpp"

namespace quorate::client {

class Channel {
 public:
  // Starts to connect and registers with the poller; the handshake follows by itself.
  static Result<Channel> open(const net::Address& address, const Settings& settings, net::Poller& poller, net::Tag tag);

  // One read into `buffer`, which stays in use until the connection has been emptied with next(). True: there may be
  // more to read.
  bool read(std::span<char> buffer);
  // Sends what the connection has ready, as far as there is room.
  void flush();
  // The poller reported `output`.
  void on_output();
  void tick(MonoTime now);

  [[nodiscard]] Connection& connection() { return connection_; }
  [[nodiscard]] const Connection& connection() const { return connection_; }
  // Why this channel is of no more use; null while it is.
  [[nodiscard]] const Error* failure() const;

 private:
  Channel(net::Stream stream, const Settings& settings) : stream_(std::move(stream)), connection_(settings) {}

  net::Stream stream_;
  Connection connection_;
  bool is_connected_ = false;
  bool is_blocked_ = false;
  std::optional<Error> failure_;
};

// "host:port,host:port", resolved. An error names the part that is wrong.
Result<std::vector<net::Address>> resolve_servers(std::string_view servers);

}  // namespace quorate::client
