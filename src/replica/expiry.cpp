#include "replica/expiry.hpp"

#include <algorithm>
#include <utility>

#include "base/ensure.hpp"

namespace quorate::replica {

SessionExpiry::SessionExpiry(std::int32_t tick_ms) : tick_us_(std::int64_t{tick_ms} * 1000) {
  ensure(tick_ms > 0, "a tick takes time");
}

// Rounded up to the next multiple of a tick strictly greater than touch + timeout (protocol 8.2).
std::int64_t SessionExpiry::bucket_of(const Lease& lease) const {
  return raw(after_ms(lease.touched, lease.timeout_ms)) / tick_us_ + 1;
}

void SessionExpiry::schedule(SessionId session, Lease& lease, std::int64_t bucket) {
  lease.bucket = bucket;
  buckets_[bucket].push_back(session);
}

void SessionExpiry::set(SessionId session, std::int32_t timeout_ms, MonoTime at) {
  const auto [found, is_new] = sessions_.try_emplace(session);
  Lease& lease = found->second;
  lease.touched = std::max(lease.touched, at);
  lease.timeout_ms = timeout_ms;
  lease.closing = false;
  const std::int64_t bucket = bucket_of(lease);
  if (is_new || bucket != lease.bucket) {
    schedule(session, lease, bucket);
  }
}

void SessionExpiry::remove(SessionId session) {
  sessions_.erase(session);
}

void SessionExpiry::touch(SessionId session, MonoTime at) {
  const auto found = sessions_.find(session);
  if (found != sessions_.end() && found->second.touched < at) {
    found->second.touched = at;
  }
}

void SessionExpiry::restart(MonoTime at) {
  std::vector<SessionId> reopened;
  for (auto& [session, lease] : sessions_) {
    lease.touched = std::max(lease.touched, at);
    if (lease.closing) {
      reopened.push_back(session);
    }
  }
  std::ranges::sort(reopened);
  std::ranges::for_each(reopened, [this](SessionId session) { not_closing(session); });
}

void SessionExpiry::leave_out(MonoTime from, MonoTime until) {
  ensure(from <= until, "time does not go back");
  for (auto& [session, lease] : sessions_) {
    const MonoTime heard = std::min(lease.touched, until);
    // It keeps its place in the buckets: when that one is due, it turns out to be too early.
    lease.touched = std::max(lease.touched, after_us(heard, elapsed_us(std::max(heard, from), until)));
  }
}

void SessionExpiry::take_expired(MonoTime now, std::vector<SessionId>& into, std::size_t looks_max) {
  const std::int64_t due = raw(after_ms(now, -report_lag_ms)) / tick_us_;
  while (!buckets_.empty() && buckets_.begin()->first <= due) {
    auto& [bucket, members] = *buckets_.begin();
    for (; !members.empty(); members.pop_back(), --looks_max) {
      if (looks_max == 0) {
        return;
      }
      look_at(members.back(), bucket, due, into);
    }
    buckets_.erase(buckets_.begin());
  }
}

void SessionExpiry::look_at(SessionId session, std::int64_t bucket, std::int64_t due, std::vector<SessionId>& into) {
  const auto found = sessions_.find(session);
  if (found == sessions_.end() || found->second.closing || found->second.bucket != bucket) {
    return;
  }
  Lease& lease = found->second;
  const std::int64_t wanted = bucket_of(lease);
  if (wanted > due) {
    schedule(session, lease, wanted);
  } else {
    lease.closing = true;
    lease.bucket = 0;
    into.push_back(session);
  }
}

void SessionExpiry::not_closing(SessionId session) {
  const auto found = sessions_.find(session);
  if (found != sessions_.end() && found->second.closing) {
    found->second.closing = false;
    schedule(session, found->second, bucket_of(found->second));
  }
}

void SessionExpiry::for_each_bucket(const std::function<void(MonoTime expires, const std::vector<SessionId>&)>& visit,
                                    std::size_t sessions_max) const {
  std::map<std::int64_t, std::vector<SessionId>> view;
  for (const auto& [session, lease] : sessions_) {
    if (sessions_max-- == 0) {
      break;
    }
    view[bucket_of(lease)].push_back(session);
  }
  for (auto& [bucket, members] : view) {
    std::ranges::sort(members);
    visit(MonoTime{bucket * tick_us_}, members);
  }
}

}  // namespace quorate::replica
