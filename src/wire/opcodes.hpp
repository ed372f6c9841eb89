#pragma once

// The one table of operations (protocol 3.0).

#include <cstdint>
#include <span>
#include <string_view>

namespace quorate::wire {

enum class Opcode : std::int32_t {
  create = 1,
  remove = 2,
  exists = 3,
  get_data = 4,
  set_data = 5,
  get_acl = 6,
  set_acl = 7,
  get_children = 8,
  sync = 9,
  ping = 11,
  get_children2 = 12,
  check = 13,
  multi = 14,
  create2 = 15,
  reconfig = 16,
  check_watches = 17,
  remove_watches = 18,
  create_container = 19,
  delete_container = 20,
  create_ttl = 21,
  multi_read = 22,
  auth = 100,
  set_watches = 101,
  sasl = 102,
  get_ephemerals = 103,
  get_all_children_number = 104,
  set_watches2 = 105,
  add_watch = 106,
  who_am_i = 107,
  create_session = -10,
  close_session = -11,
  error = -1,
};

enum class OpClass : std::uint8_t {
  write,       // Becomes a log entry.
  read,        // Answered from the local tree.
  barrier,     // sync
  local,       // Touches this server's watches only.
  session,     // ping
  connection,  // auth, sasl
  internal,    // The servers' own; the one that clients may name, deleteContainer, is always refused (3.17).
};

struct OpcodeInfo {
  Opcode opcode{};
  std::string_view name;        // As the protocol calls it: "getData".
  std::string_view short_name;  // As `cons` prints it: "GETD" (operations 2.6).
  OpClass op_class{};
  bool from_client = false;  // Accepted as a request of its own (protocol 2.5 step 7).
};

[[nodiscard]] std::span<const OpcodeInfo> opcode_table();
// Null for a number that is not in the table.
[[nodiscard]] const OpcodeInfo* find_opcode(std::int32_t number);

}  // namespace quorate::wire
