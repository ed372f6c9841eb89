#pragma once

// A server's two clocks, as wrong as the seed wants them: the monotonic one may run fast or slow (F-402), the wall
// clock may also jump, in both directions (F-401).

#include <cstdint>

#include "base/ids.hpp"

namespace quorate::sim {

class Clock {
 public:
  // `start_us`: what it showed when the world began; a machine's monotonic clock counts from its own start.
  explicit Clock(std::int64_t start_us = 0) : shown_(MonoTime{start_us}) {}

  [[nodiscard]] MonoTime monotonic(MonoTime world) const {
    const std::int64_t elapsed = elapsed_us(anchor_, world);
    return after_us(shown_, elapsed + elapsed * drift_ppm_ / 1'000'000);
  }
  [[nodiscard]] WallTime wall(MonoTime world) const {
    return WallTime{epoch_ms + raw(monotonic(world)) / 1000 + wall_ahead_ms_};
  }
  // How long until this clock has gone on by `microseconds`.
  [[nodiscard]] std::int64_t world_us(std::int64_t microseconds) const {
    return microseconds * 1'000'000 / (1'000'000 + drift_ppm_);
  }
  // From now on; more than -1'000'000.
  void set_drift(MonoTime world, std::int64_t ppm) {
    shown_ = monotonic(world);
    anchor_ = world;
    drift_ppm_ = ppm;
  }
  [[nodiscard]] std::int64_t drift_ppm() const { return drift_ppm_; }
  void jump_wall(std::int64_t milliseconds) { wall_ahead_ms_ += milliseconds; }

 private:
  static constexpr std::int64_t epoch_ms = 1'700'000'000'000;

  MonoTime anchor_{};
  MonoTime shown_;
  std::int64_t drift_ppm_ = 0;
  std::int64_t wall_ahead_ms_ = 0;
};

}  // namespace quorate::sim
