// Reads, from the local tree (protocol 3.3 to 3.20). A watch is registered and its reply queued in one go, so that no
// event can come between (protocol 2.4 rule 5).

#include <algorithm>
#include <functional>
#include <optional>
#include <string_view>
#include <variant>

#include "base/ensure.hpp"
#include "replica/front_state.hpp"
#include "wire/replies.hpp"

namespace quorate::replica {
namespace {

// The empty path is another name of the root in these requests (protocol 3.3).
std::string_view named(std::string_view path) {
  return path.empty() ? std::string_view("/") : path;
}

// A few frames: what it carries could not have been written by one request either, and no client takes in more than
// its own jute.maxbuffer (S-203, S-204).
std::size_t multi_read_bytes_max(std::size_t frame_bytes_max) {
  constexpr std::size_t least = 8U << 20;
  return std::min(std::max(least, 4 * frame_bytes_max), wire::reply_bytes_max);
}

}  // namespace

void Front::State::answer_read(Connection& connection, const wire::ReplyHeader& header, wire::Opcode opcode) {
  switch (opcode) {
    case wire::Opcode::get_data:
      answer_data(connection, header);
      break;
    case wire::Opcode::exists:
      answer_exists(connection, header);
      break;
    case wire::Opcode::get_children:
      answer_children(connection, header, false);
      break;
    case wire::Opcode::get_children2:
      answer_children(connection, header, true);
      break;
    case wire::Opcode::get_acl:
      answer_acl(connection, header);
      break;
    case wire::Opcode::get_all_children_number:
      answer_descendants(connection, header);
      break;
    case wire::Opcode::get_ephemerals:
      answer_ephemerals(connection, header);
      break;
    case wire::Opcode::who_am_i:
      wire::encode_who_am_i_reply(connection.output.bytes(), header, connection.credentials.view());
      break;
    case wire::Opcode::multi_read:
      answer_multi_read(connection, header);
      break;
    default:
      ensure(false, "the table of operations names every read");
  }
}

void Front::State::answer_exists(Connection& connection, wire::ReplyHeader header) {
  const auto& wanted = std::get<wire::PathWatchRequest>(request);
  const std::string_view path = named(wanted.path);
  std::string& out = connection.output.bytes();
  if (path.find('\0') != std::string_view::npos) {
    header.status = tree::Status::bad_arguments;
    wire::encode_header_only(out, header);
    return;
  }
  const auto znode = tree->find(path);
  if (znode && !tree->allows(znode->acl, tree::permission::read, connection.credentials.view())) {
    header.status = tree::Status::no_auth;
    wire::encode_header_only(out, header);
    return;
  }
  if (wanted.watch && !add_watch(connection, path, tree::WatchKind::data)) {
    header.status = tree::Status::operation_timeout;
    wire::encode_header_only(out, header);
    return;
  }
  if (znode) {
    wire::encode_stat_reply(out, header, znode->stat);
  } else {
    header.status = tree::Status::no_node;  // The watch stays: it waits for the znode (gotcha 9).
    wire::encode_header_only(out, header);
  }
}

// The znode, if it is there and may be read; else the answer has been given.
std::optional<tree::ZnodeView> Front::State::find_readable(Connection& connection, wire::ReplyHeader header,
                                                           std::string_view path) {
  const auto znode = tree->find(path);
  if (!znode) {
    header.status = tree::Status::no_node;
  } else if (!tree->allows(znode->acl, tree::permission::read, connection.credentials.view())) {
    header.status = tree::Status::no_auth;
  } else {
    return znode;
  }
  wire::encode_header_only(connection.output.bytes(), header);
  return std::nullopt;
}

void Front::State::answer_data(Connection& connection, wire::ReplyHeader header) {
  const auto& wanted = std::get<wire::PathWatchRequest>(request);
  const std::string_view path = named(wanted.path);
  const auto znode = find_readable(connection, header, path);
  if (!znode) {
    return;
  }
  if (wanted.watch && !add_watch(connection, path, tree::WatchKind::data)) {
    header.status = tree::Status::operation_timeout;
    wire::encode_header_only(connection.output.bytes(), header);
    return;
  }
  wire::encode_data_reply(connection.output.bytes(), header, znode->data, znode->stat);
}

void Front::State::answer_children(Connection& connection, wire::ReplyHeader header, bool with_stat) {
  const auto& wanted = std::get<wire::PathWatchRequest>(request);
  const std::string_view path = named(wanted.path);
  const auto znode = find_readable(connection, header, path);
  if (!znode) {
    return;
  }
  if (wanted.watch && !add_watch(connection, path, tree::WatchKind::child)) {
    header.status = tree::Status::operation_timeout;
    wire::encode_header_only(connection.output.bytes(), header);
    return;
  }
  wire::ListReply list(connection.output.bytes(), header);
  tree->for_each_child(path, [&list](std::string_view name) { list.add(name); });
  if (with_stat) {
    list.finish(znode->stat);
  } else {
    list.finish();
  }
}

void Front::State::answer_acl(Connection& connection, wire::ReplyHeader header) {
  const std::string_view path = named(std::get<wire::PathRequest>(request).path);
  std::string& out = connection.output.bytes();
  const auto znode = tree->find(path);
  const tree::CredentialsView credentials = connection.credentials.view();
  if (!znode) {
    header.status = tree::Status::no_node;
    wire::encode_header_only(out, header);
    return;
  }
  const bool may_administer = tree->allows(znode->acl, tree::permission::admin, credentials);
  if (!may_administer && !tree->allows(znode->acl, tree::permission::read, credentials)) {
    header.status = tree::Status::no_auth;
    wire::encode_header_only(out, header);
    return;
  }
  wire::encode_acl_reply(out, header, tree->acls().entries(znode->acl), znode->stat, !may_administer);
}

void Front::State::answer_descendants(Connection& connection, const wire::ReplyHeader& header) {
  const std::string_view path = std::get<wire::PathRequest>(request).path;
  if (find_readable(connection, header, path)) {
    wire::encode_int_reply(connection.output.bytes(), header,
                           static_cast<std::int32_t>(tree->count_descendants(path).value_or(0)));
  }
}

// A plain string prefix, not one of components; blank means all (protocol 3.18, gotcha 45).
void Front::State::answer_ephemerals(Connection& connection, const wire::ReplyHeader& header) {
  const std::string_view prefix = std::get<wire::PathRequest>(request).path;
  const bool is_blank = prefix.find_first_not_of(" \t\n\v\f\r") == std::string_view::npos;
  wire::ListReply list(connection.output.bytes(), header);
  tree->for_each_ephemeral(connection.session, [&](std::string_view path) {
    if (is_blank || path.starts_with(prefix)) {
      list.add(path);
    }
    return true;
  });
  list.finish();
}

void Front::State::answer_multi_read(Connection& connection, const wire::ReplyHeader& header) {
  wire::MultiReadReply reply(connection.output.bytes(), header, multi_read_bytes_max(config.frame_bytes_max));
  for (const wire::ReadOperation& operation : std::get<wire::MultiReadRequest>(request).operations) {
    if (reply.is_too_long()) {
      break;
    }
    append_read_result(connection, reply, operation);
  }
  heavy_bytes += reply.bytes();  // Also of those that come to nothing.
  reply.finish();
}

void Front::State::append_read_result(Connection& connection, wire::MultiReadReply& reply,
                                      const wire::ReadOperation& operation) {
  const std::string_view path = named(operation.path);
  const auto znode = tree->find(path);
  if (!znode) {
    reply.add_error(tree::Status::no_node);
    return;
  }
  if (!tree->allows(znode->acl, tree::permission::read, connection.credentials.view())) {
    reply.add_error(tree::Status::no_auth);
    return;
  }
  if (operation.opcode == wire::Opcode::get_data) {
    reply.add_data(znode->data, znode->stat);
    return;
  }
  reply.begin_children();
  tree->for_each_child(path, [&reply](std::string_view name) { reply.add_child(name); });
  reply.end_children();
}

}  // namespace quorate::replica
