#pragma once

// Access control: evaluation, normalisation and interning (protocol 6).

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tree/status.hpp"
#include "tree/types.hpp"

namespace quorate::tree {

inline constexpr AclId open_acl{0};  // world:anyone, all permissions: what nearly every znode has.

// Owns the distinct ACLs and counts their users. Ids are small and reused, but not while a snapshot runs (design 7).
class AclTable {
 public:
  AclTable();

  // Protocol 6.4: removes duplicates, expands `auth` from the credentials, checks each id. ok, invalid_acl, or
  // marshalling_error (a null id where text is needed). On ok the result waits in `into`.
  [[nodiscard]] static Status normalise(AclView acl, CredentialsView credentials, std::vector<AclEntry>& into);

  // The id of this list, with one use counted.
  AclId intern(AclView acl);
  void retain(AclId id);
  void release(AclId id);
  [[nodiscard]] AclView entries(AclId id) const;

  // Protocol 6.2, without skipACL (the tree's switch).
  [[nodiscard]] bool allows(AclId id, std::int32_t wanted, CredentialsView credentials) const;

  // Hash of the list's contents, equal on every replica; the digest uses it in place of the id.
  [[nodiscard]] std::uint64_t content_hash(AclId id) const;

  // While frozen, ids that fall out of use are kept aside (a snapshot may still write znodes that name them).
  void freeze();
  void thaw();

  // For snapshots: every list in use (or frozen) with its id; and the way back, before any znode is loaded.
  void for_each(const std::function<void(AclId, AclView)>& visit) const;
  void restore(AclId id, AclView acl);

  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] std::size_t bytes() const;  // Memory held.

 private:
  struct List {
    std::string text;  // Backing of the views below: schemes and ids, one after the other.
    std::vector<AclEntry> entries;
    std::uint64_t hash = 0;
    std::uint64_t users = 0;
    bool open_to_all_reads = false;  // world:anyone with READ: the fast answer of event filters.
  };
  // The implementer of this room chooses the index from content hash to list.
  std::vector<List> lists_;
  std::vector<AclId> free_;
  std::vector<AclId> frozen_free_;
  bool frozen_ = false;
};

// Whether a credential satisfies an ACL entry's id under its scheme's rule (protocol 6.3: equality, or the address
// prefix for `ip`).
[[nodiscard]] bool matches(const Identity& acl_identity, const Identity& credential);

// Whether `id` may stand in an ACL under `scheme` (protocol 6.3).
[[nodiscard]] bool is_valid_acl_id(std::string_view scheme, std::string_view id);

}  // namespace quorate::tree
