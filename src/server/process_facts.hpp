#pragma once

// What the operating system says about this process and machine (`envi`, `mntr`).

#include <cstdint>

#include "admin/status.hpp"

namespace quorate::server {

[[nodiscard]] std::uint64_t resident_bytes();
[[nodiscard]] std::uint64_t open_descriptors();  // Walks a directory of them.
[[nodiscard]] admin::EnvironmentStatus environment();

}  // namespace quorate::server
