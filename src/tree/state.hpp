#pragma once

// What stands behind Tree's door, for this room's own files: the data, and the few primitive changes from which every
// operation is made. A primitive keeps all books (index, sibling lists, digest, counters, undo log, running snapshot).

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "tree/acl.hpp"
#include "tree/digest.hpp"
#include "tree/quota.hpp"
#include "tree/quota_excess.hpp"
#include "tree/session_table.hpp"
#include "tree/snapshot.hpp"
#include "tree/status.hpp"
#include "tree/tree.hpp"
#include "tree/types.hpp"
#include "tree/watch_table.hpp"
#include "tree/znode_index.hpp"
#include "tree/znode_store.hpp"

namespace quorate::tree {

// Owner markers (protocol 9).
inline constexpr std::int64_t container_owner = INT64_MIN;
inline constexpr std::int64_t ttl_bits = (std::int64_t{1} << 40) - 1;
constexpr bool is_ttl_owner(std::int64_t owner) {
  return (static_cast<std::uint64_t>(owner) >> 56) == 0xFF;
}
constexpr bool is_ephemeral_owner(std::int64_t owner) {
  return owner != 0 && owner != container_owner && !is_ttl_owner(owner);
}
constexpr bool may_expire(std::int64_t owner) {
  return owner == container_owner || is_ttl_owner(owner);
}
constexpr std::int64_t ttl_owner(std::int64_t ttl) {
  return static_cast<std::int64_t>((std::uint64_t{0xFF} << 56) | static_cast<std::uint64_t>(ttl));
}

// A znode and its path's key, which no znode stores.
struct Located {
  SlotNumber slot = no_slot;
  std::uint64_t key = 0;
};

struct NewZnode {
  Located parent;
  std::uint64_t key = 0;
  std::string_view path;  // The final one.
  std::string_view name;
  ByteView data;
  AclId acl{};  // One use of it passes to the znode.
  std::int64_t owner = 0;
  Zxid zxid{};
  WallTime time{};
};

// What takes one primitive change back.
struct Undo {
  enum class Kind : std::uint8_t { created, erased, data, acl, quota_added, quota_removed };
  Kind kind{};
  bool null_data = false;
  SlotNumber slot = no_slot;
  SlotNumber parent = no_slot;
  std::uint64_t key = 0;
  Zxid zxid{};  // The parent's pzxid, or the znode's mzxid, before.
  WallTime mtime{};
  std::int32_t counter = 0;  // The parent's create counter, the version, or the aversion, before.
  AclId acl{};
  std::string text{};  // Data, or a quota root's path.
};

// An intrusive list through Extra's links.
struct ZnodeList {
  SlotNumber first = no_slot;
  std::size_t count = 0;
};

struct PendingEvent {
  EventType type{};
  std::string path;
  AclId acl{};
  AclId parent_acl{};
  Zxid zxid{};
};

// A running snapshot (design chapter 7). Znodes before the cursor are written; those ahead of it are written unless
// they carry the epoch: written early, because they were about to change, or created since.
struct SnapshotWalk {
  std::function<void(const SnapshotItem&)> write;
  bool running = false;
  std::size_t chunk = 0;
  std::uint32_t position = 0;
  std::size_t chunk_end = 0;
  std::uint32_t epoch = 1;  // 1 to 15; 0 is never current.
  bool sessions_done = true;
  bool sessions_started = false;
  SessionId session_cursor{};                                // Sessions up to here are written.
  std::unordered_map<std::int64_t, bool> sessions_excepted;  // Ahead of it: written early, or created since.
  std::size_t bare_abandons = 0;                             // Abandoned since marks were last known to be clean.
};

// An znode read from a snapshot, until finish_loading.
struct LoadedZnode {
  SlotNumber slot = no_slot;
  std::uint32_t image_slot = 0;
  std::uint32_t image_parent = 0;
  std::uint64_t key = 0;
};

struct Loading {
  bool active = false;
  bool has_state = false;
  StateImage state;
  std::vector<LoadedZnode> znodes;
};

struct TreeState {
  explicit TreeState(std::uint64_t secret) : hash_secret(secret) {}

  // --- lookup.cpp
  // The znode at exactly this path; "" is an alias of the root (protocol 3.3).
  [[nodiscard]] Located find(std::string_view path) const;
  [[nodiscard]] SlotNumber find_child(SlotNumber parent, std::uint64_t key, std::string_view name) const;
  // The path's key, or false if no znode can have this path.
  [[nodiscard]] bool key_of_path(std::string_view path, std::uint64_t& key) const;
  [[nodiscard]] bool stands_at(SlotNumber slot, std::string_view path) const;
  [[nodiscard]] std::string path_of(SlotNumber slot) const;
  [[nodiscard]] std::uint64_t key_of(SlotNumber slot) const;

  // --- structure.cpp
  [[nodiscard]] Stat stat_of(SlotNumber slot) const;
  [[nodiscard]] std::int64_t owner_of(SlotNumber slot) const;
  [[nodiscard]] std::uint32_t child_count(SlotNumber slot) const;
  [[nodiscard]] std::uint64_t stat_term_of(SlotNumber slot, std::uint64_t key) const;
  [[nodiscard]] std::uint64_t terms_of(SlotNumber slot, std::uint64_t key) const;

