#include "client/channel.hpp"

#include "base/ensure.hpp"

namespace quorate::client {

Result<Channel> Channel::open(const net::Address& address, const Settings& settings, net::Poller& poller,
                              net::Tag tag) {
  Result<net::Stream> stream = net::Stream::connect(address);
  if (!stream) {
    return std::unexpected(stream.error());
  }
  const Result<void> added = poller.add(stream->number(), net::Interest::input_or_output, tag);
  if (!added) {
    return std::unexpected(added.error());
  }
  return Channel(std::move(*stream), settings);
}

bool Channel::read(std::span<char> buffer) {
  ensure(!buffer.empty(), "a read needs room");
  if (failure_ || !is_connected_) {
    return false;
  }
  const net::Transfer got = stream_.read(buffer);
  connection_.receive(ByteView(buffer.data(), got.bytes));
  if (got.ended) {
    failure_ = Error{.code = ErrorCode::io, .message = "the server closed the connection"};
  }
  return !got.blocked && !got.ended;
}

void Channel::flush() {
  if (failure_ || !is_connected_ || is_blocked_) {
    return;
  }
  const ByteView output = connection_.output();
  if (output.empty()) {
    return;
  }
  const net::Transfer done = stream_.send(output);
  connection_.sent(done.bytes);
  is_blocked_ = done.blocked;
  if (done.ended) {
    failure_ = Error{.code = ErrorCode::io, .message = "the connection broke while sending"};
  }
}

void Channel::on_output() {
  is_blocked_ = false;
  if (!is_connected_ && !failure_) {
    const Result<void> outcome = stream_.connect_outcome();
    if (!outcome) {
      failure_ = outcome.error();
      return;
    }
    is_connected_ = true;
  }
  flush();
}

void Channel::tick(MonoTime now) {
  connection_.tick(now);
  flush();
}

const Error* Channel::failure() const {
  if (failure_) {
    return &*failure_;
  }
  return connection_.failure() ? &*connection_.failure() : nullptr;
}

Result<std::vector<net::Address>> resolve_servers(std::string_view servers) {
  constexpr std::uint16_t default_port = 2181;
  std::vector<net::Address> addresses;
  while (!servers.empty()) {
    const std::size_t comma = servers.find(',');
    const std::string_view part = servers.substr(0, comma);
    servers.remove_prefix(comma == std::string_view::npos ? servers.size() : comma + 1);
    const Result<net::HostPort> parsed = net::parse_host_port(part, default_port);
    if (!parsed) {
      return std::unexpected(parsed.error());
    }
    const Result<std::vector<net::Address>> found = net::resolve(parsed->host, parsed->port);
    if (!found) {
      return std::unexpected(found.error());
    }
    addresses.push_back(found->front());
  }
  if (addresses.empty()) {
    return failure(ErrorCode::invalid, "no server is named; give host:port, several with commas between");
  }
  return addresses;
}

}  // namespace quorate::client
