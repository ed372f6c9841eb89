#pragma once

// How many new sessions a moment may bring (protocol 14.5, operations 1.4): a token bucket and, in front of it, a
// probability of turning handshakes away that grows while the bucket is found empty and shrinks while it is full enough
// (the BLUE queue of Feng, Shin, Kandlur and Saha). So a storm of reconnects meets refusals before it meets a wall.

#include <cstdint>

#include "base/ids.hpp"
#include "base/prng.hpp"

namespace quorate::replica {

struct ConnectionThrottleConfig {
  std::int64_t tokens_max = 0;   // connectionMaxTokens: the bucket's size; 0: off.
  std::int64_t fill_ms = 1;      // connectionTokenFillTime: how often it is filled ...
  std::int64_t fill_count = 1;   // connectionTokenFillCount: ... and with how many.
  std::int64_t freeze_ms = -1;   // connectionFreezeTime: between adjustments of the probability; -1: it stays 0.
  double drop_increase = 0.02;   // connectionDropIncrease
  double drop_decrease = 0.002;  // connectionDropDecrease
  double decrease_ratio = 0;     // connectionDecreaseRatio: how much of the bucket may be out for the decrease.
  // connection_throttle_*_weight, where enabled: what a session costs.
  std::int64_t new_session_weight = 1;
  std::int64_t renewed_session_weight = 1;
};

class ConnectionThrottle {
 public:
  ConnectionThrottle(ConnectionThrottleConfig config, Prng prng);

  // Whether a handshake at `now` may go on; takes its tokens. The bucket is full at the first.
  bool admit(MonoTime now, bool is_new_session);
  // connection_drop_probability, 0 to 1.
  [[nodiscard]] double drop_probability() const { return drop_; }
  [[nodiscard]] std::int64_t tokens() const { return tokens_; }

 private:
  void fill(MonoTime now);
  void adjust(MonoTime now);

  ConnectionThrottleConfig config_;
  Prng prng_;
  std::int64_t tokens_;
  MonoTime filled_{};
  MonoTime adjusted_{};
  double drop_ = 0;
};

}  // namespace quorate::replica
