#include "wire/requests.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

#include "base/ensure.hpp"
#include "tree/acl.hpp"
#include "wire/jute.hpp"

namespace quorate::wire {

namespace {

using tree::CreateMode;
using tree::Status;

constexpr std::size_t string_bytes_min = 4;  // A length.
constexpr std::size_t acl_entry_bytes_min = 4 + 2 * string_bytes_min;

// Appends to the scratch's entries. The view is good until the next append (multi mends its views at the end).
tree::AclView read_acl(Reader& reader, DecodeScratch& scratch) {
  const std::int32_t count = reader.read_count(acl_entry_bytes_min);
  const std::size_t start = scratch.acl_entries.size();
  for (std::int32_t i = 0; i < count && reader.ok(); ++i) {
    tree::AclEntry entry;
    entry.permissions = reader.read_int();
    entry.identity.scheme = reader.read_string();
    entry.identity.id = reader.read_string();
    scratch.acl_entries.push_back(entry);
  }
  return tree::AclView(scratch.acl_entries).subspan(start);
}

// Protocol 3.1: flags outside 0 to 6 are never cast (S-109).
bool is_create_flag(std::int32_t flags) {
  return flags >= std::to_underlying(CreateMode::persistent) &&
         flags <= std::to_underlying(CreateMode::persistent_sequential_ttl);
}

struct WireCreate {
  tree::Create create;  // mode is still to be set.
  std::int32_t flags = 0;
};

WireCreate read_create(Reader& reader, Opcode opcode, DecodeScratch& scratch) {
  WireCreate wire;
  wire.create.path = reader.read_string();
  wire.create.data = reader.read_buffer();
  wire.create.acl = read_acl(reader, scratch);
  wire.flags = reader.read_int();
  wire.create.ttl = opcode == Opcode::create_ttl ? reader.read_long() : -1;
  wire.create.stat_in_reply = opcode != Opcode::create;
  return wire;
}

// createContainer makes containers whatever its flags say; it keeps the sequential one, never the ephemeral one.
CreateMode container_mode(CreateMode flags) {
  if (tree::has_ttl(flags)) {
    return flags;  // The tree refuses it, with the code that its switch asks for.
  }
  return tree::is_sequential(flags) ? CreateMode::container_sequential : CreateMode::container;
}

Status decode_create(Reader& reader, Opcode opcode, DecodeScratch& scratch, Request& into) {
  const WireCreate wire = read_create(reader, opcode, scratch);
  if (!reader.ok()) {
    return Status::marshalling_error;
  }
  if (!is_create_flag(wire.flags)) {
    return Status::bad_arguments;
  }
  auto mode = static_cast<CreateMode>(wire.flags);
  if (opcode == Opcode::create_ttl && !tree::has_ttl(mode)) {
    return Status::bad_arguments;
  }
  if (opcode == Opcode::create_container) {
    mode = container_mode(mode);
  } else if (mode == CreateMode::container) {
    mode = CreateMode::persistent;
  }
  into.emplace<tree::Create>(wire.create).mode = mode;
  return Status::ok;
}

tree::Delete read_delete(Reader& reader) {
  tree::Delete operation;
  operation.path = reader.read_string();
  operation.version = reader.read_int();
  return operation;
}

tree::SetData read_set_data(Reader& reader) {
  tree::SetData operation;
  operation.path = reader.read_string();
  operation.data = reader.read_buffer();
  operation.version = reader.read_int();
  return operation;
}

tree::SetAcl read_set_acl(Reader& reader, DecodeScratch& scratch) {
  tree::SetAcl operation;
  operation.path = reader.read_string();
  operation.acl = read_acl(reader, scratch);
  operation.version = reader.read_int();
  return operation;
}

tree::Check read_check(Reader& reader) {
  tree::Check operation;
  operation.path = reader.read_string();
  operation.version = reader.read_int();
  return operation;
}

Status verdict(const Reader& reader) {
  return reader.ok() ? Status::ok : Status::marshalling_error;
}

Status decode_path(Reader& reader, bool null_allowed, Request& into) {
  const std::string_view path = reader.read_string();
  into.emplace<PathRequest>(path);
  if (!null_allowed && is_null(path)) {
    return Status::marshalling_error;
  }
  return verdict(reader);
}

Status decode_path_watch(Reader& reader, Request& into) {
  auto& request = into.emplace<PathWatchRequest>();
  request.path = reader.read_string();
  request.watch = reader.read_bool();
  return is_null(request.path) ? Status::marshalling_error : verdict(reader);
}

Status decode_watcher(Reader& reader, Request& into) {
  auto& request = into.emplace<WatcherRequest>();
  request.path = reader.read_string();
  const std::int32_t type = reader.read_int();
  if (!reader.ok() || type < std::to_underlying(tree::WatcherType::children) ||
      type > std::to_underlying(tree::WatcherType::persistent_recursive)) {
    return Status::marshalling_error;
  }
  request.type = static_cast<tree::WatcherType>(type);
  return Status::ok;
}

Status decode_add_watch(Reader& reader, Request& into) {
  auto& request = into.emplace<AddWatchRequest>();
  request.path = reader.read_string();
  const std::int32_t mode = reader.read_int();
  if (!reader.ok() || (mode != 0 && mode != 1)) {
    return Status::marshalling_error;
  }
  request.kind = mode == 0 ? tree::WatchKind::persistent : tree::WatchKind::persistent_recursive;
  return is_null(request.path) ? Status::bad_arguments : Status::ok;
}

Status decode_set_watches(Reader& reader, std::size_t lists, DecodeScratch& scratch, Request& into) {
  auto& request = into.emplace<SetWatchesRequest>();
  request.relative_zxid = Zxid{reader.read_long()};
  std::array<std::size_t, 5> ends{};
  ensure(lists <= ends.size(), "setWatches2 has five lists");
  for (std::size_t list = 0; list < lists; ++list) {
    const std::int32_t count = reader.read_count(string_bytes_min);
    if (count == Reader::null_vector) {
      return Status::marshalling_error;
    }
    for (std::int32_t i = 0; i < count && reader.ok(); ++i) {
      const std::string_view path = reader.read_string();
      if (is_null(path)) {
        return Status::marshalling_error;
      }
      scratch.paths.push_back(path);
    }
    ends[list] = scratch.paths.size();
  }
  if (!reader.ok()) {
    return Status::marshalling_error;
  }
  std::fill(ends.begin() + static_cast<std::ptrdiff_t>(lists), ends.end(), scratch.paths.size());
  const std::span<const std::string_view> all(scratch.paths);
  request.data = all.subspan(0, ends[0]);
  request.exist = all.subspan(ends[0], ends[1] - ends[0]);
  request.child = all.subspan(ends[1], ends[2] - ends[1]);
  request.persistent = all.subspan(ends[2], ends[3] - ends[2]);
  request.persistent_recursive = all.subspan(ends[3], ends[4] - ends[3]);
  return Status::ok;
}

Status decode_auth(Reader& reader, Request& into) {
  auto& request = into.emplace<AuthRequest>();
  request.type = reader.read_int();
  request.scheme = reader.read_string();
  request.auth = reader.read_buffer();
  return verdict(reader);
}

Status decode_sasl(Reader& reader, Request& into) {
  auto& request = into.emplace<SaslRequest>();
  request.token = reader.read_buffer();
  return is_null(request.token) ? Status::marshalling_error : verdict(reader);
}

Status decode_reconfig(Reader& reader, Request& into) {
  auto& request = into.emplace<ReconfigRequest>();
  request.joining = reader.read_string();
  request.leaving = reader.read_string();
  request.new_members = reader.read_string();
  request.current_config = reader.read_long();
  return verdict(reader);
}

// --- multi and multiRead (protocol 3.14, 3.15) ---

struct MultiHeader {
  std::int32_t type = 0;
  bool done = false;
};

MultiHeader read_multi_header(Reader& reader) {
  MultiHeader header;
  header.type = reader.read_int();
  header.done = reader.read_bool();
  reader.read_int();  // err: ignored.
  return header;
}

// Where the single operation would be answered -5 by the tree, the whole multi is (protocol 3.14).
bool has_null_id(tree::AclView acl) {
  return std::ranges::any_of(acl, [](const tree::AclEntry& entry) {
    return is_null(entry.identity.id) && tree::looks_at_id(entry.identity.scheme);
  });
}

// A create of any kind inside a multi: the mode decides what it is, not the opcode.
bool add_multi_create(Reader& reader, Opcode opcode, DecodeScratch& scratch) {
  WireCreate wire = read_create(reader, opcode, scratch);
  if (!reader.ok() || !is_create_flag(wire.flags) || is_null(wire.create.path) || has_null_id(wire.create.acl)) {
    return false;
  }
  auto mode = static_cast<CreateMode>(wire.flags);
  if (tree::has_ttl(mode) && opcode != Opcode::create_ttl) {
    return false;
  }
  if (mode == CreateMode::container) {
    opcode = Opcode::create_container;
  } else if (opcode == Opcode::create_container || (opcode == Opcode::create_ttl && !tree::has_ttl(mode))) {
    opcode = Opcode::create;  // An ephemeral one, if the flags say so: a single createContainer never makes one.
  }
  wire.create.mode = mode;
  wire.create.stat_in_reply = opcode != Opcode::create;
  scratch.operations.emplace_back(wire.create);
  scratch.opcodes.push_back(opcode);
  return true;
}

template <class Operation>
bool add_multi_operation(const Reader& reader, Opcode opcode, const Operation& operation, DecodeScratch& scratch) {
  if (!reader.ok() || is_null(operation.path)) {
    return false;
  }
  scratch.operations.emplace_back(operation);
  scratch.opcodes.push_back(opcode);
  return true;
}

bool add_multi_element(Reader& reader, std::int32_t type, DecodeScratch& scratch) {
  switch (const auto opcode = Opcode{type}) {
    case Opcode::create:
    case Opcode::create2:
    case Opcode::create_container:
    case Opcode::create_ttl:
      return add_multi_create(reader, opcode, scratch);
    case Opcode::remove:
      return add_multi_operation(reader, opcode, read_delete(reader), scratch);
    case Opcode::set_data:
      return add_multi_operation(reader, opcode, read_set_data(reader), scratch);
    case Opcode::check:
      return add_multi_operation(reader, opcode, read_check(reader), scratch);
    default:
      return false;
  }
}

// The entries moved while they were appended; they stand in the order of the creates that own them.
void mend_acl_views(DecodeScratch& scratch) {
  std::size_t start = 0;
  for (tree::Operation& operation : scratch.operations) {
    if (auto* create = std::get_if<tree::Create>(&operation)) {
      const std::size_t count = create->acl.size();
      create->acl = tree::AclView(scratch.acl_entries).subspan(start, count);
      start += count;
    }
  }
  ensure(start == scratch.acl_entries.size(), "every ACL entry of a multi belongs to one of its creates");
}

// Each turn takes at least a header's nine bytes, so the request's size bounds operations and memory (S-106).
Status decode_multi(Reader& reader, DecodeScratch& scratch, Request& into) {
  while (true) {
    const MultiHeader header = read_multi_header(reader);
    if (!reader.ok()) {
      return Status::marshalling_error;
    }
    if (header.done) {
      break;
    }
    if (!add_multi_element(reader, header.type, scratch)) {
      return Status::marshalling_error;
    }
  }
  mend_acl_views(scratch);
  into.emplace<MultiRequest>(scratch.operations, scratch.opcodes);
  return Status::ok;
}

Status decode_multi_read(Reader& reader, DecodeScratch& scratch, Request& into) {
  while (true) {
    const MultiHeader header = read_multi_header(reader);
    if (!reader.ok()) {
      return Status::marshalling_error;
    }
    if (header.done) {
      break;
    }
    ReadOperation operation{.opcode = Opcode{header.type}, .path = reader.read_string()};
    reader.read_bool();  // watch: ignored, none is ever set.
    const bool allowed = operation.opcode == Opcode::get_data || operation.opcode == Opcode::get_children;
    if (!reader.ok() || !allowed || is_null(operation.path)) {
      return Status::marshalling_error;
    }
    scratch.read_operations.push_back(operation);
  }
  into.emplace<MultiReadRequest>(scratch.read_operations);
  return Status::ok;
}

}  // namespace

std::optional<RequestHeader> decode_header(ByteView frame) {
  Reader reader(frame);
  RequestHeader header;
  header.xid = reader.read_int();
  header.type = reader.read_int();
  return reader.ok() ? std::optional(header) : std::nullopt;
}

std::optional<ConnectRequest> decode_connect(ByteView frame) {
  Reader reader(frame);
  ConnectRequest request;
  request.protocol_version = reader.read_int();
  request.last_zxid_seen = Zxid{reader.read_long()};
  request.timeout_ms = reader.read_int();
  request.session = SessionId{reader.read_long()};
  request.password = reader.read_buffer();
  if (!reader.ok()) {
    return std::nullopt;
  }
  if (reader.remaining() > 0) {
    request.read_only = reader.read_bool();
  }
  return request;
}

tree::Status decode_request(Opcode opcode, ByteView body, DecodeScratch& scratch, Request& into) {
  Reader reader(body);
  switch (opcode) {
    case Opcode::get_data:
    case Opcode::exists:
    case Opcode::get_children:
    case Opcode::get_children2:
      return decode_path_watch(reader, into);
    case Opcode::set_data:
      into = read_set_data(reader);
      return verdict(reader);
    case Opcode::create:
    case Opcode::create2:
    case Opcode::create_container:
    case Opcode::create_ttl:
      scratch.acl_entries.clear();
      return decode_create(reader, opcode, scratch, into);
    case Opcode::remove:
      into = read_delete(reader);
      return verdict(reader);
    case Opcode::set_acl:
      scratch.acl_entries.clear();
      into = read_set_acl(reader, scratch);
      return verdict(reader);
    case Opcode::multi:
      scratch.acl_entries.clear();
      scratch.operations.clear();
      scratch.opcodes.clear();
      return decode_multi(reader, scratch, into);
    case Opcode::multi_read:
      scratch.read_operations.clear();
      return decode_multi_read(reader, scratch, into);
    case Opcode::get_acl:
    case Opcode::get_all_children_number:
      return decode_path(reader, false, into);
    case Opcode::sync:
    case Opcode::get_ephemerals:
      return decode_path(reader, true, into);
    case Opcode::delete_container:
      return Status::bad_arguments;  // Whatever its body says (protocol 3.17).
    case Opcode::check_watches:
    case Opcode::remove_watches:
      return decode_watcher(reader, into);
    case Opcode::add_watch:
      return decode_add_watch(reader, into);
    case Opcode::set_watches:
    case Opcode::set_watches2:
      scratch.paths.clear();
      return decode_set_watches(reader, opcode == Opcode::set_watches ? 3 : 5, scratch, into);
    case Opcode::auth:
      return decode_auth(reader, into);
    case Opcode::sasl:
      return decode_sasl(reader, into);
    case Opcode::reconfig:
      return decode_reconfig(reader, into);
    case Opcode::ping:
    case Opcode::who_am_i:
    case Opcode::close_session:
      into.emplace<EmptyRequest>();
      return Status::ok;
    case Opcode::check:
    case Opcode::create_session:
    case Opcode::error:
      break;
  }
  return Status::unimplemented;
}

}  // namespace quorate::wire
