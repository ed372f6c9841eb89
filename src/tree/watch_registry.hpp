#pragma once

// Where watch registrations lie: found by (path, watcher, kind), listed by path and by watcher. Knows nothing of what
// fires when; that is WatchTable's (protocol 7).
//
// A path is stored once and named by a slot; a registration is 28 bytes in a pool plus a few in an index. Everything
// grows in chunks or in many small shards, so that no single registration pays for moving all the others.

#include <array>
#include <boost/unordered/unordered_flat_set.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/ensure.hpp"
#include "tree/types.hpp"
#include "tree/watch_table.hpp"

namespace quorate::tree {

inline constexpr std::uint32_t no_slot = 0xFFFFFFFF;
inline constexpr std::size_t watch_kinds = 4;

// Values in slots with stable addresses; freed slots are reused, the newest first.
template <class T>
class SlotPool {
 public:
  std::uint32_t take() {
    if (free_.empty()) {
      if (used_ == chunks_.size() * chunk_size) {
        chunks_.push_back(std::make_unique<std::array<T, chunk_size>>());
      }
      return used_++;
    }
    const std::uint32_t slot = free_.back();
    free_.pop_back();
    return slot;
  }
  void give_back(std::uint32_t slot) {
    (*this)[slot] = T{};
    free_.push_back(slot);
  }
  T& operator[](std::uint32_t slot) { return (*chunks_[slot / chunk_size])[slot % chunk_size]; }
  const T& operator[](std::uint32_t slot) const { return (*chunks_[slot / chunk_size])[slot % chunk_size]; }
  [[nodiscard]] std::uint32_t end() const { return used_; }  // All slots in use are below it.
  [[nodiscard]] std::size_t bytes() const {
    return (chunks_.size() * sizeof(std::array<T, chunk_size>)) + (free_.capacity() * sizeof(std::uint32_t));
  }

 private:
  static constexpr std::uint32_t chunk_size = 1024;
  std::vector<std::unique_ptr<std::array<T, chunk_size>>> chunks_;
  std::vector<std::uint32_t> free_;
  std::uint32_t used_ = 0;
};

// Slots found by a 64-bit hash and a judge of equality, in shards so that no rehash is long. The stored half of the
// hash spares a rehash the look at what the slots name.
class SlotIndex {
 public:
  // `is_it(slot)` says whether the slot names what is looked for.
  template <class IsIt>
  [[nodiscard]] std::uint32_t find(std::uint64_t hash, const IsIt& is_it) const {
    const Shard& shard = shards_[shard_of(hash)];
    const auto found = shard.find(Probe<IsIt>{.hash = stored(hash), .is_it = is_it});
    return found == shard.end() ? no_slot : found->slot;
  }
  void insert(std::uint64_t hash, std::uint32_t slot) {
    shards_[shard_of(hash)].insert(Element{.hash = stored(hash), .slot = slot});
    ++size_;
  }
  void erase(std::uint64_t hash, std::uint32_t slot) {
    const std::size_t erased = shards_[shard_of(hash)].erase(Element{.hash = stored(hash), .slot = slot});
    ensure(erased == 1, "what is erased from an index stood in it");
    --size_;
  }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::size_t bytes() const;

 private:
  struct Element {
    std::uint32_t hash = 0;
    std::uint32_t slot = 0;
  };
  template <class IsIt>
  struct Probe {
    std::uint32_t hash = 0;
    const IsIt& is_it;
  };
  struct Hash {
    using is_transparent = void;
    template <class T>
    std::size_t operator()(const T& element) const {
      return element.hash;
    }
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(const Element& a, const Element& b) const { return a.slot == b.slot; }
    template <class IsIt>
    bool operator()(const Probe<IsIt>& probe, const Element& element) const {
      return probe.hash == element.hash && probe.is_it(element.slot);
    }
    template <class IsIt>
    bool operator()(const Element& element, const Probe<IsIt>& probe) const {
      return (*this)(probe, element);
    }
  };
  using Shard = boost::unordered_flat_set<Element, Hash, Equal>;

