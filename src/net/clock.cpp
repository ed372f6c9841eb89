#include "net/clock.hpp"

#include <chrono>

namespace quorate::net {

MonoTime monotonic_now() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return MonoTime{std::chrono::duration_cast<std::chrono::microseconds>(now).count()};
}

WallTime wall_now() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return WallTime{std::chrono::duration_cast<std::chrono::milliseconds>(now).count()};
}

}  // namespace quorate::net
