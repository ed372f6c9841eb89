#pragma once

// Deletion of containers and expired TTL nodes (protocol 9): when to look, and how many to delete. Pure arithmetic; the
// tree finds the candidates and judges each again when its deletion is applied.

#include <cstddef>
#include <cstdint>

#include "base/ids.hpp"

namespace quorate::replica {

class ContainerCleaner {
 public:
  ContainerCleaner(std::int64_t check_interval_ms, std::size_t per_minute_max);

  // How many deletions may be proposed now; 0: none. One pass starts each interval, and goes on in later calls while
  // not all that the tree lists was looked at, which is more than one call does.
  [[nodiscard]] std::size_t allowance(MonoTime now);
  // What came of the allowance: `count` deletions were proposed after a look at `looked` of the `listed` znodes. Not
  // looked at counts what was found and could not be proposed.
  void proposed(std::size_t count, std::size_t looked, std::size_t listed);
  // One proposal was applied (or could not be made).
  void settled();

  [[nodiscard]] std::size_t in_flight() const { return in_flight_; }

 private:
  static constexpr std::size_t batch_max = 256;  // A slice of a turn (design chapter 7).

  std::int64_t interval_us_;
  std::size_t per_minute_max_;
  MonoTime next_pass_{};
  MonoTime minute_start_{};
  std::size_t used_in_minute_ = 0;
  std::size_t in_flight_ = 0;
  std::size_t left_to_look_ = 0;  // In this pass.
  bool started_ = false;
  bool pass_is_running_ = false;
  bool pass_is_new_ = false;  // It has not looked yet.
};

}  // namespace quorate::replica
