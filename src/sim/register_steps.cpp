#include "sim/register_steps.hpp"

#include <algorithm>

#include "base/ensure.hpp"

namespace quorate::sim {
namespace {

using Kind = Operation::Kind;
using Outcome = Operation::Outcome;

struct NamedValue {
  std::uint32_t place = 0;
  std::int64_t value = 0;

  auto operator<=>(const NamedValue&) const = default;
};

// Gives the values of each register their numbers: first the initial ones, then the others in their order.
class Numbering {
 public:
  Numbering(std::span<const Operation> history, std::span<const History::Position> positions) {
    for (const History::Position position : positions) {
      keys_.push_back(history[position].key);
    }
    sort_out(keys_);
    values_.reserve(positions.size());
    for (const History::Position position : positions) {
      const Operation& operation = history[position];
      const std::uint32_t place = place_of(operation.key);
      if (operation.kind == Kind::read) {
        note(place, operation.result);
      } else {
        note(place, operation.value);
        if (operation.kind == Kind::compare_and_set) {
          note(place, operation.expected);
        }
      }
    }
    sort_out(values_);
  }

  [[nodiscard]] std::uint32_t places() const { return static_cast<std::uint32_t>(keys_.size()); }
  [[nodiscard]] std::uint32_t values() const { return static_cast<std::uint32_t>(keys_.size() + values_.size()); }
  [[nodiscard]] std::uint32_t place_of(KeyId key) const {
    return keys_.size() == 1 ? 0 : static_cast<std::uint32_t>(std::ranges::lower_bound(keys_, key) - keys_.begin());
  }
  [[nodiscard]] ValueId id(std::uint32_t place, std::int64_t value) const {
    if (value == initial_value) {
      return ValueId{place};
    }
    const auto found = std::ranges::lower_bound(values_, NamedValue{.place = place, .value = value});
    return ValueId{static_cast<std::uint32_t>(keys_.size() + static_cast<std::size_t>(found - values_.begin()))};
  }

 private:
  template <class T>
  static void sort_out(std::vector<T>& list) {
    std::ranges::sort(list);
    const auto rest = std::ranges::unique(list);
    list.erase(rest.begin(), rest.end());
  }
  void note(std::uint32_t place, std::int64_t value) {
    if (value != initial_value) {
      values_.push_back({.place = place, .value = value});
    }
  }

  std::vector<KeyId> keys_;
  std::vector<NamedValue> values_;
};

Step make_step(const Operation& operation, History::Position position, const Numbering& numbering) {
  Step step{.position = position, .place = numbering.place_of(operation.key)};
  step.is_optional = operation.outcome == Outcome::unknown;
  if (operation.kind == Kind::read) {
    step.needs = numbering.id(step.place, operation.result);
    return step;
  }
  const ValueId value = numbering.id(step.place, operation.value);
  if (operation.kind == Kind::write) {
    step.sets = value;
    return step;
  }
  const ValueId expected = numbering.id(step.place, operation.expected);
  if (!step.is_optional && operation.result == 0) {
    step.refuses = expected;
    return step;
  }
  step.needs = expected;
  step.sets = value == expected ? no_value : value;
  return step;
}

}  // namespace

Steps make_steps(std::span<const Operation> history, std::span<const History::Position> positions) {
  const Numbering numbering(history, positions);
  Steps steps{.list = {}, .places = numbering.places(), .values = numbering.values()};
  steps.list.reserve(positions.size());
  for (const History::Position position : positions) {
    const Operation& operation = history[position];
    const Step step = make_step(operation, position, numbering);
    if (operation.outcome != Outcome::failed && !(step.is_optional && step.sets_nothing())) {
      steps.list.push_back(step);
    }
  }
  const Demand demand(steps);
  std::erase_if(steps.list, [&demand](const Step& step) { return step.is_optional && !demand.is_wanted(step); });
  return steps;
}

Demand::Demand(const Steps& steps) : counts_(steps.values), refusals_(steps.places) {
  for (const Step& step : steps.list) {
    add(step);
  }
}

bool Demand::would_strand(const Step& step, ValueId state) const {
  if (step.sets_nothing() || step.sets == state) {
    return false;
  }
  const Counts& there = counts(state);
  const std::int32_t others = there.must_needs - (step.needs == state && !step.is_optional ? 1 : 0);
  return others > 0 && there.setters == 0;
}

void Demand::count(const Step& step, std::int32_t change) {
  if (step.needs != no_value) {
    Counts& there = counts_[std::to_underlying(step.needs)];
    there.needs += change;
    there.must_needs += step.is_optional ? 0 : change;
  }
  if (step.sets != no_value) {
    counts_[std::to_underlying(step.sets)].setters += change;
  }
  if (step.refuses != no_value) {
    refusals_[step.place] += change;
  }
}

SeenConfigurations::SeenConfigurations() : slots_(64) {}

bool SeenConfigurations::insert(std::span<const std::uint32_t> configuration) {
  ensure(words_.size() + configuration.size() < no_row, "the limit on bytes is below what a word can count");
  if (2 * rows_ >= slots_.size()) {
    grow();
  }
  const std::size_t mask = slots_.size() - 1;
  std::size_t slot = hash(configuration) & mask;
  for (; slots_[slot] != 0; slot = (slot + 1) & mask) {
    if (is_at(slots_[slot] - 1, configuration)) {
      return false;
    }
  }
  slots_[slot] = static_cast<std::uint32_t>(words_.size()) + 1;
  words_.push_back(static_cast<std::uint32_t>(configuration.size()));
  words_.insert(words_.end(), configuration.begin(), configuration.end());
  ++rows_;
  return true;
}

std::span<const std::uint32_t> SeenConfigurations::row(std::uint32_t start) const {
  return std::span(words_).subspan(start + 1, words_[start]);
}

bool SeenConfigurations::is_at(std::uint32_t start, std::span<const std::uint32_t> configuration) const {
  return std::ranges::equal(row(start), configuration);
}

// FNV's multiply and xor over words, then the high bits folded down, as the table uses the low ones.
std::size_t SeenConfigurations::hash(std::span<const std::uint32_t> configuration) {
  std::uint64_t mixed = 0xCBF2'9CE4'8422'2325U;
  for (const std::uint32_t word : configuration) {
    mixed = (mixed ^ word) * 0x9E37'79B9'7F4A'7C15U;
    mixed ^= mixed >> 32U;
  }
  return mixed;
}

void SeenConfigurations::grow() {
  std::vector<std::uint32_t> larger(slots_.size() * 2);
  const std::size_t mask = larger.size() - 1;
  for (const std::uint32_t taken : slots_) {
    if (taken != 0) {
      std::size_t slot = hash(row(taken - 1)) & mask;
      while (larger[slot] != 0) {
        slot = (slot + 1) & mask;
      }
      larger[slot] = taken;
    }
  }
  slots_ = std::move(larger);
}

}  // namespace quorate::sim
