#include "sim/testing/brute_force.hpp"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <map>
#include <set>
#include <vector>

namespace quorate::sim {
namespace {

using Kind = Operation::Kind;
using Outcome = Operation::Outcome;
using Precedes = std::function<bool(std::size_t, std::size_t)>;
using State = std::map<KeyId, std::int64_t>;

bool has_answer(const Operation& operation) {
  return operation.outcome == Outcome::done;
}

// What happens to the registers, if the operation can act as it says it did.
bool act(const Operation& operation, State& state) {
  std::int64_t& value = state[operation.key];
  switch (operation.kind) {
    case Kind::read:
      return !has_answer(operation) || value == operation.result;
    case Kind::write:
      value = operation.value;
      return true;
    case Kind::compare_and_set:
      if (has_answer(operation) && (value == operation.expected) != (operation.result == 1)) {
        return false;
      }
      value = value == operation.expected ? operation.value : value;
      return true;
  }
  return false;
}

// Whether the rest can be put in an order behind what is `used` already.
bool can_order(const std::vector<Operation>& operations, const Precedes& precedes, const std::set<std::size_t>& used,
               const State& state) {
  bool is_complete = true;
  for (std::size_t next = 0; next < operations.size(); ++next) {
    if (used.contains(next)) {
      continue;
    }
    is_complete = is_complete && !has_answer(operations[next]);
    bool may_be_next = true;
    for (std::size_t other = 0; other < operations.size(); ++other) {
      may_be_next = may_be_next && (used.contains(other) || !precedes(other, next));
    }
    State after = state;
    if (may_be_next && act(operations[next], after)) {
      std::set<std::size_t> more = used;
      more.insert(next);
      if (can_order(operations, precedes, more, after)) {
        return true;
      }
    }
  }
  return is_complete;
}

std::vector<Operation> effective(const History& history) {
  std::vector<Operation> operations;
  std::ranges::copy_if(history.operations(), std::back_inserter(operations),
                       [](const Operation& operation) { return operation.outcome != Outcome::failed; });
  return operations;
}

// In the order of the client's program; a call without an answer holds up nobody.
bool is_before_in_program(const std::vector<Operation>& operations, std::size_t earlier, std::size_t later) {
  const Operation& first = operations[earlier];
  const Operation& second = operations[later];
  return first.client == second.client && has_answer(first) &&
         std::pair(first.invoked, earlier) < std::pair(second.invoked, later);
}

using Relation = std::set<std::pair<std::size_t, std::size_t>>;

void close_over(Relation& relation) {
  for (bool has_grown = true; has_grown;) {
    has_grown = false;
    const Relation before = relation;
    for (const auto& [a, b] : before) {
      for (const auto& [c, d] : before) {
        has_grown = (b == c && relation.emplace(a, d).second) || has_grown;
      }
    }
  }
}

// Program order and reads-from, closed; false if a read sees what nobody wrote, or something comes before itself.
bool find_causes(const std::vector<Operation>& operations, Relation& causes) {
  for (std::size_t read = 0; read < operations.size(); ++read) {
    for (std::size_t other = 0; other < operations.size(); ++other) {
      if (other != read && is_before_in_program(operations, other, read)) {
        causes.emplace(other, read);
      }
    }
    if (operations[read].kind != Kind::read || operations[read].result == initial_value) {
      continue;
    }
    const auto source = std::ranges::find_if(operations, [&](const Operation& operation) {
      return operation.kind == Kind::write && operation.key == operations[read].key &&
             operation.value == operations[read].result;
    });
    if (source == operations.end()) {
      return false;
    }
    causes.emplace(static_cast<std::size_t>(source - operations.begin()), read);
  }
  close_over(causes);
  return std::ranges::none_of(causes, [](const auto& pair) { return pair.first == pair.second; });
}

// Causal memory (Ahamad and others 1995): each client sees all writes and its own reads in an order of its own that
// keeps causes before effects.
bool is_causal_with(const std::vector<Operation>& operations) {
  Relation causes;
  if (!find_causes(operations, causes)) {
    return false;
  }
  for (const Operation& any : operations) {
    std::vector<Operation> seen;
    std::vector<std::size_t> original;
    for (std::size_t i = 0; i < operations.size(); ++i) {
      if (operations[i].kind == Kind::write || operations[i].client == any.client) {
        seen.push_back(operations[i]);
        seen.back().outcome = Outcome::done;
        original.push_back(i);
      }
    }
    const auto precedes = [&](std::size_t a, std::size_t b) { return causes.contains({original[a], original[b]}); };
    if (!can_order(seen, precedes, {}, {})) {
      return false;
    }
  }
  return true;
}

}  // namespace

bool is_linearizable_by_force(const History& history) {
  const std::vector<Operation> operations = effective(history);
  return can_order(
      operations, [&](std::size_t a, std::size_t b) { return operations[a].returned < operations[b].invoked; }, {}, {});
}

bool is_sequential_by_force(const History& history) {
  const std::vector<Operation> operations = effective(history);
  return can_order(operations,
                   [&](std::size_t a, std::size_t b) { return a != b && is_before_in_program(operations, a, b); }, {},
                   {});
}

// Every choice of the operations without an answer: those that took effect, those that did not.
bool is_causal_by_force(const History& history) {
  const std::vector<Operation> operations = effective(history);
  std::vector<std::size_t> open;
  for (std::size_t i = 0; i < operations.size(); ++i) {
    if (!has_answer(operations[i])) {
      open.push_back(i);
    }
  }
  for (std::size_t choice = 0; choice < (std::size_t{1} << open.size()); ++choice) {
    std::vector<Operation> chosen;
    for (std::size_t i = 0; i < operations.size(); ++i) {
      const auto at = std::ranges::find(open, i);
      const bool is_chosen = at == open.end() || ((choice >> static_cast<std::size_t>(at - open.begin())) & 1U) != 0;
      if (is_chosen && (has_answer(operations[i]) || operations[i].kind == Kind::write)) {
        chosen.push_back(operations[i]);
      }
    }
    if (is_causal_with(chosen)) {
      return true;
    }
  }
  return false;
}

}  // namespace quorate::sim
