#pragma once

// The dumb twins of the checkers: every order of the operations is tried. For histories of a few operations.

#include "sim/history.hpp"

namespace quorate::sim {

bool is_linearizable_by_force(const History& history);
bool is_sequential_by_force(const History& history);
// Writes have unique values; without compare-and-set.
bool is_causal_by_force(const History& history);

}  // namespace quorate::sim
