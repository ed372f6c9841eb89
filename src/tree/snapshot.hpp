#pragma once

// What a snapshot consists of, as values: the tree knows no bytes (design chapter 2), wire/snapshot_format encodes
// these.

#include <cstdint>
#include <string_view>
#include <variant>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "tree/types.hpp"

namespace quorate::tree {

// Slots name znodes inside one snapshot; the root's parent is itself.
enum class Slot : std::uint32_t {};

// One znode exactly as it was at the snapshot's index. Stored counters, not the visible ones: the create counter of
// protocol 4.2 in place of cversion and numChildren.
struct ZnodeImage {
  Slot slot{};
  Slot parent{};
  std::uint64_t key = 0;  // The path's keyed hash.
  std::string_view name;
  ByteView data;
  AclId acl{};
  Zxid czxid{};
  Zxid mzxid{};
  Zxid pzxid{};
  WallTime ctime{};
  WallTime mtime{};
  std::int32_t version = 0;
  std::int32_t aversion = 0;
  std::int32_t create_counter = 0;
  std::int64_t owner = 0;  // Session id, or the container or TTL marker of protocol 9; 0: persistent.
};

struct AclImage {
  AclId id{};
  AclView acl;
};

struct SessionImage {
  SessionId id{};
  Password password{};
  std::int32_t timeout_ms = 0;
  NodeId owner{};
  std::uint32_t generation = 0;
};

// Everything small, copied at the snapshot's index.
struct StateImage {
  Zxid last_zxid{};
  WallTime last_time{};
  Switches switches;
  std::uint64_t hash_secret = 0;
  std::uint64_t digest = 0;
  std::uint64_t znodes = 0;
  std::uint64_t sessions = 0;
};

using SnapshotItem = std::variant<StateImage, AclImage, SessionImage, ZnodeImage>;

}  // namespace quorate::tree
