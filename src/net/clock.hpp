#pragma once

// The clocks. Nothing below net, server and cli reads one: time travels inward as an argument.

#include "base/ids.hpp"

namespace quorate::net {

[[nodiscard]] MonoTime monotonic_now();  // Microseconds since some start; never goes back.
[[nodiscard]] WallTime wall_now();       // Milliseconds since 1970.

}  // namespace quorate::net
