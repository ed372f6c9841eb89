#include "net/poller.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <sys/epoll.h>
#include <utility>

#include "base/ensure.hpp"

namespace quorate::net {

namespace {

constexpr int events_a_wait = 1024;

std::uint32_t mask_of(Interest interest) {
  switch (interest) {
    case Interest::input_level:
      return EPOLLIN;
    case Interest::input_edge:
      return EPOLLIN | EPOLLRDHUP | EPOLLET;
    case Interest::input_or_output:
      return EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  }
  fail("an interest is one of the three");
}

epoll_event event_of(Interest interest, Tag tag) {
  epoll_event event{};
  event.events = mask_of(interest);
  event.data.u64 = std::to_underlying(tag);
  return event;
}

// Rounded up, so that a loop never wakes a moment before its deadline only to find nothing due.
int timeout_ms(MonoTime now, std::optional<MonoTime> deadline) {
  if (!deadline) {
    return -1;
  }
  const std::int64_t left_us = elapsed_us(now, *deadline);
  return left_us <= 0 ? 0 : static_cast<int>(std::min<std::int64_t>((left_us + 999) / 1000, 3'600'000));
}

}  // namespace

Poller::Poller() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  ensure(epoll_.is_open(), "a start takes the few descriptors it needs before clients can");
}

Result<void> Poller::add(int descriptor, Interest interest, Tag tag) {
  epoll_event event = event_of(interest, tag);
  if (::epoll_ctl(epoll_.number(), EPOLL_CTL_ADD, descriptor, &event) != 0) {
    return std::unexpected(system_error("a descriptor cannot be watched", errno));
  }
  return {};
}

void Poller::change(int descriptor, Interest interest, Tag tag) {
  epoll_event event = event_of(interest, tag);
  ensure(::epoll_ctl(epoll_.number(), EPOLL_CTL_MOD, descriptor, &event) == 0, "only what was added is changed");
}

void Poller::remove(int descriptor) {
  ensure(::epoll_ctl(epoll_.number(), EPOLL_CTL_DEL, descriptor, nullptr) == 0, "only what was added is removed");
}

void Poller::wait(MonoTime now, std::optional<MonoTime> deadline, std::vector<Ready>& into) {
  into.clear();
  std::array<epoll_event, events_a_wait> events;
  const int count = ::epoll_wait(epoll_.number(), events.data(), events_a_wait, timeout_ms(now, deadline));
  for (int position = 0; position < count; ++position) {
    const epoll_event& event = events[static_cast<std::size_t>(position)];
    into.push_back(Ready{
        .tag = Tag{event.data.u64},
        .input = (event.events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0,
        .output = (event.events & (EPOLLOUT | EPOLLERR)) != 0,
        .hangup = (event.events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0,
    });
  }
}

}  // namespace quorate::net
