#pragma once

// Counters of one front, for admin (operations 2.4, 2.6, 2.9).

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/histogram.hpp"
#include "base/ids.hpp"

namespace quorate::replica {

// Of one connection since crst, or of the whole front since srst.
struct Traffic {
  std::uint64_t packets_received = 0;
  std::uint64_t packets_sent = 0;
};

// Of all requests since srst, in microseconds.
struct LatencySpan {
  std::uint64_t count = 0;
  std::uint64_t sum_us = 0;
  std::uint64_t minimum_us = 0;
  std::uint64_t maximum_us = 0;

  void record(std::uint64_t latency_us) {
    minimum_us = count == 0 ? latency_us : std::min(minimum_us, latency_us);
    maximum_us = std::max(maximum_us, latency_us);
    sum_us += latency_us;
    ++count;
  }
};

// What srst puts back (operations 2.2): latency and packets, and nothing else.
struct SinceReset {
  Traffic traffic;
  LatencySpan latency;
};

// All but `since_reset` is of the front's whole life: who takes rates of counters must never see them go back
// (operations 4.1).
struct FrontStats {
  SinceReset since_reset;
  Histogram read_latency_us;      // From arrival to the reply's being queued: reads, pings, and the rest that is local.
  Histogram write_latency_us;     // The same for what goes through the log.
  std::uint64_t outstanding = 0;  // Writes under way.
  std::uint64_t connections = 0;  // Open ones, those without a session included.
  std::uint64_t connections_opened = 0;
  std::uint64_t sessions_connected = 0;  // Created or resumed here.
  std::uint64_t resumes_asked = 0;       // Handshakes that named a session.
  std::uint64_t events_sent = 0;
  std::uint64_t event_bytes = 0;  // Of events_sent.
  std::uint64_t bytes_received = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t auth_failed = 0;
  std::uint64_t writes_refused = 0;            // -7
  std::uint64_t operations_throttled = 0;      // -127 (protocol 14.3)
  std::uint64_t late_requests_dropped = 0;     // Protocol 14.2.
  std::uint64_t slow_readers_closed = 0;       // S-203
  std::uint64_t malformed_closed = 0;          // Bad lengths, undecodable handshakes, unknown operations.
  std::uint64_t handshakes_timed_out = 0;      // Protocol 1.8.
  std::uint64_t large_requests_rejected = 0;   // Protocol 14.4.
  std::uint64_t connections_rate_limited = 0;  // Protocol 14.5.
  std::int64_t reply_bytes_last = -1;
  std::int64_t reply_bytes_min = -1;
  std::int64_t reply_bytes_max = -1;
};

// One line of `cons`. Views are valid during the visit.
struct ConnectionInfo {
  std::string_view ip;
  std::uint16_t port = 0;
  std::uint64_t queued = 0;  // Requests under way.
  Traffic traffic;
  bool wants_input = true;
  bool has_output = false;
  SessionId session{};  // 0: no session yet; what follows is meaningless then.
  std::string_view last_operation = "NA";
  MonoTime opened{};
  std::int32_t timeout_ms = 0;
  std::int32_t last_xid = 0;
  Zxid last_zxid{};
  MonoTime last_reply{};
  std::int64_t last_latency_us = 0;
  std::int64_t latency_min_us = 0;
  std::int64_t latency_max_us = 0;
  std::int64_t latency_sum_us = 0;
  std::uint64_t latency_count = 0;
  std::uint32_t watcher = 0;  // The connection's number in Front::watches().
};

}  // namespace quorate::replica
