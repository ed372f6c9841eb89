#pragma once

// The terms of the state's digest (I-301): a sum modulo 2^64, so that a change costs what it touches and order does not
// matter. Content goes in, never a slot, an ACL id or anything else that differs between replicas.

#include <cstdint>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "tree/session_table.hpp"
#include "tree/types.hpp"

namespace quorate::tree {

// Key of the root's path; all others follow from it.
[[nodiscard]] std::uint64_t root_key(std::uint64_t hash_secret);
// Key of the child `name` of the znode whose key is `parent_key`.
[[nodiscard]] std::uint64_t child_key(std::uint64_t parent_key, std::string_view name);

// What the first term of a znode covers.
struct DigestStat {
  std::uint64_t key = 0;
  Zxid czxid{};
  Zxid mzxid{};
  Zxid pzxid{};
  WallTime ctime{};
  WallTime mtime{};
  std::int32_t version = 0;
  std::int32_t aversion = 0;
  std::int32_t create_counter = 0;
  std::int64_t owner = 0;
  std::uint64_t acl_hash = 0;
};
[[nodiscard]] std::uint64_t stat_term(const DigestStat& stat);
[[nodiscard]] std::uint64_t data_term(std::uint64_t key, ByteView data);
[[nodiscard]] std::uint64_t session_term(const Session& session);
[[nodiscard]] std::uint64_t clock_term(Zxid zxid, WallTime time, const Switches& switches);

}  // namespace quorate::tree
