// Quotas in the tree (protocol 11): which paths are quota roots, their stats nodes, and the limits where enforced.

#include <string>
#include <string_view>
#include <utility>

#include "base/ensure.hpp"
#include "tree/path.hpp"
#include "tree/quota.hpp"
#include "tree/state.hpp"

namespace quorate::tree {

namespace {

std::string book_path(std::string_view subject, std::string_view name) {
  std::string path(quota_root_path);
  path += subject;
  path += '/';
  path += name;
  return path;
}

}  // namespace

// One hash a component, so a long path costs its length and nothing more.
std::string_view TreeState::find_quota_root(std::string_view path) const {
  std::string_view deepest;
  if (quota_roots.empty() || path.size() < 2) {
    return deepest;
  }
  std::uint64_t key = root_path_key;
  std::size_t start = 1;
  while (start < path.size()) {
    const std::size_t end = std::min(path.find('/', start), path.size());
    key = child_key(key, path.substr(start, end - start));
    const auto [first, last] = quota_roots.equal_range(key);
    for (auto root_entry = first; root_entry != last; ++root_entry) {
      if (root_entry->second == path.substr(0, end)) {
        deepest = root_entry->second;
      }
    }
    start = end + 1;
  }
  return deepest;
}

// The quota root "/" is ignored (protocol 11).
void TreeState::add_quota_root(std::string_view path) {
  std::uint64_t key = 0;
  if (path == "/" || !key_of_path(path, key)) {
    return;
  }
  quota_roots.emplace(key, path);
  if (undoing) {
    undo_log.push_back({.kind = Undo::Kind::quota_added, .text = std::string(path)});
  }
}

void TreeState::remove_quota_root(std::string_view path) {
  std::uint64_t key = 0;
  if (path == "/" || !key_of_path(path, key)) {
    return;
  }
  const auto [first, last] = quota_roots.equal_range(key);
  for (auto root_entry = first; root_entry != last; ++root_entry) {
    if (root_entry->second == path) {
      quota_roots.erase(root_entry);
      if (undoing) {
        undo_log.push_back({.kind = Undo::Kind::quota_removed, .text = std::string(path)});
      }
      return;
    }
  }
}

void TreeState::quota_created(std::string_view path, std::int64_t data_bytes) {
  if (const std::string_view subject = quota_subject(parent_of(path)); !is_null(subject)) {
    const std::string_view name = name_of(path);
    if (name == quota_limits_name) {
      add_quota_root(subject);
    } else if (name == quota_stats_name) {
      count_into_stats(subject);
    }
  }
  quota_changed(path, 1, data_bytes);
}

void TreeState::quota_erased(std::string_view path, std::int64_t data_bytes) {
  if (name_of(path) == quota_limits_name) {
    if (const std::string_view subject = quota_subject(parent_of(path)); !is_null(subject)) {
      remove_quota_root(subject);
    }
  }
  quota_changed(path, -1, -data_bytes);
}

// In place: no version, no mzxid, no watch.
void TreeState::quota_changed(std::string_view path, std::int64_t count, std::int64_t bytes) {
  const std::string_view subject = find_quota_root(path);
  if (is_null(subject)) {
    return;
  }
  const Located stats = find(book_path(subject, quota_stats_name));
  if (stats.slot == no_slot) {
    return;
  }
  QuotaText text(znodes.data(stats.slot));
  text.add(count, bytes);
  replace_data(stats, text.text());
  if (count > 0 || bytes > 0) {
    note_excess(subject, text, count > 0);
  }
}

// What is not refused is told (protocol 11). A write that could have passed either limit is told of the count's.
void TreeState::note_excess(std::string_view subject, const QuotaText& used, bool counts) {
  const SlotNumber limits_slot = find(book_path(subject, quota_limits_name)).slot;
  if (limits_slot == no_slot) {
    return;
  }
  const QuotaText allowed(znodes.data(limits_slot));
  struct Limit {
    bool is_of_bytes;
    bool is_hard;
    std::int64_t used;
    std::int64_t limit;
  };
  for (const Limit& each :
       {Limit{false, true, used.count(), allowed.count_hard_limit()},
        Limit{false, false, used.count(), allowed.count()}, Limit{true, true, used.bytes(), allowed.byte_hard_limit()},
        Limit{true, false, used.bytes(), allowed.bytes()}}) {
    if ((each.is_of_bytes || counts) && each.limit >= 0 && each.used > each.limit) {
      quota_excess = {.count = quota_excess.count + 1,
                      .path = std::string(subject),
                      .is_of_bytes = each.is_of_bytes,
                      .is_hard = each.is_hard,
                      .used = each.used,
                      .limit = each.limit};
      return;
    }
  }
}

void TreeState::count_into_stats(std::string_view subject) {
  const Located top = find(subject);
  QuotaText text(0, 0);
  if (top.slot != no_slot) {
    const Extra* family = znodes.find_extra(top.slot);
    text.add(1 + (family == nullptr ? 0 : std::int64_t{family->descendants}),
             znodes.data_length(top.slot) + (family == nullptr ? 0 : family->below_bytes));
  }
  const Located stats = find(book_path(subject == "/" ? std::string_view{} : subject, quota_stats_name));
  ensure(stats.slot != no_slot, "it was created a moment ago");
  replace_data(stats, text.text());
}

Status TreeState::check_quota(std::string_view path, std::int64_t count, std::int64_t bytes) const {
  if (!switches.enforce_quota) {
    return Status::ok;
  }
  const std::string_view subject = find_quota_root(path);
  if (is_null(subject)) {
    return Status::ok;
  }
  const SlotNumber limits_slot = find(book_path(subject, quota_limits_name)).slot;
  const SlotNumber stats_slot = find(book_path(subject, quota_stats_name)).slot;
  if (limits_slot == no_slot || stats_slot == no_slot) {
    return Status::ok;
  }
  const QuotaText allowed(znodes.data(limits_slot));
  QuotaText wanted(znodes.data(stats_slot));
  wanted.add(count, bytes);
  if (count > 0 && allowed.count_hard_limit() >= 0 && wanted.count() > allowed.count_hard_limit()) {
    return Status::quota_exceeded;
  }
  if (bytes != 0 && allowed.byte_hard_limit() >= 0 && wanted.bytes() > allowed.byte_hard_limit()) {
    return Status::quota_exceeded;
  }
  return Status::ok;
}

SlotNumber TreeState::next_in_subtree(SlotNumber slot, SlotNumber top) const {
  const Extra* family = znodes.find_extra(slot);
  if (family != nullptr && family->first_child != no_slot) {
    return family->first_child;
  }
  while (slot != top) {
    const Znode& znode = znodes.at(slot);
    if (znode.next != no_slot) {
      return znode.next;
    }
    slot = znode.parent;
  }
  return no_slot;
}

void TreeState::rebuild_quota_roots() {
  quota_roots.clear();
  const SlotNumber top = find(quota_root_path).slot;
  if (top == no_slot) {
    return;
  }
  for (SlotNumber slot = top; slot != no_slot; slot = next_in_subtree(slot, top)) {
    if (znodes.name(slot) == quota_limits_name) {
      const std::string path = path_of(slot);
      if (const std::string_view subject = quota_subject(parent_of(path)); !is_null(subject)) {
        add_quota_root(subject);
      }
    }
  }
}

}  // namespace quorate::tree
