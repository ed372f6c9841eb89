#include "net/timers.hpp"

#include <algorithm>
#include <utility>

namespace quorate::net {

namespace {

// Equal deadlines come due by tag, so that the order never depends on the heap's shape.
constexpr auto later = [](const auto& a, const auto& b) { return std::pair{a.at, a.tag} > std::pair{b.at, b.tag}; };

}  // namespace

void Timers::add(MonoTime at, Tag tag) {
  heap_.push_back(Entry{.at = at, .tag = tag});
  std::push_heap(heap_.begin(), heap_.end(), later);
}

std::optional<Tag> Timers::take_due(MonoTime now) {
  if (heap_.empty() || heap_.front().at > now) {
    return std::nullopt;
  }
  std::pop_heap(heap_.begin(), heap_.end(), later);
  const Tag tag = heap_.back().tag;
  heap_.pop_back();
  return tag;
}

std::optional<MonoTime> Timers::next() const {
  return heap_.empty() ? std::nullopt : std::optional(heap_.front().at);
}

}  // namespace quorate::net
