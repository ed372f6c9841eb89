#include "sim/log_model.hpp"

#include "base/checksum.hpp"
#include "base/ensure.hpp"

namespace quorate::sim {

Position follow(const Position& previous, const raft::Entry& entry) {
  const std::uint64_t seed = previous.hash + raw(entry.term) * 4 + std::to_underlying(entry.kind);
  return Position{.term = entry.term, .hash = checksum(entry.command.view(), seed)};
}

std::optional<Position> LogModel::at(Index index) const {
  if (index < start_ || index > last()) {
    return std::nullopt;
  }
  return positions_[raw(index) - raw(start_)];
}

void LogModel::put(Index index, const Position& position) {
  truncate(index);
  ensure(index == next(last()), "a log has no gap");
  positions_.push_back(position);
}

void LogModel::truncate(Index first) {
  ensure(first > start_, "a log's start is not cut off");
  if (first <= last()) {
    positions_.resize(raw(first) - raw(start_));
  }
}

void LogModel::reset(Index start, const Position& position) {
  start_ = start;
  positions_.assign(1, position);
}

}  // namespace quorate::sim
