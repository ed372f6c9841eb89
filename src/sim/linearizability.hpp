#pragma once

// Is a history linearizable: does every operation act at one moment between its call and its answer (CONS-04, I-503)?
// The search is Wing and Gong's with Lowe's memoisation, one register at a time, for linearizability is local (Herlihy
// and Wing 1990). A configuration is kept as what is open at the first answer still to come, not as all that is placed:
// its size is the number of calls in flight. Memory: under 200 bytes for each operation of the busiest register, 8 for
// each of the others, and at most SearchLimits::seen_bytes for configurations (in good histories some 50 bytes a
// write).

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sim/history.hpp"
#include "sim/register_steps.hpp"

namespace quorate::sim {

// Why a register's operations fit no order.
struct Misfit {
  KeyId key{};
  std::size_t fitting = 0;              // So many answers, in the order of their times, still fit one order,
  History::Position operation = 0;      // and the next one does not: the answer of this operation.
  std::vector<History::Position> core;  // A few operations that fit no order even alone, this one among them.
};

struct Linearizability {
  Verdict verdict = Verdict::holds;
  std::uint64_t steps = 0;       // Of the search, over all registers.
  std::size_t seen_bytes = 0;    // The most that remembered configurations took.
  std::optional<Misfit> misfit;  // Of the first broken register; set when the verdict is `broken`.
};

// The limits hold for each register by itself.
Linearizability check_linearizable(const History& history, const SearchLimits& limits = {});
// What was found, in words: for a failure the misfit, the operations that contradict each other, and the reason.
std::string describe(const History& history, const Linearizability& found);

}  // namespace quorate::sim
