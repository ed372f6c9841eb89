#include "sim/linearizability.hpp"

#include <algorithm>
#include <span>
#include <utility>

#include "base/ensure.hpp"
#include "sim/history_core.hpp"
#include "sim/register_search.hpp"

namespace quorate::sim {
namespace {

using Kind = Operation::Kind;
using Outcome = Operation::Outcome;
using Position = History::Position;

// The operations of each key, in the order of their calls.
std::vector<std::vector<Position>> split_by_key(const History& history) {
  std::vector<std::vector<Position>> split(history.keys());
  const std::span operations = history.operations();
  for (Position position = 0; position < operations.size(); ++position) {
    split[std::to_underlying(operations[position].key)].push_back(position);
  }
  for (std::vector<Position>& positions : split) {
    std::ranges::sort(positions, {},
                      [&](Position position) { return std::pair(operations[position].invoked, position); });
  }
  return split;
}

// Looks for the reason why one register's operations fit no order.
class Diagnosis {
 public:
  Diagnosis(const History& history, const SearchLimits& limits, std::span<const Position> positions)
      : operations_(history.operations().begin(), history.operations().end()), limits_(limits) {
    for (const Position position : positions) {
      if (operations_[position].outcome != Outcome::failed) {
        positions_.push_back(position);
      }
    }
  }

  Misfit find() {
    find_prefix();
    misfit_.core = find_core(operations_, std::move(positions_),
                             [this](std::span<const Position> positions) { return is_broken(positions); });
    std::ranges::sort(misfit_.core);
    return std::move(misfit_);
  }

 private:
  // `true` is certain; without a decision nothing is claimed.
  [[nodiscard]] bool is_broken(std::span<const Position> positions) const {
    RegisterSearch search(operations_, positions);
    return search.run(limits_) == Verdict::broken;
  }

  // What was known at the moment of the answer `last`: later calls were not made yet, later answers not given.
  [[nodiscard]] std::vector<Position> cut_after(std::span<const Position> answers, std::size_t last,
                                                std::vector<Operation>& operations) const {
    operations = operations_;
    const std::int64_t end = operations[answers[last]].returned;
    std::vector<Position> known;
    for (const Position position : positions_) {
      if (operations[position].invoked <= end) {
        known.push_back(position);
      }
    }
    for (const Position position : answers.subspan(last + 1)) {
      operations[position].outcome = Outcome::unknown;
      operations[position].returned = never;
    }
    return known;
  }

  // What fits up to an answer fits up to every earlier one: the first answer that does not is found by halving.
  void find_prefix() {
    std::vector<Position> answers;
    std::ranges::copy_if(positions_, std::back_inserter(answers),
                         [this](Position position) { return operations_[position].outcome == Outcome::done; });
    std::ranges::sort(answers, {},
                      [this](Position position) { return std::pair(operations_[position].returned, position); });
    ensure(!answers.empty(), "what nobody answered contradicts nothing");
    std::size_t low = 0;
    std::size_t high = answers.size() - 1;
    std::vector<Operation> cut;
    while (low < high) {
      const std::size_t middle = low + (high - low) / 2;
      const std::vector<Position> known = cut_after(answers, middle, cut);
      if (RegisterSearch(cut, known).run(limits_) == Verdict::broken) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    misfit_.fitting = high;
    misfit_.operation = answers[high];
    positions_ = cut_after(answers, high, cut);
    operations_ = std::move(cut);
  }

  std::vector<Operation> operations_;  // Of the whole history; after find_prefix() as they were known then.
  SearchLimits limits_;
  std::vector<Position> positions_;
  Misfit misfit_;
};

// The value that an operation says it found there.
std::optional<std::int64_t> found_value(const Operation& operation) {
  if (operation.kind == Kind::read) {
    return operation.result;
  }
  if (operation.kind == Kind::compare_and_set && operation.result == 1) {
    return operation.expected;
  }
  return std::nullopt;
}

bool may_set(const Operation& operation, KeyId key, std::int64_t value) {
  return operation.key == key && operation.value == value &&
         (operation.kind == Kind::write ||
          (operation.kind == Kind::compare_and_set && (operation.outcome != Outcome::done || operation.result == 1)));
}

// Where the value could come from, if from nowhere. Else the core has to speak for itself.
std::string describe_source(const History& history, const Operation& misfit) {
  const std::optional<std::int64_t> value = found_value(misfit);
  if (!value || *value == initial_value) {
    return "";
  }
  bool is_written = false;
  bool is_written_in_time = false;
  bool is_failed = false;
  for (const Operation& operation : history.operations()) {
    if (may_set(operation, misfit.key, *value)) {
      is_failed = is_failed || operation.outcome == Outcome::failed;
      is_written = is_written || operation.outcome != Outcome::failed;
      is_written_in_time =
          is_written_in_time || (operation.outcome != Outcome::failed && operation.invoked <= misfit.returned);
    }
  }
  const std::string name = std::to_string(*value);
  if (is_written_in_time) {
    return "";
  }
  if (is_written) {
    return "  " + name + " is written only after that answer\n";
  }
  return is_failed ? "  only an operation that failed would have written " + name + "\n"
                   : "  nothing writes " + name + "\n";
}

}  // namespace

Linearizability check_linearizable(const History& history, const SearchLimits& limits) {
  Linearizability found;
  const std::vector<std::vector<Position>> split = split_by_key(history);
  for (std::uint32_t key = 0; key < split.size(); ++key) {
    RegisterSearch search(history.operations(), split[key]);
    const Verdict verdict = search.run(limits);
    found.steps += search.steps();
    found.seen_bytes = std::max(found.seen_bytes, search.seen_bytes());
    if (verdict == Verdict::broken) {
      found.verdict = verdict;
      found.misfit = Diagnosis(history, limits, split[key]).find();
      found.misfit->key = KeyId{key};
      return found;
    }
    if (verdict == Verdict::gave_up) {
      found.verdict = verdict;
    }
  }
  return found;
}

std::string describe(const History& history, const Linearizability& found) {
  if (found.verdict == Verdict::holds) {
    return "linearizable (" + std::to_string(found.steps) + " steps)";
  }
  if (found.verdict == Verdict::gave_up) {
    return "not decided whether linearizable: gave up after " + std::to_string(found.steps) + " steps";
  }
  ensure(found.misfit.has_value(), "who finds a history broken says where");
  const Misfit& misfit = *found.misfit;
  const std::span operations = history.operations();
  const Operation& operation = operations[misfit.operation];
  std::string text = "not linearizable: the first " + std::to_string(misfit.fitting) + " answers about " +
                     history.key_name(misfit.key) + " fit one order, the next one does not:\n  " +
                     describe(history, operation) + "\n" + describe_source(history, operation);
  text += "these alone fit no order:\n";
  for (const Position position : misfit.core) {
    text += "  " + describe(history, operations[position]) + "\n";
  }
  return text;
}

}  // namespace quorate::sim
