#include "tree/tree.hpp"

#include <algorithm>
#include <memory>
#include <utility>

#include "base/ensure.hpp"
#include "tree/state.hpp"

namespace quorate::tree {

namespace {

// A znode that no request created: it counts in nobody's create counter and all its stamps are zero (protocol 4.1).
void add_founding_znode(TreeState& state, std::string_view parent_path, std::string_view name, AclView acl,
                        std::int32_t aversion) {
  const Located parent = state.find(parent_path);
  const SlotNumber slot = state.znodes.allocate(name, empty_bytes);
  const AclId id = state.acls.intern(acl);
  state.znodes.at(slot).acl = id;
  if (aversion != 0) {
    state.znodes.extra(slot).aversion = aversion;
  }
  const std::uint64_t key = child_key(parent.key, name);
  state.link(slot, key, parent.slot);
  state.znode_digest += state.terms_of(slot, key);
  state.data_size += static_cast<std::int64_t>((parent.slot == state.root ? 0 : parent_path.size()) + 1 + name.size());
}

}  // namespace

Tree::Tree(std::unique_ptr<TreeState> state) : state_(std::move(state)) {}

Tree::Tree(std::uint64_t hash_secret) : state_(std::make_unique<TreeState>(hash_secret)) {
  TreeState& state = *state_;
  state.root_path_key = root_key(hash_secret);
  state.root = state.znodes.allocate({}, empty_bytes);
  state.znodes.at(state.root).parent = state.root;
  state.acls.retain(open_acl);
  state.index.insert(state.root_path_key, state.root);
  state.znode_count = 1;
  state.data_size = 1;
  state.znode_digest = state.terms_of(state.root, state.root_path_key);

  const AclEntry everything{.permissions = permission::all, .identity = {.scheme = "world", .id = "anyone"}};
  const AclEntry reading{.permissions = permission::read, .identity = {.scheme = "world", .id = "anyone"}};
  add_founding_znode(state, "/", "zookeeper", {&everything, 1}, 0);
  add_founding_znode(state, "/zookeeper", "quota", {&everything, 1}, 0);
  add_founding_znode(state, "/zookeeper", "config", {&reading, 1}, -1);
}

Tree::~Tree() = default;
Tree::Tree(Tree&&) noexcept = default;
Tree& Tree::operator=(Tree&&) noexcept = default;

OperationResult Tree::create(const ApplyContext& context, const Create& operation) {
  return state_->create(context, operation);
}

OperationResult Tree::remove(const ApplyContext& context, const Delete& operation) {
  return state_->remove(context, operation);
}

OperationResult Tree::set_data(const ApplyContext& context, const SetData& operation) {
  return state_->set_data(context, operation);
}

OperationResult Tree::set_acl(const ApplyContext& context, const SetAcl& operation) {
  return state_->set_acl(context, operation);
}

void Tree::attach(WatchTable& table) {
  ensure(std::ranges::find(state_->watch_tables, &table) == state_->watch_tables.end(), "a table is attached once");
  state_->watch_tables.push_back(&table);
}

void Tree::detach(WatchTable& table) {
  std::erase(state_->watch_tables, &table);
}

void Tree::set_switches(const Switches& switches) {
  state_->switches = switches;
}

void Tree::advance(Zxid zxid, WallTime time) {
  ensure(zxid > state_->last_zxid, "zxids only grow (I-306)");
  state_->last_zxid = zxid;
  state_->last_time = std::max(state_->last_time, time);
}

}  // namespace quorate::tree
