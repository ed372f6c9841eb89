#pragma once

// What a judge remembers of one server's log: at each index the term and a running hash of everything up to there, so
// that two logs that agree at one position are known to agree before it (I-104).

#include <cstdint>
#include <optional>
#include <vector>

#include "base/ids.hpp"
#include "raft/entry.hpp"

namespace quorate::sim {

struct Position {
  Term term{};
  std::uint64_t hash = 0;

  friend bool operator==(const Position&, const Position&) = default;
};

[[nodiscard]] Position follow(const Position& previous, const raft::Entry& entry);

class LogModel {
 public:
  [[nodiscard]] Index last() const { return Index{raw(start_) + positions_.size() - 1}; }
  // Unknown before the start and behind the end.
  [[nodiscard]] std::optional<Position> at(Index index) const;
  [[nodiscard]] const Position& back() const { return positions_.back(); }

  // Takes the place of whatever stands at `index` and behind it.
  void put(Index index, const Position& position);
  void truncate(Index first);
  // A snapshot takes the place of everything.
  void reset(Index start, const Position& position);

 private:
  Index start_{};
  std::vector<Position> positions_{Position{}};  // The first is that of start_.
};

}  // namespace quorate::sim
