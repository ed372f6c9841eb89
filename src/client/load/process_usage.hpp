#pragma once

// What a process has used, from /proc; and what this thread has.

#include <cstdint>
#include <vector>

#include "base/result.hpp"

namespace quorate::client::load {

struct ProcessUsage {
  std::int64_t cpu_us = 0;  // User and system, in steps of 10 ms.
  std::int64_t resident_bytes = 0;
};

// The sum over these processes. An error names the one that cannot be read.
Result<ProcessUsage> read_usage(const std::vector<int>& pids);

[[nodiscard]] std::int64_t thread_cpu_us();

}  // namespace quorate::client::load
