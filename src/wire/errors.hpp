#pragma once

// The one table of error codes (protocol 13).

#include <cstdint>
#include <span>
#include <string_view>

#include "tree/status.hpp"

namespace quorate::wire {

struct ErrorInfo {
  tree::Status status{};
  std::string_view name;     // "NoNode"
  std::string_view meaning;  // For people.
  bool sent_to_clients = false;
};

[[nodiscard]] std::span<const ErrorInfo> error_table();
[[nodiscard]] std::string_view error_name(tree::Status status);

}  // namespace quorate::wire
