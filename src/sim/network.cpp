#include "sim/network.hpp"

#include <algorithm>
#include <utility>
#include <variant>

#include "base/ensure.hpp"

namespace quorate::sim {
namespace {

constexpr std::int64_t notice_us = 2'000;  // Until a sender sees that a link broke.

bool is_urgent(const raft::Message& message) {
  return !std::holds_alternative<raft::AppendRequest>(message) && !std::holds_alternative<raft::AppendReply>(message) &&
         !std::holds_alternative<raft::SnapshotChunk>(message) && !std::holds_alternative<raft::SnapshotReply>(message);
}

}  // namespace

Network::Network(Scheduler& scheduler, Prng prng, Ends ends)
    : scheduler_(scheduler), prng_(prng), ends_(std::move(ends)) {}

std::size_t Network::link(NodeId from, NodeId to) {
  ensure(raw(from) < servers_max && raw(to) < servers_max, "a world has few servers");
  return raw(from) * servers_max + raw(to);
}

void Network::mend(NodeId from, NodeId to) {
  unsigned& cuts = cuts_[link(from, to)];
  cuts -= cuts > 0 ? 1 : 0;
}

std::int64_t Network::draw_delay(NodeId from, NodeId to) {
  const bool is_late = weather_.tail_per_mille > 0 && prng_.chance(weather_.tail_per_mille, 1000);
  const std::int64_t delay = prng_.between(weather_.delay_min_us, is_late ? weather_.tail_us : weather_.delay_max_us);
  return delay + lag_[raw(from)] + lag_[raw(to)];
}

void Network::lose(NodeId from, NodeId to) {
  ++dropped_;
  scheduler_.after(notice_us, [this, from, to] { ends_.lost(from, to); });
}

void Network::send(Speaker from, NodeId to, raft::Message&& message) {
  ++sent_;
  if (is_cut(from.id, to)) {
    lose(from.id, to);
    return;
  }
  if (weather_.loss_per_mille > 0 && prng_.chance(weather_.loss_per_mille, 1000)) {
    lose(from.id, to);
    return;
  }
  MonoTime arrival = after_us(scheduler_.now(), draw_delay(from.id, to));
  if (!weather_.reorders) {
    MonoTime& newest = newest_[link(from.id, to)][is_urgent(message) ? 1 : 0];
    arrival = newest = std::max(arrival, newest);
  }
  if (weather_.repeat_per_mille > 0 && prng_.chance(weather_.repeat_per_mille, 1000)) {
    carry(from, to, raft::Message(message), after_us(arrival, prng_.between(0, weather_.repeat_us)));
  }
  carry(from, to, std::move(message), arrival);
}

void Network::carry(Speaker from, NodeId to, raft::Message&& message, MonoTime arrival) {
  last_arrival_ = std::max(last_arrival_, arrival);
  scheduler_.at(arrival, [this, from, to, message = std::move(message)]() mutable {
    if (is_cut(from.id, to)) {
      ++dropped_;
      return;
    }
    ends_.deliver(from, to, std::move(message));
  });
}

}  // namespace quorate::sim
