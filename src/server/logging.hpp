#pragma once

// The server's log: lines on standard error, as text or as JSON. Lines are handed to a thread of its own over a bounded
// queue: a reader of standard error that stalls costs lines, which are counted, never time (F-608).

#include <cstdint>
#include <string>
#include <string_view>

namespace quorate::server {

enum class LogLevel : std::uint8_t { debug, info, warning, error };
enum class LogFormat : std::uint8_t { text, json };

// Until then, and after stop_logging(), lines go nowhere.
void start_logging(LogLevel level, LogFormat format);
// Writes what is queued, as far as standard error takes it.
void stop_logging();

// Text from clients may stand in a line: control characters and what is not UTF-8 are escaped, lines are cut (S-504).
void log_debug(std::string_view line);
void log_info(std::string_view line);
void log_warning(std::string_view line);
void log_error(std::string_view line);

// What a line becomes.
std::string escape_line(std::string_view line, LogFormat format);

}  // namespace quorate::server
