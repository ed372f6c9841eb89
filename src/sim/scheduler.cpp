#include "sim/scheduler.hpp"

#include <algorithm>

#include "base/ensure.hpp"

namespace quorate::sim {

std::uint32_t Scheduler::take_slot() {
  if (free_.empty()) {
    actions_.emplace_back();
    return static_cast<std::uint32_t>(actions_.size() - 1);
  }
  const std::uint32_t slot = free_.back();
  free_.pop_back();
  return slot;
}

// Nearly all that is scheduled is due soon, so its place is near the end.
void Scheduler::enqueue(MonoTime when, std::uint32_t slot) {
  ensure(when >= now_, "the past is over");
  queue_.emplace_back();
  std::size_t place = queue_.size() - 1;
  for (; place > 0 && queue_[place - 1].when <= when; --place) {
    queue_[place] = queue_[place - 1];
  }
  queue_[place] = Due{.when = when, .slot = slot};
}

bool Scheduler::step(MonoTime end) {
  if (queue_.empty() || queue_.back().when > end) {
    now_ = std::max(now_, end);
    return false;
  }
  const Due due = queue_.back();
  queue_.pop_back();
  now_ = due.when;
  ++steps_;
  actions_[due.slot].run();  // Its slot is not free before its end: it may schedule others.
  free_.push_back(due.slot);
  return true;
}

}  // namespace quorate::sim
