#pragma once

// Values of the data model (protocol 1.3, 4, 6).

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/limits.hpp"

namespace quorate::tree {

// A znode's visible state (protocol 4.1). Field order is the wire's.
struct Stat {
  Zxid czxid{};
  Zxid mzxid{};
  WallTime ctime{};
  WallTime mtime{};
  std::int32_t version = 0;
  std::int32_t cversion = 0;
  std::int32_t aversion = 0;
  std::int64_t ephemeral_owner = 0;
  std::int32_t data_length = 0;
  std::int32_t num_children = 0;
  Zxid pzxid{};

  friend bool operator==(const Stat&, const Stat&) = default;
};

namespace permission {
inline constexpr std::int32_t read = 1;
inline constexpr std::int32_t write = 2;
inline constexpr std::int32_t create = 4;
inline constexpr std::int32_t remove = 8;
inline constexpr std::int32_t admin = 16;
inline constexpr std::int32_t all = 31;
}  // namespace permission

// One (scheme, id): in an ACL entry, or a credential of a connection. Views; null views where the wire had null.
struct Identity {
  std::string_view scheme;
  std::string_view id;

  friend bool operator==(const Identity&, const Identity&) = default;
};

struct AclEntry {
  std::int32_t permissions = 0;
  Identity identity;

  friend bool operator==(const AclEntry&, const AclEntry&) = default;
};

using AclView = std::span<const AclEntry>;
using CredentialsView = std::span<const Identity>;

// Interned ACL (AclTable). 0 is world:anyone with all permissions.
enum class AclId : std::uint32_t {};

using Password = std::array<char, limits::password_bytes>;

// Switches that change results: stamped into each term's no-op by its leader, replicated, kept in snapshots (design 3).
struct Switches {
  bool skip_acl = false;
  bool enforce_quota = false;
  bool extended_types = false;  // TTL nodes.
  bool reconfig_enabled = false;

  friend bool operator==(const Switches&, const Switches&) = default;
};

enum class CreateMode : std::int32_t {
  persistent = 0,
  ephemeral = 1,
  persistent_sequential = 2,
  ephemeral_sequential = 3,
  container = 4,
  persistent_ttl = 5,
  persistent_sequential_ttl = 6,
  container_sequential = 7,  // No flag of the wire's: createContainer with a sequential flag (protocol 3.1).
};
constexpr bool is_sequential(CreateMode mode) {
  return mode == CreateMode::persistent_sequential || mode == CreateMode::ephemeral_sequential ||
         mode == CreateMode::persistent_sequential_ttl || mode == CreateMode::container_sequential;
}
constexpr bool is_container(CreateMode mode) {
  return mode == CreateMode::container || mode == CreateMode::container_sequential;
}
constexpr bool is_ephemeral(CreateMode mode) {
  return mode == CreateMode::ephemeral || mode == CreateMode::ephemeral_sequential;
}
constexpr bool has_ttl(CreateMode mode) {
  return mode == CreateMode::persistent_ttl || mode == CreateMode::persistent_sequential_ttl;
}

enum class EventType : std::int32_t {
  created = 1,
  deleted = 2,
  data_changed = 3,
  children_changed = 4,
};

// The write operations, as decoded views (protocol 3). `path` may be a null view.
struct Create {
  std::string_view path;
  ByteView data;
  AclView acl;  // A null list is an empty one: both are -114.
  CreateMode mode = CreateMode::persistent;
  std::int64_t ttl = -1;       // Milliseconds; used by TTL modes only.
  bool stat_in_reply = false;  // create2, createContainer, createTTL.
};
struct Delete {
  std::string_view path;
  std::int32_t version = -1;
};
struct SetData {
  std::string_view path;
  ByteView data;
  std::int32_t version = -1;
};
struct SetAcl {
  std::string_view path;
  AclView acl;
  std::int32_t version = -1;
};
struct Check {
  std::string_view path;
  std::int32_t version = -1;
};

}  // namespace quorate::tree
