// Telling the fronts' watch tables what changed (protocol 7.4).

#include <algorithm>
#include <string>
#include <string_view>

#include "tree/path.hpp"
#include "tree/state.hpp"

namespace quorate::tree {

bool TreeState::has_watchers() const {
  return std::ranges::any_of(watch_tables, [](const WatchTable* table) { return !table->empty(); });
}

// The events of a multi wait until all of it has succeeded; ids of ACLs stay valid until then (see commit).
void TreeState::announce(EventType type, std::string_view path, AclId acl, AclId parent_acl, Zxid zxid) {
  if (!has_watchers()) {
    return;
  }
  if (undoing) {
    pending_events.push_back(
        {.type = type, .path = std::string(path), .acl = acl, .parent_acl = parent_acl, .zxid = zxid});
    return;
  }
  const std::string_view parent = type == EventType::data_changed ? std::string_view{} : parent_of(path);
  fire({.type = type, .path = path, .parent = parent, .acl = acl, .parent_acl = parent_acl, .zxid = zxid});
}

void TreeState::fire(const Change& change) {
  for (WatchTable* table : watch_tables) {
    if (!table->empty()) {
      table->fire(change, acls, switches.skip_acl);
    }
  }
}

}  // namespace quorate::tree
