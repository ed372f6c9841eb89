#include "tree/watch_registry.hpp"

#include <cstring>
#include <utility>

#include "base/checksum.hpp"

namespace quorate::tree {
namespace {

// Watchers are connections of one front; the descriptor limit is far below.
constexpr std::uint32_t watchers_max = 1U << 24U;

constexpr std::size_t index_of(WatchKind kind) {
  return static_cast<std::size_t>(kind);
}

// Protocol 7.1: which registry a kind stands in.
constexpr bool in_data_registry(WatchKind kind) {
  return kind != WatchKind::child;
}
constexpr bool in_child_registry(WatchKind kind) {
  return kind == WatchKind::child || kind == WatchKind::persistent;
}

constexpr std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  std::uint64_t mixed = (a + b) * 0x9E3779B97F4A7C15U;
  mixed ^= mixed >> 32U;
  mixed *= 0xD6E8FEB86659FD93U;
  return mixed ^ (mixed >> 29U);
}

}  // namespace

std::size_t SlotIndex::bytes() const {
  std::size_t sum = 0;
  for (const Shard& shard : shards_) {
    sum += shard.bucket_count() * (sizeof(Element) + 1);  // One byte of metadata an element.
  }
  return sum;
}

bool PathHasher::advance() {
  if (next_ > path_.size()) {
    return false;
  }
  const std::size_t slash = path_.find('/', next_);
  end_ = slash == std::string_view::npos ? path_.size() : slash;
  hash_ = mix(hash_, checksum(path_.substr(next_, end_ - next_), secret_));
  next_ = end_ + 1;
  return true;
}

std::uint64_t PathHasher::whole(std::string_view path, std::uint64_t secret) {
  PathHasher hasher{path, secret};
  while (hasher.advance()) {
  }
  return hasher.hash();
}

bool WatchRegistry::add(std::uint32_t watcher_id, std::string_view path_text, WatchKind kind) {
  Watcher& owner = watcher(watcher_id);
  const std::uint32_t path = find_or_add_path(path_text);
  if (find(watcher_id, path, kind) != no_slot) {
    return false;
  }
  count_in(watcher_id, path, kind);
  const std::uint32_t slot = registrations_.take();
  registrations_[slot] = {.watcher = watcher_id, .path = path, .in_path = {}, .in_watcher = {}, .kind = kind};
  link(paths_[path].heads[index_of(kind)], slot, &Registration::in_path);
  link(owner.head, slot, &Registration::in_watcher);
  ++owner.registrations;
  owner.path_bytes += path_text.size();
  registration_index_.insert(hash_of(watcher_id, path, kind), slot);
  return true;
}

bool WatchRegistry::contains(std::uint32_t watcher, std::string_view path_text, WatchKind kind) const {
  const std::uint32_t path = find_path(path_text, hash_of(path_text));
  return path != no_slot && find(watcher, path, kind) != no_slot;
}

bool WatchRegistry::erase(std::uint32_t watcher, std::string_view path_text, WatchKind kind) {
  const std::uint32_t path = find_path(path_text, hash_of(path_text));
  const std::uint32_t slot = path == no_slot ? no_slot : find(watcher, path, kind);
  if (slot == no_slot) {
    return false;
  }
  remove(slot);
  remove_path_if_unused(path);
  return true;
}

std::size_t WatchRegistry::drop(std::uint32_t id, std::size_t limit) {
  if (id >= watchers_.size()) {
    return 0;
  }
  std::size_t dropped = 0;
  for (; watchers_[id].head != no_slot; ++dropped) {
    if (dropped == limit) {
      return dropped;
    }
    const std::uint32_t slot = watchers_[id].head;
    const std::uint32_t path = registrations_[slot].path;
    remove(slot);
    remove_path_if_unused(path);
  }
  ensure(watchers_[id].registrations == 0 && watchers_[id].data_watches == 0,
         "a dropped watcher leaves nothing behind");
  watchers_[id] = Watcher{};
  return dropped;
}

WatchRegistry::Watcher& WatchRegistry::watcher(std::uint32_t id) {
  ensure(id < watchers_max, "watchers are numbered small and dense");
  if (id >= watchers_.size()) {
    watchers_.resize(id + 1);
  }
  return watchers_[id];
}

const WatchRegistry::Watcher* WatchRegistry::find_watcher(std::uint32_t id) const {
  return id < watchers_.size() ? &watchers_[id] : nullptr;
}

