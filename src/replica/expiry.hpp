#pragma once

// When sessions expire (protocol 8.2, R-716): by the monotonic clock of the server that leads, in buckets of a tick.
// Not replicated: a new leader starts every session with its full timeout.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <unordered_map>
#include <vector>

#include "base/ids.hpp"

namespace quorate::replica {

class SessionExpiry {
 public:
  // A longer pause of the loop, or of the log, counts for no session. Loops sleep less than that, so it is no idleness.
  static constexpr std::int64_t pause_ms = 1000;
  // Fronts report touches in batches; a session is only silent when no report can be on its way any more.
  static constexpr std::int64_t report_lag_ms = 100;

  explicit SessionExpiry(std::int32_t tick_ms);

  // A session begins, or goes on with another timeout (resume): heard of at `at`.
  void set(SessionId session, std::int32_t timeout_ms, MonoTime at);
  void remove(SessionId session);
  // O(1). Unknown sessions and times before the newest are ignored.
  void touch(SessionId session, MonoTime at);
  // Every session gets its full timeout from `at` on (a new leader, R-716).
  void restart(MonoTime at);

  // Between these times nobody could be heard, for reasons that are the server's own: the time counts for no session.
  // Walks all sessions.
  void leave_out(MonoTime from, MonoTime until);

  // Appends the sessions that were silent for their timeout, and marks them closing: they are not named again.
  // Looks at `looks_max` of those that are due at most, so that no call is long; the next call goes on.
  void take_expired(MonoTime now, std::vector<SessionId>& into, std::size_t looks_max = SIZE_MAX);
  // The proposal to expire it came to nothing (refused, or void because the session moved).
  void not_closing(SessionId session);

  [[nodiscard]] std::size_t size() const { return sessions_.size(); }
  // For `dump`: buckets ascending by time, sessions ascending by id in each. Of at most that many sessions, whichever.
  void for_each_bucket(const std::function<void(MonoTime expires, const std::vector<SessionId>&)>& visit,
                       std::size_t sessions_max = SIZE_MAX) const;

 private:
  struct Lease {
    MonoTime touched{};
    std::int32_t timeout_ms = 0;
    std::int64_t bucket = 0;  // Where it is looked at next; a mention in any other bucket is stale.
    bool closing = false;
  };

  [[nodiscard]] std::int64_t bucket_of(const Lease& lease) const;
  void look_at(SessionId session, std::int64_t bucket, std::int64_t due, std::vector<SessionId>& into);
  void schedule(SessionId session, Lease& lease, std::int64_t bucket);

  std::int64_t tick_us_;
  // Looked up by id only; no decision depends on its order.
  std::unordered_map<SessionId, Lease> sessions_;
  // A touch does not move a session; its bucket does when it is due. So a touch costs one lookup.
  std::map<std::int64_t, std::vector<SessionId>> buckets_;
};

}  // namespace quorate::replica
