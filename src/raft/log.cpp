#include "raft/log.hpp"

#include <algorithm>
#include <utility>

#include "base/ensure.hpp"

namespace quorate::raft {
namespace {

constexpr std::size_t smallest_ring = 64;

std::size_t bytes_of(const Entry& entry) {
  return sizeof(Entry) + entry.command.size();
}

}  // namespace

void Log::append(Entry entry) {
  ensure(entry.index == next(last_.index), "entries are contiguous");
  ensure(entry.term >= last_.term, "terms never fall along the log");
  if (count_ == ring_.size()) {
    grow();
  }
  bytes_ += bytes_of(entry);
  last_ = LogId{.term = entry.term, .index = entry.index};
  slot(count_) = std::move(entry);
  ++count_;
}

void Log::restore(Entry entry) {
  const Index index = entry.index;
  ensure(!has_unpersisted(), "what is on disk comes before what is not");
  append(std::move(entry));
  handed_to_disk_ = index;
  durable_ = index;
}

void Log::release(Index index) {
  ensure(index <= durable_, "only the disk's copy makes the one in memory superfluous");
  while (start_.index < index) {
    Entry& oldest = slot(0);
    start_ = LogId{.term = oldest.term, .index = oldest.index};
    bytes_ -= bytes_of(oldest);
    oldest.command = Blob();
    head_ = (head_ + 1) & (ring_.size() - 1);
    --count_;
  }
}

void Log::truncate(Index first) {
  ensure(first > start_.index, "what is compacted is never cut");
  last_ = LogId{.term = *term_at(previous(first)), .index = previous(first)};
  for (; first_free() > first; --count_) {
    Entry& newest = slot(count_ - 1);
    bytes_ -= bytes_of(newest);
    newest.command = Blob();
  }
  durable_ = std::min(durable_, last().index);
  handed_to_disk_ = std::min(handed_to_disk_, last().index);
  ensure(first_free() == next(last_.index), "truncation leaves no gap");
}

void Log::reset(LogId start) {
  ensure(start.index > start_.index, "a snapshot leads forward");
  ring_.clear();
  head_ = 0;
  count_ = 0;
  bytes_ = 0;
  start_ = start;
  last_ = start;
  durable_ = start.index;
  handed_to_disk_ = start.index;
}

void Log::take_unpersisted(std::vector<Entry>& into) {
  const Index end = last_.index;
  into.reserve(into.size() + raw(end) - raw(handed_to_disk_));
  for (Index index = next(handed_to_disk_); index <= end; index = next(index)) {
    into.push_back(at(index));
  }
  handed_to_disk_ = end;
  ensure(durable_ <= handed_to_disk_, "the disk confirms only what it was given");
}

LogId Log::newest_up_to(LogId bound) const {
  Index index = std::min(bound.index, last().index);
  while (index > start_.index && at(index).term > bound.term) {
    index = previous(index);
  }
  ensure(index <= start_.index || at(index).term <= bound.term, "a position within the bound (R-305)");
  return index > start_.index ? LogId{.term = at(index).term, .index = index} : start_;
}

std::size_t Log::copy_range(Index from, std::size_t entries_max, std::size_t bytes_max,
                            std::vector<Entry>& into) const {
  ensure(from > start_.index, "what is copied is in memory");
  std::size_t bytes = 0;
  std::size_t entries = 0;
  for (Index index = from; index <= last().index && entries < entries_max; index = next(index)) {
    const Entry& entry = at(index);
    if (entries > 0 && bytes + bytes_of(entry) > bytes_max) {
      break;
    }
    bytes += bytes_of(entry);
    ++entries;
    into.push_back(entry);
  }
  return bytes;
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
  ensure(index > start_.index, "the entry is still in memory");
  const std::size_t offset = raw(index) - raw(start_.index) - 1;
  ensure(offset < count_, "the entry exists");
  return slot(offset);
}

void Log::grow() {
  std::vector<Entry> larger(std::max(smallest_ring, ring_.size() * 2));
  ensure((larger.size() & (larger.size() - 1)) == 0, "a ring's size is a power of two");
  for (std::size_t offset = 0; offset < count_; ++offset) {
    larger[offset] = std::move(slot(offset));
  }
  ring_ = std::move(larger);
  head_ = 0;
}

}  // namespace quorate::raft
