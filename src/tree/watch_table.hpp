#pragma once

// The watches of one front (protocol 7): registered and dropped by its front, fired by the writer. Not replicated, not
// tied to the session, gone with the connection.

#include <cstddef>
#include <cstdint>
#include <functional>
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

// One applied change; what fires follows from it by protocol 7.4.
struct Change {
  EventType type{};  // created, deleted or data_changed; children_changed of the parent follows by itself.
  std::string_view path;
  std::string_view parent;  // Of created and deleted.
  AclId acl{};              // The znode's ACL (of a deleted one: its last).
  AclId parent_acl{};
  Zxid zxid{};
};

struct WatchEvent {
  WatcherId watcher{};
  EventType type{};
  Zxid zxid{};
  std::string path;
};

class WatchTable {
 public:
  // A watcher exists from here to drop(). Its credentials (views are copied) filter what it gets; they only grow.
  void set_credentials(WatcherId watcher, CredentialsView credentials);
  void drop(WatcherId watcher);

  void add(WatcherId watcher, std::string_view path, WatchKind kind);
  // Whether this watcher has a registration of the type for exactly this path.
  [[nodiscard]] bool has(WatcherId watcher, std::string_view path, WatcherType type) const;
  // Removes what matches; false if nothing did.
  bool remove(WatcherId watcher, std::string_view path, WatcherType type);

  // Called by the tree while it applies. Delivers at most one event per watcher and step, in the order of protocol 7.4;
  // a filtered one-shot watch is consumed all the same. `skip_acl` as the replicated switch says.
  void fire(const Change& change, const AclTable& acls, bool skip_acl);

  // Events fired since the last take, in order. The caller's buffer is reused.
  void take_events(std::vector<WatchEvent>& into);
  [[nodiscard]] bool has_events() const { return !events_.empty(); }

  // Costs of nothing when nothing is watched: the tree asks before it builds a Change.
  [[nodiscard]] bool empty() const { return total_ == 0; }

  // For wchs, wchc, wchp, mntr. "Data" counts the data registry only (operations 2.8).
  [[nodiscard]] std::size_t watch_count() const { return total_; }  // Both registries.
  [[nodiscard]] std::size_t data_watch_count() const;
  [[nodiscard]] std::size_t data_path_count() const;
  [[nodiscard]] std::size_t data_watcher_count() const;
  void for_each_data_watch(const std::function<void(std::string_view path, WatcherId)>& visit) const;
  [[nodiscard]] std::size_t bytes() const;

 private:
  std::vector<WatchEvent> events_;
  std::size_t total_ = 0;
  // The implementer of this room chooses the rest: registries by path, paths by watcher, recursive registrations apart,
  // so that they cost nothing when there are none.
};

}  // namespace quorate::tree
