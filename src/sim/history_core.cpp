#include "sim/history_core.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace quorate::sim {
namespace {

using Kind = Operation::Kind;
using Outcome = Operation::Outcome;
using Position = History::Position;
using Group = std::vector<Position>;

bool is_refusal(const Operation& operation) {
  return operation.kind == Kind::compare_and_set && operation.outcome == Outcome::done && operation.result == 0;
}

class CoreSearch {
 public:
  CoreSearch(std::span<const Operation> operations, std::vector<Position> positions, const IsBroken& is_broken)
      : operations_(operations), positions_(std::move(positions)), is_broken_(is_broken) {}

  // Reads can always go: the others' order stands without them. So can a value with all who write or read it: who read
  // another value found it there before and finds it there still. But then a refused compare-and-set may find what it
  // says was not there; so these go first, or else all values stay.
  std::vector<Position> find() {
    std::vector<Position> without_refusals;
    std::ranges::copy_if(positions_, std::back_inserter(without_refusals),
                         [this](Position position) { return !is_refusal(operations_[position]); });
    if (is_broken_(without_refusals)) {
      positions_ = std::move(without_refusals);
      leave_out(values());
    } else {
      leave_out(singles(is_refusal));
    }
    leave_out(singles([](const Operation& operation) { return operation.kind == Kind::read; }));
    return std::move(positions_);
  }

 private:
  [[nodiscard]] std::vector<Group> values() const {
    using Value = std::pair<KeyId, std::int64_t>;
    std::map<Value, Group> by_value;
    std::set<Value> tied;
    for (const Position position : positions_) {
      const Operation& operation = operations_[position];
      const bool is_read = operation.kind == Kind::read;
      by_value[{operation.key, is_read ? operation.result : operation.value}].push_back(position);
      if (operation.kind == Kind::compare_and_set) {
        tied.emplace(operation.key, operation.expected);
        tied.emplace(operation.key, operation.value);
      }
    }
    std::vector<Group> groups;
    for (auto& [value, group] : by_value) {
      if (!tied.contains(value)) {
        groups.push_back(std::move(group));
      }
    }
    return groups;
  }

  template <class Choice>
  [[nodiscard]] std::vector<Group> singles(const Choice& is_chosen) const {
    std::vector<Group> groups;
    for (const Position position : positions_) {
      if (is_chosen(operations_[position])) {
        groups.push_back({position});
      }
    }
    return groups;
  }

  // Leaves out as many groups as possible: all, halves, then smaller and smaller runs of them.
  void leave_out(std::vector<Group> groups) {
    for (std::size_t run = groups.size(); run > 0; run /= 2) {
      for (std::size_t start = 0; start < groups.size();) {
        const std::size_t end = std::min(start + run, groups.size());
        std::set<Position> gone;
        for (std::size_t group = start; group < end; ++group) {
          gone.insert(groups[group].begin(), groups[group].end());
        }
        std::vector<Position> rest;
        std::ranges::copy_if(positions_, std::back_inserter(rest),
                             [&gone](Position position) { return !gone.contains(position); });
        if (!is_broken_(rest)) {
          start = end;
          continue;
        }
        positions_ = std::move(rest);
        groups.erase(groups.begin() + static_cast<std::ptrdiff_t>(start),
                     groups.begin() + static_cast<std::ptrdiff_t>(end));
      }
    }
  }

  std::span<const Operation> operations_;
  std::vector<Position> positions_;
  const IsBroken& is_broken_;
};

}  // namespace

std::vector<Position> find_core(std::span<const Operation> operations, std::vector<Position> positions,
                                const IsBroken& is_broken) {
  return CoreSearch(operations, std::move(positions), is_broken).find();
}

}  // namespace quorate::sim
