#pragma once

// Which lines the log gets of what happens to clients: why a connection was closed, who expired, which quota is
// exceeded. At most one line a second of each kind, with the number of those that it stands for.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.hpp"
#include "replica/front.hpp"
#include "replica/replica.hpp"
#include "server/line_limit.hpp"
#include "server/logging.hpp"
#include "tree/quota_excess.hpp"

namespace quorate::server {

struct EventLine {
  LogLevel level = LogLevel::info;
  std::string text;
};

// Why connections close: the client only sees the end.
class CloseLines {
 public:
  explicit CloseLines(std::size_t frame_bytes_max) : frame_bytes_max_(frame_bytes_max) {}

  // `action` closes a connection from `host` and `port`; nothing if its kind has had its line this second.
  std::optional<EventLine> line_for(const replica::Front::Action& action, std::string_view host, std::uint16_t port,
                                    MonoTime now);

 private:
  std::size_t frame_bytes_max_;
  std::array<LineLimit, replica::close_reasons> limits_;
};

// Counters that have moved since the last look become a line each; so a look a second is the limit.
class ChangeLines {
 public:
  // What happened before, while the log was replayed, is no news.
  void begin(const replica::ReplicaStats& replica, const tree::QuotaExcess& quota);

  std::optional<EventLine> expiries(const replica::ReplicaStats& replica);
  std::optional<EventLine> quotas(const tree::QuotaExcess& quota);
  // One line when the budget begins to refuse, one when there is room again: a twentieth of it, so that the two do not
  // take turns.
  std::optional<EventLine> memory(const replica::ReplicaStats& replica, std::size_t used, std::size_t limit);

 private:
  std::uint64_t expired_ = 0;
  std::uint64_t quota_excesses_ = 0;
  std::uint64_t refused_for_memory_ = 0;
  bool is_out_of_memory_ = false;
};

void log_line(const EventLine& line);

}  // namespace quorate::server
