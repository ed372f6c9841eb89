#pragma once

// Exhaustive search of the real raft::Core in a small scope: breadth first over every order of messages (lost,
// repeated, reordered), time-outs, disk writes, crashes, proposals and changes of the members that the scope's bounds
// allow, with all invariants checked in every state. docs/raft.md, "Exhaustive search", has the reductions and the
// numbers.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"

namespace quorate::sim {

// How much of everything may happen along one path. Messages are not bounded: each may be lost, and come any number of
// times, at any later moment.
struct Scope {
  std::string_view name;
  std::string_view words;
  std::vector<NodeId> founders = {NodeId{1}, NodeId{2}, NodeId{3}};  // Of the servers 1, 2 and 3.
  bool has_leader = false;  // Server 1 leads in term 1 and its no-op is committed everywhere; nothing is under way.
  Term term_max{1};         // No server campaigns from here on.
  std::uint32_t time_outs = 0;
  std::uint32_t proposals = 0;
  std::uint32_t crashes = 0;
  std::uint32_t changes = 0;
  // Of appends, that make one leader change its course towards one follower; no scope reaches the default.
  std::uint32_t refusals = 255;
  std::vector<std::vector<NodeId>> targets = {};  // Voters after a change: one of these.
  bool has_pre_vote = true;
  bool has_step_down = true;     // A leader may lose its quorum.
  bool has_heartbeats = true;    // Otherwise what is lost is not sent again.
  bool disk_is_instant = false;  // Otherwise every write is a step of its own.
  bool disk_lies = false;        // A crash loses term and vote, durable or not: breaks the rules, so it must be found.
  bool is_symmetric = false;     // The servers are interchangeable: the first time-out is server 1's.
};

[[nodiscard]] std::span<const Scope> scopes();
[[nodiscard]] const Scope* find_scope(std::string_view name);

struct SearchBounds {
  std::size_t states_max = 100'000'000;
  // Every n-th state is reached again from the start with real cores, without what the search remembers, and has to be
  // the same one; 0: none.
  std::size_t replay_every = 0;
  // Called now and then with the number of states and the depth.
  std::function<void(std::size_t, std::size_t)> progress = nullptr;
};

struct Counterexample {
  std::string invariant;          // Begins with its id.
  std::vector<std::string> path;  // The shortest one, a line a step.
};

struct SearchReport {
  std::size_t states = 0;     // Distinct ones.
  std::size_t steps = 0;      // Between them, those that change nothing not counted.
  std::size_t depth = 0;      // Steps from the start to the farthest state.
  std::size_t leaders = 0;    // States in which somebody leads.
  std::size_t committed = 0;  // The most entries that any state has committed.
  std::size_t server_states = 0;
  std::size_t messages = 0;  // Distinct ones.
  std::size_t replayed = 0;
  bool is_exhausted = false;  // Every state of the scope was reached.
  std::optional<Counterexample> broken;
};

// Deterministic. Ends at the first broken invariant, at the scope's end, or at bounds.states_max. An assertion of the
// core that fails prints the path to it before the process ends.
[[nodiscard]] SearchReport explore(const Scope& scope, const SearchBounds& bounds);

}  // namespace quorate::sim
