#include "net/stream.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string>
#include <sys/socket.h>
#include <sys/uio.h>

namespace quorate::net {

namespace {

bool would_block(int error_number) {
  return error_number == EAGAIN || error_number == EWOULDBLOCK;
}

void set_option(int descriptor, int level, int name, int value) {
  // Options are wishes: a connection works without them.
  (void)::setsockopt(descriptor, level, name, &value, sizeof(value));
}

}  // namespace

Result<Stream> Stream::connect(const Address& address) {
  Descriptor descriptor(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!descriptor.is_open()) {
    return std::unexpected(system_error("a socket cannot be made", errno));
  }
  set_option(descriptor.number(), IPPROTO_TCP, TCP_NODELAY, 1);
  if (::connect(descriptor.number(), address.data(), address.size()) != 0 && errno != EINPROGRESS) {
    const int error_number = errno;
    const std::string what = "no connection to " + describe(address);
    return std::unexpected(system_error(what.c_str(), error_number));
  }
  return Stream(std::move(descriptor));
}

Result<void> Stream::connect_outcome() const {
  int error_number = 0;
  socklen_t bytes = sizeof(error_number);
  if (::getsockopt(number(), SOL_SOCKET, SO_ERROR, &error_number, &bytes) != 0) {
    error_number = errno;
  }
  if (error_number != 0) {
    return std::unexpected(system_error("no connection", error_number));
  }
  return {};
}

Transfer Stream::read(std::span<char> into) {
  for (;;) {
    const ssize_t got = ::recv(number(), into.data(), into.size(), 0);
    if (got > 0) {
      const auto bytes = static_cast<std::size_t>(got);
      return Transfer{.bytes = bytes, .blocked = bytes < into.size()};
    }
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0 && would_block(errno)) {
      return Transfer{.blocked = true};
    }
    return Transfer{.ended = true};
  }
}

Transfer Stream::send(ByteView bytes) {
  Transfer done;
  while (done.bytes < bytes.size()) {
    const ssize_t sent = ::send(number(), bytes.data() + done.bytes, bytes.size() - done.bytes, MSG_NOSIGNAL);
    if (sent >= 0) {
      done.bytes += static_cast<std::size_t>(sent);
    } else if (would_block(errno)) {
      done.blocked = true;
      return done;
    } else if (errno != EINTR) {
      done.ended = true;
      return done;
    }
  }
  return done;
}

Transfer Stream::send(std::span<const ByteView> pieces) {
  std::array<iovec, 64> vectors;
  std::size_t count = 0;
  std::size_t wanted = 0;
  for (const ByteView piece : pieces.first(std::min(pieces.size(), vectors.size()))) {
    vectors[count++] = iovec{.iov_base = const_cast<char*>(piece.data()), .iov_len = piece.size()};
    wanted += piece.size();
  }
  msghdr message{};
  message.msg_iov = vectors.data();
  message.msg_iovlen = count;
  ssize_t sent = 0;
  do {
    sent = ::sendmsg(number(), &message, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) {
    return Transfer{.blocked = would_block(errno), .ended = !would_block(errno)};
  }
  return Transfer{.bytes = static_cast<std::size_t>(sent), .blocked = static_cast<std::size_t>(sent) < wanted};
}

void Stream::finish() {
  (void)::shutdown(number(), SHUT_WR);
}

void Stream::abort() {
  const linger now{.l_onoff = 1, .l_linger = 0};
  (void)::setsockopt(number(), SOL_SOCKET, SO_LINGER, &now, sizeof(now));
  close();
}

Address Stream::local_address() const {
  sockaddr_storage storage{};
  socklen_t bytes = sizeof(storage);
  (void)::getsockname(number(), reinterpret_cast<sockaddr*>(&storage), &bytes);
  return Address(reinterpret_cast<const sockaddr*>(&storage), bytes);
}

Address Stream::peer_address() const {
  sockaddr_storage storage{};
  socklen_t bytes = sizeof(storage);
  (void)::getpeername(number(), reinterpret_cast<sockaddr*>(&storage), &bytes);
  return Address(reinterpret_cast<const sockaddr*>(&storage), bytes);
}

void Stream::keep_alive() {
  set_option(number(), SOL_SOCKET, SO_KEEPALIVE, 1);
}

void Stream::limit_send_buffer(std::size_t bytes) {
  set_option(number(), SOL_SOCKET, SO_SNDBUF, static_cast<int>(std::min<std::size_t>(bytes, 1U << 30)));
}

}  // namespace quorate::net
