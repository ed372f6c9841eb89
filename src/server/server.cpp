#include "server/server.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <optional>
#include <utility>
#include <vector>

#include "net/address.hpp"
#include "net/descriptor.hpp"
#include "net/listener.hpp"
#include "server/logging.hpp"
#include "server/loop.hpp"

namespace quorate::server {

namespace {

constexpr int backlog_standard = 4096;  // The system lowers it to its own bound.

std::unexpected<StartFailure> cannot_listen(const Config& config, const Error& error) {
  std::string message = error.message;
  if (error.code == ErrorCode::busy) {
    message += fmt::format("; another server runs there. Stop it, or choose another port: --client-port {}",
                           config.port == 65535 ? 2181 : config.port + 1);
  }
  return std::unexpected(StartFailure{.code = ExitCode::cannot_listen, .message = std::move(message)});
}

// Takes the port. Nobody can connect yet: who connects while data is read would wait without a word, where a refusal
// sends it to another server, or to a retry.
Started<std::vector<net::Listener>> take_port(const Config& config) {
  Result<std::vector<net::Address>> addresses = net::resolve(config.listen_host, config.port);
  if (!addresses) {
    return cannot_listen(config, addresses.error());
  }
  std::vector<net::Listener> listeners;
  std::optional<Error> trouble;
  for (net::Address& address : *addresses) {
    if (!listeners.empty()) {
      address.set_port(listeners.front().address().port());  // Both families share the port that was chosen.
    }
    Result<net::Listener> listener = net::Listener::bind(address);
    if (listener) {
      listeners.push_back(std::move(*listener));
    } else if (listener.error().code == ErrorCode::busy || listeners.empty()) {
      trouble = listener.error();  // A machine without IPv6 is no trouble if IPv4 works.
    }
  }
  if (listeners.empty() || (trouble && trouble->code == ErrorCode::busy)) {
    return cannot_listen(config, *trouble);
  }
  return listeners;
}

std::optional<Error> listen(const Config& config, std::vector<net::Listener>& listeners) {
  for (net::Listener& listener : listeners) {
    const Result<void> listens = listener.listen(config.listen_backlog < 0 ? backlog_standard : config.listen_backlog);
    if (!listens) {
      return listens.error();
    }
  }
  return std::nullopt;
}

}  // namespace

Server::Server(std::unique_ptr<Loop> loop) : loop_(std::move(loop)) {}
Server::~Server() = default;

Started<std::unique_ptr<Server>> Server::start(const Config& config, storage::Disk& disk, Signals* signals) {
  const std::size_t descriptors = net::raise_descriptor_limit();
  Started<std::vector<net::Listener>> listeners = take_port(config);
  if (!listeners) {
    return std::unexpected(listeners.error());
  }
  Started<OpenedData> data = open_data(config, disk, signals);
  if (!data) {
    return std::unexpected(data.error());
  }
  if (const std::optional<Error> trouble = listen(config, *listeners)) {
    return cannot_listen(config, *trouble);
  }
  for (const net::Listener& listener : *listeners) {
    log_info(fmt::format("client port {}", net::describe(listener.address())));
  }
  if (!config.force_sync) {
    log_warning("forceSync=no: ACKNOWLEDGED WRITES ARE LOST IF THIS MACHINE CRASHES");
  }
  auto loop = std::make_unique<Loop>(config, std::move(*data), std::move(*listeners), signals, descriptors);
  return std::unique_ptr<Server>(new Server(std::move(loop)));
}

ExitCode Server::run() {
  return loop_->run();
}

void Server::stop() {
  loop_->ask_to_stop();
}

std::uint16_t Server::port() const {
  return loop_->client_port().listeners().front().address().port();
}

}  // namespace quorate::server
