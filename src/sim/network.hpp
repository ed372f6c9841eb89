#pragma once

// The network between the servers (F-1xx): delay, loss, repetition, reordering, cuts in one direction or both. A link
// keeps the order of its messages, as a connection does, with a lane of its own for what is urgent;
// only the fault F-104 breaks it.

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>

#include "base/ids.hpp"
#include "base/prng.hpp"
#include "raft/messages.hpp"
#include "sim/scheduler.hpp"

namespace quorate::sim {

// How the whole network is; a link may be cut besides.
struct Weather {
  std::int64_t delay_min_us = 100;
  std::int64_t delay_max_us = 500;
  std::uint64_t tail_per_mille = 0;  // Share of messages that take up to `tail_us` instead.
  std::int64_t tail_us = 0;
  std::uint64_t loss_per_mille = 0;
  std::uint64_t repeat_per_mille = 0;  // Delivered once more, up to `repeat_us` later.
  std::int64_t repeat_us = 0;
  bool reorders = false;
};

// Who speaks, and to whom it believes to speak: links check both.
struct Speaker {
  NodeId id{};
  std::uint64_t incarnation = 0;
  std::uint64_t expects = 0;  // 0: it does not know.
};

class Network {
 public:
  static constexpr std::size_t servers_max = 16;

  // What arrives, and that something to `to` was lost (the link broke) as `from` notices it.
  struct Ends {
    std::function<void(Speaker from, NodeId to, raft::Message&& message)> deliver;
    std::function<void(NodeId from, NodeId to)> lost;
  };

  Network(Scheduler& scheduler, Prng prng, Ends ends);

  void send(Speaker from, NodeId to, raft::Message&& message);

  [[nodiscard]] Weather& weather() { return weather_; }
  // Cuts count: what was cut twice is whole when it was mended twice.
  void cut(NodeId from, NodeId to) { ++cuts_[link(from, to)]; }
  void mend(NodeId from, NodeId to);
  void mend_all() { cuts_.fill(0); }
  [[nodiscard]] bool is_cut(NodeId from, NodeId to) const { return cuts_[link(from, to)] > 0; }
  // Everything to or from this server takes so much longer (F-108).
  void set_lag(NodeId id, std::int64_t microseconds) { lag_[raw(id)] = microseconds; }

  // All that was sent so far has arrived by then, or is lost.
  [[nodiscard]] MonoTime empty_at() const { return last_arrival_; }
  [[nodiscard]] std::uint64_t sent() const { return sent_; }
  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }

 private:
  static std::size_t link(NodeId from, NodeId to);
  [[nodiscard]] std::int64_t draw_delay(NodeId from, NodeId to);
  void lose(NodeId from, NodeId to);
  void carry(Speaker from, NodeId to, raft::Message&& message, MonoTime arrival);

  Scheduler& scheduler_;
  Prng prng_;
  Ends ends_;
  Weather weather_;
  std::array<unsigned, servers_max * servers_max> cuts_{};
  std::array<std::int64_t, servers_max> lag_{};
  // When the newest message of each link's two lanes arrives.
  std::array<std::array<MonoTime, 2>, servers_max * servers_max> newest_{};
  MonoTime last_arrival_{};
  std::uint64_t sent_ = 0;
  std::uint64_t dropped_ = 0;
};

}  // namespace quorate::sim
