#pragma once

// A history as reads and writes of chains: what the checker of causal consistency works on (causal.hpp).

#include <cstdint>
#include <vector>

#include "sim/history.hpp"

namespace quorate::sim {

enum class EventId : std::uint32_t {};
constexpr EventId no_event{0xFFFF'FFFF};

// A chain is a client's program, or one call of unknown outcome, which branches off from it.
struct Event {
  History::Position position = 0;
  std::uint32_t chain = 0;
  std::uint32_t index = 0;    // In its chain, from 1.
  EventId before = no_event;  // What comes before it in its chain, or what its chain branches off from.
  KeyId key{};
  bool is_write = false;      // Else a read.
  EventId source = no_event;  // Of a read: the write that it saw; none: it saw the initial value.
};

struct CausalEvents {
  enum class Source : std::uint8_t {
    found,
    ambiguous,  // Two writes of one value, or one of the initial value: nobody can tell what a read saw.
    missing,    // A read saw what nobody wrote.
  };

  Source sources = Source::found;
  History::Position missing = 0;  // The read, if `missing`.
  std::vector<Event> list;        // Each chain's in their order.
  std::uint32_t chains = 0;
};

CausalEvents make_causal_events(const History& history);

}  // namespace quorate::sim