  static constexpr std::size_t shard_count = 64;
  static std::size_t shard_of(std::uint64_t hash) { return hash % shard_count; }
  static std::uint32_t stored(std::uint64_t hash) { return static_cast<std::uint32_t>(hash >> 32U); }

  std::array<Shard, shard_count> shards_;
  std::size_t size_ = 0;
};

// Hashes a path and, on the way, all its ancestors: one pass, however deep it is (S-208). Keyed (S-205).
class PathHasher {
 public:
  PathHasher(std::string_view path, std::uint64_t secret) : path_(path), secret_(secret) {}

  // Moves past the next component; false after the last one.
  bool advance();
  // Of the path up to where we are; the whole path once advance() has returned false.
  [[nodiscard]] std::uint64_t hash() const { return hash_; }
  [[nodiscard]] std::string_view prefix() const { return path_.substr(0, end_); }

  [[nodiscard]] static std::uint64_t whole(std::string_view path, std::uint64_t secret);

 private:
  std::string_view path_;
  std::uint64_t secret_;
  std::size_t next_ = 0;  // Where the next component starts.
  std::size_t end_ = 0;
  std::uint64_t hash_ = 0;
};

class WatchRegistry {
 public:
  explicit WatchRegistry(std::uint64_t hash_secret) : secret_(hash_secret) {}

  // Neighbours in a circular list; the list's owner holds the slot of its first element.
  struct Link {
    std::uint32_t next = no_slot;
    std::uint32_t previous = no_slot;
  };
  struct Registration {
    std::uint32_t watcher = 0;
    std::uint32_t path = no_slot;
    Link in_path;     // The path's registrations of this kind, in the order in which they came.
    Link in_watcher;  // All of the watcher's.
    WatchKind kind{};
  };
  struct Path {
    std::unique_ptr<char[]> text;
    std::uint32_t length = 0;
    std::array<std::uint32_t, watch_kinds> heads{no_slot, no_slot, no_slot, no_slot};  // By kind.
    std::uint64_t hash = 0;
  };
  struct Credentials {
    std::string text;
    std::vector<Identity> list;
  };
  struct Watcher {
    std::uint32_t head = no_slot;
    std::uint32_t registrations = 0;
    std::uint32_t data_watches = 0;  // Paths in the data registry.
    std::size_t path_bytes = 0;      // Of all registrations.
    std::uint64_t step = 0;          // The last step in which it was considered.
    std::unique_ptr<Credentials> credentials;
  };

  // False if that registration stood already.
  bool add(std::uint32_t watcher, std::string_view path, WatchKind kind);
  [[nodiscard]] bool contains(std::uint32_t watcher, std::string_view path, WatchKind kind) const;
  bool erase(std::uint32_t watcher, std::string_view path, WatchKind kind);
  // Removes up to `limit` of the watcher's registrations, and with the last one the watcher; how many went.
  std::size_t drop(std::uint32_t watcher, std::size_t limit);

  Watcher& watcher(std::uint32_t id);
  [[nodiscard]] const Watcher* find_watcher(std::uint32_t id) const;
  void set_credentials(std::uint32_t watcher, CredentialsView credentials);

  // For find_path(): one pass over the whole text, cheaper than by component.
  [[nodiscard]] std::uint64_t hash_of(std::string_view path) const;
  // Of a path that someone watches, else no_slot.
  [[nodiscard]] std::uint32_t find_path(std::string_view path, std::uint64_t hash) const;
  // Of a path that someone watches recursively, else no_slot. The hash is PathHasher's.
  [[nodiscard]] std::uint32_t find_recursive(std::string_view path, std::uint64_t hash) const;
  [[nodiscard]] std::string_view text_of(std::uint32_t path) const;

