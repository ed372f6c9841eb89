#include "raft/entry.hpp"

#include <algorithm>
#include <utility>

#include "base/ensure.hpp"

namespace quorate::raft {

Entries::Entries(std::vector<Entry> entries) {
  if (!entries.empty()) {
    row_ = std::make_shared<const std::vector<Entry>>(std::move(entries));
    view_ = *row_;
  }
}

Entries Entries::slice(std::size_t offset, std::size_t length) const {
  ensure(offset <= view_.size(), "a slice starts inside its row");
  ensure(length <= view_.size() - offset, "a slice ends inside its row");
  Entries part;
  if (length > 0) {
    part.row_ = row_;
    part.view_ = view_.subspan(offset, length);
  }
  return part;
}

bool operator==(const Entries& a, const Entries& b) {
  return std::ranges::equal(a, b);
}

}  // namespace quorate::raft
