#include "raft/log.hpp"

#include <algorithm>
#include <iterator>
#include <span>
#include <utility>

#include "base/ensure.hpp"

namespace quorate::raft {
namespace {

constexpr std::ptrdiff_t restored_row_entries = 256;

std::size_t bytes_of(const Entry& entry) {
  return sizeof(Entry) + entry.command.size();
}

}  // namespace

void Log::append(Entries entries) {
  for (const Entry& entry : entries) {
    ensure(entry.index == next(last_.index), "entries are contiguous");
    ensure(entry.term >= last_.term, "terms never fall along the log");
    bytes_ += bytes_of(entry);
    last_ = LogId{.term = entry.term, .index = entry.index};
  }
  if (!entries.empty()) {
    rows_.push_back(std::move(entries));
  }
}

void Log::restore(std::vector<Entry> entries) {
  ensure(!has_unpersisted(), "what is on disk comes before what is not");
  for (auto rest = entries.begin(); rest != entries.end();) {
    const auto end = rest + std::min<std::ptrdiff_t>(entries.end() - rest, restored_row_entries);
    append(std::vector<Entry>(std::make_move_iterator(rest), std::make_move_iterator(end)));
    rest = end;
  }
  handed_to_disk_ = last_.index;
  durable_ = last_.index;
}

void Log::release(Index index) {
  ensure(index <= durable_, "only the disk's copy makes the one in memory superfluous");
  while (start_.index < index) {
    const Entries& row = rows_[dropped_];
    const Entry& oldest = row[raw(first()) - raw(row.front().index)];
    start_ = LogId{.term = oldest.term, .index = oldest.index};
    bytes_ -= bytes_of(oldest);
    if (oldest.index == row.back().index) {
      drop_oldest_row();
    }
  }
}

// The places of dropped rows are used again once they are the larger half, so that the others move rarely.
void Log::drop_oldest_row() {
  ensure(rows_[dropped_].back().index <= start_.index, "what is not released stays in memory");
  rows_[dropped_] = {};
  ++dropped_;
  if (dropped_ * 2 > rows_.size()) {
    rows_.erase(rows_.begin(), rows_.begin() + static_cast<std::ptrdiff_t>(dropped_));
    dropped_ = 0;
  }
}

void Log::truncate(Index first) {
  ensure(first > start_.index, "what is compacted is never cut");
  last_ = LogId{.term = *term_at(previous(first)), .index = previous(first)};
  while (rows_.size() > dropped_ && rows_.back().back().index >= first) {
    const Entries& row = rows_.back();
    const std::size_t kept = row.front().index < first ? raw(first) - raw(row.front().index) : 0;
    for (const Entry& entry : std::span(row).subspan(kept)) {
      bytes_ -= bytes_of(entry);
    }
    if (kept > 0 && first > next(start_.index)) {
      rows_.back() = row.slice(0, kept);
    } else {
      rows_.pop_back();
    }
  }
  durable_ = std::min(durable_, last().index);
  handed_to_disk_ = std::min(handed_to_disk_, last().index);
  ensure(rows_.size() == dropped_ || rows_.back().back().index == last_.index, "truncation leaves no gap");
}

void Log::reset(LogId start) {
  ensure(start.index > start_.index, "a snapshot leads forward");
  rows_.clear();
  dropped_ = 0;
  bytes_ = 0;
  start_ = start;
  last_ = start;
  durable_ = start.index;
  handed_to_disk_ = start.index;
}

Entries Log::take_unpersisted() {
  Entries taken = range(next(handed_to_disk_), last_.index);
  handed_to_disk_ = last_.index;
  ensure(durable_ <= handed_to_disk_, "the disk confirms only what it was given");
  return taken;
}

LogId Log::newest_up_to(LogId bound) const {
  Index index = std::min(bound.index, last().index);
  while (index > start_.index && at(index).term > bound.term) {
    index = previous(index);
  }
  ensure(index <= start_.index || at(index).term <= bound.term, "a position within the bound (R-305)");
  return index > start_.index ? LogId{.term = at(index).term, .index = index} : start_;
}

void Log::rows(Index first, Index last, std::vector<Entries>& into) const {
  ensure(last <= last_.index, "only what is here is handed out");
  while (first <= last) {
    const Entries& row = row_of(first);
    const std::size_t offset = raw(first) - raw(row.front().index);
    const std::size_t count = std::min(row.size() - offset, raw(last) - raw(first) + 1);
    into.push_back(row.slice(offset, count));
    first = Index{raw(first) + count};
  }
}

Entries Log::range(Index first, Index last) const {
  if (last < first) {
    return {};
  }
  const std::size_t count = raw(last) - raw(first) + 1;
  const Entries& row = row_of(first);
  if (last <= row.back().index) {
    return row.slice(raw(first) - raw(row.front().index), count);
  }
  std::vector<Entry> copies;
  copies.reserve(count);
  for (Index index = first; index <= last; index = next(index)) {
    copies.push_back(at(index));
  }
  return copies;
}

Entries Log::range_within(Index from, std::size_t entries_max, std::size_t bytes_max) const {
  ensure(from > start_.index, "what is handed out is in memory");
  std::size_t bytes = 0;
  Index end = from;
  for (; end <= last_.index && raw(end) - raw(from) < entries_max; end = next(end)) {
    bytes += bytes_of(at(end));
    if (bytes > bytes_max && end > from) {
      break;
    }
  }
  return range(from, previous(end));
}

void Log::persisted(Index index) {
  ensure(index <= handed_to_disk_, "the disk confirms only what it was given");
  durable_ = std::max(durable_, index);
}

std::optional<Term> Log::term_at(Index index) const {
  if (index == start_.index) {
    return start_.term;
  }
  if (index < start_.index || index > last().index) {
    return std::nullopt;
  }
  return at(index).term;
}

const Entry& Log::at(Index index) const {
  const Entries& row = row_of(index);
  return row[raw(index) - raw(row.front().index)];
}

const Entries& Log::row_of(Index index) const {
  ensure(index > start_.index, "the entry is still in memory");
  ensure(index <= last_.index, "the entry exists");
  if (rows_.back().front().index <= index) {
    return rows_.back();
  }
  const auto after = std::ranges::upper_bound(std::span(rows_).subspan(dropped_), index, {},
                                              [](const Entries& row) { return row.front().index; });
  return *std::prev(after);
}

}  // namespace quorate::raft
