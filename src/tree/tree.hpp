#pragma once

// The replicated state machine's data: znodes, sessions with their ephemerals, ACLs, quotas, clock, switches, streams.
// Deterministic: results depend on state and operation alone. One writer; const functions are the readers'.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "tree/acl.hpp"
#include "tree/quota_excess.hpp"
#include "tree/session_table.hpp"
#include "tree/snapshot.hpp"
#include "tree/status.hpp"
#include "tree/types.hpp"
#include "tree/watch_table.hpp"

namespace quorate::tree {

// What stands around an operation when it is applied.
struct ApplyContext {
  Zxid zxid{};
  WallTime time{};
  SessionId session{};
  CredentialsView credentials;
};

using Operation = std::variant<Create, Delete, SetData, SetAcl, Check>;

// The outcome of one operation. `path` is valid until the next call that changes the tree.
struct OperationResult {
  Status status = Status::ok;
  std::string_view path;  // create: the final path, with its sequence number.
  Stat stat;              // create2 and its kin, setData, setACL: as of right after the operation.
};

// A znode as readers see it; views are valid until the next change of the tree.
struct ZnodeView {
  ByteView data;
  Stat stat;
  AclId acl{};
};

// Names a path towards prefetch() alone.
enum class PathHint : std::uint64_t {};

struct TreeState;  // tree/state.hpp, this room's own.

class Tree {
 public:
  // A fresh store: /, /zookeeper, /zookeeper/quota, /zookeeper/config (protocol 4.1). `hash_secret` keys the path hash
  // (S-205); it is part of the state and equal on all replicas.
  explicit Tree(std::uint64_t hash_secret);
  ~Tree();
  Tree(Tree&&) noexcept;
  Tree& operator=(Tree&&) noexcept;

  // Writes. Each does every check of its table in protocol 3 from "session" on, in that order, then its effect, then
  // fires the attached watch tables. On any other status than ok nothing has changed.
  OperationResult create(const ApplyContext& context, const Create& operation);
  OperationResult remove(const ApplyContext& context, const Delete& operation);
  OperationResult set_data(const ApplyContext& context, const SetData& operation);
  OperationResult set_acl(const ApplyContext& context, const SetAcl& operation);
  // All or nothing (protocol 3.14): results has one entry per operation; on failure the codes of protocol 3.14 and
  // nothing changed, nothing fired. Result paths are valid until the next change.
  void multi(const ApplyContext& context, std::span<const Operation> operations, std::vector<OperationResult>& results);
  // Internal deletion of a container or expired TTL node (protocol 3.17), re-validated against the clock in `context`.
  Status delete_container(const ApplyContext& context, std::string_view path);

  // Sessions (protocol 8; ).
  // The id is `server` in the top byte and the low 56 bits of context.zxid (design chapter 5); nullopt if it is taken.
  std::optional<SessionId> create_session(const ApplyContext& context, NodeId server, std::int32_t timeout_ms,
                                          const Password& password);
  // Sets owner and timeout and raises the generation: the new one, or session_expired if unknown or the password is
  // wrong.
  Status resume_session(const ApplyContext& context, SessionId id, const Password& password, NodeId server,
                        std::int32_t timeout_ms);
  // Removes the session and all its ephemerals under one zxid. session_expired if there is none.
  Status close_session(const ApplyContext& context, SessionId id);
  [[nodiscard]] const SessionTable& sessions() const;

  // Quota bookkeeping is part of the writes above (protocol 11).

  // Reads (any thread that holds the reader lock).
  [[nodiscard]] std::optional<ZnodeView> find(std::string_view path) const;
  // Start loading the memory that an operation on `path` will touch, for batches whose paths are known ahead: first
  // prefetch(path) for each of them, then prefetch(hint) for each, then the operations. Only hints: any may be left
  // out, and changes in between do no harm.
  [[nodiscard]] PathHint prefetch(std::string_view path) const;
  void prefetch(PathHint hint) const;
  // Calls visit with each child's name, in the order of child_order.hpp (creation is a snapshot's order after loading);
  // the number of children, or nullopt without the znode.
  std::optional<std::size_t> for_each_child(std::string_view path,
                                            const std::function<void(std::string_view name)>& visit) const;
  // Descendants at any depth, the znode itself not counted (protocol 3.19). Kept or counted within the 1 ms rule.
  [[nodiscard]] std::optional<std::int64_t> count_descendants(std::string_view path) const;
  // skipACL, then AclTable::allows.
  [[nodiscard]] bool allows(AclId acl, std::int32_t wanted, CredentialsView credentials) const;
  [[nodiscard]] const AclTable& acls() const;
  // Paths of the session's ephemerals, until a visit returns false.
  void for_each_ephemeral(SessionId id, const std::function<bool(std::string_view path)>& visit) const;
  // Containers and TTL nodes that may be deleted at `now` (protocol 9), at most `limit` of them, resuming where the
  // last call stopped so that no call walks far: a caller that wants them all goes on until it `looked` at all
  // `listed`.
  struct ExpiryLook {
    std::size_t looked = 0;  // How many this call looked at ...
    std::size_t listed = 0;  // ... of how many containers and TTL nodes.
  };
  ExpiryLook find_expired(WallTime now, std::int64_t container_never_used_ms, std::size_t limit,
                          std::vector<std::string>& paths);

  // Watches of each front are told of every change before the call that made it returns.
  void attach(WatchTable& table);
  void detach(WatchTable& table);

  // Replicated state beside the znodes.
  [[nodiscard]] const Switches& switches() const;
  void set_switches(const Switches& switches);
  [[nodiscard]] Zxid last_zxid() const;  // Of the newest applied entry, failed ones included.
  [[nodiscard]] WallTime last_time() const;
  // Every applied entry calls this once, before its operation: the zxid and clock move even if the operation fails.
  void advance(Zxid zxid, WallTime time);

  // The incremental digest of the whole state (I-301), and the same computed from scratch.
  [[nodiscard]] std::uint64_t digest() const;
  [[nodiscard]] std::uint64_t recompute_digest() const;

  // Figures for mntr and srvr.
  [[nodiscard]] std::size_t znode_count() const;  // The root counted once.
  [[nodiscard]] std::size_t ephemeral_count() const;
  [[nodiscard]] std::int64_t approximate_data_size() const;  // Path lengths and data lengths.
  [[nodiscard]] std::size_t memory_bytes() const;            // Walks over all blocks of memory.
  // What znodes, ACLs and sessions hold, about: the same but for memory that deletes left and creates will take. O(1),
  // for a budget (S-206).
  [[nodiscard]] std::size_t live_bytes() const;
  // Since this object was made; for the log.
  [[nodiscard]] const QuotaExcess& quota_excess() const;

  // Snapshots: see snapshot.hpp. At most one runs at a time.
  // Freezes the state as of now; nothing is copied but what is small. `write` gets every image exactly once, in any
  // order: from step(), and from changing operations that touch a znode that was not yet written.
  void begin_snapshot(std::function<void(const SnapshotItem&)> write);
  // Writes up to `items` more; true when everything was written and the snapshot has ended.
  bool step_snapshot(std::size_t items);
  void abandon_snapshot();
  [[nodiscard]] bool snapshot_running() const;

  // Loading: items in any order into an empty tree made by for_loading(); then finish_loading links and checks the
  // structure (I-303), and refuses what does not hold together.
  static Tree for_loading();
  Result<void> load(const SnapshotItem& item);
  Result<void> finish_loading();

 private:
  explicit Tree(std::unique_ptr<TreeState> state);

  std::unique_ptr<TreeState> state_;
};

}  // namespace quorate::tree
