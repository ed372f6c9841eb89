#include "wire/errors.hpp"

#include <array>

namespace quorate::wire {

namespace {

using tree::Status;

// Every number that a client library knows, those that only clients make included: a printer meets them too.
constexpr auto errors = std::to_array<ErrorInfo>({
    {Status::ok, "Ok", "done", true},
    {Status{-1}, "SystemError", "a range marker of the client libraries", false},
    {Status::runtime_inconsistency, "RuntimeInconsistency", "not attempted, an earlier operation of the multi failed",
     true},
    {Status{-3}, "DataInconsistency", "made by clients only", false},
    {Status{-4}, "ConnectionLoss", "the connection to the server was lost; made by clients only", false},
    {Status::marshalling_error, "MarshallingError", "the request could not be decoded", true},
    {Status::unimplemented, "Unimplemented", "unknown operation, or a feature that is switched off", true},
    {Status::operation_timeout, "OperationTimeout", "refused before it was executed: overload or full disk; try again",
     true},
    {Status::bad_arguments, "BadArguments", "the arguments make no sense: path, flags or time to live", true},
    {Status{-9}, "InvalidState", "the client's handle is unusable; made by clients only", false},
    {Status{-12}, "UnknownSession", "internal to servers", false},
    {Status::new_config_no_quorum, "NewConfigNoQuorum", "no quorum of the new configuration is connected and in sync",
     true},
    {Status::reconfig_in_progress, "ReconfigInProgress", "another change of the configuration is under way", true},
    {Status{-15}, "SSLConnectionError", "made by clients only", false},
    {Status{-100}, "APIError", "a range marker of the client libraries", false},
    {Status::no_node, "NoNode", "there is no such znode", true},
    {Status::no_auth, "NoAuth", "the access control list does not allow it", true},
    {Status::bad_version, "BadVersion", "the version is not the expected one", true},
    {Status::no_children_for_ephemerals, "NoChildrenForEphemerals", "ephemeral znodes cannot have children", true},
    {Status::node_exists, "NodeExists", "the znode exists already", true},
    {Status::not_empty, "NotEmpty", "the znode has children", true},
    {Status::session_expired, "SessionExpired", "the session is closed or has expired", true},
    {Status{-113}, "InvalidCallback", "made by clients only", false},
    {Status::invalid_acl, "InvalidACL", "the access control list is empty or holds an impossible entry", true},
    {Status::auth_failed, "AuthFailed", "authentication failed; the connection is closed", true},
    {Status{-116}, "Closing", "made by clients only", false},
    {Status{-117}, "Nothing", "made by clients only", false},
    {Status::session_moved, "SessionMoved", "the session belongs to another connection; that one is closed instead",
     false},
    {Status::not_read_only, "NotReadOnly", "this server answers reads only at the moment", true},
    {Status::ephemeral_on_local_session, "EphemeralOnLocalSession", "a local session cannot own ephemerals", true},
    {Status::no_watcher, "NoWatcher", "no such watch is set on this connection", true},
    {Status{-122}, "RequestTimeout", "made by clients only", false},
    {Status::reconfig_disabled, "ReconfigDisabled", "changes of the configuration are switched off", true},
    {Status::session_closed_require_auth, "SessionClosedRequireSaslAuth",
     "the server demands authentication; the connection is closed", true},
    {Status::quota_exceeded, "QuotaExceeded", "a hard quota would be exceeded", true},
    {Status::throttled, "ThrottledOp", "the request waited too long and was not executed", true},
});

}  // namespace

std::span<const ErrorInfo> error_table() {
  return errors;
}

std::string_view error_name(tree::Status status) {
  for (const ErrorInfo& info : errors) {
    if (info.status == status) {
      return info.name;
    }
  }
  return "unknown";
}

}  // namespace quorate::wire
