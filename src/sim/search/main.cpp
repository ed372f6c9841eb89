// Searches one scope, or all of them, and prints what it found: `explore [SCOPE [STATES_MAX]]`.

#include <cstdio>
#include <cstdlib>
#include <span>
#include <string_view>

#include "sim/explore.hpp"

namespace {

using quorate::sim::Scope;

constexpr std::size_t replay_every = 10'007;

bool search(const Scope& scope, std::size_t states_max) {
  const auto tell = [](std::size_t states, std::size_t depth) {
    std::fprintf(stderr, "  depth %zu: %zu states\n", depth, states);
  };
  const quorate::sim::SearchReport report =
      quorate::sim::explore(scope, {.states_max = states_max, .replay_every = replay_every, .progress = tell});
  std::printf("%.*s: %s: %zu states, %zu steps, depth %zu\n", static_cast<int>(scope.name.size()), scope.name.data(),
              report.is_exhausted ? "exhausted" : "partial", report.states, report.steps, report.depth);
  std::printf(
      "  %zu with a leader, %zu entries committed at most; %zu states of a server, %zu messages, %zu replayed\n",
      report.leaders, report.committed, report.server_states, report.messages, report.replayed);
  if (report.broken) {
    std::printf("  BROKEN: %s\n", report.broken->invariant.c_str());
    for (std::size_t i = 0; i < report.broken->path.size(); ++i) {
      std::printf("  %3zu  %s\n", i + 1, report.broken->path[i].c_str());
    }
  }
  std::fflush(stdout);
  return !report.broken;
}

}  // namespace

int main(int count, char** words) {
  const std::span<char*> arguments(words, static_cast<std::size_t>(count));
  const std::size_t states_max =
      arguments.size() > 2 ? static_cast<std::size_t>(std::strtoull(arguments[2], nullptr, 10)) : 10'000'000;
  bool holds = true;
  bool is_known = arguments.size() < 2;
  for (const Scope& scope : quorate::sim::scopes()) {
    if (arguments.size() < 2 || scope.name == arguments[1]) {
      is_known = true;
      holds = search(scope, states_max) && holds;
    }
  }
  if (!is_known) {
    std::fprintf(stderr, "explore: no scope of this name; there are:\n");
    for (const Scope& scope : quorate::sim::scopes()) {
      std::fprintf(stderr, "  %-12.*s %.*s\n", static_cast<int>(scope.name.size()), scope.name.data(),
                   static_cast<int>(scope.words.size()), scope.words.data());
    }
    return 2;
  }
  return holds ? 0 : 1;
}
