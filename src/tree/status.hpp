#pragma once

#include <cstdint>

namespace quorate::tree {

// Outcomes of requests; the numbers are the protocol's (protocol 13), so that nothing has to translate them.
// Names, texts and "may be sent" stand in wire/errors.hpp.
enum class Status : std::int32_t {
  ok = 0,
  runtime_inconsistency = -2,
  marshalling_error = -5,
  unimplemented = -6,
  operation_timeout = -7,
  bad_arguments = -8,
  new_config_no_quorum = -13,
  reconfig_in_progress = -14,
  no_node = -101,
  no_auth = -102,
  bad_version = -103,
  no_children_for_ephemerals = -108,
  node_exists = -110,
  not_empty = -111,
  session_expired = -112,
  invalid_acl = -114,
  auth_failed = -115,
  session_moved = -118,  // Never on the wire: the connection is closed instead (protocol 8.4).
  not_read_only = -119,
  ephemeral_on_local_session = -120,
  no_watcher = -121,
  reconfig_disabled = -123,
  session_closed_require_auth = -124,
  quota_exceeded = -125,
  throttled = -127,
};

}  // namespace quorate::tree
