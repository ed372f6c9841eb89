#include "sim/causal.hpp"

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

#include "base/ensure.hpp"
#include "sim/causal_events.hpp"

namespace quorate::sim {
namespace {

// For each event and chain: how many of the chain's events come before it, itself included. Each relation that is kept
// so contains the order of every chain.
class Clocks {
 public:
  Clocks(std::size_t events, std::size_t chains) : chains_(chains), counts_(events * chains) {}

  std::span<std::uint32_t> of(EventId event) {
    return std::span(counts_).subspan(std::to_underlying(event) * chains_, chains_);
  }
  [[nodiscard]] std::span<const std::uint32_t> of(EventId event) const {
    return std::span(counts_).subspan(std::to_underlying(event) * chains_, chains_);
  }
  // True: `event` learned something.
  bool join(EventId event, EventId cause) {
    bool has_grown = false;
    const std::span<std::uint32_t> mine = of(event);
    const std::span<const std::uint32_t> theirs = of(cause);
    for (std::size_t chain = 0; chain < chains_; ++chain) {
      has_grown = has_grown || theirs[chain] > mine[chain];
      mine[chain] = std::max(mine[chain], theirs[chain]);
    }
    return has_grown;
  }

 private:
  std::size_t chains_;
  std::vector<std::uint32_t> counts_;
};

class Judge {
 public:
  explicit Judge(CausalEvents events)
      : events_(std::move(events)), causes_(events_.list.size(), events_.chains), view_(0, 0) {}

  CausalConsistency run() {
    list_writes();
    if (!order_by_cause()) {
      return found_;
    }
    for (const EventId read : order_) {
      if (!at(read).is_write && !check_causes(read)) {
        return found_;
      }
    }
    std::vector<EventId> last(events_.chains, no_event);
    for (const EventId event : order_) {
      last[at(event).chain] = event;
    }
    for (const EventId event : last) {
      if (!check_view(event)) {
        return found_;
      }
    }
    return found_;
  }

 private:
  // The writes of one chain to one key, in their order.
  struct Writes {
    std::uint32_t chain = 0;
    std::vector<EventId> list;
  };
  // Follows from a client's reads: `earlier` must come before `later`, or a read would have seen the other.
  struct Implied {
    EventId earlier{};
    EventId later{};
  };

  [[nodiscard]] const Event& at(EventId event) const { return events_.list[std::to_underlying(event)]; }

  [[nodiscard]] bool is_before(const Clocks& clocks, EventId earlier, EventId later) const {
    return clocks.of(later)[at(earlier).chain] >= at(earlier).index;
  }

  void list_writes() {
    for (std::uint32_t number = 0; number < events_.list.size(); ++number) {
      const Event& event = events_.list[number];
      const std::size_t key = std::to_underlying(event.key);
      writes_.resize(std::max(writes_.size(), key + 1));
      if (!event.is_write) {
        continue;
      }
      auto mine = std::ranges::find(writes_[key], event.chain, &Writes::chain);
      if (mine == writes_[key].end()) {
        mine = writes_[key].insert(mine, Writes{.chain = event.chain, .list = {}});
      }
      mine->list.push_back(EventId{number});
    }
  }

  // The latest write of a chain among its first `count` events.
  [[nodiscard]] EventId latest(const Writes& writes, std::uint32_t count) const {
    const auto end =
        std::ranges::upper_bound(writes.list, count, {}, [this](EventId event) { return at(event).index; });
    return end == writes.list.begin() ? no_event : *(end - 1);
  }

  bool blame(CausalPattern pattern, EventId operation, EventId source, EventId other) {
    found_.verdict = Verdict::broken;
    found_.pattern = pattern;
    found_.operation = at(operation).position;
    if (source != no_event) {
      found_.source = at(source).position;
    }
    if (other != no_event) {
      found_.other = at(other).position;
    }
    return false;
  }

  // Sorts the events so that causes come first, and fills `causes_`. False: a cycle (CyclicCO).
  bool order_by_cause() {
    const std::size_t count = events_.list.size();
    std::vector<std::uint32_t> waits_for(count, 0);
    std::vector<std::vector<EventId>> effects(count);
    for (std::uint32_t number = 0; number < count; ++number) {
      for (const EventId cause : {events_.list[number].before, events_.list[number].source}) {
        if (cause != no_event) {
          effects[std::to_underlying(cause)].push_back(EventId{number});
          ++waits_for[number];
        }
      }
    }
    for (std::uint32_t number = 0; number < count; ++number) {
      if (waits_for[number] == 0) {
        order_.push_back(EventId{number});
      }
    }
    for (std::size_t next = 0; next < order_.size(); ++next) {
      const EventId event = order_[next];
      causes_.of(event)[at(event).chain] = at(event).index;
      learn_causes(causes_, event);
      for (const EventId effect : effects[std::to_underlying(event)]) {
        if (--waits_for[std::to_underlying(effect)] == 0) {
          order_.push_back(effect);
        }
      }
    }
    const auto stuck = std::ranges::find_if(waits_for, [](std::uint32_t waits) { return waits > 0; });
    return stuck == waits_for.end() ||
           blame(CausalPattern::cyclic_causes, EventId{static_cast<std::uint32_t>(stuck - waits_for.begin())}, no_event,
                 no_event);
  }

