// Watch requests (protocol 3.11 to 3.13, 7.5, 7.6).

#include <string_view>
#include <variant>

#include "replica/front_state.hpp"
#include "wire/replies.hpp"

namespace quorate::replica {

void Front::State::answer_check_watches(Connection& connection, wire::ReplyHeader header, bool remove) {
  const auto& wanted = std::get<wire::WatcherRequest>(request);
  const tree::WatcherId watcher = watcher_of(connection);
  const bool is_there =
      remove ? watches.remove(watcher, wanted.path, wanted.type) : watches.has(watcher, wanted.path, wanted.type);
  header.status = is_there ? tree::Status::ok : tree::Status::no_watcher;
  wire::encode_header_only(connection.output.bytes(), header);
}

void Front::State::answer_add_watch(Connection& connection, const wire::ReplyHeader& header) {
  const auto& wanted = std::get<wire::AddWatchRequest>(request);
  watches.add(watcher_of(connection), wanted.path, wanted.kind);
  wire::encode_int_reply(connection.output.bytes(), header, 0);
}

// What the client missed is told before the reply, in the order of the lists; ACLs are not consulted (protocol 7.6).
void Front::State::answer_set_watches(Connection& connection, const wire::ReplyHeader& header) {
  const auto& wanted = std::get<wire::SetWatchesRequest>(request);
  catch_up_data(connection, wanted);
  catch_up_exist(connection, wanted);
  catch_up_child(connection, wanted);
  for (const std::string_view path : wanted.persistent) {
    watches.add(watcher_of(connection), path, tree::WatchKind::persistent);
  }
  for (const std::string_view path : wanted.persistent_recursive) {
    watches.add(watcher_of(connection), path, tree::WatchKind::persistent_recursive);
  }
  wire::encode_header_only(connection.output.bytes(), header);
}

void Front::State::catch_up_data(Connection& connection, const wire::SetWatchesRequest& wanted) {
  for (const std::string_view path : wanted.data) {
    const auto znode = tree->find(path);
    if (!znode) {
      send_missed(connection, tree::EventType::deleted, path);
    } else if (znode->stat.mzxid > wanted.relative_zxid) {
      send_missed(connection, tree::EventType::data_changed, path);
    } else {
      watches.add(watcher_of(connection), path, tree::WatchKind::data);
    }
  }
}

void Front::State::catch_up_exist(Connection& connection, const wire::SetWatchesRequest& wanted) {
  for (const std::string_view path : wanted.exist) {
    if (tree->find(path)) {
      send_missed(connection, tree::EventType::created, path);
    } else {
      watches.add(watcher_of(connection), path, tree::WatchKind::data);
    }
  }
}

void Front::State::catch_up_child(Connection& connection, const wire::SetWatchesRequest& wanted) {
  for (const std::string_view path : wanted.child) {
    const auto znode = tree->find(path);
    if (!znode) {
      send_missed(connection, tree::EventType::deleted, path);
    } else if (znode->stat.pzxid > wanted.relative_zxid) {
      send_missed(connection, tree::EventType::children_changed, path);
    } else {
      watches.add(watcher_of(connection), path, tree::WatchKind::child);
    }
  }
}

void Front::State::send_missed(Connection& connection, tree::EventType type, std::string_view path) {
  constexpr Zxid catch_up_zxid{-1};
  wire::encode_event(connection.output.bytes(), catch_up_zxid, type, path);
  ++stats.events_sent;
  ++stats.traffic.packets_sent;
  ++connection.traffic.packets_sent;
}

}  // namespace quorate::replica