  // Calls visit(watcher id) for each registration of the kind, in order. The registry must not change meanwhile.
  template <class Visit>
  void for_each(std::uint32_t path, WatchKind kind, const Visit& visit) const {
    const std::uint32_t head = paths_[path].heads[static_cast<std::size_t>(kind)];
    for (std::uint32_t slot = head; slot != no_slot;) {
      visit(registrations_[slot].watcher);
      slot = registrations_[slot].in_path.next;
      if (slot == head) {
        break;
      }
    }
  }
  // The watcher's paths in the data registry, each once.
  template <class Visit>
  void for_each_data_path(const Watcher& watcher, const Visit& visit) const {
    for (std::uint32_t slot = watcher.head; slot != no_slot;) {
      const Registration& registration = registrations_[slot];
      if (is_first_in_data(registration.watcher, registration.path, registration.kind)) {
        visit(text_of(registration.path));
      }
      slot = registration.in_watcher.next;
      if (slot == watcher.head) {
        break;
      }
    }
  }
  // Ends a path's one-shot registrations of this kind; how many they were. The path may cease to exist.
  std::size_t consume(std::uint32_t path, WatchKind kind);

  // Whether this kind is the first, in the order of WatchKind, by which the watcher stands in the path's data registry.
  [[nodiscard]] bool is_first_in_data(std::uint32_t watcher, std::uint32_t path, WatchKind kind) const;

  [[nodiscard]] std::uint64_t secret() const { return secret_; }
  [[nodiscard]] bool has_recursive() const { return recursive_.size() > 0; }
  [[nodiscard]] bool has_child() const { return child_watches_ > 0; }
  [[nodiscard]] bool has_exact() const { return exact_ > 0; }  // Any kind but recursive.
  [[nodiscard]] std::size_t data_watches() const { return data_watches_; }
  [[nodiscard]] std::size_t child_watches() const { return child_watches_; }
  [[nodiscard]] std::size_t data_paths() const { return data_paths_; }
  [[nodiscard]] std::size_t data_watchers() const { return data_watchers_; }
  [[nodiscard]] std::uint32_t paths_end() const { return paths_.end(); }
  [[nodiscard]] bool is_path(std::uint32_t slot) const { return paths_[slot].text != nullptr; }
  [[nodiscard]] std::size_t path_bytes() const { return text_bytes_; }  // Each path once.
  [[nodiscard]] std::size_t bytes() const;

 private:
  [[nodiscard]] std::uint32_t find(std::uint32_t watcher, std::uint32_t path, WatchKind kind) const;
  [[nodiscard]] std::uint64_t hash_of(std::uint32_t watcher, std::uint32_t path, WatchKind kind) const;
  [[nodiscard]] bool stands_in(std::uint32_t watcher, std::uint32_t path, bool data_registry) const;
  [[nodiscard]] bool has_data(const Path& path) const;
  std::uint32_t find_or_add_path(std::string_view path);
  void remove_path_if_unused(std::uint32_t path);
  void link(std::uint32_t& head, std::uint32_t slot, Link Registration::* where);
  void unlink(std::uint32_t& head, std::uint32_t slot, Link Registration::* where);
  void remove(std::uint32_t slot);
  void count_in(std::uint32_t watcher, std::uint32_t path, WatchKind kind);
  void count_out(std::uint32_t watcher, std::uint32_t path, WatchKind kind);

  std::uint64_t secret_;
  SlotPool<Path> paths_;
  SlotPool<Registration> registrations_;
  SlotIndex path_index_;
  SlotIndex recursive_;  // Of the paths with a recursive registration only.
  SlotIndex registration_index_;
  std::vector<Watcher> watchers_;  // By number: the front keeps them small and dense.
  std::size_t exact_ = 0;
  std::size_t data_watches_ = 0;
  std::size_t child_watches_ = 0;
  std::size_t data_paths_ = 0;
  std::size_t data_watchers_ = 0;
  std::size_t text_bytes_ = 0;
};

}  // namespace quorate::tree
