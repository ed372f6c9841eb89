#pragma once

#include <string_view>

namespace quorate::server {

// What this program is; from CMake (cmake/version.cmake).
std::string_view version();      // "0.1.0"
std::string_view commit();       // "ccaff85d1f", or "release" if it was not built from a clone.
std::string_view commit_date();  // "2026-11-21 15:35 UTC"

}  // namespace quorate::server
