#include "server/signals.hpp"

#include <csignal>
#include <pthread.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/ensure.hpp"

namespace quorate::server {

Signals::Signals() {
  (void)std::signal(SIGPIPE, SIG_IGN);
  (void)std::signal(SIGHUP, SIG_IGN);
  sigset_t wanted;
  ::sigemptyset(&wanted);
  ::sigaddset(&wanted, SIGTERM);
  ::sigaddset(&wanted, SIGINT);
  (void)::pthread_sigmask(SIG_BLOCK, &wanted, nullptr);
  events_ = net::Descriptor(::signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK));
  ensure(events_.is_open(), "a start takes the few descriptors it needs before clients can");
}

bool Signals::take_stop() {
  signalfd_siginfo information{};
  return ::read(events_.number(), &information, sizeof(information)) == static_cast<ssize_t>(sizeof(information));
}

}  // namespace quorate::server
