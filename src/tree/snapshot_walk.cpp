// A snapshot of one instant without a pause and without a copy of the tree (design chapter 7, R-601).

#include <functional>
#include <utility>

#include "base/ensure.hpp"
#include "tree/state.hpp"
#include "tree/tree.hpp"

namespace quorate::tree {

namespace {

constexpr std::uint32_t epoch_max = 15;   // What fits beside the data length.
constexpr std::size_t steps_an_item = 8;  // Freed blocks are stepped over at this rate, so a slice stays a slice.

SessionImage image_of(const Session& session) {
  return {.id = session.id,
          .password = session.password,
          .timeout_ms = session.timeout_ms,
          .owner = session.owner,
          .generation = session.generation};
}

}  // namespace

bool TreeState::is_ahead(SlotNumber slot) const {
  const std::size_t chunk = slot >> BlockStore::position_bits;
  const std::uint32_t position = slot & ((SlotNumber{1} << BlockStore::position_bits) - 1);
  return chunk < walk.chunk_end && (chunk > walk.chunk || (chunk == walk.chunk && position >= walk.position));
}

void TreeState::write_image(SlotNumber slot, std::uint64_t key) {
  const Znode& znode = znodes.at(slot);
  const Extra* extra = znodes.find_extra(slot);
  ZnodeImage image{.slot = Slot{slot},
                   .parent = Slot{znode.parent},
                   .key = key,
                   .name = znodes.name(slot),
                   .data = znodes.data(slot),
                   .acl = znode.acl,
                   .czxid = znode.czxid,
                   .mzxid = znode.mzxid,
                   .pzxid = znode.czxid,
                   .ctime = znode.ctime,
                   .mtime = znode.mtime,
                   .version = znode.version};
  if (extra != nullptr) {
    image.pzxid = extra->pzxid;
    image.aversion = extra->aversion;
    image.create_counter = extra->create_counter;
    image.owner = extra->owner;
  }
  walk.write(image);
}

void TreeState::write_early(SlotNumber slot) {
  write_image(slot, key_of(slot));
  znodes.set_epoch(slot, walk.epoch);
}

// A znode that did not exist at the snapshot's instant is not part of it.
void TreeState::mark_new(SlotNumber slot) {
  if (walk.running && is_ahead(slot)) {
    znodes.set_epoch(slot, walk.epoch);
  }
}

void TreeState::before_session_change(SessionId id) {
  if (!walk.running || walk.sessions_done || (walk.sessions_started && id <= walk.session_cursor)) {
    return;
  }
  if (walk.sessions_excepted.emplace(raw(id), true).second) {
    const Session* session = sessions.find(id);
    ensure(session != nullptr, "only what exists changes");
    walk.write(image_of(*session));
  }
}

void TreeState::mark_new_session(SessionId id) {
  if (walk.running) {
    walk.sessions_excepted.emplace(raw(id), true);
  }
}

void Tree::begin_snapshot(std::function<void(const SnapshotItem&)> write) {
  TreeState& state = *state_;
  SnapshotWalk& walk = state.walk;
  ensure(!walk.running, "at most one snapshot runs at a time");
  ensure(!state.undoing && !state.loading.active, "a snapshot stands between operations");
  const std::size_t abandons = walk.bare_abandons;
  walk = SnapshotWalk{};
  walk.write = std::move(write);
  walk.running = true;
  walk.sessions_done = false;
  walk.chunk_end = state.znodes.chunk_count();
  walk.bare_abandons = abandons;
  walk.epoch = static_cast<std::uint32_t>(abandons) + 1;  // Marks that abandoned walks left are older epochs'.
  state.acls.freeze();
  walk.write(StateImage{.last_zxid = state.last_zxid,
                        .last_time = state.last_time,
                        .switches = state.switches,
                        .hash_secret = state.hash_secret,
                        .digest = digest(),
                        .znodes = state.znode_count,
                        .sessions = state.sessions.size()});
  state.acls.for_each([&](AclId id, AclView acl) { walk.write(AclImage{.id = id, .acl = acl}); });
}

bool Tree::step_snapshot(std::size_t items) {
  TreeState& state = *state_;
  SnapshotWalk& walk = state.walk;
  ensure(walk.running, "a snapshot was begun");
  std::size_t steps = items * steps_an_item;
  while (!walk.sessions_done && items > 0 && steps-- > 0) {
    const Session* session =
        walk.sessions_started ? state.sessions.find_after(walk.session_cursor) : state.sessions.find_first();
    if (session == nullptr) {
      walk.sessions_done = true;
      break;
    }
    walk.sessions_started = true;
    walk.session_cursor = session->id;
    if (!walk.sessions_excepted.contains(raw(session->id))) {
      walk.write(image_of(*session));
      --items;
    }
  }
  // Siblings often stand together, so their parent's key is computed once. No znode changes during a slice.
  SlotNumber parent = no_slot;
  std::uint64_t parent_key = 0;
  while (walk.sessions_done && walk.chunk < walk.chunk_end && items > 0 && steps-- > 0) {
    if (walk.position >= state.znodes.used(walk.chunk)) {
      walk.chunk += 1;
      walk.position = 0;
      continue;
    }
    const SlotNumber slot = state.znodes.live_at(walk.chunk, walk.position++);
    if (slot == no_slot) {
      continue;
    }
    if (state.znodes.epoch(slot) != walk.epoch) {
      if (state.znodes.at(slot).parent != parent) {
        parent = state.znodes.at(slot).parent;
        parent_key = state.key_of(parent);
      }
      state.write_image(slot,
                        slot == state.root ? state.root_path_key : child_key(parent_key, state.znodes.name(slot)));
      --items;
    }
    state.znodes.set_epoch(slot, 0);
  }
  if (!walk.sessions_done || walk.chunk < walk.chunk_end) {
    return false;
  }
  state.acls.thaw();
  walk = SnapshotWalk{};  // The walk has passed and cleared every mark.
  return true;
}

void Tree::abandon_snapshot() {
  TreeState& state = *state_;
  if (!state.walk.running) {
    return;
  }
  state.acls.thaw();
  const std::size_t abandons = state.walk.bare_abandons + 1;
  state.walk = SnapshotWalk{};
  state.walk.bare_abandons = abandons;
  if (abandons + 1 > epoch_max) {
    state.sweep_marks();  // Epochs have run out: once in fifteen failures in a row, all marks are wiped.
  }
}

void TreeState::sweep_marks() {
  for (std::size_t chunk = 0; chunk < znodes.chunk_count(); ++chunk) {
    for (std::uint32_t position = 0; position < znodes.used(chunk); ++position) {
      if (const SlotNumber slot = znodes.live_at(chunk, position); slot != no_slot) {
        znodes.set_epoch(slot, 0);
      }
    }
  }
  walk.bare_abandons = 0;
}

bool Tree::snapshot_running() const {
  return state_->walk.running;
}

}  // namespace quorate::tree
