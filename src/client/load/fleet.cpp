#include "client/load/fleet.hpp"

#include <algorithm>
#include <sys/timerfd.h>
#include <utility>
#include <variant>

#include "base/ensure.hpp"
#include "net/clock.hpp"

namespace quorate::client::load {

namespace {

constexpr std::size_t buffer_bytes = std::size_t{256} << 10;
constexpr std::int64_t tick_ms = 100;  // Also the pause before a lost connection is opened anew.
constexpr net::Tag alarm_tag{UINT64_MAX};
constexpr std::int64_t alarm_below_us = 20'000;  // Longer waits may be a millisecond late.
constexpr std::size_t openings_in_flight = 64;   // Less than any server's accept backlog.

}  // namespace

Fleet::Fleet(std::vector<net::Address> servers, const Settings& settings)
    : alarm_(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)),
      servers_(std::move(servers)),
      settings_(settings),
      buffer_(buffer_bytes) {
  ensure(!servers_.empty(), "there is a server to connect to");
  ensure(alarm_.is_open(), "a start takes the few descriptors it needs before the connections can");
  ensure(poller_.add(alarm_.number(), net::Interest::input_edge, alarm_tag).has_value(), "a new poller has room");
}

void Fleet::arm_alarm(MonoTime now, MonoTime deadline) {
  const std::int64_t left_us = elapsed_us(now, deadline);
  if (left_us <= 0 || left_us >= alarm_below_us) {
    return;
  }
  itimerspec when{};
  when.it_value.tv_nsec = left_us * 1000;
  (void)::timerfd_settime(alarm_.number(), 0, &when, nullptr);
}

bool Fleet::is_open(std::size_t position) const {
  const std::optional<Channel>& channel = channels_[position];
  return channel && channel->failure() == nullptr && channel->connection().is_open();
}

Result<void> Fleet::start(std::size_t position) {
  const net::Address& server = servers_[next_server_++ % servers_.size()];
  Result<Channel> channel = Channel::open(server, settings_, poller_, net::Tag{position});
  if (!channel) {
    return std::unexpected(channel.error());
  }
  channels_[position].emplace(std::move(*channel));
  ++generations_[position];
  return {};
}

bool Fleet::handle_opening(std::size_t position) {
  (void)read(position);
  Incoming incoming;
  bool has_opened = false;
  while (connection(position).next(incoming)) {
    has_opened = has_opened || std::holds_alternative<SessionOpened>(incoming);
  }
  return has_opened;
}

Result<void> Fleet::open(std::size_t count, MonoTime deadline) {
  ensure(count >= channels_.size(), "a fleet grows");
  std::size_t is_standing = channels_.size();
  std::size_t next = channels_.size();
  channels_.resize(count);
  generations_.resize(count);
  std::vector<std::size_t> ready;
  while (is_standing < count) {
    for (; next < count && next - is_standing < openings_in_flight; ++next) {
      if (Result<void> started = start(next); !started) {
        return started;
      }
    }
    const MonoTime now = net::monotonic_now();
    if (now >= deadline) {
      return failure(ErrorCode::io, std::to_string(is_standing) + " of " + std::to_string(count) +
                                        " sessions stand when the time to connect is over" +
                                        (losses_.count > 0 ? ": " + losses_.first_reason : std::string()));
    }
    wait(std::min(deadline, after_ms(now, tick_ms)), ready);
    for (const std::size_t position : ready) {
      is_standing += handle_opening(position) ? 1U : 0U;
      if (const Error* error = channels_[position]->failure(); error != nullptr) {
        return std::unexpected(*error);
      }
    }
  }
  return {};
}

void Fleet::wait(MonoTime deadline, std::vector<std::size_t>& into) {
  into.clear();
  MonoTime now = net::monotonic_now();
  if (now >= next_tick_) {
    tick(now);
    next_tick_ = after_ms(now, tick_ms);
  }
  const MonoTime until = std::min(deadline, next_tick_);
  arm_alarm(now, until);
  poller_.wait(now, until, ready_);
  for (const net::Ready& report : ready_) {
    if (report.tag == alarm_tag) {
      continue;
    }
    const auto position = static_cast<std::size_t>(std::to_underlying(report.tag));
    Channel& channel = *channels_[position];
    if (report.output) {
      channel.on_output();
    }
    if (report.input) {
      into.push_back(position);
    }
  }
}

bool Fleet::read(std::size_t position) {
  return channels_[position]->read(buffer_);
}

void Fleet::tick(MonoTime now) {
  for (std::size_t position = 0; position < channels_.size(); ++position) {
    if (!channels_[position]) {
      continue;
    }
    Channel& channel = *channels_[position];
    channel.tick(now);
    const Error* error = channel.failure();
    if (error == nullptr || is_closing_) {
      continue;
    }
    if (losses_.count++ == 0) {
      losses_.first_reason = error->message;
    }
    if (Result<void> started = start(position); !started && losses_.count == 1) {
      losses_.first_reason += "; " + started.error().message;
    }
  }
}

void Fleet::close(MonoTime deadline) {
  is_closing_ = true;
  std::size_t is_left = 0;
  for (std::size_t position = 0; position < channels_.size(); ++position) {
    if (is_open(position)) {
      (void)connection(position).submit_close(0);
      flush(position);
      ++is_left;
    }
  }
  std::vector<std::size_t> ready;
  Incoming incoming;
  while (is_left > 0 && net::monotonic_now() < deadline) {
    wait(deadline, ready);
    for (const std::size_t position : ready) {
      const bool was_waiting = connection(position).requests_pending() > 0 && channels_[position]->failure() == nullptr;
      bool has_more = true;
      while (has_more) {
        has_more = read(position);
        while (connection(position).next(incoming)) {
        }
      }
      const bool is_done = connection(position).requests_pending() == 0 || channels_[position]->failure() != nullptr;
      is_left -= was_waiting && is_done ? 1U : 0U;
    }
  }
}

}  // namespace quorate::client::load
