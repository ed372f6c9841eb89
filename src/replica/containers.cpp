#include "replica/containers.hpp"

#include <algorithm>
#include <utility>

#include "base/ensure.hpp"

namespace quorate::replica {
namespace {

constexpr std::int64_t minute_us = 60'000'000;

}  // namespace

ContainerCleaner::ContainerCleaner(std::int64_t check_interval_ms, std::size_t per_minute_max)
    : interval_us_(check_interval_ms * 1000), per_minute_max_(per_minute_max) {
  ensure(check_interval_ms > 0, "the cleaner rests between its passes");
}

std::size_t ContainerCleaner::allowance(MonoTime now) {
  if (!started_) {
    started_ = true;
    minute_start_ = now;
    next_pass_ = after_us(now, interval_us_);
  }
  if (elapsed_us(minute_start_, now) >= minute_us) {
    minute_start_ = now;
    used_in_minute_ = 0;
  }
  // Candidates under deletion would be found again; so the next look waits until those are gone.
  if (in_flight_ > 0) {
    return 0;
  }
  if (!pass_is_running_) {
    if (now < next_pass_) {
      return 0;
    }
    pass_is_running_ = true;
    pass_is_new_ = true;
    next_pass_ = after_us(now, interval_us_);
  }
  return std::min(batch_max, per_minute_max_ - std::min(per_minute_max_, used_in_minute_));
}

void ContainerCleaner::proposed(std::size_t count, std::size_t looked, std::size_t listed) {
  ensure(count <= batch_max, "no more is deleted than was allowed");
  used_in_minute_ += count;
  in_flight_ += count;
  if (std::exchange(pass_is_new_, false)) {
    left_to_look_ = listed;
  }
  left_to_look_ -= std::min(left_to_look_, looked);
  pass_is_running_ = left_to_look_ > 0;
}

void ContainerCleaner::settled() {
  ensure(in_flight_ > 0, "what settles was under way");
  --in_flight_;
}

}  // namespace quorate::replica
