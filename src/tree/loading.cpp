// From a snapshot's items back to a tree. Items come in any order; finish_loading links them and refuses what does not
// hold together (I-303): unknown parents, wrong keys, doubled names, cycles, ephemerals without session, unknown ACLs,
// a digest that differs.

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/ensure.hpp"
#include "base/limits.hpp"
#include "tree/state.hpp"
#include "tree/tree.hpp"

namespace quorate::tree {

namespace {

std::unexpected<Error> corrupt(const std::string& what) {
  return failure(ErrorCode::corrupt, "the snapshot does not hold together: " + what);
}

// From an image's slot to its place among the loaded znodes. Slots are dense in spots, so it is a table of pages.
class SlotTable {
 public:
  static constexpr std::uint32_t nowhere = 0xFFFFFFFF;

  // False if the slot was taken.
  bool insert(std::uint32_t slot, std::uint32_t place) {
    const std::size_t page = slot / page_entries;
    if (page >= pages_.size()) {
      pages_.resize(page + 1);
    }
    if (pages_[page].empty()) {
      pages_[page].assign(page_entries, nowhere);
    }
    std::uint32_t& entry = pages_[page][slot % page_entries];
    if (entry != nowhere) {
      return false;
    }
    entry = place;
    return true;
  }
  [[nodiscard]] std::uint32_t find(std::uint32_t slot) const {
    const std::size_t page = slot / page_entries;
    return page < pages_.size() && !pages_[page].empty() ? pages_[page][slot % page_entries] : nowhere;
  }

 private:
  static constexpr std::size_t page_entries = 4096;
  std::vector<std::vector<std::uint32_t>> pages_;
};

class Loader {
 public:
  explicit Loader(TreeState& state) : state_(state) {}

  Result<void> take(const StateImage& image) {
    if (state_.loading.has_state) {
      return corrupt("it has two state records");
    }
    state_.loading.has_state = true;
    state_.loading.state = image;
    return {};
  }

  Result<void> take(const AclImage& image) {
    if (!state_.acls.restore(image.id, image.acl)) {
      return corrupt("ACL " + std::to_string(std::to_underlying(image.id)) + " is doubled or impossible");
    }
    return {};
  }

  Result<void> take(const SessionImage& image) {
    const Session session{.id = image.id,
                          .password = image.password,
                          .timeout_ms = image.timeout_ms,
                          .owner = image.owner,
                          .generation = image.generation};
    if (!state_.sessions.insert(session)) {
      return corrupt("session " + std::to_string(raw(image.id)) + " is doubled");
    }
    state_.session_digest += session_term(session);
    return {};
  }

  Result<void> take(const ZnodeImage& image) {
    const bool is_root = image.slot == image.parent;
    if (image.name.empty() != is_root || image.name.find('/') != std::string_view::npos ||
        image.name.size() > limits::entry_bytes_max || image.data.size() > limits::entry_bytes_max) {
      return corrupt("a znode has an impossible name or size");
    }
    const SlotNumber slot = state_.znodes.allocate(image.name, image.data);
    Znode& znode = state_.znodes.at(slot);
    znode.czxid = image.czxid;
    znode.mzxid = image.mzxid;
    znode.ctime = image.ctime;
    znode.mtime = image.mtime;
    znode.version = image.version;
    znode.acl = image.acl;
    if (image.pzxid != image.czxid || image.owner != 0 || image.aversion != 0 || image.create_counter != 0) {
      Extra& extra = state_.znodes.extra(slot);
      extra.pzxid = image.pzxid;
      extra.owner = image.owner;
      extra.aversion = image.aversion;
      extra.create_counter = image.create_counter;
    }
    state_.loading.znodes.push_back({.slot = slot,
                                     .image_slot = std::to_underlying(image.slot),
                                     .image_parent = std::to_underlying(image.parent),
                                     .key = image.key});
    return {};
  }

  Result<void> finish() {
    const Loading& loading = state_.loading;
    if (!loading.has_state) {
      return corrupt("it has no state record");
    }
    if (loading.state.znodes != loading.znodes.size() || loading.state.sessions != state_.sessions.size()) {
      return corrupt("it does not have as many znodes and sessions as it says");
    }
    adopt_state();
    if (Result<void> result = find_root(); !result) {
      return result;
    }
    state_.index.reserve(loading.znodes.size());
    constexpr std::size_t ahead = 16;  // The index is met at random: its misses overlap.
    for (std::size_t i = 0; i < loading.znodes.size(); ++i) {
      if (i + ahead < loading.znodes.size()) {
        state_.index.prefetch(loading.znodes[i + ahead].key);
      }
      if (Result<void> result = link(loading.znodes[i]); !result) {
        return result;
      }
    }
    if (Result<void> result = count_descendants(); !result) {
      return result;
    }
    for (const LoadedZnode& loaded : loading.znodes) {
      count(loaded);
    }
    state_.acls.finish_restore();
    return {};
  }

 private:
  void adopt_state() {
    const StateImage& image = state_.loading.state;
    state_.hash_secret = image.hash_secret;
    state_.root_path_key = root_key(image.hash_secret);
    state_.switches = image.switches;
    state_.last_zxid = image.last_zxid;
    state_.last_time = image.last_time;
  }

  Result<void> find_root() {
    const std::vector<LoadedZnode>& loaded = state_.loading.znodes;
    for (std::size_t i = 0; i < loaded.size(); ++i) {
      if (!places_.insert(loaded[i].image_slot, static_cast<std::uint32_t>(i))) {
        return corrupt("two znodes have one slot");
      }
      if (loaded[i].image_slot == loaded[i].image_parent) {
        if (state_.root != no_slot) {
          return corrupt("it has two roots");
        }
        state_.root = loaded[i].slot;
      }
    }
    return state_.root == no_slot ? Result<void>(corrupt("it has no root")) : Result<void>{};
  }

