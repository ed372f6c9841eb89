#pragma once

// Client requests, decoded as views into the frame (protocol 1.4, 2, 3). One definition a record.

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "tree/status.hpp"
#include "tree/tree.hpp"
#include "tree/types.hpp"
#include "tree/watch_table.hpp"
#include "wire/opcodes.hpp"

namespace quorate::wire {

struct RequestHeader {
  std::int32_t xid = 0;
  std::int32_t type = 0;
};
inline constexpr std::size_t request_header_bytes = 8;

struct ConnectRequest {
  std::int32_t protocol_version = 0;
  Zxid last_zxid_seen{};
  std::int32_t timeout_ms = 0;
  SessionId session{};
  ByteView password;
  std::optional<bool> read_only;  // Absent in requests of old clients; decides the reply's size (protocol 1.4).
};

struct PathRequest {  // getACL, sync, getAllChildrenNumber, getEphemerals, deleteContainer
  std::string_view path;
};
struct PathWatchRequest {  // exists, getData, getChildren, getChildren2
  std::string_view path;
  bool watch = false;
};
struct WatcherRequest {  // checkWatches, removeWatches
  std::string_view path;
  tree::WatcherType type{};
};
struct AddWatchRequest {
  std::string_view path;
  tree::WatchKind kind{};  // persistent or persistent_recursive
};
struct SetWatchesRequest {  // setWatches and setWatches2
  Zxid relative_zxid{};
  std::span<const std::string_view> data;
  std::span<const std::string_view> exist;
  std::span<const std::string_view> child;
  std::span<const std::string_view> persistent;
  std::span<const std::string_view> persistent_recursive;
};
struct AuthRequest {
  std::int32_t type = 0;
  std::string_view scheme;
  ByteView auth;
};
struct SaslRequest {
  ByteView token;
};
struct MultiRequest {
  std::span<const tree::Operation> operations;
  // Parallel to operations; the reply's types follow from them. What protocol 3.14 turns into another operation
  // (create with flag 4, createTTL without a TTL flag) stands here as what it became.
  std::span<const Opcode> opcodes;
};
struct ReadOperation {
  Opcode opcode{};  // get_data or get_children
  std::string_view path;
};
struct MultiReadRequest {
  std::span<const ReadOperation> operations;
};
struct ReconfigRequest {
  std::string_view joining;
  std::string_view leaving;
  std::string_view new_members;
  std::int64_t current_config = -1;
};
struct EmptyRequest {};  // ping, closeSession, whoAmI

using Request = std::variant<EmptyRequest, tree::Create, tree::Delete, tree::SetData, tree::SetAcl, PathRequest,
                             PathWatchRequest, WatcherRequest, AddWatchRequest, SetWatchesRequest, AuthRequest,
                             SaslRequest, MultiRequest, MultiReadRequest, ReconfigRequest>;

// Backing for what does not fit into a view (ACL lists, multi operations, path lists). Owned by the caller and reused;
// a decoded request is valid until the next decode with the same scratch.
struct DecodeScratch {
  std::vector<tree::AclEntry> acl_entries;
  std::vector<tree::Operation> operations;
  std::vector<Opcode> opcodes;
  std::vector<ReadOperation> read_operations;
  std::vector<std::string_view> paths;
};

[[nodiscard]] std::optional<RequestHeader> decode_header(ByteView frame);
[[nodiscard]] std::optional<ConnectRequest> decode_connect(ByteView frame);

// Decodes the body of an operation that find_opcode knows. `ok`, or what the operation answers to a body that does not
// decode or carries impossible flags (protocol 2.5 and the first checks of the tables in 3). Trailing bytes are ignored
// (protocol 1.1). What is decided here, and what is left to the tree because checks of the tree come before it:
//   marshalling_error  a short or malformed body; a null path where a read needs one; an unknown addWatch mode or
//   watcher
//                      type; a null list or path in setWatches; for auth and sasl it means: close (protocol 2.5); and
//                      every whole-request failure of a multi (protocol 3.14).
//   bad_arguments      create flags outside 0 to 6; createTTL without a TTL flag (Appendix B); addWatch with a null
//   path
//                      (3.12); deleteContainer, always (3.17).
//   unimplemented      an operation that is not a client's; the caller sorts these out before
//   (OpcodeInfo::from_client). the tree's         null paths of writes, passed on as null views: -5 for create and
//   delete, -8 for setData, setACL,
//                      after the session's check. TTL modes with any ttl (-1 where the operation has none): whether
//                      they are switched on (-6) comes before their range (-8), and the switch is replicated. Null ids
//                      in ACLs (6.4).
// create and create2 with flag 4 are plain persistent znodes, createContainer is always a container (3.1).
[[nodiscard]] tree::Status decode_request(Opcode opcode, ByteView body, DecodeScratch& scratch, Request& into);

}  // namespace quorate::wire
