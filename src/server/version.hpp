#pragma once

#include <string_view>

namespace quorate::server {

inline constexpr std::string_view version = "0.1.0";

}  // namespace quorate::server
