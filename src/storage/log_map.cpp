#include "storage/log_map.hpp"

#include <algorithm>

#include "base/ensure.hpp"
#include "storage/segment.hpp"

namespace quorate::storage {
namespace {

// What a read may scan in vain before its first entry.
constexpr std::uint64_t mark_bytes = 64U << 10;

}  // namespace

void LogMap::begin_anew(Index start, std::optional<Term> term) {
  start_ = start;
  last_ = start;
  marks_.clear();
  runs_.clear();
  if (term) {
    runs_.push_back(Run{.first = start, .term = *term});
  }
}

// The entries from `first` on are no longer part of the log.
void LogMap::truncate(Index first) {
  if (first <= start_) {
    // What a segment that is gone held is written anew; the term before it is not known here.
    begin_anew(previous(first), std::nullopt);
    return;
  }
  while (!marks_.empty() && marks_.back().index >= first) {
    marks_.pop_back();
  }
  while (!runs_.empty() && runs_.back().first >= first) {
    runs_.pop_back();
  }
  last_ = previous(first);
}

void LogMap::add(const PlacedBatch& batch) {
  ensure(raw(batch.first) > 0 && batch.first <= batch.last, "a batch has entries");
  ensure(batch.first <= next(last_), "the log has no gaps");
  const bool replaces = batch.first <= last_;
  if (replaces) {
    truncate(batch.first);
  }
  // Within a span nothing is replaced, and none crosses segments: so a batch that replaces others begins one.
  const auto is_far = [&batch](const Mark& mark) {
    return segment_of(mark.position) != segment_of(batch.position) || batch.position - mark.position >= mark_bytes ||
           (batch.position == mark.position && batch.in_payload - mark.in_payload >= mark_bytes);
  };
  if (replaces || marks_.empty() || is_far(marks_.back())) {
    marks_.push_back(Mark{.index = batch.first, .position = batch.position, .in_payload = batch.in_payload});
  }
  if (runs_.empty() || runs_.back().term != batch.term) {
    runs_.push_back(Run{.first = batch.first, .term = batch.term});
  }
  last_ = batch.last;
}

void LogMap::forget_before(std::uint64_t sequence) {
  while (!marks_.empty() && segment_of(marks_.front().position) < sequence) {
    marks_.pop_front();
  }
  // The term of the position before what is left stays known.
  const Index start = marks_.empty() ? last_ : previous(marks_.front().index);
  ensure(start >= start_, "the log's start does not go back");
  start_ = start;
  while (runs_.size() > 1 && runs_[1].first <= start_) {
    runs_.pop_front();
  }
}

std::optional<raft::LogId> LogMap::newest_up_to(raft::LogId bound) const {
  Index end = last_;
  for (auto run = runs_.rbegin(); run != runs_.rend(); ++run) {
    const Index found = std::min(end, bound.index);
    if (run->term <= bound.term && run->first <= found) {
      return found < start_ ? std::nullopt : std::optional{raft::LogId{.term = run->term, .index = found}};
    }
    end = std::min(end, previous(run->first));
  }
  return std::nullopt;
}

std::vector<LogMap::Span> LogMap::spans(Index from, Index up_to, std::size_t spans_max) const {
  std::vector<Span> found;
  if (from <= start_ || from > std::min(last_, up_to)) {
    return found;
  }
  auto mark = std::ranges::upper_bound(marks_, from, {}, &Mark::index);
  ensure(mark != marks_.begin(), "every entry behind the start lies behind a mark");
  for (--mark; mark != marks_.end() && mark->index <= up_to && found.size() < spans_max; ++mark) {
    const auto behind = std::next(mark);
    found.push_back(Span{.first = mark->index,
                         .end = behind == marks_.end() ? next(last_) : behind->index,
                         .position = mark->position,
                         .in_payload = mark->in_payload});
  }
  return found;
}

}  // namespace quorate::storage