  Result<void> link(const LoadedZnode& loaded) {
    Znode& znode = state_.znodes.at(loaded.slot);
    if (!state_.acls.contains(znode.acl)) {
      return corrupt("a znode has an unknown ACL");
    }
    state_.acls.retain(znode.acl);
    const Extra* extra = state_.znodes.find_extra(loaded.slot);
    const Zxid pzxid = extra == nullptr ? znode.czxid : extra->pzxid;
    if (znode.czxid > znode.mzxid || znode.mzxid > state_.last_zxid || pzxid > state_.last_zxid) {
      return corrupt("a znode is newer than the snapshot");
    }
    if (loaded.slot == state_.root) {
      znode.parent = loaded.slot;
      if (loaded.key != state_.root_path_key) {
        return corrupt("the root has a wrong key");
      }
      state_.index.insert(loaded.key, loaded.slot);
      return {};
    }
    const std::uint32_t place = places_.find(loaded.image_parent);
    if (place == SlotTable::nowhere) {
      return corrupt("a znode has no parent");
    }
    const LoadedZnode& parent = state_.loading.znodes[place];
    const std::string_view name = state_.znodes.name(loaded.slot);
    if (loaded.key != child_key(parent.key, name)) {
      return corrupt("a znode has a wrong key");
    }
    znode.parent = parent.slot;
    if (state_.find_child(parent.slot, loaded.key, name) != no_slot) {
      return corrupt("two children have one name");
    }
    state_.index.insert(loaded.key, loaded.slot);
    Extra& family = state_.znodes.extra(parent.slot);
    if (is_ephemeral_owner(family.owner)) {
      return corrupt("an ephemeral has children");
    }
    state_.join_siblings(family, loaded.slot);
    family.child_count += 1;
    family.below_bytes += state_.znodes.data_length(loaded.slot);  // The children's own; the rest comes from below.
    return adopt_owner(loaded.slot);
  }

  Result<void> adopt_owner(SlotNumber slot) {
    const std::int64_t owner = state_.owner_of(slot);
    if (is_ephemeral_owner(owner) && state_.sessions.find(SessionId{owner}) == nullptr) {
      return corrupt("an ephemeral has no session");
    }
    if (owner != 0) {
      state_.enlist(slot, owner);
    }
    return {};
  }

  // Upwards from the parents of leaves: a parent is done when all its children that are parents are. What never gets
  // done stands in a cycle.
  Result<void> count_descendants() {
    std::vector<std::uint32_t> waiting_for;  // By the Extra's number.
    std::vector<SlotNumber> ready;
    std::size_t parents = 0;
    const auto waiting = [&](SlotNumber slot) -> std::uint32_t& {
      const std::uint32_t number = state_.znodes.at(slot).extra;
      if (number >= waiting_for.size()) {
        waiting_for.resize(std::size_t{number} * 2 + 1);
      }
      return waiting_for[number];
    };
    for (const LoadedZnode& loaded : state_.loading.znodes) {
      if (loaded.slot != state_.root && state_.child_count(loaded.slot) > 0) {
        waiting(state_.znodes.at(loaded.slot).parent) += 1;
      }
    }
    for (const LoadedZnode& loaded : state_.loading.znodes) {
      if (state_.child_count(loaded.slot) > 0) {
        parents += 1;
        if (waiting(loaded.slot) == 0) {
          ready.push_back(loaded.slot);
        }
      }
    }
    std::size_t done = 0;
    for (; done < ready.size(); ++done) {
      const SlotNumber slot = ready[done];
      Extra& extra = state_.znodes.extra(slot);
      extra.descendants += extra.child_count;
      if (slot != state_.root) {
        const SlotNumber parent = state_.znodes.at(slot).parent;
        state_.znodes.extra(parent).descendants += extra.descendants;
        state_.znodes.extra(parent).below_bytes += extra.below_bytes;
        if (--waiting(parent) == 0) {
          ready.push_back(parent);
        }
      }
    }
    return done == parents ? Result<void>{} : Result<void>(corrupt("znodes are each other's ancestors"));
  }

  void count(const LoadedZnode& loaded) {
    state_.znode_count += 1;
    state_.znode_digest += state_.terms_of(loaded.slot, loaded.key);
    state_.data_size += state_.znodes.data_length(loaded.slot);
    if (loaded.slot == state_.root) {
      state_.data_size += 1;
      return;
    }
    // A name stands in its own path and in those of all its descendants.
    const Extra* extra = state_.znodes.find_extra(loaded.slot);
    const std::int64_t paths = 1 + (extra == nullptr ? 0 : std::int64_t{extra->descendants});
    state_.data_size += paths * static_cast<std::int64_t>(state_.znodes.name(loaded.slot).size() + 1);
  }

  TreeState& state_;
  SlotTable places_;
};

}  // namespace

Tree Tree::for_loading() {
  auto state = std::make_unique<TreeState>(0);
  state->loading.active = true;
  return Tree(std::move(state));
}

Result<void> Tree::load(const SnapshotItem& item) {
  ensure(state_->loading.active, "only a tree made by for_loading is loaded into");
  return std::visit([&](const auto& image) { return Loader(*state_).take(image); }, item);
}

Result<void> Tree::finish_loading() {
  ensure(state_->loading.active, "loading is finished once");
  if (Result<void> result = Loader(*state_).finish(); !result) {
    return result;
  }
  state_->rebuild_quota_roots();
  if (digest() != state_->loading.state.digest) {
    return corrupt("its digest differs from that of its contents");
  }
  state_->loading = Loading{};
  return {};
}

}  // namespace quorate::tree