void WatchRegistry::set_credentials(std::uint32_t id, CredentialsView credentials) {
  auto copied = std::make_unique<Credentials>();
  std::size_t size = 0;
  for (const Identity& one : credentials) {
    size += one.scheme.size() + one.id.size();
  }
  copied->text.reserve(size);  // So that the views below stay.
  copied->list.reserve(credentials.size());
  const auto keep = [&](std::string_view text) {
    const std::size_t offset = copied->text.size();
    copied->text.append(text);
    return std::string_view{copied->text}.substr(offset);
  };
  for (const Identity& one : credentials) {
    const std::string_view scheme = keep(one.scheme);
    const std::string_view name = keep(one.id);
    copied->list.push_back({.scheme = scheme, .id = name});
  }
  watcher(id).credentials = std::move(copied);
}

std::uint64_t WatchRegistry::hash_of(std::string_view path) const {
  return checksum(path, secret_);
}

std::uint32_t WatchRegistry::find_path(std::string_view path, std::uint64_t hash) const {
  return path_index_.find(hash, [&](std::uint32_t slot) { return text_of(slot) == path; });
}

std::uint32_t WatchRegistry::find_recursive(std::string_view path, std::uint64_t hash) const {
  return recursive_.find(hash, [&](std::uint32_t slot) { return text_of(slot) == path; });
}

std::string_view WatchRegistry::text_of(std::uint32_t path) const {
  return {paths_[path].text.get(), paths_[path].length};
}

std::size_t WatchRegistry::consume(std::uint32_t path, WatchKind kind) {
  std::size_t consumed = 0;
  while (paths_[path].heads[index_of(kind)] != no_slot) {
    remove(paths_[path].heads[index_of(kind)]);
    ++consumed;
  }
  remove_path_if_unused(path);
  return consumed;
}

bool WatchRegistry::is_first_in_data(std::uint32_t watcher, std::uint32_t path, WatchKind kind) const {
  switch (kind) {
    case WatchKind::data:
      return true;
    case WatchKind::child:
      return false;
    case WatchKind::persistent:
      return find(watcher, path, WatchKind::data) == no_slot;
    case WatchKind::persistent_recursive:
      return find(watcher, path, WatchKind::data) == no_slot && find(watcher, path, WatchKind::persistent) == no_slot;
  }
  std::unreachable();
}

std::size_t WatchRegistry::bytes() const {
  std::size_t credentials = 0;
  for (const Watcher& one : watchers_) {
    if (one.credentials != nullptr) {
      credentials += sizeof(Credentials) + one.credentials->text.capacity() +
                     (one.credentials->list.capacity() * sizeof(Identity));
    }
  }
  return paths_.bytes() + registrations_.bytes() + path_index_.bytes() + recursive_.bytes() +
         registration_index_.bytes() + (watchers_.capacity() * sizeof(Watcher)) + credentials + text_bytes_;
}

std::uint32_t WatchRegistry::find(std::uint32_t watcher, std::uint32_t path, WatchKind kind) const {
  if (paths_[path].heads[index_of(kind)] == no_slot) {
    return no_slot;
  }
  return registration_index_.find(hash_of(watcher, path, kind), [&](std::uint32_t slot) {
    const Registration& registration = registrations_[slot];
    return registration.watcher == watcher && registration.path == path && registration.kind == kind;
  });
}

// Slots and watcher numbers are ours, not the clients', but the secret costs nothing here.
std::uint64_t WatchRegistry::hash_of(std::uint32_t watcher, std::uint32_t path, WatchKind kind) const {
  const std::uint64_t pair = (std::uint64_t{path} << 32U) | watcher;
  return mix(mix(pair, secret_), index_of(kind));
}

bool WatchRegistry::stands_in(std::uint32_t watcher, std::uint32_t path, bool data_registry) const {
  for (const WatchKind kind :
       {WatchKind::data, WatchKind::child, WatchKind::persistent, WatchKind::persistent_recursive}) {
    if ((data_registry ? in_data_registry(kind) : in_child_registry(kind)) && find(watcher, path, kind) != no_slot) {
      return true;
    }
  }
  return false;
}