  bool learn_causes(Clocks& clocks, EventId event) const {
    bool has_grown = false;
    for (const EventId cause : {at(event).before, at(event).source}) {
      has_grown = (cause != no_event && clocks.join(event, cause)) || has_grown;
    }
    return has_grown;
  }

  // WriteCOInitRead and WriteCORead. Of each chain the latest write is enough: an earlier one in between has it in
  // between.
  bool check_causes(EventId read) {
    const EventId source = at(read).source;
    for (const Writes& writes : writes_[std::to_underlying(at(read).key)]) {
      const EventId write = latest(writes, causes_.of(read)[writes.chain]);
      if (write == no_event || write == source) {
        continue;
      }
      if (source == no_event) {
        return blame(CausalPattern::write_causes_initial, read, no_event, write);
      }
      if (is_before(causes_, source, write)) {
        return blame(CausalPattern::write_between, read, source, write);
      }
    }
    return true;
  }

  // The reads of the client whose last event this is, with those that a branch comes after.
  [[nodiscard]] std::vector<EventId> reads_before(EventId last) const {
    std::vector<EventId> reads;
    for (EventId event = last; event != no_event; event = at(event).before) {
      if (!at(event).is_write) {
        reads.push_back(event);
      }
    }
    return reads;
  }

  // The order of writes as the reads up to `last` imply it: grown until nothing new follows (WriteHBInitRead,
  // CyclicHB).
  bool check_view(EventId last) {
    const std::vector<EventId> reads = reads_before(last);
    std::vector<Implied> implied;
    view_ = causes_;
    for (bool has_grown = true; has_grown;) {
      has_grown = false;
      for (const EventId read : reads) {
        if (!imply(read, implied, has_grown)) {
          return false;
        }
      }
      if (has_grown) {
        spread(implied);
      }
      for (const auto& [earlier, later] : implied) {
        if (is_before(view_, later, earlier)) {
          return blame(CausalPattern::cyclic_view, last, earlier, later);
        }
      }
    }
    return true;
  }

  bool imply(EventId read, std::vector<Implied>& implied, bool& has_grown) {
    const EventId source = at(read).source;
    for (const Writes& writes : writes_[std::to_underlying(at(read).key)]) {
      const EventId write = latest(writes, view_.of(read)[writes.chain]);
      if (write == no_event || write == source) {
        continue;
      }
      if (source == no_event) {
        return blame(CausalPattern::write_seen_initial, read, no_event, write);
      }
      if (!is_before(view_, write, source)) {
        implied.push_back({.earlier = write, .later = source});
        view_.join(source, write);
        has_grown = true;
      }
    }
    return true;
  }

  void spread(const std::vector<Implied>& implied) {
    for (bool has_grown = true; has_grown;) {
      has_grown = false;
      for (const auto& [earlier, later] : implied) {
        has_grown = view_.join(later, earlier) || has_grown;
      }
      for (const EventId event : order_) {
        has_grown = learn_causes(view_, event) || has_grown;
      }
    }
  }

  CausalEvents events_;
  Clocks causes_;
  Clocks view_;
  std::vector<std::vector<Writes>> writes_;  // By key.
  std::vector<EventId> order_;
  CausalConsistency found_;
};

}  // namespace

CausalConsistency check_causal(const History& history, const CausalLimits& limits) {
  CausalEvents events = make_causal_events(history);
  CausalConsistency found;
  if (events.sources == CausalEvents::Source::missing) {
    found.verdict = Verdict::broken;
    found.pattern = CausalPattern::thin_air_read;
    found.operation = events.missing;
    return found;
  }
  const std::size_t bytes = 2 * sizeof(std::uint32_t) * events.list.size() * events.chains;
  if (events.sources == CausalEvents::Source::ambiguous || bytes > limits.bytes) {
    found.verdict = Verdict::gave_up;
    return found;
  }
  return Judge(std::move(events)).run();
}

std::string_view describe(CausalPattern pattern) {
  switch (pattern) {
    case CausalPattern::none:
      return "nothing contradicts it";
    case CausalPattern::thin_air_read:
      return "a read saw a value that nobody wrote";
    case CausalPattern::cyclic_causes:
      return "an operation is a cause of itself";
    case CausalPattern::write_causes_initial:
      return "a read saw the initial value although a cause of it wrote another";
    case CausalPattern::write_between:
      return "a read saw a value that a cause of the read had replaced";
    case CausalPattern::write_seen_initial:
      return "a read saw the initial value although its client's reads imply that another was there";
    case CausalPattern::cyclic_view:
      return "a client's reads imply that a write came before itself";
  }
  std::unreachable();
}

std::string describe(const History& history, const CausalConsistency& found) {
  if (found.verdict == Verdict::holds) {
    return "causally consistent";
  }
  if (found.verdict == Verdict::gave_up) {
    return "not decided whether causally consistent: values are not unique, or the history is too long for its clients";
  }
  ensure(found.pattern != CausalPattern::none, "who finds a history broken says why");
  const std::span operations = history.operations();
  std::string text = "not causally consistent: " + std::string(describe(found.pattern)) + ":\n  " +
                     describe(history, operations[found.operation]) + "\n";
  for (const std::optional<History::Position>& position : {found.source, found.other}) {
    if (position) {
      text += "  " + describe(history, operations[*position]) + "\n";
    }
  }
  return text;
}

}  // namespace quorate::sim
