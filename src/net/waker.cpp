#include "net/waker.hpp"

#include <cstdint>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/ensure.hpp"

namespace quorate::net {

Waker::Waker() : event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  ensure(event_.is_open(), "a start takes the few descriptors it needs before clients can");
}

void Waker::wake() {
  const std::uint64_t one = 1;
  // It fails only when the counter is full, and then the sleeper is awake anyway.
  [[maybe_unused]] const ssize_t written = ::write(event_.number(), &one, sizeof(one));
}

void Waker::drain() {
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t got = ::read(event_.number(), &count, sizeof(count));
}

void Waker::wait() {
  pollfd wanted{.fd = event_.number(), .events = POLLIN, .revents = 0};
  while (::poll(&wanted, 1, -1) <= 0) {
  }
  drain();
}

}  // namespace quorate::net
