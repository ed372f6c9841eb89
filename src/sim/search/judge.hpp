#pragma once

// The invariants between servers (docs/spec/raft-and-faults.md, I-1xx), checked from outside in every state. What has
// to be remembered along a path is small, and a part of the state.

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "sim/search/code.hpp"
#include "sim/search/server.hpp"

namespace quorate::sim::search {

struct Vote {
  NodeId voter{};
  Term term{};
  NodeId candidate{};

  friend auto operator<=>(const Vote&, const Vote&) = default;
};

struct Committed {
  Mark mark;
  Term in{};      // The term of the leader that committed it.
  Voters voters;  // Who decided.
};

struct Memory {
  std::vector<std::pair<Term, NodeId>> leaders;  // Ascending, as are the votes.
  std::vector<Vote> votes;                       // That left their servers, a candidate's own too.
  std::vector<Committed> committed;              // Entry by entry, from the first on.
  Voters configuration;                          // The newest committed one.

  [[nodiscard]] std::string code() const;
};

// The vote that a message shows, if it shows one.
[[nodiscard]] std::optional<Vote> shown_vote(const Packet& packet);

// One step of one server, `before` to `after`, in the world `views`, which has `after` in it already. Remembers what it
// shows. Returns the invariant that it breaks.
[[nodiscard]] std::optional<std::string> judge_step(Memory& memory, const View& before, const View& after,
                                                    std::span<const View* const> views, std::span<const Vote> votes);
// Whether judge_step() would remember anything or object, apart from `votes`; cheap.
[[nodiscard]] bool is_noteworthy(const Memory& memory, const View& after);

// What holds in every state.
[[nodiscard]] std::optional<std::string> judge_state(const Memory& memory, std::span<const View* const> views);

}  // namespace quorate::sim::search
