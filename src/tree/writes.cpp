// The operations that change znodes: the checks of protocol 3, in its order, then the effect. Multi runs the very same
// functions (protocol 3.14).

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "base/ensure.hpp"
#include "tree/path.hpp"
#include "tree/quota.hpp"
#include "tree/state.hpp"

namespace quorate::tree {

namespace {

OperationResult refused(Status status) {
  return {.status = status, .path = {}, .stat = {}};
}

bool has_slash_and_no_nul(std::string_view path) {
  return path.find('/') != std::string_view::npos && path.find('\0') == std::string_view::npos;
}

// As written: the text before the last '/', where the empty text is the root (protocol 3.1 and 3.2).
std::string_view written_parent(std::string_view path) {
  return path.substr(0, path.rfind('/'));
}

// "%010d": zero padded to ten characters, a sign included (protocol 4.3).
void append_sequence(std::string& path, std::int32_t counter) {
  constexpr std::size_t width = 10;
  std::array<char, 16> digits{};
  const std::uint32_t magnitude =
      counter < 0 ? 0U - static_cast<std::uint32_t>(counter) : static_cast<std::uint32_t>(counter);
  const char* end = std::to_chars(digits.data(), digits.data() + digits.size(), magnitude).ptr;
  const auto length = static_cast<std::size_t>(end - digits.data());
  const std::size_t sign = counter < 0 ? 1U : 0U;
  path.append(sign, '-');
  path.append(length + sign < width ? width - length - sign : 0, '0');
  path.append(digits.data(), length);
}

// Protocol 3.1, checks 2 to 4.
Status judge_mode(const Create& operation, const Switches& switches) {
  if (std::to_underlying(operation.mode) < 0 || operation.mode > CreateMode::container_sequential) {
    return Status::bad_arguments;
  }
  if (has_ttl(operation.mode)) {
    if (!switches.extended_types) {
      return Status::unimplemented;
    }
    if (operation.ttl < 1 || operation.ttl > ttl_bits) {
      return Status::bad_arguments;
    }
  }
  return Status::ok;
}

std::int64_t owner_for(const Create& operation, SessionId session) {
  if (is_ephemeral(operation.mode)) {
    return raw(session);
  }
  if (is_container(operation.mode)) {
    return container_owner;
  }
  return has_ttl(operation.mode) ? ttl_owner(operation.ttl) : 0;
}

bool version_matches(std::int32_t expected, std::int32_t actual) {
  return expected == -1 || expected == actual;
}

}  // namespace

bool TreeState::allows(AclId acl, std::int32_t wanted, CredentialsView credentials) const {
  return switches.skip_acl || acls.allows(acl, wanted, credentials);
}

Status TreeState::judge_acl(AclView acl, CredentialsView credentials, bool& open) {
  open = acl.size() == 1 && acl[0].permissions == permission::all && acl[0].identity.scheme == "world" &&
         acl[0].identity.id == "anyone";
  return open ? Status::ok : AclTable::normalise(acl, credentials, acl_scratch);
}

AclId TreeState::take_acl(bool open) {
  if (open) {
    acls.retain(open_acl);
    return open_acl;
  }
  return acls.intern(acl_scratch);
}

OperationResult TreeState::create(const ApplyContext& context, const Create& operation) {
  if (const Status status = judge_mode(operation, switches); status != Status::ok) {
    return refused(status);
  }
  if (sessions.find(context.session) == nullptr) {
    return refused(Status::session_expired);
  }
  if (is_null(operation.path)) {
    return refused(Status::marshalling_error);
  }
  if (!has_slash_and_no_nul(operation.path)) {
    return refused(Status::bad_arguments);
  }
  bool open = false;
  if (const Status status = judge_acl(operation.acl, context.credentials, open); status != Status::ok) {
    return refused(status);
  }
  const Located parent = find(written_parent(operation.path));
  if (parent.slot == no_slot) {
    return refused(Status::no_node);
  }
  if (!allows(znodes.at(parent.slot).acl, permission::create, context.credentials)) {
    return refused(Status::no_auth);
  }
  result_path.assign(operation.path);
  const Extra* family = znodes.find_extra(parent.slot);
  if (is_sequential(operation.mode)) {
    append_sequence(result_path, family == nullptr ? 0 : family->create_counter);
  }
  if (!is_valid_path(result_path)) {
    return refused(Status::bad_arguments);
  }
  const std::string_view path = result_path;
  const std::string_view name = path.substr(path.rfind('/') + 1);
  const std::uint64_t key = child_key(parent.key, name);
  if (name.empty() || find_child(parent.slot, key, name) != no_slot) {
    return refused(Status::node_exists);  // The one valid path without a name is the root's.
  }
  if (is_ephemeral_owner(owner_of(parent.slot))) {
    return refused(Status::no_children_for_ephemerals);
  }
  const auto data_bytes = static_cast<std::int64_t>(operation.data.size());
  if (const Status status = check_quota(path, 1, data_bytes); status != Status::ok) {
    return refused(status);
  }
  const SlotNumber slot = insert({.parent = parent,
                                  .key = key,
                                  .path = path,
                                  .name = name,
                                  .data = operation.data,
                                  .acl = take_acl(open),
                                  .owner = owner_for(operation, context.session),
                                  .zxid = context.zxid,
                                  .time = context.time});
  const Stat stat = stat_of(slot);
  quota_created(path, data_bytes);
  announce(EventType::created, path, znodes.at(slot).acl, znodes.at(parent.slot).acl, context.zxid);
  return {.status = Status::ok, .path = path, .stat = stat};
}

OperationResult TreeState::remove(const ApplyContext& context, const Delete& operation) {
  if (sessions.find(context.session) == nullptr) {
    return refused(Status::session_expired);
  }
  if (is_null(operation.path)) {
    return refused(Status::marshalling_error);
  }
  if (!has_slash_and_no_nul(operation.path) || is_protected(operation.path)) {
    return refused(Status::bad_arguments);
  }
  const std::string_view above = written_parent(operation.path);
  const Located parent = find(above);
  if (parent.slot == no_slot) {
    return refused(Status::no_node);
  }
  if (!allows(znodes.at(parent.slot).acl, permission::remove, context.credentials)) {
    return refused(Status::no_auth);
  }
  const std::string_view name = name_of(operation.path);
  const std::uint64_t key = child_key(parent.key, name);
  // "/x/" and "//x" have parents, but no znode has such a path.
  const bool possible = !name.empty() && above != "/";
  const SlotNumber slot = possible ? find_child(parent.slot, key, name) : no_slot;
  if (slot == no_slot) {
    return refused(Status::no_node);
  }
  if (!version_matches(operation.version, znodes.at(slot).version)) {
    return refused(Status::bad_version);
  }
  if (child_count(slot) != 0) {
    return refused(Status::not_empty);
  }
  remove_checked(slot, key, parent, operation.path, context.zxid);
  return refused(Status::ok);
}

void TreeState::remove_checked(SlotNumber slot, std::uint64_t key, const Located& parent, std::string_view path,
                               Zxid zxid) {
  const AclId acl = znodes.at(slot).acl;
  const std::int64_t data_bytes = znodes.data_length(slot);
  erase(slot, key, parent, path, zxid);
  quota_erased(path, data_bytes);
  announce(EventType::deleted, path, acl, znodes.at(parent.slot).acl, zxid);
  if (!undoing) {
    acls.release(acl);
    znodes.release(slot);
  }
}

OperationResult TreeState::set_data(const ApplyContext& context, const SetData& operation) {
  if (sessions.find(context.session) == nullptr) {
    return refused(Status::session_expired);
  }
  if (!is_valid_path(operation.path)) {
    return refused(Status::bad_arguments);
  }
  const Located znode = find(operation.path);
  if (znode.slot == no_slot) {
    return refused(Status::no_node);
  }
  if (!allows(znodes.at(znode.slot).acl, permission::write, context.credentials)) {
    return refused(Status::no_auth);
  }
  const std::int64_t delta = static_cast<std::int64_t>(operation.data.size()) - znodes.data_length(znode.slot);
  if (const Status status = check_quota(operation.path, 0, delta); status != Status::ok) {
    return refused(status);
  }
  if (!version_matches(operation.version, znodes.at(znode.slot).version)) {
    return refused(Status::bad_version);
  }
  write_data(znode, operation.data, context.zxid, context.time);
  const Stat stat = stat_of(znode.slot);
  quota_changed(operation.path, 0, delta);
  announce(EventType::data_changed, operation.path, znodes.at(znode.slot).acl, open_acl, context.zxid);
  return {.status = Status::ok, .path = {}, .stat = stat};
}

OperationResult TreeState::set_acl(const ApplyContext& context, const SetAcl& operation) {
  if (sessions.find(context.session) == nullptr) {
    return refused(Status::session_expired);
  }
  if (!is_valid_path(operation.path)) {
    return refused(Status::bad_arguments);
  }
  bool open = false;
  if (const Status status = judge_acl(operation.acl, context.credentials, open); status != Status::ok) {
    return refused(status);
  }
  const Located znode = find(operation.path);
  if (znode.slot == no_slot) {
    return refused(Status::no_node);
  }
  if (!allows(znodes.at(znode.slot).acl, permission::admin, context.credentials)) {
    return refused(Status::no_auth);
  }
  const Extra* extra = znodes.find_extra(znode.slot);
  if (!version_matches(operation.version, extra == nullptr ? 0 : extra->aversion)) {
    return refused(Status::bad_version);
  }
  replace_acl(znode, take_acl(open));
  return {.status = Status::ok, .path = {}, .stat = stat_of(znode.slot)};
}

OperationResult TreeState::check(const ApplyContext& context, const Check& operation) const {
  if (sessions.find(context.session) == nullptr) {
    return refused(Status::session_expired);
  }
  if (!is_valid_path(operation.path)) {
    return refused(Status::bad_arguments);
  }
  const SlotNumber slot = find(operation.path).slot;
  if (slot == no_slot) {
    return refused(Status::no_node);
  }
  if (!allows(znodes.at(slot).acl, permission::read, context.credentials)) {
    return refused(Status::no_auth);
  }
  return refused(version_matches(operation.version, znodes.at(slot).version) ? Status::ok : Status::bad_version);
}

}  // namespace quorate::tree
