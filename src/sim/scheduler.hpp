#pragma once

// Simulated time: one thread, one queue of events in the order of (time, sequence) (F-001). What happens next is a
// function of what was scheduled, never of the machine that runs it.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "base/ids.hpp"

namespace quorate::sim {

class Scheduler {
 public:
  using Action = std::move_only_function<void()>;

  [[nodiscard]] MonoTime now() const { return now_; }
  // Not before now; of equal times the one that was scheduled first goes first.
  void at(MonoTime when, Action action);
  void after(std::int64_t microseconds, Action action) { at(after_us(now_, microseconds), std::move(action)); }

  // Lets the next event happen, if it is due at or before `end`; otherwise time is `end`, and false.
  bool step(MonoTime end);
  [[nodiscard]] std::uint64_t steps() const { return steps_; }
  [[nodiscard]] std::size_t waiting() const { return heap_.size(); }

 private:
  struct Due {
    MonoTime when{};
    std::uint64_t sequence = 0;
    std::uint32_t slot = 0;  // Actions stay where they are while the heap moves.

    // The heap's top is the greatest: the earliest.
    friend bool operator<(const Due& a, const Due& b) {
      return a.when != b.when ? a.when > b.when : a.sequence > b.sequence;
    }
  };

  MonoTime now_{};
  std::uint64_t steps_ = 0;
  std::uint64_t last_sequence_ = 0;
  std::vector<Due> heap_;
  std::vector<Action> actions_;
  std::vector<std::uint32_t> free_;
};

}  // namespace quorate::sim
