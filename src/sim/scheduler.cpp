#include "sim/scheduler.hpp"

#include <algorithm>
#include <utility>

#include "base/ensure.hpp"

namespace quorate::sim {

void Scheduler::at(MonoTime when, Action action) {
  ensure(when >= now_, "the past is over");
  std::uint32_t slot = 0;
  if (free_.empty()) {
    slot = static_cast<std::uint32_t>(actions_.size());
    actions_.push_back(std::move(action));
  } else {
    slot = free_.back();
    free_.pop_back();
    actions_[slot] = std::move(action);
  }
  heap_.push_back(Due{.when = when, .sequence = ++last_sequence_, .slot = slot});
  std::push_heap(heap_.begin(), heap_.end());
}

bool Scheduler::step(MonoTime end) {
  if (heap_.empty() || heap_.front().when > end) {
    now_ = std::max(now_, end);
    return false;
  }
  std::pop_heap(heap_.begin(), heap_.end());
  const Due due = heap_.back();
  heap_.pop_back();
  now_ = due.when;
  ++steps_;
  // Out of its slot first: it may schedule others.
  Action action = std::exchange(actions_[due.slot], {});
  free_.push_back(due.slot);
  action();
  return true;
}

}  // namespace quorate::sim
