#include "replica/connection_throttle.hpp"

#include <algorithm>
#include <cmath>

namespace quorate::replica {

ConnectionThrottle::ConnectionThrottle(ConnectionThrottleConfig config, Prng prng)
    : config_(config), prng_(prng), tokens_(config.tokens_max) {}

bool ConnectionThrottle::admit(MonoTime now, bool is_new_session) {
  if (config_.tokens_max <= 0) {
    return true;
  }
  fill(now);
  if (config_.freeze_ms >= 0) {
    adjust(now);
    constexpr std::uint64_t whole = 1ULL << 32;
    if (prng_.chance(static_cast<std::uint64_t>(drop_ * static_cast<double>(whole)), whole)) {
      return false;
    }
  }
  const std::int64_t cost = is_new_session ? config_.new_session_weight : config_.renewed_session_weight;
  if (tokens_ < cost) {
    return false;
  }
  tokens_ -= cost;
  return true;
}

void ConnectionThrottle::fill(MonoTime now) {
  const std::int64_t fill_us = std::max<std::int64_t>(1, config_.fill_ms) * 1000;
  const std::int64_t fills = elapsed_us(filled_, now) / fill_us;
  if (fills > 0) {
    filled_ = after_us(filled_, fills * fill_us);
    const std::int64_t room = config_.tokens_max - tokens_;
    const std::int64_t useful = std::min(fills, room);  // More fills than there is room for change nothing.
    tokens_ += std::min(room, useful * config_.fill_count);
  }
}

// At most once a freeze time, so that a change can show its effect before the next.
void ConnectionThrottle::adjust(MonoTime now) {
  if (elapsed_us(adjusted_, now) <= config_.freeze_ms * 1000) {
    return;
  }
  adjusted_ = now;
  const std::int64_t taken = config_.tokens_max - tokens_;
  const double allowed = std::round(static_cast<double>(config_.tokens_max) * config_.decrease_ratio);
  if (taken == config_.tokens_max) {
    drop_ = std::min(1.0, drop_ + config_.drop_increase);
  } else if (static_cast<double>(taken) <= allowed) {
    drop_ = std::max(0.0, drop_ - config_.drop_decrease);
  }
}

}  // namespace quorate::replica
