#pragma once

// Is a history sequentially consistent (CONS-05): is there one order of all operations on all registers that keeps the
// order of each client's program, whatever the times between clients? Not local: registers that are each sequentially
// consistent need not be so together, so the search is over all of them, and may need exponential time (the problem is
// NP-complete, Gibbons and Korach 1997). A client's program order is the order of its calls. A call of unknown outcome
// acts after what its client did before it; nobody waited for it, so what follows is not ordered behind it.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "sim/history.hpp"
#include "sim/register_steps.hpp"

namespace quorate::sim {

struct SequentialConsistency {
  Verdict verdict = Verdict::holds;
  std::uint64_t steps = 0;
  std::size_t seen_bytes = 0;
  std::vector<History::Position> core;  // When broken: a few operations that fit no order even alone.
};

SequentialConsistency check_sequential(const History& history, const SearchLimits& limits = {});
std::string describe(const History& history, const SequentialConsistency& found);

}  // namespace quorate::sim
