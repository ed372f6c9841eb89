#pragma once

// Exactly once: how far each member's stream of writes was executed. Part of the replicated state.

#include <cstdint>
#include <vector>

#include "wire/command.hpp"
#include "wire/snapshot_format.hpp"

namespace quorate::replica {

enum class StreamVerdict : std::uint8_t {
  execute,      // The next number: executed, and counted as such.
  repeated,     // Executed before: skipped.
  gap,          // A number before it is missing: void.
  older_start,  // From an earlier start of that server: void.
};

class StreamTable {
 public:
  StreamTable() = default;
  explicit StreamTable(std::vector<wire::StreamPosition> positions);

  // Judges the write and, if it is to be executed, moves its stream on. A later start of a server begins at 1 again; so
  // does another incarnation, which only a membership change can bring (design chapter 5).
  StreamVerdict judge(const wire::StreamId& stream, std::uint64_t number);

  // One for each member, ascending by server.
  [[nodiscard]] const std::vector<wire::StreamPosition>& positions() const { return positions_; }

 private:
  std::vector<wire::StreamPosition> positions_;
};

}  // namespace quorate::replica
