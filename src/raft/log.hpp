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

  void append(Entries entries);  // entries.front().index == next(last().index)
  // What storage found on disk: appended, and durable at once. In rows that are short, so that a start frees memory as
  // it applies.
  void restore(std::vector<Entry> entries);
  // Removes entries up to `index` from memory; they must be durable.
  void release(Index index);

  // Removes the entries from `first` on; what the disk has of them counts as durable no more.
  void truncate(Index first);
  // A snapshot takes the place of everything.
  void reset(LogId start);

  // Hands out the entries that were never handed out for persisting.
  [[nodiscard]] Entries take_unpersisted();
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
  // Those from `first` to `last`, appended to `into` row by row as they came.
  void rows(Index first, Index last, std::vector<Entries>& into) const;
  // The same in one row: shared if they came together, copies otherwise.
  [[nodiscard]] Entries range(Index first, Index last) const;
  // Those from `from` on: at most `entries_max`, and as many as `bytes_max` allows, but one at least.
  [[nodiscard]] Entries range_within(Index from, std::size_t entries_max, std::size_t bytes_max) const;
  [[nodiscard]] std::size_t bytes() const { return bytes_; }  // Commands and entry headers of what is not released.
  [[nodiscard]] std::size_t size() const { return raw(last_.index) - raw(start_.index); }

 private:
  [[nodiscard]] const Entries& row_of(Index index) const;
  void drop_oldest_row();

  LogId start_;
  LogId last_;
  // As they came, each row not empty and right behind the one before. Of the oldest a part may be released already.
  std::vector<Entries> rows_;
  std::size_t dropped_ = 0;  // Rows at the front that hold nothing any more.
  Index durable_{};
  Index handed_to_disk_{};
  std::size_t bytes_ = 0;
};

}  // namespace quorate::raft
