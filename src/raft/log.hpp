#pragma once

// The part of the log that is in memory: the tail after a point that the disk covers (dissertation 3.5; R-604).

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/ids.hpp"
#include "raft/entry.hpp"

namespace quorate::raft {

class Log {
 public:
  // An empty log that continues after `start`.
  explicit Log(LogId start) : start_(start), last_(start), durable_(start.index), handed_to_disk_(start.index) {}

  void append(Entry entry);  // entry.index == next(last().index)
  // An entry that storage found on disk: appended, and durable at once.
  void restore(Entry entry);
  // Removes entries up to `index` from memory; they must be durable.
  void release(Index index);

  // Removes the entries from `first` on; what the disk has of them counts as durable no more.
  void truncate(Index first);
  // A snapshot takes the place of everything.
  void reset(LogId start);

  // Hands out entries that were never handed out for persisting, appended to `into`.
  void take_unpersisted(std::vector<Entry>& into);
  [[nodiscard]] bool has_unpersisted() const { return handed_to_disk_ < last().index; }
  // Everything up to `index` is durable. Never lowers what was known to be.
  void persisted(Index index);

  [[nodiscard]] LogId start() const { return start_; }              // The position before the first entry in memory.
  [[nodiscard]] Index first() const { return next(start_.index); }  // The first one in memory, if any is.
  [[nodiscard]] LogId last() const { return last_; }
  [[nodiscard]] Index durable() const { return durable_; }
  // Unknown (nullopt) below the start and beyond the end, never 0.
  [[nodiscard]] std::optional<Term> term_at(Index index) const;
  [[nodiscard]] const Entry& at(Index index) const;  // first() <= index <= last().index
  [[nodiscard]] bool holds(LogId id) const { return term_at(id.index) == id.term; }
  // The newest position at or below `bound.index` whose term is not above bound.term; start() if none in memory is
  //
  [[nodiscard]] LogId newest_up_to(LogId bound) const;
  // Appends copies of the entries from `from` on to `into`: at most `entries_max`, and as many as `bytes_max` allows,
  // but one at least. Returns their bytes.
  std::size_t copy_range(Index from, std::size_t entries_max, std::size_t bytes_max, std::vector<Entry>& into) const;
  [[nodiscard]] std::size_t bytes() const { return bytes_; }  // Commands and entry headers held in memory.
  [[nodiscard]] std::size_t size() const { return count_; }

 private:
  [[nodiscard]] Entry& slot(std::size_t offset) { return ring_[(head_ + offset) & (ring_.size() - 1)]; }
  [[nodiscard]] const Entry& slot(std::size_t offset) const { return ring_[(head_ + offset) & (ring_.size() - 1)]; }
  [[nodiscard]] Index first_free() const { return Index{raw(start_.index) + count_ + 1}; }
  void grow();

  LogId start_;
  LogId last_;
  // A ring whose size is a power of two: entries come at one end and leave at the other without an allocation each.
  std::vector<Entry> ring_;
  std::size_t head_ = 0;
  std::size_t count_ = 0;
  Index durable_{};
  Index handed_to_disk_{};
  std::size_t bytes_ = 0;
};

}  // namespace quorate::raft
