#pragma once

#include <cstdint>
#include <string>

namespace quorate::client {

// "-101 NoNode"; a number that protocol 13 does not have stands alone.
[[nodiscard]] std::string describe_error(std::int32_t error);

}  // namespace quorate::client