  SlotNumber insert(const NewZnode& znode);
  void erase(SlotNumber slot, std::uint64_t key, const Located& parent, std::string_view path, Zxid zxid);
  // The data alone: quota bookkeeping (protocol 11).
  void replace_data(const Located& znode, ByteView data);
  // setData: data with version, mzxid and mtime.
  void write_data(const Located& znode, ByteView data, Zxid zxid, WallTime time);
  void replace_acl(const Located& znode, AclId acl);

  void count_below(SlotNumber parent, std::int32_t znodes_more, std::int64_t bytes_more);
  void exchange_data(SlotNumber slot, ByteView data);
  void join_siblings(Extra& family, SlotNumber slot);  // As the youngest.
  void leave_siblings(Extra& family, SlotNumber slot);
  void link(SlotNumber slot, std::uint64_t key, SlotNumber parent);
  void unlink(SlotNumber slot, std::uint64_t key);
  void enlist(SlotNumber slot, std::int64_t owner);
  void delist(SlotNumber slot, std::int64_t owner);
  void list_push(ZnodeList& list, SlotNumber slot);
  void list_remove(ZnodeList& list, SlotNumber slot);

  // --- undo.cpp
  void begin_undo();
  void commit();
  void roll_back();
  void undo(Undo& entry);

  // --- events: fired at once, or after a multi has succeeded.
  void announce(EventType type, std::string_view path, AclId acl, AclId parent_acl, Zxid zxid);
  void fire(const Change& change);
  [[nodiscard]] bool has_watchers() const;

  // --- checks.cpp: what the single operations and multi share
  [[nodiscard]] bool allows(AclId acl, std::int32_t wanted, CredentialsView credentials) const;
  // The ACL of a request: open_acl without work for what nearly everybody sends, else normalised into acl_scratch.
  [[nodiscard]] Status judge_acl(AclView acl, CredentialsView credentials, bool& open);
  [[nodiscard]] AclId take_acl(bool open);
  OperationResult create(const ApplyContext& context, const Create& operation);
  OperationResult remove(const ApplyContext& context, const Delete& operation);
  OperationResult set_data(const ApplyContext& context, const SetData& operation);
  OperationResult set_acl(const ApplyContext& context, const SetAcl& operation);
  OperationResult check(const ApplyContext& context, const Check& operation) const;
  // The effect of a deletion whose checks are done: quota and events included.
  void remove_checked(SlotNumber slot, std::uint64_t key, const Located& parent, std::string_view path, Zxid zxid);

  // --- quota_books.cpp
  // The deepest quota root at or above the path; a null view if there is none.
  [[nodiscard]] std::string_view find_quota_root(std::string_view path) const;
  void quota_created(std::string_view path, std::int64_t data_bytes);
  void quota_erased(std::string_view path, std::int64_t data_bytes);
  void quota_changed(std::string_view path, std::int64_t count, std::int64_t bytes);
  void note_excess(std::string_view subject, const QuotaText& used, bool counts);
  [[nodiscard]] Status check_quota(std::string_view path, std::int64_t count, std::int64_t bytes) const;
  void count_into_stats(std::string_view subject);
  void add_quota_root(std::string_view path);
  void remove_quota_root(std::string_view path);
  void rebuild_quota_roots();
  // The next znode of a walk through the subtree of `top`, parents first; no_slot at the end.
  [[nodiscard]] SlotNumber next_in_subtree(SlotNumber slot, SlotNumber top) const;

  // --- snapshot_walk.cpp
  [[nodiscard]] bool is_ahead(SlotNumber slot) const;
  // Called before anything of a znode changes.
  void before_change(SlotNumber slot) {
    if (walk.running && is_ahead(slot) && znodes.epoch(slot) != walk.epoch) {
      write_early(slot);
    }
  }
  void write_early(SlotNumber slot);
  void mark_new(SlotNumber slot);
  void before_session_change(SessionId id);
  void mark_new_session(SessionId id);
  void write_image(SlotNumber slot, std::uint64_t key);
  void sweep_marks();

  ZnodeStore znodes;
  ZnodeIndex index;
  AclTable acls;
  SessionTable sessions;
  std::unordered_map<std::int64_t, ZnodeList> ephemerals;  // By session; never iterated.
  ZnodeList expirable;                                     // Containers and TTL nodes.
  SlotNumber expire_cursor = no_slot;
  std::multimap<std::uint64_t, std::string> quota_roots;  // By the path's key.
  QuotaExcess quota_excess;
  std::vector<WatchTable*> watch_tables;

  std::uint64_t hash_secret = 0;
  SlotNumber root = no_slot;
  std::uint64_t root_path_key = 0;
  Switches switches;
  Zxid last_zxid{};
  WallTime last_time{};

  std::uint64_t znode_digest = 0;
  std::uint64_t session_digest = 0;
  std::size_t znode_count = 0;
  std::size_t ephemeral_count = 0;
  std::int64_t data_size = 0;  // Path lengths and data lengths.

  bool undoing = false;  // A multi runs: primitives write the log below.
  std::vector<Undo> undo_log;
  std::uint64_t undo_digest = 0;
  std::int64_t undo_data_size = 0;
  std::vector<PendingEvent> pending_events;

  std::vector<AclEntry> acl_scratch;
  std::string result_path;  // Of the last create.
  std::string multi_paths;  // Of the last multi.
  std::vector<std::size_t> multi_offsets;

  SnapshotWalk walk;
  Loading loading;
};

}  // namespace quorate::tree
