#include "server/event_lines.hpp"

#include <fmt/format.h>
#include <utility>

#include "base/ensure.hpp"

namespace quorate::server {

namespace {

std::string others(std::uint64_t count) {
  return count == 0 ? std::string() : fmt::format(" ({} more since the last such line)", count);
}

}  // namespace

std::optional<EventLine> CloseLines::line_for(const replica::Front::Action& action, std::string_view host,
                                              std::uint16_t port, MonoTime now) {
  ensure(action.close, "only a close has a reason");
  const std::optional<std::uint64_t> unsaid = limits_.at(std::to_underlying(action.reason)).admit(now);
  if (!unsaid) {
    return std::nullopt;
  }
  EventLine line{.level = replica::is_routine(action.reason) ? LogLevel::debug : LogLevel::warning,
                 .text = fmt::format("closing the connection from {}:{}", host, port)};
  if (action.session != SessionId{}) {
    line.text += fmt::format(" with session 0x{:x}", static_cast<std::uint64_t>(raw(action.session)));
  }
  line.text += fmt::format(": {}", replica::describe(action.reason));
  if (action.reason == replica::CloseReason::frame_too_large) {
    line.text += fmt::format(": {} bytes, allowed are 0 to {}", action.refused_length, frame_bytes_max_);
  }
  line.text += others(*unsaid);
  return line;
}

void ChangeLines::begin(const replica::ReplicaStats& replica, const tree::QuotaExcess& quota) {
  expired_ = replica.sessions_expired;
  quota_excesses_ = quota.count;
}

std::optional<EventLine> ChangeLines::expiries(const replica::ReplicaStats& replica) {
  const std::uint64_t fresh = replica.sessions_expired - std::exchange(expired_, replica.sessions_expired);
  if (fresh == 0) {
    return std::nullopt;
  }
  return EventLine{.level = LogLevel::info,
                   .text = fmt::format("session 0x{:x} expired: nothing was heard of it for its timeout of {} ms{}",
                                       static_cast<std::uint64_t>(raw(replica.last_expired)),
                                       replica.last_expired_timeout_ms, others(fresh - 1))};
}

std::optional<EventLine> ChangeLines::quotas(const tree::QuotaExcess& quota) {
  const std::uint64_t fresh = quota.count - std::exchange(quota_excesses_, quota.count);
  if (fresh == 0) {
    return std::nullopt;
  }
  return EventLine{.level = LogLevel::warning,
                   .text = fmt::format("quota exceeded: {} has {}={}, its {} limit is {}{}", quota.path,
                                       quota.is_of_bytes ? "bytes" : "count", quota.used,
                                       quota.is_hard ? "hard" : "soft", quota.limit, others(fresh - 1))};
}

std::optional<EventLine> ChangeLines::memory(const replica::ReplicaStats& replica, std::size_t used,
                                             std::size_t limit) {
  constexpr std::size_t mib = 1U << 20;
  const bool refuses = replica.refused_for_memory != std::exchange(refused_for_memory_, replica.refused_for_memory);
  const bool begins = refuses && !is_out_of_memory_;
  const bool ends = !refuses && is_out_of_memory_ && used < limit - limit / 20;
  if (!begins && !ends) {
    return std::nullopt;
  }
  is_out_of_memory_ = begins;
  if (begins) {
    return EventLine{
        .level = LogLevel::error,
        .text = fmt::format("the tree takes {} MiB and may take {} (treeMemoryLimitInMb): what grows it is "
                            "refused until something is deleted",
                            used / mib, limit / mib)};
  }
  return EventLine{
      .level = LogLevel::info,
      .text = fmt::format("the tree has room again, {} of {} MiB: writes are served", used / mib, limit / mib)};
}

void log_line(const EventLine& line) {
  switch (line.level) {
    case LogLevel::debug:
      log_debug(line.text);
      break;
    case LogLevel::info:
      log_info(line.text);
      break;
    case LogLevel::warning:
      log_warning(line.text);
      break;
    case LogLevel::error:
      log_error(line.text);
      break;
  }
}

}  // namespace quorate::server
