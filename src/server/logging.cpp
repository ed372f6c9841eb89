#include "server/logging.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <poll.h>
#include <spdlog/async.h>
#include <spdlog/async_logger.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>
#include <string>
#include <unistd.h>
#include <utility>

namespace quorate::server {

namespace {

constexpr std::size_t queue_lines = 8192;
// A pipe takes a line of up to PIPE_BUF (4096) bytes at once or not at all, so poll() tells whether a write would
// stall.
constexpr std::size_t line_bytes_max = 3500;

// Standard error, unless it stalls: then lines are dropped and counted until it takes one again.
class PatientSink final : public spdlog::sinks::base_sink<std::mutex> {
 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    if (!is_writable()) {
      ++dropped_;
      return;
    }
    if (dropped_ > 0) {
      write("(" + std::to_string(std::exchange(dropped_, 0)) + " lines of the log were dropped: nobody read them)\n");
    }
    write(std::string_view(line.data(), line.size()));
  }
  void flush_() override {}

  bool is_writable() {
    pollfd wanted{.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
    // Patience once, then none until a line goes through: a stop must not wait for each of thousands of lines.
    const bool writable = ::poll(&wanted, 1, stalled_ ? 0 : 200) > 0 && (wanted.revents & POLLOUT) != 0;
    stalled_ = !writable;
    return writable;
  }

  static void write(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t written = ::write(STDERR_FILENO, bytes.data(), bytes.size());
      if (written <= 0) {
        return;
      }
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
  }

  bool stalled_ = false;
  std::uint64_t dropped_ = 0;
};

struct Logging {
  std::shared_ptr<spdlog::details::thread_pool> pool;
  std::shared_ptr<spdlog::async_logger> logger;
  LogFormat format = LogFormat::text;
};

// One a process, as standard error is; set before other threads start and cleared after they ended.
Logging& logging() {
  static Logging one;
  return one;
}

spdlog::level::level_enum level_of(LogLevel level) {
  constexpr std::array levels = {spdlog::level::debug, spdlog::level::info, spdlog::level::warn, spdlog::level::err};
  return levels[static_cast<std::size_t>(level)];
}

void log(spdlog::level::level_enum level, std::string_view line) {
  Logging& one = logging();
  if (one.logger && one.logger->should_log(level)) {
    one.logger->log(level, escape_line(line, one.format));
  }
}

// Bytes of the well-formed UTF-8 sequence at the start; 0 if there is none.
std::size_t utf8_length(std::string_view text) {
  const auto byte = [text](std::size_t at) { return at < text.size() ? static_cast<unsigned char>(text[at]) : 0U; };
  const auto follows = [&byte](std::size_t at) { return (byte(at) & 0xC0U) == 0x80U; };
  if (byte(0) < 0x80) {
    return 1;
  }
  if (byte(0) >= 0xC2 && byte(0) <= 0xDF) {
    return follows(1) ? 2 : 0;
  }
  if (byte(0) >= 0xE0 && byte(0) <= 0xEF) {
    return follows(1) && follows(2) ? 3 : 0;
  }
  return byte(0) >= 0xF0 && byte(0) <= 0xF4 && follows(1) && follows(2) && follows(3) ? 4 : 0;
}

}  // namespace

std::string escape_line(std::string_view line, LogFormat format) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  while (!line.empty() && out.size() < line_bytes_max) {
    const auto byte = static_cast<unsigned char>(line.front());
    const std::size_t length = utf8_length(line);
    // C1 controls (U+0080 to U+009F) steer terminals as the ASCII ones do.
    const bool control =
        byte < 0x20 || byte == 0x7F || (byte == 0xC2 && length == 2 && static_cast<unsigned char>(line[1]) < 0xA0);
    if (length == 0 || control) {
      out += format == LogFormat::json ? "\\\\x" : "\\x";
      out.push_back(digits[byte >> 4U]);
      out.push_back(digits[byte & 15U]);
      line.remove_prefix(1);
      continue;
    }
    if (format == LogFormat::json && (byte == '"' || byte == '\\')) {
      out.push_back('\\');
    }
    out += line.substr(0, length);
    line.remove_prefix(length);
  }
  if (!line.empty()) {
    out += "...";
  }
  return out;
}

void start_logging(LogLevel level, LogFormat format) {
  Logging& one = logging();
  one.format = format;
  one.pool = std::make_shared<spdlog::details::thread_pool>(queue_lines, 1);
  one.logger = std::make_shared<spdlog::async_logger>("quorate", std::make_shared<PatientSink>(), one.pool,
                                                      spdlog::async_overflow_policy::overrun_oldest);
  one.logger->set_level(level_of(level));
  one.logger->set_pattern(format == LogFormat::json ? R"({"time":"%Y-%m-%dT%H:%M:%S.%e%z","level":"%l","message":"%v"})"
                                                    : "%Y-%m-%d %H:%M:%S.%e %-7l %v");
}

void stop_logging() {
  logging() = Logging{};
}

void log_debug(std::string_view line) {
  log(spdlog::level::debug, line);
}
void log_info(std::string_view line) {
  log(spdlog::level::info, line);
}
void log_warning(std::string_view line) {
  log(spdlog::level::warn, line);
}
void log_error(std::string_view line) {
  log(spdlog::level::err, line);
}

}  // namespace quorate::server
