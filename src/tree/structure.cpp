// The primitive changes: each keeps the index, the sibling lists, the counters, the digest, the undo log and a running
// snapshot in step, so that operations above it cannot forget one of them.

#include <string>
#include <utility>

#include "base/ensure.hpp"
#include "tree/state.hpp"

namespace quorate::tree {

namespace {

// Counters wrap as Java's do (protocol 4.2, 4.4).
std::int32_t wrapped(std::int64_t value) {
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(static_cast<std::uint64_t>(value)));
}

// -1 means "any" in requests, so it never becomes a version (protocol 4.4).
std::int32_t next_version(std::int32_t version) {
  const std::int32_t next = wrapped(std::int64_t{version} + 1);
  return next == -1 ? 0 : next;
}

const Extra no_extra{};

}  // namespace

Stat TreeState::stat_of(SlotNumber slot) const {
  const Znode& znode = znodes.at(slot);
  const Extra* extra = znodes.find_extra(slot);
  Stat stat{.czxid = znode.czxid,
            .mzxid = znode.mzxid,
            .ctime = znode.ctime,
            .mtime = znode.mtime,
            .version = znode.version,
            .data_length = znodes.data_length(slot),
            .pzxid = znode.czxid};
  if (extra != nullptr) {
    stat.cversion = wrapped(std::int64_t{2} * extra->create_counter - extra->child_count);
    stat.aversion = extra->aversion;
    stat.ephemeral_owner = is_ephemeral_owner(extra->owner) ? extra->owner : 0;
    stat.num_children = static_cast<std::int32_t>(extra->child_count);
    stat.pzxid = extra->pzxid;
  }
  return stat;
}

std::int64_t TreeState::owner_of(SlotNumber slot) const {
  const Extra* extra = znodes.find_extra(slot);
  return extra == nullptr ? 0 : extra->owner;
}

std::uint32_t TreeState::child_count(SlotNumber slot) const {
  const Extra* extra = znodes.find_extra(slot);
  return extra == nullptr ? 0 : extra->child_count;
}

std::uint64_t TreeState::stat_term_of(SlotNumber slot, std::uint64_t key) const {
  const Znode& znode = znodes.at(slot);
  const Extra* found = znodes.find_extra(slot);
  const Extra& extra = found == nullptr ? no_extra : *found;
  return stat_term({.key = key,
                    .czxid = znode.czxid,
                    .mzxid = znode.mzxid,
                    .pzxid = found == nullptr ? znode.czxid : extra.pzxid,
                    .ctime = znode.ctime,
                    .mtime = znode.mtime,
                    .version = znode.version,
                    .aversion = extra.aversion,
                    .create_counter = extra.create_counter,
                    .owner = extra.owner,
                    .acl_hash = acls.content_hash(znode.acl)});
}

std::uint64_t TreeState::terms_of(SlotNumber slot, std::uint64_t key) const {
  return stat_term_of(slot, key) + data_term(key, znodes.data(slot));
}

// Kept up the chain, whose znodes the lookup has just met: so nobody ever walks a subtree to count it.
void TreeState::count_below(SlotNumber parent, std::int32_t znodes_more, std::int64_t bytes_more) {
  for (SlotNumber at = parent;; at = znodes.at(at).parent) {
    Extra& extra = znodes.extra(at);
    extra.descendants += static_cast<std::uint32_t>(znodes_more);
    extra.below_bytes += bytes_more;
    if (at == root) {
      return;
    }
  }
}

// The one place where a znode's data is exchanged: ancestors count its length.
void TreeState::exchange_data(SlotNumber slot, ByteView data) {
  const std::int64_t delta = static_cast<std::int64_t>(data.size()) - znodes.data_length(slot);
  znodes.set_data(slot, data);
  data_size += delta;
  if (delta != 0 && slot != root) {
    count_below(znodes.at(slot).parent, 0, delta);
  }
}

void TreeState::join_siblings(Extra& family, SlotNumber slot) {
  Znode& znode = znodes.at(slot);
  znode.next = no_slot;
  if (family.first_child == no_slot) {
    znode.previous = slot;
    family.first_child = slot;
    return;
  }
  Znode& first = znodes.at(family.first_child);
  znode.previous = first.previous;
  znodes.at(first.previous).next = slot;
  first.previous = slot;
}

void TreeState::leave_siblings(Extra& family, SlotNumber slot) {
  const Znode& znode = znodes.at(slot);
  if (family.first_child == slot) {
    family.first_child = znode.next;
  } else {
    Znode& before = znodes.at(znode.previous);
    ensure(before.next == slot, "siblings know each other");
    before.next = znode.next;
  }
  // After the last comes the first again.
  const SlotNumber after = znode.next != no_slot ? znode.next : family.first_child;
  if (after != no_slot) {
    znodes.at(after).previous = znode.previous;
  }
}

void TreeState::link(SlotNumber slot, std::uint64_t key, SlotNumber parent) {
  Extra& family = znodes.extra(parent);
  znodes.at(slot).parent = parent;
  join_siblings(family, slot);
  family.child_count += 1;
  count_below(parent, 1, znodes.data_length(slot));
  index.insert(key, slot);
  znode_count += 1;
  if (const std::int64_t owner = owner_of(slot); owner != 0) {
    enlist(slot, owner);
  }
}

void TreeState::unlink(SlotNumber slot, std::uint64_t key) {
  const Znode& znode = znodes.at(slot);
  Extra& family = znodes.extra(znode.parent);
  ensure(slot != root && child_count(slot) == 0, "only leaves go");
  leave_siblings(family, slot);
  family.child_count -= 1;
  count_below(znode.parent, -1, -std::int64_t{znodes.data_length(slot)});
  index.erase(key, slot);
  znode_count -= 1;
  if (const std::int64_t owner = owner_of(slot); owner != 0) {
    delist(slot, owner);
  }
}

