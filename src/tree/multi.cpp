// Multi: operations apply directly, one after the other, so that each sees the effects of the earlier ones; the
// primitives log how to take each change back, and the first refusal takes all of them back (protocol 3.14, I-305).

#include <iterator>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/ensure.hpp"
#include "tree/state.hpp"
#include "tree/tree.hpp"

namespace quorate::tree {

void TreeState::begin_undo() {
  ensure(!undoing && undo_log.empty() && pending_events.empty(), "multis do not nest");
  undoing = true;
  undo_digest = znode_digest;
  undo_data_size = data_size;
}

void TreeState::commit() {
  undoing = false;
  for (const PendingEvent& event : pending_events) {
    announce(event.type, event.path, event.acl, event.parent_acl, event.zxid);
  }
  pending_events.clear();
  // Only now may go what the events still named.
  for (const Undo& entry : undo_log) {
    if (entry.kind == Undo::Kind::erased) {
      acls.release(znodes.at(entry.slot).acl);
      znodes.release(entry.slot);
    } else if (entry.kind == Undo::Kind::acl) {
      acls.release(entry.acl);
    }
  }
  undo_log.clear();
}

void TreeState::roll_back() {
  undoing = false;
  pending_events.clear();
  for (std::size_t i = undo_log.size(); i > 0; --i) {
    undo(undo_log[i - 1]);
  }
  undo_log.clear();
  znode_digest = undo_digest;
  data_size = undo_data_size;
}

void TreeState::undo(Undo& entry) {
  switch (entry.kind) {
    case Undo::Kind::created: {
      unlink(entry.slot, entry.key);
      acls.release(znodes.at(entry.slot).acl);
      znodes.release(entry.slot);
      Extra& family = znodes.extra(entry.parent);
      family.pzxid = entry.zxid;
      family.create_counter = entry.counter;
      break;
    }
    case Undo::Kind::erased:
      link(entry.slot, entry.key, entry.parent);
      znodes.extra(entry.parent).pzxid = entry.zxid;
      break;
    case Undo::Kind::data: {
      exchange_data(entry.slot, entry.null_data ? null_bytes : ByteView(entry.text));
      Znode& znode = znodes.at(entry.slot);
      znode.mzxid = entry.zxid;
      znode.mtime = entry.mtime;
      znode.version = entry.counter;
      break;
    }
    case Undo::Kind::acl: {
      acls.release(std::exchange(znodes.at(entry.slot).acl, entry.acl));
      znodes.extra(entry.slot).aversion = entry.counter;
      break;
    }
    case Undo::Kind::quota_added:
      remove_quota_root(entry.text);
      break;
    case Undo::Kind::quota_removed:
      add_quota_root(entry.text);
      break;
  }
}

namespace {

struct RunOne {
  TreeState& state;
  const ApplyContext& context;
  OperationResult operator()(const Create& operation) const { return state.create(context, operation); }
  OperationResult operator()(const Delete& operation) const { return state.remove(context, operation); }
  OperationResult operator()(const SetData& operation) const { return state.set_data(context, operation); }
  OperationResult operator()(const SetAcl& operation) const { return state.set_acl(context, operation); }
  OperationResult operator()(const Check& operation) const { return state.check(context, operation); }
};

// Protocol 3.14: zeros before the failing operation, its code, "not attempted" after it.
void report_failure(std::size_t failed, Status status, std::size_t count, std::vector<OperationResult>& results) {
  results.assign(count, {});
  results[failed].status = status;
  for (std::size_t i = failed + 1; i < count; ++i) {
    results[i].status = Status::runtime_inconsistency;
  }
}

}  // namespace

void Tree::multi(const ApplyContext& context, std::span<const Operation> operations,
                 std::vector<OperationResult>& results) {
  TreeState& state = *state_;
  results.clear();
  state.multi_paths.clear();
  state.multi_offsets.clear();
  state.begin_undo();
  for (const Operation& operation : operations) {
    const OperationResult result = std::visit(RunOne{state, context}, operation);
    if (result.status != Status::ok) {
      state.roll_back();
      report_failure(results.size(), result.status, operations.size(), results);
      return;
    }
    state.multi_offsets.push_back(state.multi_paths.size());
    state.multi_paths += result.path;
    results.push_back(result);
  }
  state.multi_offsets.push_back(state.multi_paths.size());
  state.commit();
  for (std::size_t i = 0; i < results.size(); ++i) {
    const std::size_t offset = state.multi_offsets[i];
    results[i].path = std::string_view(state.multi_paths).substr(offset, state.multi_offsets[i + 1] - offset);
  }
}

}  // namespace quorate::tree
