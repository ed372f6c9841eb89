#pragma once

// Is a history causally consistent (CONS-06)? The law is causal memory (Ahamad and others 1995): each client sees all
// writes and its own reads in an order that keeps causes before effects; different clients may see unrelated writes in
// different orders, for ever. A cause is what the same client did before, or the write that a read saw, or a cause of a
// cause.
//
// Decided in polynomial time by the absence of the bad patterns of Bouajjani, Enea, Guerraoui and Hamza (POPL 2017, "On
// verifying causal consistency", model CM), each of which is named below. They need to know which write a read saw: the
// values written to a register are all different, and none is the initial value. A compare-and-set that succeeded is a
// read and a write; one that was refused says nothing here. A call of unknown outcome counts if its value was seen;
// what its client did later is not ordered behind it. Memory: four bytes for each operation and client, two times over.

#include <cstdint>
#include <optional>
#include <string>

#include "sim/history.hpp"

namespace quorate::sim {

enum class CausalPattern : std::uint8_t {
  none,
  thin_air_read,         // A read saw a value that nobody wrote.
  cyclic_causes,         // CyclicCO: something is a cause of itself.
  write_causes_initial,  // WriteCOInitRead: a read saw the initial value, a cause of it wrote another.
  write_between,         // WriteCORead: a read saw a write that another one, a cause of the read, had replaced.
  write_seen_initial,  // WriteHBInitRead: as above, by what one client's earlier reads imply about the order of writes.
  cyclic_view,         // CyclicHB: one client's reads imply that a write came before itself.
};

struct CausalConsistency {
  Verdict verdict = Verdict::holds;             // `gave_up`: values are not unique, or the memory would not do.
  CausalPattern pattern = CausalPattern::none;  // When broken: which pattern, and its operations,
  History::Position operation = 0;              // the read, or one of those in the cycle,
  std::optional<History::Position> source;      // the write that it saw,
  std::optional<History::Position> other;       // and the write that contradicts it.
};

struct CausalLimits {
  std::size_t bytes = std::size_t{512} << 20U;
};
CausalConsistency check_causal(const History& history, const CausalLimits& limits = {});
std::string_view describe(CausalPattern pattern);
std::string describe(const History& history, const CausalConsistency& found);

}  // namespace quorate::sim
