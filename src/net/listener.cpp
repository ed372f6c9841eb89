#include "net/listener.hpp"

#include <cerrno>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace quorate::net {

namespace {

Descriptor open_reserve() {
  return Descriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC));
}

}  // namespace

Result<Listener> Listener::open(const Address& address, int backlog) {
  Result<Listener> listener = bind(address);
  if (listener) {
    if (Result<void> listens = listener->listen(backlog); !listens) {
      return std::unexpected(std::move(listens.error()));
    }
  }
  return listener;
}

Result<Listener> Listener::bind(const Address& address) {
  const std::string what = "cannot listen on " + describe(address);
  Listener listener;
  listener.socket_ = Descriptor(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!listener.socket_.is_open()) {
    return std::unexpected(system_error(what.c_str(), errno));
  }
  const int number = listener.socket_.number();
  const int one = 1;
  (void)::setsockopt(number, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
  if (address.family() == AF_INET6) {
    // The IPv4 wildcard is a listener of its own.
    (void)::setsockopt(number, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
  }
  (void)::setsockopt(number, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));  // Accepted sockets inherit it.
  if (::bind(number, address.data(), address.size()) != 0) {
    return std::unexpected(system_error(what.c_str(), errno));
  }
  listener.address_ = Stream(Descriptor(::dup(number))).local_address();
  listener.reserve_ = open_reserve();
  return listener;
}

Result<void> Listener::listen(int backlog) {
  if (::listen(socket_.number(), backlog) != 0) {
    return std::unexpected(system_error(("cannot listen on " + describe(address_)).c_str(), errno));
  }
  return {};
}

Listener::Outcome Listener::accept(Accepted& into) {
  sockaddr_storage storage{};
  socklen_t bytes = sizeof(storage);
  const int number =
      ::accept4(socket_.number(), reinterpret_cast<sockaddr*>(&storage), &bytes, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (number >= 0) {
    into.stream = Stream(Descriptor(number));
    into.peer = Address(reinterpret_cast<const sockaddr*>(&storage), bytes);
    return Outcome::accepted;
  }
  if (errno == EMFILE || errno == ENFILE) {
    return refuse_one();
  }
  if (errno == ENOMEM || errno == ENOBUFS) {
    return Outcome::exhausted;
  }
  return Outcome::none;  // Nobody, or a client that left meanwhile; the poller reports again if there are more.
}

Listener::Outcome Listener::refuse_one() {
  reserve_.reset();
  Descriptor client(::accept4(socket_.number(), nullptr, nullptr, SOCK_CLOEXEC));
  const bool someone = client.is_open();
  client.reset();
  reserve_ = open_reserve();
  return someone ? Outcome::refused : Outcome::none;
}

}  // namespace quorate::net
