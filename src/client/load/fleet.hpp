#pragma once

// Many channels on one loop: what every kind of load stands on. It reports which connections have something; the owner
// takes it out. A connection that is lost is counted and opened anew, to the next server, after a pause.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "client/channel.hpp"
#include "client/connection.hpp"
#include "net/address.hpp"
#include "net/descriptor.hpp"
#include "net/poller.hpp"

namespace quorate::client::load {

struct Losses {
  std::uint64_t count = 0;
  std::string first_reason;
};

class Fleet {
 public:
  Fleet(std::vector<net::Address> servers, const Settings& settings);

  // Adds connections until there are `count`, and waits until all sessions stand. An error names the first reason.
  Result<void> open(std::size_t count, MonoTime deadline);
  // Ends all sessions in order (closeSession) and waits for the replies, at most until the deadline.
  void close(MonoTime deadline);

  // Waits until a connection has something or the deadline is over, to the microsecond; `into` is replaced by the
  // positions. Pings where it is time to.
  void wait(MonoTime deadline, std::vector<std::size_t>& into);
  // Reads once; take everything out of connection(position) with next() before the next read() of any connection. True:
  // call it again.
  bool read(std::size_t position);
  void flush(std::size_t position) { channels_[position]->flush(); }

  [[nodiscard]] Connection& connection(std::size_t position) { return channels_[position]->connection(); }
  [[nodiscard]] bool is_open(std::size_t position) const;
  [[nodiscard]] std::size_t size() const { return channels_.size(); }
  // How many sessions this position has had: a change says that what was under way there is lost.
  [[nodiscard]] std::uint32_t generation(std::size_t position) const { return generations_[position]; }
  [[nodiscard]] const Losses& losses() const { return losses_; }

 private:
  Result<void> start(std::size_t position);
  void tick(MonoTime now);
  bool handle_opening(std::size_t position);
  void arm_alarm(MonoTime now, MonoTime deadline);

  net::Poller poller_;
  net::Descriptor alarm_;  // A timerfd: the poller itself counts in milliseconds.
  std::vector<net::Address> servers_;
  Settings settings_;
  std::vector<std::optional<Channel>> channels_;
  std::vector<std::uint32_t> generations_;
  std::vector<net::Ready> ready_;
  std::vector<char> buffer_;
  std::size_t next_server_ = 0;
  MonoTime next_tick_{};
  Losses losses_;
  bool is_closing_ = false;
};

}  // namespace quorate::client::load
