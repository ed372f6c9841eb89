#pragma once

// Deadlines in order: a binary heap of (time, tag). Cancelling is the owner's: a tag that means nothing any more is
// ignored when it comes due.

#include <optional>
#include <vector>

#include "base/ids.hpp"
#include "net/poller.hpp"

namespace quorate::net {

class Timers {
 public:
  void add(MonoTime at, Tag tag);
  // The earliest tag that is due, if any; called until it yields nothing.
  std::optional<Tag> take_due(MonoTime now);
  [[nodiscard]] std::optional<MonoTime> next() const;
  [[nodiscard]] std::size_t size() const { return heap_.size(); }

 private:
  struct Entry {
    MonoTime at{};
    Tag tag{};
  };
  std::vector<Entry> heap_;
};

}  // namespace quorate::net