bool WatchRegistry::has_data(const Path& path) const {
  return path.heads[index_of(WatchKind::data)] != no_slot || path.heads[index_of(WatchKind::persistent)] != no_slot ||
         path.heads[index_of(WatchKind::persistent_recursive)] != no_slot;
}

std::uint32_t WatchRegistry::find_or_add_path(std::string_view text) {
  const std::uint64_t hash = hash_of(text);
  if (const std::uint32_t found = find_path(text, hash); found != no_slot) {
    return found;
  }
  const std::uint32_t slot = paths_.take();
  Path& path = paths_[slot];
  path.text = std::make_unique_for_overwrite<char[]>(text.size() + 1);
  std::memcpy(path.text.get(), text.data(), text.size());
  path.text[text.size()] = '\0';
  path.length = static_cast<std::uint32_t>(text.size());
  path.hash = hash;
  text_bytes_ += text.size() + 1;
  path_index_.insert(hash, slot);
  return slot;
}

void WatchRegistry::remove_path_if_unused(std::uint32_t slot) {
  Path& path = paths_[slot];
  for (const std::uint32_t head : path.heads) {
    if (head != no_slot) {
      return;
    }
  }
  text_bytes_ -= path.length + std::size_t{1};
  path_index_.erase(path.hash, slot);
  paths_.give_back(slot);
}

void WatchRegistry::link(std::uint32_t& head, std::uint32_t slot, Link Registration::* where) {
  Link& own = registrations_[slot].*where;
  if (head == no_slot) {
    own = {.next = slot, .previous = slot};
    head = slot;
    return;
  }
  Link& first = registrations_[head].*where;
  own = {.next = head, .previous = first.previous};
  (registrations_[first.previous].*where).next = slot;
  first.previous = slot;
}

void WatchRegistry::unlink(std::uint32_t& head, std::uint32_t slot, Link Registration::* where) {
  const Link own = registrations_[slot].*where;
  if (own.next == slot) {
    ensure(head == slot, "the only element of a list is its first");
    head = no_slot;
    return;
  }
  (registrations_[own.previous].*where).next = own.next;
  (registrations_[own.next].*where).previous = own.previous;
  head = head == slot ? own.next : head;
}

void WatchRegistry::remove(std::uint32_t slot) {
  const Registration gone = registrations_[slot];
  unlink(paths_[gone.path].heads[index_of(gone.kind)], slot, &Registration::in_path);
  unlink(watchers_[gone.watcher].head, slot, &Registration::in_watcher);
  registration_index_.erase(hash_of(gone.watcher, gone.path, gone.kind), slot);
  registrations_.give_back(slot);
  --watchers_[gone.watcher].registrations;
  watchers_[gone.watcher].path_bytes -= paths_[gone.path].length;
  count_out(gone.watcher, gone.path, gone.kind);
}

// Called before the registration stands, as count_out() is called after it has gone: both see the pair without it.
void WatchRegistry::count_in(std::uint32_t watcher, std::uint32_t path, WatchKind kind) {
  if (in_data_registry(kind)) {
    data_paths_ += has_data(paths_[path]) ? 0U : 1U;
    if (!stands_in(watcher, path, true)) {
      ++data_watches_;
      data_watchers_ += watchers_[watcher].data_watches++ == 0 ? 1U : 0U;
    }
  }
  if (in_child_registry(kind) && !stands_in(watcher, path, false)) {
    ++child_watches_;
  }
  if (kind != WatchKind::persistent_recursive) {
    ++exact_;
  } else if (paths_[path].heads[index_of(kind)] == no_slot) {
    recursive_.insert(PathHasher::whole(text_of(path), secret_), path);
  }
}

void WatchRegistry::count_out(std::uint32_t watcher, std::uint32_t path, WatchKind kind) {
  if (in_data_registry(kind)) {
    data_paths_ -= has_data(paths_[path]) ? 0U : 1U;
    if (!stands_in(watcher, path, true)) {
      --data_watches_;
      data_watchers_ -= --watchers_[watcher].data_watches == 0 ? 1U : 0U;
    }
  }
  if (in_child_registry(kind) && !stands_in(watcher, path, false)) {
    --child_watches_;
  }
  if (kind != WatchKind::persistent_recursive) {
    --exact_;
  } else if (paths_[path].heads[index_of(kind)] == no_slot) {
    recursive_.erase(PathHasher::whole(text_of(path), secret_), path);
  }
}

}  // namespace quorate::tree
