#pragma once

// What the searches for an order of a history share: operations as steps of registers, what the steps that are still to
// be placed ask of each other, and the memory of configurations that led nowhere (Lowe's memoisation, I-503).

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "sim/history.hpp"

namespace quorate::sim {

// A search ends undecided where it would need more; of memory up to twice as much, as buffers grow by doubling.
struct SearchLimits {
  std::uint64_t steps = 20'000'000;                  // Operations placed, those taken back included.
  std::size_t seen_bytes = std::size_t{256} << 20U;  // Of remembered configurations; the only part that can grow fast.
};

// A value of one register: every register has numbers of its own, the initial value's is the register's place.
enum class ValueId : std::uint32_t {};
inline constexpr ValueId no_value{0xFFFF'FFFF};

// One operation as a condition and an assignment. What fits and sets nothing may always be placed at once: it changes
// nothing for the others.
struct Step {
  History::Position position = 0;
  std::uint32_t place = 0;     // Of its register; dense.
  ValueId needs = no_value;    // The value that must be there.
  ValueId refuses = no_value;  // The value that must not be there.
  ValueId sets = no_value;     // The value that is there afterwards; `no_value`: as before.
  bool is_optional = false;    // Its outcome is unknown: it may be left out.

  [[nodiscard]] bool fits(ValueId state) const {
    return (needs == no_value || needs == state) && (refuses == no_value || refuses != state);
  }
  [[nodiscard]] bool sets_nothing() const { return sets == no_value; }
};

struct Steps {
  std::vector<Step> list;  // In the order of `positions`; without what failed and what cannot matter.
  std::uint32_t places = 0;
  std::uint32_t values = 0;
};
// `positions`: into `history`, none twice.
Steps make_steps(std::span<const Operation> history, std::span<const History::Position> positions);

// Counts what the steps that are not placed yet ask for.
class Demand {
 public:
  explicit Demand(const Steps& steps);

  void add(const Step& step) { count(step, 1); }
  void remove(const Step& step) { count(step, -1); }

  // The step can never be placed any more: its register has `state`, and nothing brings the value that it needs.
  [[nodiscard]] bool is_lost(const Step& step, ValueId state) const {
    return step.needs != no_value && step.needs != state && counts(step.needs).setters == 0;
  }
  // Placing `step` in a register with `state` takes away a value that is still needed and that nothing brings again.
  [[nodiscard]] bool would_strand(const Step& step, ValueId state) const;
  // Whether it can make any difference to the others that `step` is placed.
  [[nodiscard]] bool is_wanted(const Step& step) const { return is_asked_for(step.place, step.sets); }
  // Whether anyone will ask if the register has this value.
  [[nodiscard]] bool is_asked_for(std::uint32_t place, ValueId value) const {
    return counts(value).needs > 0 || refusals_[place] > 0;
  }
  // Nobody will see what `step` sets, and nobody misses what was there: placing it at once is never wrong.
  [[nodiscard]] bool is_free(const Step& step, ValueId state) const {
    return step.needs == no_value && !is_wanted(step) && counts(state).needs == 0;
  }

 private:
  struct Counts {
    std::int32_t needs = 0;       // Optional steps included.
    std::int32_t must_needs = 0;  // Without them.
    std::int32_t setters = 0;     // Optional steps included.
  };
  [[nodiscard]] const Counts& counts(ValueId value) const { return counts_[std::to_underlying(value)]; }
  void count(const Step& step, std::int32_t change);

  std::vector<Counts> counts_;  // By value.
  std::vector<std::int32_t> refusals_;
};

// A set of configurations, each a row of words, compared in full.
class SeenConfigurations {
 public:
  SeenConfigurations();
  // False: it was there.
  bool insert(std::span<const std::uint32_t> configuration);
  [[nodiscard]] std::size_t bytes() const { return (words_.capacity() + slots_.capacity()) * sizeof(std::uint32_t); }

 private:
  static constexpr std::uint32_t no_row = 0xFFFF'FFFF;
  static std::size_t hash(std::span<const std::uint32_t> configuration);
  [[nodiscard]] std::span<const std::uint32_t> row(std::uint32_t start) const;
  [[nodiscard]] bool is_at(std::uint32_t start, std::span<const std::uint32_t> configuration) const;
  void grow();

  std::vector<std::uint32_t> words_;  // Each row behind its length.
  std::vector<std::uint32_t> slots_;  // Where a row starts, plus one; 0: free. A power of two, at most half full.
  std::size_t rows_ = 0;
};

}  // namespace quorate::sim
