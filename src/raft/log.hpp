#pragma once

// The part of the log that is in memory: the tail after a point that the disk covers (dissertation 3.5; R-604).

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "base/ids.hpp"
#include "raft/types.hpp"

namespace quorate::raft {

class Log {
 public:
  // An empty log that continues after `start`.
  explicit Log(LogId start) : start_(start), durable_(start.index) {}

  void append(Entry entry);  // entry.index == next(last().index)
  // Removes entries up to `index` from memory; they must be durable.
  void release(Index index);

  // Hands out entries that were never handed out for persisting, and the token that names them.
  void take_unpersisted(std::vector<Entry>& into);
  // Everything up to `index` is durable.
  void persisted(Index index);

  [[nodiscard]] Index first() const { return next(start_.index); }  // The first one in memory, if any is.
  [[nodiscard]] LogId last() const;
  [[nodiscard]] Index durable() const { return durable_; }
  // Unknown (nullopt) below the start, never 0.
  [[nodiscard]] std::optional<Term> term_at(Index index) const;
  [[nodiscard]] const Entry& at(Index index) const;           // first() <= index <= last().index
  [[nodiscard]] std::size_t bytes() const { return bytes_; }  // Commands and entry headers held in memory.
  [[nodiscard]] std::size_t size() const { return entries_.size(); }

 private:
  LogId start_;
  std::deque<Entry> entries_;
  Index durable_{};
  Index handed_to_disk_{};
  std::size_t bytes_ = 0;
};

}  // namespace quorate::raft
