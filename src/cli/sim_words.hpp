#pragma once

// A line of a simulated run's trace for people (docs/simulator.md describes the lines).

#include <string>
#include <string_view>

namespace quorate::cli {

// "12.345678 s  server 2  sends server 3: append? ...". What is no line of a trace comes back as it is.
[[nodiscard]] std::string in_words(std::string_view trace_line);

}  // namespace quorate::cli
