#pragma once

// Assertions that stay in release builds: a broken promise of our own code stops the process.

#include <source_location>
#include <string>
#include <string_view>

namespace quorate {

// Describes the surroundings of a failed assertion (the simulator: seed and tick). Null: nothing is added.
using FailureContext = std::string (*)();
void set_failure_context(FailureContext context);

// Prints why and where on stderr, then aborts.
[[noreturn]] void fail(std::string_view why, std::source_location at = std::source_location::current());

// For what cannot be unless our own code is wrong. What the outside can cause is a Result, not an assertion.
constexpr void ensure(bool holds, std::string_view why = {},
                      std::source_location at = std::source_location::current()) {
  if (!holds) [[unlikely]] {
    fail(why, at);
  }
}

}  // namespace quorate
