#include "replica/streams.hpp"

#include <algorithm>
#include <utility>

#include "base/ensure.hpp"

namespace quorate::replica {

StreamTable::StreamTable(std::vector<wire::StreamPosition> positions) : positions_(std::move(positions)) {
  std::ranges::sort(positions_, {}, [](const wire::StreamPosition& position) { return position.stream.server; });
  for (std::size_t i = 1; i < positions_.size(); ++i) {
    ensure(positions_[i - 1].stream.server != positions_[i].stream.server, "a member has one position");
  }
}

StreamVerdict StreamTable::judge(const wire::StreamId& stream, std::uint64_t number) {
  const auto at = std::ranges::lower_bound(positions_, stream.server, {},
                                           [](const wire::StreamPosition& position) { return position.stream.server; });
  const bool known = at != positions_.end() && at->stream.server == stream.server;
  if (known && at->stream == stream) {
    if (number == at->number + 1) {
      at->number = number;
      return StreamVerdict::execute;
    }
    return number <= at->number ? StreamVerdict::repeated : StreamVerdict::gap;
  }
  if (known && at->stream.incarnation == stream.incarnation && stream.start < at->stream.start) {
    return StreamVerdict::older_start;
  }
  if (number != 1) {
    return StreamVerdict::gap;
  }
  const wire::StreamPosition first{.stream = stream, .number = 1};
  if (known) {
    *at = first;
  } else {
    positions_.insert(at, first);
  }
  return StreamVerdict::execute;
}

}  // namespace quorate::replica
