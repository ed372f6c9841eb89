#pragma once

// How much a write adds to the tree's memory, before it is executed: what a budget for the tree needs to know (S-206).

#include <cstddef>

#include "replica/front.hpp"
#include "tree/tree.hpp"
#include "wire/requests.hpp"

namespace quorate::replica {

// About, and rather more than less, as if it succeeds. 0: it does not grow the tree, or cannot be decoded. Deletions
// inside a multi are not counted against its creations. `scratch` and `request` are overwritten.
[[nodiscard]] std::size_t growth_of(const Submission& submission, const tree::Tree& tree, wire::DecodeScratch& scratch,
                                    wire::Request& request);

}  // namespace quorate::replica
