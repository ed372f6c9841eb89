#pragma once

// Where the durable log's entries lie, coarsely: the terms of all positions, and the place of every so many bytes'
// first entry, so that a few entries out of gigabytes are found without a search. About 24 bytes for each 64 KiB of
// log. Belongs to the loop; a value.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "base/ids.hpp"
#include "raft/entry.hpp"

namespace quorate::storage {

// A batch of entries in a record that is durable.
struct PlacedBatch {
  Index first{};
  Index last{};
  Term term{};
  std::uint64_t position = 0;    // The record's (log_position()).
  std::uint32_t in_payload = 0;  // Where in the record's payload it starts.
};

class LogMap {
 public:
  // Entries [first, end) lie in one segment: the first one at the start of the batch at `position`, the others behind
  // it, in order.
  struct Span {
    Index first{};
    Index end{};
    std::uint64_t position = 0;
    std::uint32_t in_payload = 0;
  };

  // A new one begins behind entry 0 of term 0.
  LogMap() { begin_anew(Index{}, Term{}); }
  // The log begins behind `start`, and holds nothing. Without a term the start is no position to continue from (K-22).
  void begin_anew(Index start, std::optional<Term> term);

  // What was written behind all before; it replaces any tail from its first entry on.
  void add(const PlacedBatch& batch);
  // The segments before `sequence` go.
  void forget_before(std::uint64_t sequence);

  [[nodiscard]] Index last() const { return last_; }
  // The newest position at or below `bound`, by index and by term; nullopt: it lies before the log's start.
  [[nodiscard]] std::optional<raft::LogId> newest_up_to(raft::LogId bound) const;
  // The spans that hold the entries from `from` up to `up_to`, in order: at most `spans_max`. None if the first one is
  // not here.
  [[nodiscard]] std::vector<Span> spans(Index from, Index up_to, std::size_t spans_max) const;

 private:
  // A run of one term.
  struct Run {
    Index first{};
    Term term{};
  };
  struct Mark {
    Index index{};
    std::uint64_t position = 0;
    std::uint32_t in_payload = 0;
  };

  void truncate(Index first);

  Index start_{};  // The position before the first entry.
  Index last_{};
  std::deque<Run> runs_;  // The first one holds start_, if its term is known.
  std::deque<Mark> marks_;
};

}  // namespace quorate::storage
