// Containers and TTL nodes (protocol 9): which may go, and their internal deletion (protocol 3.17).

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "base/ensure.hpp"
#include "tree/path.hpp"
#include "tree/state.hpp"
#include "tree/tree.hpp"

namespace quorate::tree {

namespace {

// One call looks at no more than this many beyond its limit, so it stays well below a millisecond.
constexpr std::size_t steps_beyond_limit = 1024;

bool is_expired_ttl(const Znode& znode, const Extra& extra, WallTime now) {
  return is_ttl_owner(extra.owner) && raw(now) - raw(znode.mtime) > (extra.owner & ttl_bits);
}

bool is_deletable(const Znode& znode, const Extra& extra, WallTime now, std::int64_t container_never_used_ms) {
  if (extra.child_count != 0) {
    return false;
  }
  if (extra.owner != container_owner) {
    return is_expired_ttl(znode, extra, now);
  }
  const bool was_used = extra.create_counter > 0;
  return was_used || (container_never_used_ms != 0 && raw(now) - raw(znode.mtime) > container_never_used_ms);
}

}  // namespace

Tree::ExpiryLook Tree::find_expired(WallTime now, std::int64_t container_never_used_ms, std::size_t limit,
                                    std::vector<std::string>& paths) {
  TreeState& state = *state_;
  paths.clear();
  const std::size_t steps = std::min(state.expirable.count, limit + steps_beyond_limit);
  std::size_t step = 0;
  for (; step < steps && paths.size() < limit; ++step) {
    if (state.expire_cursor == no_slot) {
      state.expire_cursor = state.expirable.first;
    }
    const SlotNumber slot = state.expire_cursor;
    const Extra& extra = state.znodes.extra(slot);
    if (is_deletable(state.znodes.at(slot), extra, now, container_never_used_ms)) {
      paths.push_back(state.path_of(slot));
    }
    state.expire_cursor = extra.list_next;
  }
  return ExpiryLook{.looked = step, .listed = state.expirable.count};
}

// Besides the rule of protocol 3.17 it re-validates what the leader saw when it proposed: only a container, or a TTL
// node whose time is over, goes (Appendix B: nobody deletes an ordinary leaf this way).
Status Tree::delete_container(const ApplyContext& context, std::string_view path) {
  TreeState& state = *state_;
  if (!path.starts_with('/') || is_protected(path)) {
    return Status::bad_arguments;
  }
  const SlotNumber slot = state.find(path).slot;
  if (slot == no_slot) {
    return Status::no_node;
  }
  if (state.child_count(slot) != 0) {
    return Status::not_empty;
  }
  const Extra* extra = state.znodes.find_extra(slot);
  if (extra == nullptr ||
      (extra->owner != container_owner && !is_expired_ttl(state.znodes.at(slot), *extra, context.time))) {
    return Status::bad_version;
  }
  const Located parent = state.find(parent_of(path));
  ensure(parent.slot == state.znodes.at(slot).parent, "a path leads to its znode's parent");
  state.remove_checked(slot, child_key(parent.key, name_of(path)), parent, path, context.zxid);
  return Status::ok;
}

}  // namespace quorate::tree
