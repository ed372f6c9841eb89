#pragma once

// Random histories for tests of the checkers: good ones, played on an atomic register, and arbitrary small ones.

#include <cstddef>
#include <cstdint>

#include "base/prng.hpp"
#include "sim/history.hpp"

namespace quorate::sim {

struct GoodHistoryOptions {
  std::size_t clients = 5;
  std::size_t operations = 100;
  std::size_t keys = 1;
  // In percent.
  std::uint64_t writes = 40;
  std::uint64_t swaps = 0;     // Compare-and-set.
  std::uint64_t unknowns = 0;  // Lost answers; whether they took effect is chance. The client goes on under a new id.
  std::uint64_t failures = 0;  // Without effect.
  // Reads of a replica that is behind, by up to 20 changes, but never behind what the client saw before: the history is
  // sequentially consistent, and as a rule not linearizable.
  std::uint64_t stale_reads = 0;
};

// Linearizable by construction: every operation acts on a register at a random moment between its call and its answer.
// The value of each write is its own, from 1.
History make_good_history(Prng& prng, const GoodHistoryOptions& options);

// Anything: few clients, keys and values, calls and answers at random. About as often good as bad.
struct AnyHistoryOptions {
  std::size_t operations = 6;
  std::size_t clients = 3;
  std::size_t keys = 1;
  std::int64_t values = 2;
  bool has_swaps = true;
  bool has_unique_writes = false;  // And most reads see one of them.
};
History make_any_history(Prng& prng, const AnyHistoryOptions& options);

}  // namespace quorate::sim
