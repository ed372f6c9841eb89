#include "tree/watch_table.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "tree/watch_registry.hpp"

namespace quorate::tree {
namespace {

constexpr std::array all_kinds{WatchKind::data, WatchKind::child, WatchKind::persistent,
                               WatchKind::persistent_recursive};

// Protocol 3.11, with the modes of 3.9 apart: `children` and `data` are the one-shot registrations.
constexpr bool is_meant(WatcherType type, WatchKind kind) {
  switch (type) {
    case WatcherType::any:
      return true;
    case WatcherType::children:
      return kind == WatchKind::child;
    case WatcherType::data:
      return kind == WatchKind::data;
    case WatcherType::persistent:
      return kind == WatchKind::persistent;
    case WatcherType::persistent_recursive:
      return kind == WatchKind::persistent_recursive;
  }
  return false;
}

}  // namespace

void WatchEvents::clear() {
  events.clear();
  watchers.clear();
  paths.clear();
}

std::string_view WatchEvents::path_of(const Event& event) const {
  return std::string_view{paths}.substr(event.path_offset, event.path_length);
}

std::span<const WatcherId> WatchEvents::watchers_of(const Event& event) const {
  return std::span{watchers}.subspan(event.first, event.count);
}

struct WatchTable::Step {
  EventType type{};
  std::string_view path;
  std::uint64_t hash = 0;  // Of the path, if anybody could watch exactly this path.
  Zxid zxid{};
  std::uint64_t number = 0;  // Stamps the watchers that this step has dealt with.
  const AclTable& acls;
  AclId acl{};
  bool open_to_all = false;  // Nobody needs to be asked for credentials.
  bool announced = false;    // The event stands in the batch: the first one who gets it puts it there.
};

WatchTable::WatchTable(std::uint64_t hash_secret) : registry_(std::make_unique<WatchRegistry>(hash_secret)) {}
WatchTable::~WatchTable() = default;
WatchTable::WatchTable(WatchTable&&) noexcept = default;
WatchTable& WatchTable::operator=(WatchTable&&) noexcept = default;

void WatchTable::set_credentials(WatcherId watcher, CredentialsView credentials) {
  registry_->set_credentials(std::to_underlying(watcher), credentials);
}

bool WatchTable::drop(WatcherId watcher, std::size_t limit) {
  registrations_ -= registry_->drop(std::to_underlying(watcher), limit);
  if (watch_count(watcher) > 0) {
    return false;
  }
  for (WatchEvents::Event& event : events_.events) {
    const auto first = events_.watchers.begin() + event.first;
    const auto kept = std::remove(first, first + event.count, watcher);
    event.count = static_cast<std::uint32_t>(kept - first);
  }
  return true;
}

bool WatchTable::add(WatcherId watcher, std::string_view path, WatchKind kind) {
  if (!has_room(watcher, path.size())) {
    return registry_->contains(std::to_underlying(watcher), path, kind);
  }
  registrations_ += registry_->add(std::to_underlying(watcher), path, kind) ? 1U : 0U;
  return true;
}

bool WatchTable::has_room(WatcherId watcher, std::size_t path_bytes) const {
  if (registry_->path_bytes() + path_bytes > limits_.all_path_bytes_max) {
    return false;
  }
  const WatchRegistry::Watcher* own = registry_->find_watcher(std::to_underlying(watcher));
  return own == nullptr ||
         (own->registrations < limits_.registrations_max && own->path_bytes + path_bytes <= limits_.path_bytes_max);
}

bool WatchTable::has(WatcherId watcher, std::string_view path, WatcherType type) const {
  return std::ranges::any_of(all_kinds, [&](WatchKind kind) {
    return is_meant(type, kind) && registry_->contains(std::to_underlying(watcher), path, kind);
  });
}

bool WatchTable::remove(WatcherId watcher, std::string_view path, WatcherType type) {
  const std::size_t before = registrations_;
  for (const WatchKind kind : all_kinds) {
    if (is_meant(type, kind) && registry_->erase(std::to_underlying(watcher), path, kind)) {
      --registrations_;
    }
  }
  return registrations_ < before;
}

void WatchTable::fire(const Change& change, const AclTable& acls, bool skip_acl) {
  if (empty()) {
    return;
  }
  const auto step_for = [&](EventType type, std::string_view path, AclId acl) {
    return Step{.type = type,
                .path = path,
                .hash = registry_->has_exact() ? registry_->hash_of(path) : 0,
                .zxid = change.zxid,
                .number = ++steps_,
                .acls = acls,
                .acl = acl,
                .open_to_all = skip_acl || acls.allows(acl, permission::read, {}),
                .announced = false};
  };
  Step own = step_for(change.type, change.path, change.acl);
  fire_data(own);
  if (change.type == EventType::data_changed) {
    return;
  }
  if (change.type == EventType::deleted) {
    // The same step goes on: who got NodeDeleted from the data registry does not get it again.
    fire_child(own);
  }
  if (!registry_->has_child()) {
    return;
  }
  Step parent = step_for(EventType::children_changed, change.parent, change.parent_acl);
  fire_child(parent);
}

void WatchTable::take_events(WatchEvents& into) {
  into.clear();
  std::swap(into, events_);
}

std::size_t WatchTable::watch_count() const {
  return registry_->data_watches() + registry_->child_watches();
}

std::size_t WatchTable::watch_count(WatcherId watcher) const {
  const auto* found = registry_->find_watcher(std::to_underlying(watcher));
  return found == nullptr ? 0 : found->registrations;
}

std::size_t WatchTable::data_watch_count() const {
  return registry_->data_watches();
}

std::size_t WatchTable::data_path_count() const {
  return registry_->data_paths();
}

std::size_t WatchTable::data_watcher_count() const {
  return registry_->data_watchers();
}

void WatchTable::for_each_data_watch(const std::function<void(std::string_view, WatcherId)>& visit) const {
  walk_data_watches(0, std::numeric_limits<std::size_t>::max(), visit);
}

std::uint32_t WatchTable::walk_data_watches(std::uint32_t cursor, std::size_t limit,
                                            const std::function<void(std::string_view, WatcherId)>& visit) const {
  std::size_t visited = 0;
  for (std::uint32_t path = cursor; path < registry_->paths_end(); ++path) {
    if (visited >= limit) {
      return path;
    }
    if (!registry_->is_path(path)) {
      ++visited;  // Free slots cost a walk something too.
      continue;
    }
    for (const WatchKind kind : all_kinds) {
      registry_->for_each(path, kind, [&](std::uint32_t watcher) {
        if (registry_->is_first_in_data(watcher, path, kind)) {
          visit(registry_->text_of(path), WatcherId{watcher});
          ++visited;
        }
      });
    }
  }
  return 0;
}

void WatchTable::for_each_data_path(WatcherId watcher, const std::function<void(std::string_view)>& visit) const {
  if (const auto* found = registry_->find_watcher(std::to_underlying(watcher)); found != nullptr) {
    registry_->for_each_data_path(*found, visit);
  }
}

std::size_t WatchTable::bytes() const {
  return sizeof(WatchRegistry) + registry_->bytes() + (events_.events.capacity() * sizeof(WatchEvents::Event)) +
         (events_.watchers.capacity() * sizeof(WatcherId)) + events_.paths.capacity();
}

void WatchTable::deliver(Step& step, std::uint32_t watcher) {
  auto& receiver = registry_->watcher(watcher);
  if (receiver.step == step.number) {
    return;
  }
  receiver.step = step.number;
  if (!step.open_to_all) {
    const CredentialsView credentials =
        receiver.credentials == nullptr ? CredentialsView{} : CredentialsView{receiver.credentials->list};
    if (!step.acls.allows(step.acl, permission::read, credentials)) {
      return;
    }
  }
  if (!step.announced) {
    events_.events.push_back({.type = step.type,
                              .zxid = step.zxid,
                              .path_offset = static_cast<std::uint32_t>(events_.paths.size()),
                              .path_length = static_cast<std::uint32_t>(step.path.size()),
                              .first = static_cast<std::uint32_t>(events_.watchers.size()),
                              .count = 0});
    events_.paths.append(step.path);
    step.announced = true;
  }
  events_.watchers.push_back(WatcherId{watcher});
  ++events_.events.back().count;
}

// data(p) of protocol 7.4: who watches exactly this path, then recursively it or an ancestor.
void WatchTable::fire_data(Step& step) {
  const auto to = [&](std::uint32_t watcher) { deliver(step, watcher); };
  if (registry_->has_exact()) {
    const std::uint32_t path = registry_->find_path(step.path, step.hash);
    if (path != no_slot) {
      registry_->for_each(path, WatchKind::data, to);
      registry_->for_each(path, WatchKind::persistent, to);
      registrations_ -= registry_->consume(path, WatchKind::data);
    }
  }
  if (!registry_->has_recursive()) {
    return;
  }
  PathHasher ancestor{step.path, registry_->secret()};
  while (ancestor.advance()) {
    // The empty prefix before the first '/' stands for the root, which is everybody's ancestor.
    const bool is_root = ancestor.prefix().empty();
    const std::uint32_t path = is_root ? registry_->find_recursive("/", PathHasher::whole("/", registry_->secret()))
                                       : registry_->find_recursive(ancestor.prefix(), ancestor.hash());
    if (path != no_slot) {
      registry_->for_each(path, WatchKind::persistent_recursive, to);
    }
  }
}

// child(p) of protocol 7.4.
void WatchTable::fire_child(Step& step) {
  if (!registry_->has_child()) {
    return;
  }
  const std::uint32_t path = registry_->find_path(step.path, step.hash);
  if (path == no_slot) {
    return;
  }
  const auto to = [&](std::uint32_t watcher) { deliver(step, watcher); };
  registry_->for_each(path, WatchKind::child, to);
  registry_->for_each(path, WatchKind::persistent, to);
  registrations_ -= registry_->consume(path, WatchKind::child);
}

}  // namespace quorate::tree
