#pragma once

// Access control: evaluation, normalisation and interning (protocol 6).

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tree/status.hpp"
#include "tree/types.hpp"

namespace quorate::tree {

inline constexpr AclId open_acl{0};  // world:anyone, all permissions: what nearly every znode has.

// Schemes that look at the id fail on a null one before they judge it: -5 (protocol 6.4). The others are unknown, or
// expand, whatever the id is.
[[nodiscard]] bool looks_at_id(std::string_view scheme);

// Owns the distinct ACLs and counts their users. Ids are small and reused, but not while a snapshot runs (design 7).
// open_acl is always there and is not counted. An id without users is gone, unless the table is frozen.
class AclTable {
 public:
  AclTable();

  // Protocol 6.4: removes duplicates, expands `auth` from the credentials, checks each id. ok, invalid_acl, or
  // marshalling_error (a null id where text is needed). A list that expansion would blow up beyond 1 MiB is invalid_acl
  // (S-204). On ok the result waits in `into`, as views of what the
  // arguments view.
  [[nodiscard]] static Status normalise(AclView acl, CredentialsView credentials, std::vector<AclEntry>& into);

  // The id of this list, with one use counted. Logarithmic in the number of lists, whatever their contents (S-208).
  AclId intern(AclView acl);
  void retain(AclId id);
  void release(AclId id);
  // Valid until the list's last user has gone.
  [[nodiscard]] AclView entries(AclId id) const;

  // Protocol 6.2, without skipACL (the tree's switch). What world:anyone may do is answered without a look at any text.
  [[nodiscard]] bool allows(AclId id, std::int32_t wanted, CredentialsView credentials) const {
    return id == open_acl ? allows_open(wanted, credentials) : allows_listed(id, wanted, credentials);
  }

  // Hash of the list's contents, equal on every replica; the digest uses it in place of the id.
  [[nodiscard]] std::uint64_t content_hash(AclId id) const;

  // While frozen, ids that fall out of use are kept aside (a snapshot may still write znodes that name them).
  void freeze();
  void thaw();

  // For snapshots: every list in use (or frozen) with its id, ascending; open_acl is among them.
  void for_each(const std::function<void(AclId, AclView)>& visit) const;
  // And the way back, before any znode is loaded; each znode then calls retain(). False if the snapshot does not hold
  // together: the id or the list was there already, or the id is beyond reason.
  [[nodiscard]] bool restore(AclId id, AclView acl);
  // Whether `id` names a list; for ids that come from stored data.
  [[nodiscard]] bool contains(AclId id) const;
  // After the last znode was loaded: gives up what was restored and found no user.
  void finish_restore();

  [[nodiscard]] std::size_t size() const { return by_text_.size(); }
  [[nodiscard]] std::size_t bytes() const;       // Memory held.
  [[nodiscard]] std::size_t live_bytes() const;  // The same, about, without a walk.

 private:
  // `text` is the list's canonical encoding: equal lists have equal texts; the entries are views into it.
  struct List {
    std::unique_ptr<char[]> text;
    std::size_t text_bytes = 0;
    std::vector<AclEntry> entries;
    std::uint64_t hash = 0;
    std::uint64_t users = 0;
    std::int32_t anyone = 0;  // The union of world:anyone's permissions.
  };

  [[nodiscard]] static bool allows_open(std::int32_t wanted, CredentialsView credentials);
  [[nodiscard]] bool allows_listed(AclId id, std::int32_t wanted, CredentialsView credentials) const;
  [[nodiscard]] const List& list(AclId id) const;
  void encode(AclView acl);
  void place(AclId id, AclView acl);
  void forget(AclId id);

  std::vector<std::unique_ptr<List>> lists_;   // By id; null where the id is free.
  std::map<std::string_view, AclId> by_text_;  // Ordered, so that no choice of contents makes it slow.
  std::vector<AclId> free_;
  std::vector<AclId> frozen_free_;
  std::string scratch_;  // The encoding of the list that is looked up.
  std::size_t text_bytes_ = 0;
  bool frozen_ = false;
};

// Whether a credential satisfies an ACL entry's id under its scheme's rule (protocol 6.3: equality, or the address
// prefix for `ip`).
[[nodiscard]] bool matches(const Identity& acl_identity, const Identity& credential);

// Whether `id` may stand in an ACL under `scheme` (protocol 6.3). sasl and x509 are not enabled yet, so nothing may
// stand under them.
[[nodiscard]] bool is_valid_acl_id(std::string_view scheme, std::string_view id);

}  // namespace quorate::tree
