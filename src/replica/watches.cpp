// Watch requests (protocol 3.11 to 3.13, 7.5, 7.6).

#include <algorithm>
#include <memory>
#include <span>
#include <string_view>
#include <variant>

#include "replica/front_state.hpp"
#include "wire/replies.hpp"

namespace quorate::replica {
namespace {

constexpr std::size_t watches_set_a_slice = 4096;  // About a millisecond's work (design chapter 7).

}  // namespace

void Front::State::answer_check_watches(Connection& connection, wire::ReplyHeader header, bool remove) {
  const auto& wanted = std::get<wire::WatcherRequest>(request);
  const tree::WatcherId watcher = watcher_of(connection);
  const bool is_there =
      remove ? watches.remove(watcher, wanted.path, wanted.type) : watches.has(watcher, wanted.path, wanted.type);
  header.status = is_there ? tree::Status::ok : tree::Status::no_watcher;
  wire::encode_header_only(connection.output.bytes(), header);
}

bool Front::State::add_watch(Connection& connection, std::string_view path, tree::WatchKind kind) {
  return watches.add(watcher_of(connection), path, kind);
}

void Front::State::answer_add_watch(Connection& connection, wire::ReplyHeader header) {
  const auto& wanted = std::get<wire::AddWatchRequest>(request);
  if (!add_watch(connection, wanted.path, wanted.kind)) {
    header.status = tree::Status::operation_timeout;
  }
  wire::encode_int_reply(connection.output.bytes(), header, 0);
}

// What the client missed is told before the reply, in the order of the lists; ACLs are not consulted (protocol 7.6).
// Each path is looked at and registered by itself, so changes may come between slices: who changes a path that is not
// yet registered makes it one that was missed.
bool Front::State::answer_set_watches(Connection& connection, wire::ReplyHeader header, wire::Opcode opcode,
                                      ByteView body) {
  if (!connection.watches_being_set) {
    connection.watches_being_set = std::make_unique<WatchesBeingSet>();
    WatchesBeingSet& begun = *connection.watches_being_set;
    begun.body = body;
    header.status = wire::decode_request(opcode, begun.body, begun.scratch, begun.request);
    if (header.status != tree::Status::ok) {
      connection.watches_being_set.reset();
      wire::encode_header_only(connection.output.bytes(), header);
      return true;
    }
  }
  if (!set_watches(connection, *connection.watches_being_set)) {
    return false;
  }
  const bool fits = !connection.watches_being_set->does_not_fit;
  connection.watches_being_set.reset();
  if (fits) {
    wire::encode_header_only(connection.output.bytes(), header);
  } else {
    begin_close(connection, CloseReason::too_many_watches);  // Clients take no notice of an error.
  }
  return true;
}

bool Front::State::set_watches(Connection& connection, WatchesBeingSet& setting) {
  const auto& wanted = std::get<wire::SetWatchesRequest>(setting.request);
  const Zxid seen = wanted.relative_zxid;
  std::size_t skipped = setting.done;
  std::size_t budget = watches_set_a_slice;
  const auto slice_of = [&](std::span<const std::string_view> paths) {
    const std::size_t begin = std::min(skipped, paths.size());
    skipped -= begin;
    const std::size_t count = std::min(budget, paths.size() - begin);
    budget -= count;
    setting.done += count;
    return paths.subspan(begin, count);
  };
  const auto lasting = [&](tree::WatchKind kind) {
    return [this, &connection, kind](std::string_view path) { return add_watch(connection, path, kind); };
  };
  const bool fits =
      std::ranges::all_of(slice_of(wanted.data), [&](auto path) { return catch_up_data(connection, seen, path); }) &&
      std::ranges::all_of(slice_of(wanted.exist), [&](auto path) { return catch_up_exist(connection, path); }) &&
      std::ranges::all_of(slice_of(wanted.child), [&](auto path) { return catch_up_child(connection, seen, path); }) &&
      std::ranges::all_of(slice_of(wanted.persistent), lasting(tree::WatchKind::persistent)) &&
      std::ranges::all_of(slice_of(wanted.persistent_recursive), lasting(tree::WatchKind::persistent_recursive));
  if (!fits) {
    setting.does_not_fit = true;
    return true;
  }
  const std::size_t whole = wanted.data.size() + wanted.exist.size() + wanted.child.size() + wanted.persistent.size() +
                            wanted.persistent_recursive.size();
  return setting.done == whole;
}

bool Front::State::catch_up_data(Connection& connection, Zxid seen, std::string_view path) {
  const auto znode = tree->find(path);
  if (!znode) {
    send_missed(connection, tree::EventType::deleted, path);
  } else if (znode->stat.mzxid > seen) {
    send_missed(connection, tree::EventType::data_changed, path);
  } else {
    return add_watch(connection, path, tree::WatchKind::data);
  }
  return true;
}

bool Front::State::catch_up_exist(Connection& connection, std::string_view path) {
  if (tree->find(path)) {
    send_missed(connection, tree::EventType::created, path);
  } else {
    return add_watch(connection, path, tree::WatchKind::data);
  }
  return true;
}

bool Front::State::catch_up_child(Connection& connection, Zxid seen, std::string_view path) {
  const auto znode = tree->find(path);
  if (!znode) {
    send_missed(connection, tree::EventType::deleted, path);
  } else if (znode->stat.pzxid > seen) {
    send_missed(connection, tree::EventType::children_changed, path);
  } else {
    return add_watch(connection, path, tree::WatchKind::child);
  }
  return true;
}

void Front::State::send_missed(Connection& connection, tree::EventType type, std::string_view path) {
  constexpr Zxid catch_up_zxid{-1};
  const std::size_t before = connection.output.bytes().size();
  wire::encode_event(connection.output.bytes(), catch_up_zxid, type, path);
  ++stats.events_sent;
  stats.event_bytes += connection.output.bytes().size() - before;
  ++stats.since_reset.traffic.packets_sent;
  ++connection.traffic.packets_sent;
}

}  // namespace quorate::replica
