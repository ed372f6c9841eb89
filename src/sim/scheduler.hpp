#pragma once

// Simulated time: one thread, one queue of events in the order of (time, sequence) (F-001). What happens next is a
// function of what was scheduled, never of the machine that runs it.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

#include "base/ids.hpp"
#include "sim/action.hpp"

namespace quorate::sim {

class Scheduler {
 public:
  [[nodiscard]] MonoTime now() const { return now_; }
  // Not before now; of equal times the one that was scheduled first goes first.
  template <class Call>
  void at(MonoTime when, Call&& call) {
    const std::uint32_t slot = take_slot();
    actions_[slot].set(std::forward<Call>(call));
    enqueue(when, slot);
  }
  template <class Call>
  void after(std::int64_t microseconds, Call&& call) {
    at(after_us(now_, microseconds), std::forward<Call>(call));
  }

  // Lets the next event happen, if it is due at or before `end`; otherwise time is `end`, and false.
  bool step(MonoTime end);
  [[nodiscard]] std::uint64_t steps() const { return steps_; }
  [[nodiscard]] std::size_t waiting() const { return queue_.size(); }

 private:
  struct Due {
    MonoTime when{};
    std::uint32_t slot = 0;
  };

  std::uint32_t take_slot();
  void enqueue(MonoTime when, std::uint32_t slot);

  MonoTime now_{};
  std::uint64_t steps_ = 0;
  // The next one last; of equal times the older one behind the younger.
  std::vector<Due> queue_;
  std::deque<Action> actions_;  // They stay where they are.
  std::vector<std::uint32_t> free_;
};

}  // namespace quorate::sim