void TreeState::list_push(ZnodeList& list, SlotNumber slot) {
  Extra& extra = znodes.extra(slot);
  extra.list_previous = no_slot;
  extra.list_next = list.first;
  if (list.first != no_slot) {
    znodes.extra(list.first).list_previous = slot;
  }
  list.first = slot;
  list.count += 1;
}

void TreeState::list_remove(ZnodeList& list, SlotNumber slot) {
  Extra& extra = znodes.extra(slot);
  if (extra.list_previous != no_slot) {
    znodes.extra(extra.list_previous).list_next = extra.list_next;
  } else {
    ensure(list.first == slot, "the first of a list has nobody before it");
    list.first = extra.list_next;
  }
  if (extra.list_next != no_slot) {
    znodes.extra(extra.list_next).list_previous = extra.list_previous;
  }
  list.count -= 1;
}

void TreeState::enlist(SlotNumber slot, std::int64_t owner) {
  if (may_expire(owner)) {
    list_push(expirable, slot);
  } else {
    list_push(ephemerals[owner], slot);
    ephemeral_count += 1;
  }
}

void TreeState::delist(SlotNumber slot, std::int64_t owner) {
  if (may_expire(owner)) {
    if (expire_cursor == slot) {
      expire_cursor = znodes.extra(slot).list_next;
    }
    list_remove(expirable, slot);
    return;
  }
  const auto list = ephemerals.find(owner);
  ensure(list != ephemerals.end(), "an ephemeral stands in its owner's list");
  list_remove(list->second, slot);
  if (list->second.count == 0) {
    ephemerals.erase(list);
  }
  ephemeral_count -= 1;
}

SlotNumber TreeState::insert(const NewZnode& fresh) {
  before_change(fresh.parent.slot);
  const SlotNumber slot = znodes.allocate(fresh.name, fresh.data);
  Znode& znode = znodes.at(slot);
  znode.czxid = znode.mzxid = fresh.zxid;
  znode.ctime = znode.mtime = fresh.time;
  znode.acl = fresh.acl;
  if (fresh.owner != 0) {
    znodes.extra(slot).owner = fresh.owner;
  }
  mark_new(slot);
  znode_digest -= stat_term_of(fresh.parent.slot, fresh.parent.key);
  Extra& family = znodes.extra(fresh.parent.slot);
  if (undoing) {
    undo_log.push_back({.kind = Undo::Kind::created,
                        .slot = slot,
                        .parent = fresh.parent.slot,
                        .key = fresh.key,
                        .zxid = family.pzxid,
                        .counter = family.create_counter});
  }
  family.create_counter = wrapped(std::int64_t{family.create_counter} + 1);
  family.pzxid = fresh.zxid;
  link(slot, fresh.key, fresh.parent.slot);
  znode_digest += stat_term_of(fresh.parent.slot, fresh.parent.key) + terms_of(slot, fresh.key);
  data_size += static_cast<std::int64_t>(fresh.path.size() + fresh.data.size());
  return slot;
}

// The znode's memory and its use of the ACL stay until the caller has announced the deletion (see remove_checked), or,
// in a multi, until it has succeeded.
void TreeState::erase(SlotNumber slot, std::uint64_t key, const Located& parent, std::string_view path, Zxid zxid) {
  before_change(slot);
  before_change(parent.slot);
  znode_digest -= terms_of(slot, key) + stat_term_of(parent.slot, parent.key);
  Extra& family = znodes.extra(parent.slot);
  if (undoing) {
    undo_log.push_back(
        {.kind = Undo::Kind::erased, .slot = slot, .parent = parent.slot, .key = key, .zxid = family.pzxid});
  }
  family.pzxid = zxid;
  unlink(slot, key);
  znode_digest += stat_term_of(parent.slot, parent.key);
  data_size -= static_cast<std::int64_t>(path.size()) + znodes.data_length(slot);
}

void TreeState::replace_data(const Located& located, ByteView data) {
  before_change(located.slot);
  const Znode& znode = znodes.at(located.slot);
  const ByteView old = znodes.data(located.slot);
  if (undoing) {
    undo_log.push_back({.kind = Undo::Kind::data,
                        .null_data = is_null(old),
                        .slot = located.slot,
                        .zxid = znode.mzxid,
                        .mtime = znode.mtime,
                        .counter = znode.version,
                        .text = std::string(old)});
  }
  znode_digest -= data_term(located.key, old);
  exchange_data(located.slot, data);
  znode_digest += data_term(located.key, znodes.data(located.slot));
}

void TreeState::write_data(const Located& located, ByteView data, Zxid zxid, WallTime time) {
  replace_data(located, data);
  znode_digest -= stat_term_of(located.slot, located.key);
  Znode& znode = znodes.at(located.slot);
  znode.version = next_version(znode.version);
  znode.mzxid = zxid;
  znode.mtime = time;
  znode_digest += stat_term_of(located.slot, located.key);
}

void TreeState::replace_acl(const Located& located, AclId acl) {
  before_change(located.slot);
  Znode& znode = znodes.at(located.slot);
  Extra& extra = znodes.extra(located.slot);
  if (undoing) {
    undo_log.push_back({.kind = Undo::Kind::acl, .slot = located.slot, .counter = extra.aversion, .acl = znode.acl});
  }
  znode_digest -= stat_term_of(located.slot, located.key);
  const AclId old = std::exchange(znode.acl, acl);
  extra.aversion = next_version(extra.aversion);
  znode_digest += stat_term_of(located.slot, located.key);
  if (!undoing) {
    acls.release(old);
  }
}

}  // namespace quorate::tree
