#include "sim/causal_events.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <span>
#include <utility>

namespace quorate::sim {
namespace {

using Kind = Operation::Kind;
using Outcome = Operation::Outcome;
using Position = History::Position;

// Whether the operation wrote, or may have.
bool may_write(const Operation& operation) {
  switch (operation.kind) {
    case Kind::read:
      return false;
    case Kind::write:
      return operation.outcome != Outcome::failed;
    case Kind::compare_and_set:
      return operation.outcome == Outcome::unknown || (operation.outcome == Outcome::done && operation.result == 1);
  }
  std::unreachable();
}

// What the operation found there, if it acted and tells.
std::optional<std::int64_t> found_value(const Operation& operation) {
  if (operation.kind == Kind::read && operation.outcome == Outcome::done) {
    return operation.result;
  }
  if (operation.kind == Kind::compare_and_set && may_write(operation)) {
    return operation.expected;
  }
  return std::nullopt;
}

class Builder {
 public:
  explicit Builder(const History& history)
      : operations_(history.operations()), write_of_(operations_.size(), no_event) {}

  CausalEvents build() {
    if (!find_writers()) {
      events_.sources = CausalEvents::Source::ambiguous;
      return std::move(events_);
    }
    if (!choose()) {
      events_.sources = CausalEvents::Source::missing;
      return std::move(events_);
    }
    list_events();
    for (Event& event : events_.list) {
      const std::optional<std::int64_t> found = found_value(operations_[event.position]);
      if (!event.is_write && found != initial_value) {
        event.source = write_of_[writers_.at({event.key, *found})];
      }
    }
    return std::move(events_);
  }

 private:
  bool find_writers() {
    for (Position position = 0; position < operations_.size(); ++position) {
      const Operation& operation = operations_[position];
      if (may_write(operation) && (operation.value == initial_value ||
                                   !writers_.emplace(std::pair(operation.key, operation.value), position).second)) {
        return false;
      }
    }
    return true;
  }

  // What acted: all that was answered, and calls of unknown outcome whose value something that acted saw.
  bool choose() {
    std::vector<Position> fresh;
    for (Position position = 0; position < operations_.size(); ++position) {
      const Operation& operation = operations_[position];
      is_chosen_.push_back(operation.outcome == Outcome::done &&
                           (operation.kind == Kind::read || may_write(operation)));
      if (is_chosen_.back()) {
        fresh.push_back(position);
      }
    }
    while (!fresh.empty()) {
      const Position position = fresh.back();
      fresh.pop_back();
      const std::optional<std::int64_t> found = found_value(operations_[position]);
      if (!found || *found == initial_value) {
        continue;
      }
      const auto writer = writers_.find({operations_[position].key, *found});
      if (writer == writers_.end()) {
        events_.missing = position;
        return false;
      }
      if (!is_chosen_[writer->second]) {
        is_chosen_[writer->second] = true;
        fresh.push_back(writer->second);
      }
    }
    return true;
  }

  struct Chain {
    std::uint32_t number = 0;
    std::uint32_t length = 0;
    EventId last = no_event;
  };

  void list_events() {
    std::vector<Position> order;
    for (Position position = 0; position < operations_.size(); ++position) {
      if (is_chosen_[position]) {
        order.push_back(position);
      }
    }
    std::ranges::sort(order, {},
                      [this](Position position) { return std::pair(operations_[position].invoked, position); });
    std::map<ClientId, Chain> programs;
    for (const Position position : order) {
      const Operation& operation = operations_[position];
      const auto [program, is_new] = programs.emplace(operation.client, Chain{.number = events_.chains});
      events_.chains += is_new ? 1 : 0;
      if (operation.outcome == Outcome::done) {
        append(position, program->second);
      } else {
        Chain branch{.number = events_.chains++, .last = program->second.last};
        append(position, branch);
      }
    }
  }

  // A compare-and-set that succeeded reads, and then writes.
  void append(Position position, Chain& chain) {
    if (operations_[position].kind != Kind::write) {
      append_event(position, chain, false);
    }
    if (operations_[position].kind != Kind::read) {
      append_event(position, chain, true);
      write_of_[position] = chain.last;
    }
  }

  void append_event(Position position, Chain& chain, bool is_write) {
    events_.list.push_back({.position = position,
                            .chain = chain.number,
                            .index = ++chain.length,
                            .before = chain.last,
                            .key = operations_[position].key,
                            .is_write = is_write});
    chain.last = EventId{static_cast<std::uint32_t>(events_.list.size() - 1)};
  }

  std::span<const Operation> operations_;
  std::map<std::pair<KeyId, std::int64_t>, Position> writers_;
  std::vector<bool> is_chosen_;
  std::vector<EventId> write_of_;  // By position.
  CausalEvents events_;
};

}  // namespace

CausalEvents make_causal_events(const History& history) {
  return Builder(history).build();
}

}  // namespace quorate::sim
