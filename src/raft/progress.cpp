#include "raft/progress.hpp"

#include <algorithm>

#include "base/ensure.hpp"

namespace quorate::raft {
namespace {

constexpr std::size_t forgotten_max = 64;  // Acknowledged elements at the window's front before they are moved out.

}  // namespace

Progress::Progress(NodeId id, Index next_index, MonoTime now) : heard(now), id_(id), next_(next_index) {
  ensure(raw(next_index) > 0, "the first entry has index 1");
}

bool Progress::is_open(const Limits& limits) const {
  switch (flow_) {
    case Flow::probe:
      return !probe_is_out_;
    case Flow::replicate:
      return inflight_messages() < limits.inflight_messages_max && inflight_bytes_ < limits.inflight_bytes_max;
    case Flow::snapshot:
      return false;
  }
  fail("every flow is named");
}

std::uint64_t Progress::sent(Index last, std::size_t bytes) {
  ensure(flow_ != Flow::snapshot, "a follower that gets a snapshot gets no appends (R-306)");
  if (flow_ == Flow::probe) {
    probe_is_out_ = true;
  } else if (bytes > 0) {
    ensure(last >= next_, "a pipeline goes forward");
    inflight_.push_back(InFlight{.last = last, .bytes = bytes});
    inflight_bytes_ += bytes;
    next_ = next(last);
  }
  return ++sequence_;
}

bool Progress::accepted(Index match) {
  heard_since_nudge_ = true;
  const bool is_news = match > match_;
  match_ = std::max(match_, match);
  if (flow_ == Flow::probe) {
    // R-306, K-23: also the answer that tells nothing new opens the pipeline again.
    flow_ = Flow::replicate;
    next_ = next(match_);
    clear_window();
  }
  next_ = std::max(next_, next(match_));
  while (inflight_head_ < inflight_.size() && inflight_[inflight_head_].last <= match_) {
    ensure(inflight_bytes_ >= inflight_[inflight_head_].bytes, "what was sent was counted (R-307)");
    inflight_bytes_ -= inflight_[inflight_head_].bytes;
    ++inflight_head_;
  }
  if (inflight_head_ == inflight_.size() || inflight_head_ >= forgotten_max) {
    inflight_.erase(inflight_.begin(), inflight_.begin() + static_cast<std::ptrdiff_t>(inflight_head_));
    inflight_head_ = 0;
  }
  ensure(next_ > match_, "what is sent next is not acknowledged yet (I-111)");
  return is_news;
}

bool Progress::refused(std::uint64_t sequence, Index agreed) {
  // R-305, K-39, K-59: an answer to what was sent before the last change of course moves nothing.
  if (flow_ == Flow::snapshot || sequence < first_valid_sequence_ || sequence > sequence_) {
    return false;
  }
  become_probe();
  next_ = std::max(next(match_), next(agreed));
  ensure(next_ > match_, "a refusal never goes back behind what is acknowledged (R-306)");
  return true;
}

void Progress::rewind(Index agreed) {
  ensure(flow_ == Flow::probe && agreed >= match_, "only a probe looks for the common part, above what is known of it");
  next_ = next(agreed);
}

bool Progress::nudge(Index last) {
  ensure(match_ <= last, "nobody has more than the leader (I-103)");
  if (flow_ == Flow::probe) {
    probe_is_out_ = false;  // R-309, K-23: also where it has everything, or it would never leave the probe.
    return true;
  }
  if (flow_ == Flow::snapshot || match_ >= last) {
    return false;
  }
  // One quiet heartbeat is no proof: what is under way may just be slow. After it an append at the pipeline's end
  // tells: the follower accepts it, or refuses it and names where the hole begins.
  const bool is_quiet = !heard_since_nudge_;
  heard_since_nudge_ = false;
  return is_quiet;
}

void Progress::become_probe() {
  flow_ = Flow::probe;
  next_ = next(match_);
  snapshot.reset();
  probe_is_out_ = false;
  first_valid_sequence_ = sequence_ + 1;
  clear_window();
  ensure(next_ > match_, "what is sent next is not acknowledged yet (I-111)");
}

void Progress::become_snapshot() {
  flow_ = Flow::snapshot;
  ensure(!snapshot.has_value(), "one transfer at a time (R-605)");
  snapshot = SnapshotTransfer{};
  first_valid_sequence_ = sequence_ + 1;
  clear_window();
}

// R-307, K-24: both counters, at every change of state.
void Progress::clear_window() {
  inflight_.clear();
  inflight_head_ = 0;
  inflight_bytes_ = 0;
  ensure(inflight_messages() == 0, "both counters are cleared (R-307, K-24)");
  heard_since_nudge_ = true;
  is_reading_log = false;
  agrees_up_to.reset();
}

}  // namespace quorate::raft
