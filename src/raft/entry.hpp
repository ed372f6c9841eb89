#pragma once

// The replicated log's elements (dissertation 3.5).

#include <compare>
#include <cstdint>

#include "base/bytes.hpp"
#include "base/ids.hpp"

namespace quorate::raft {

// A log position with its term; the zero value is the position before the first entry.
struct LogId {
  Term term{};
  Index index{};

  friend auto operator<=>(const LogId&, const LogId&) = default;  // By term first, then index (dissertation 3.6.1).
};

enum class EntryKind : std::uint8_t {
  noop = 0,     // The first entry of a term (dissertation 3.6.2 and 6.4); carries the term's switches, opaque here.
  command = 1,  // A request of the state machine.
  configuration = 2,  // A membership; acts on append.
};

// One entry of the replicated log. Entries that one turn proposes share term and time; on disk and between peers such a
// run is one batch that carries (term, first index, time) once.
struct Entry {
  Term term{};
  Index index{};
  WallTime time{};  // The leader's clock, never going back along the log.
  EntryKind kind = EntryKind::noop;
  Blob command;

  friend bool operator==(const Entry&, const Entry&) = default;
};

}  // namespace quorate::raft
