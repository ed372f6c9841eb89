#pragma once

#include <cstdint>
#include <string>

namespace quorate::tree {

// The newest write that left a subtree beyond a limit of its quota without being refused: ZooKeeper logs it (protocol
// 11). A figure for the log, no part of the replicated state.
struct QuotaExcess {
  std::uint64_t count = 0;  // How many writes did so far; 0: the rest says nothing.
  std::string path;         // The quota's root.
  bool is_of_bytes = false;
  bool is_hard = false;
  std::int64_t used = 0;
  std::int64_t limit = 0;
};

}  // namespace quorate::tree
