#pragma once

// The part of a broken history that contradicts itself: small enough to be read.

#include <functional>
#include <span>
#include <vector>

#include "sim/history.hpp"

namespace quorate::sim {

// Whether these operations are certainly broken by themselves, by a law that asks for one order of them all
// (linearizability, sequential consistency): the rest of an order is an order of the rest.
using IsBroken = std::function<bool(std::span<const History::Position>)>;

// Leaves out of `positions`, which are broken, what is not needed for that: single reads, and all the operations that
// write or read one value where no compare-and-set ties it to another. What is left is broken, in the order given.
std::vector<History::Position> find_core(std::span<const Operation> operations,
                                         std::vector<History::Position> positions, const IsBroken& is_broken);

}  // namespace quorate::sim
