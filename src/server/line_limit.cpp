#include "server/line_limit.hpp"

#include <utility>

namespace quorate::server {

namespace {

constexpr std::int64_t interval_ms = 1000;

}  // namespace

std::optional<std::uint64_t> LineLimit::admit(MonoTime now) {
  if (now < next_) {
    ++unsaid_;
    return std::nullopt;
  }
  next_ = after_ms(now, interval_ms);
  return std::exchange(unsaid_, 0);
}

}  // namespace quorate::server
