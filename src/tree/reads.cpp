// What readers ask; const, so that any thread under the reader lock may.

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <numeric>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "tree/child_order.hpp"
#include "tree/state.hpp"
#include "tree/tree.hpp"

namespace quorate::tree {
namespace {

// Names by bucket, those of one bucket by age; in linear time, for lists are read often.
void visit_in_order(const ZnodeStore& znodes, const Extra& family,
                    const std::function<void(std::string_view name)>& visit) {
  std::array<std::uint8_t, ordered_children_max> buckets{};
  std::array<std::uint8_t, ordered_buckets_max + 1> starts{};
  std::size_t filled = 0;
  for (SlotNumber child = family.first_child; child != no_slot; child = znodes.at(child).next) {
    buckets[filled] = static_cast<std::uint8_t>(bucket_of(znodes.name(child), family.child_count));
    starts[buckets[filled] + 1U] += 1;
    filled += 1;
  }
  std::partial_sum(starts.begin(), starts.end(), starts.begin());
  std::array<SlotNumber, ordered_children_max> ordered{};
  std::size_t position = 0;
  for (SlotNumber child = family.first_child; child != no_slot; child = znodes.at(child).next) {
    ordered[starts[buckets[position]]++] = child;
    position += 1;
  }
  for (const SlotNumber child : std::span(ordered).first(filled)) {
    visit(znodes.name(child));
  }
}

}  // namespace

std::optional<ZnodeView> Tree::find(std::string_view path) const {
  const SlotNumber slot = state_->find(path).slot;
  if (slot == no_slot) {
    return std::nullopt;
  }
  return ZnodeView{
      .data = state_->znodes.data(slot), .stat = state_->stat_of(slot), .acl = state_->znodes.at(slot).acl};
}

PathHint Tree::prefetch(std::string_view path) const {
  std::uint64_t key = 0;
  if (!state_->key_of_path(path, key)) {
    key = state_->root_path_key;
  }
  state_->index.prefetch(key);
  return PathHint{key};
}

// Whatever stands under the hint's tag is fetched, right or wrong.
void Tree::prefetch(PathHint hint) const {
  const SlotNumber slot = state_->index.find(std::to_underlying(hint), [](SlotNumber) { return true; });
  if (slot != no_slot) {
    state_->znodes.prefetch(slot);
  }
}

std::optional<std::size_t> Tree::for_each_child(std::string_view path,
                                                const std::function<void(std::string_view name)>& visit) const {
  const SlotNumber slot = state_->find(path).slot;
  if (slot == no_slot) {
    return std::nullopt;
  }
  const Extra* family = state_->znodes.find_extra(slot);
  if (family == nullptr) {
    return 0;
  }
  if (const std::size_t count = family->child_count; count > 1 && count <= ordered_children_max) {
    visit_in_order(state_->znodes, *family, visit);
    return count;
  }
  for (SlotNumber child = family->first_child; child != no_slot; child = state_->znodes.at(child).next) {
    visit(state_->znodes.name(child));
  }
  return family->child_count;
}

std::optional<std::int64_t> Tree::count_descendants(std::string_view path) const {
  const SlotNumber slot = state_->find(path).slot;
  if (slot == no_slot) {
    return std::nullopt;
  }
  const Extra* family = state_->znodes.find_extra(slot);
  return family == nullptr ? 0 : std::int64_t{family->descendants};
}

bool Tree::allows(AclId acl, std::int32_t wanted, CredentialsView credentials) const {
  return state_->allows(acl, wanted, credentials);
}

const AclTable& Tree::acls() const {
  return state_->acls;
}

const Switches& Tree::switches() const {
  return state_->switches;
}

Zxid Tree::last_zxid() const {
  return state_->last_zxid;
}

WallTime Tree::last_time() const {
  return state_->last_time;
}

std::size_t Tree::znode_count() const {
  return state_->znode_count;
}

std::size_t Tree::ephemeral_count() const {
  return state_->ephemeral_count;
}

std::int64_t Tree::approximate_data_size() const {
  return state_->data_size;
}

const QuotaExcess& Tree::quota_excess() const {
  return state_->quota_excess;
}

namespace {
constexpr std::size_t session_bytes = sizeof(Session) + 96;  // Both views' own parts, about.
}  // namespace

std::size_t Tree::live_bytes() const {
  return state_->znodes.live_bytes() + state_->index.bytes() + state_->acls.live_bytes() +
         state_->sessions.size() * session_bytes;
}

std::size_t Tree::memory_bytes() const {
  return state_->znodes.bytes() + state_->index.bytes() + state_->acls.bytes() +
         state_->sessions.size() * session_bytes;
}

std::uint64_t Tree::digest() const {
  return state_->znode_digest + state_->session_digest +
         clock_term(state_->last_zxid, state_->last_time, state_->switches);
}

std::uint64_t Tree::recompute_digest() const {
  const TreeState& state = *state_;
  std::uint64_t sum = clock_term(state.last_zxid, state.last_time, state.switches);
  for (SlotNumber slot = state.root; slot != no_slot; slot = state.next_in_subtree(slot, state.root)) {
    sum += state.terms_of(slot, state.key_of(slot));
  }
  state.sessions.for_each([&](const Session& session) { sum += session_term(session); });
  return sum;
}

}  // namespace quorate::tree
