#pragma once

// The exit codes of the commands that work on a data directory.

#include "base/result.hpp"
#include "server/exit_codes.hpp"

namespace quorate::cli {

inline int exit_code_of(const Error& error) {
  switch (error.code) {
    case ErrorCode::corrupt:
      return static_cast<int>(server::ExitCode::damaged_data);
    case ErrorCode::unsupported:
      return static_cast<int>(server::ExitCode::newer_format);
    case ErrorCode::refused:
      return static_cast<int>(server::ExitCode::unexpected);
    default:
      return static_cast<int>(server::ExitCode::data_directory);
  }
}

}  // namespace quorate::cli
