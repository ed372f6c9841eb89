#include "sim/sequential.hpp"

#include <algorithm>
#include <numeric>
#include <span>
#include <utility>

#include "sim/history_core.hpp"
#include "sim/program_search.hpp"

namespace quorate::sim {
namespace {

using Position = History::Position;

// Far less than a verdict may take: a core is a help to the reader, and there are many searches for it.
constexpr std::uint64_t core_steps = 100'000;

}  // namespace

SequentialConsistency check_sequential(const History& history, const SearchLimits& limits) {
  const std::span operations = history.operations();
  std::vector<Position> positions(operations.size());
  std::iota(positions.begin(), positions.end(), Position{0});
  std::ranges::sort(positions, {},
                    [&](Position position) { return std::pair(operations[position].invoked, position); });
  ProgramSearch search(operations, positions);
  SequentialConsistency found{.verdict = search.run(limits), .core = {}};
  found.steps = search.steps();
  found.seen_bytes = search.seen_bytes();
  if (found.verdict == Verdict::broken) {
    std::erase_if(positions,
                  [&](Position position) { return operations[position].outcome == Operation::Outcome::failed; });
    const SearchLimits small{.steps = std::min(limits.steps, core_steps), .seen_bytes = limits.seen_bytes};
    found.core = find_core(operations, std::move(positions), [&](std::span<const Position> some) {
      return ProgramSearch(operations, some).run(small) == Verdict::broken;
    });
    std::ranges::sort(found.core);
  }
  return found;
}

std::string describe(const History& history, const SequentialConsistency& found) {
  if (found.verdict == Verdict::holds) {
    return "sequentially consistent (" + std::to_string(found.steps) + " steps)";
  }
  if (found.verdict == Verdict::gave_up) {
    return "not decided whether sequentially consistent: gave up after " + std::to_string(found.steps) + " steps";
  }
  std::string text = "not sequentially consistent: these alone fit no order that keeps each client's own:\n";
  for (const Position position : found.core) {
    text += "  " + describe(history, history.operations()[position]) + "\n";
  }
  return text;
}

}  // namespace quorate::sim
