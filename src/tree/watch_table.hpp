#pragma once

// The watches of one front (protocol 7): registered and dropped by its front, fired by the writer. Not replicated, not
// tied to the session, gone with the connection.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "tree/acl.hpp"
#include "tree/types.hpp"

namespace quorate::tree {

// A connection of the front that owns the table; the front chooses the numbers, small and dense.
enum class WatcherId : std::uint32_t {};

// What a request sets (protocol 7.1). One registration per (watcher, path, kind); setting it again changes nothing.
enum class WatchKind : std::uint8_t {
  data,                  // getData, exists, setWatches data and exist lists: one-shot, data registry.
  child,                 // getChildren(2), setWatches child list: one-shot, child registry.
  persistent,            // addWatch mode 0: both registries, re-arms itself.
  persistent_recursive,  // addWatch mode 1: data registry, the path and everything below it.
};

// checkWatches and removeWatches (protocol 3.11); numbers are the wire's.
enum class WatcherType : std::int32_t { children = 1, data = 2, any = 3, persistent = 4, persistent_recursive = 5 };

// How much may be registered (S-202). Bytes are those of paths; a watcher's are counted once a registration, the
// table's once a path.
struct WatchLimits {
  std::size_t registrations_max = 1'000'000;  // Of a watcher.
  std::size_t path_bytes_max = 64U << 20;     // Of a watcher.
  std::size_t all_path_bytes_max = 1U << 30;  // Of the table.
};

// One applied change; what fires follows from it by protocol 7.4.
struct Change {
  EventType type{};  // created, deleted or data_changed; children_changed of the parent follows by itself.
  std::string_view path;
  std::string_view parent;  // Of created and deleted.
  AclId acl{};              // The znode's ACL (of a deleted one: its last).
  AclId parent_acl{};
  Zxid zxid{};
};

// Events in the order in which they were fired, each with everyone who gets it: a front encodes a frame once for all of
// them. Plain buffers, handed over by a swap and reused.
struct WatchEvents {
  struct Event {
    EventType type{};
    Zxid zxid{};
    std::uint32_t path_offset = 0;  // Into `paths`.
    std::uint32_t path_length = 0;
    std::uint32_t first = 0;  // Into `watchers`.
    std::uint32_t count = 0;
  };
  std::vector<Event> events;
  std::vector<WatcherId> watchers;
  std::string paths;

  [[nodiscard]] bool empty() const { return events.empty(); }
  void clear();
  [[nodiscard]] std::string_view path_of(const Event& event) const;
  [[nodiscard]] std::span<const WatcherId> watchers_of(const Event& event) const;
};

class WatchRegistry;

class WatchTable {
 public:
  // `hash_secret` keys the hash of paths that clients choose (S-205); no result depends on it.
  explicit WatchTable(std::uint64_t hash_secret = 0);
  ~WatchTable();
  WatchTable(WatchTable&&) noexcept;
  WatchTable& operator=(WatchTable&&) noexcept;

  // A watcher exists from here, or from its first registration, to drop(). Its credentials (views are copied) filter
  // what it gets; they only grow.
  void set_credentials(WatcherId watcher, CredentialsView credentials);
  // Costs what its own registrations cost. Events that nobody took yet no longer name it, so the number may be reused.
  // At most `limit` of its registrations a call; true when it is gone.
  bool drop(WatcherId watcher, std::size_t limit = SIZE_MAX);

  void set_limits(const WatchLimits& limits) { limits_ = limits; }
  // False: it does not fit, and nothing has changed. What stands already always fits.
  bool add(WatcherId watcher, std::string_view path, WatchKind kind);
  // Whether this watcher has a registration of the type for exactly this path. `data` and `children` mean one-shot
  // registrations; `any` means all kinds (protocol 3.11).
  [[nodiscard]] bool has(WatcherId watcher, std::string_view path, WatcherType type) const;
  // Removes what matches; false if nothing did.
  bool remove(WatcherId watcher, std::string_view path, WatcherType type);

  // Called by the tree while it applies. Delivers at most one event per watcher and step, in the order of protocol 7.4;
  // a filtered one-shot watch is consumed all the same. `skip_acl` as the replicated switch says. Within a step the
  // watchers come in the order of their registrations: one-shot, then persistent, then recursive from the root down.
  void fire(const Change& change, const AclTable& acls, bool skip_acl);

  // Events fired since the last take, in order. The caller's buffers are reused.
  void take_events(WatchEvents& into);
  [[nodiscard]] bool has_events() const { return !events_.empty(); }

  // Costs nothing when nothing is watched: the tree asks before it builds a Change.
  [[nodiscard]] bool empty() const { return registrations_ == 0; }

  // For wchs, wchc, wchp, mntr. "Data" counts the data registry only (operations 2.8). A (watcher, path) pair counts
  // once for each registry, however many modes it has there.
  [[nodiscard]] std::size_t watch_count() const;                   // Both registries.
  [[nodiscard]] std::size_t watch_count(WatcherId watcher) const;  // Its registrations, for limits (S-202).
  [[nodiscard]] std::size_t data_watch_count() const;
  [[nodiscard]] std::size_t data_path_count() const;
  [[nodiscard]] std::size_t data_watcher_count() const;
  // Each (path, watcher) of the data registry once, path after path.
  void for_each_data_watch(const std::function<void(std::string_view path, WatcherId)>& visit) const;
  // The same in slices, so that nobody holds the loop: start with cursor 0, go on with what it returns until that is 0
  // again. Visits a path's watchers together and stops after the path that fills `limit`. What changes between the
  // slices may be seen or not.
  std::uint32_t walk_data_watches(std::uint32_t cursor, std::size_t limit,
                                  const std::function<void(std::string_view path, WatcherId)>& visit) const;
  // One watcher's paths in the data registry, each once.
  void for_each_data_path(WatcherId watcher, const std::function<void(std::string_view path)>& visit) const;
  [[nodiscard]] std::size_t bytes() const;

 private:
  // One step of protocol 7.4 under way: one event, who got it and who may see it.
  struct Step;

  void deliver(Step& step, std::uint32_t watcher);
  void fire_data(Step& step);
  void fire_child(Step& step);

  [[nodiscard]] bool has_room(WatcherId watcher, std::size_t path_bytes) const;

  std::unique_ptr<WatchRegistry> registry_;
  WatchLimits limits_;
  std::size_t registrations_ = 0;
  std::uint64_t steps_ = 0;
  WatchEvents events_;
};

}  // namespace quorate::tree
