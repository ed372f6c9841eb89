#pragma once

// The dumb twin of Tree: a map from paths to znodes, every rule of protocol 3, 4, 7.4, 8, 9 and 11
// written out in the most obvious way, with scans where the tree has indexes and with copies where it has an undo log.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "tree/acl.hpp"
#include "tree/path.hpp"
#include "tree/quota.hpp"
#include "tree/tree.hpp"

namespace quorate::tree::testing {

struct ModelAclEntry {
  std::int32_t permissions = 0;
  std::string scheme;
  std::string id;

  friend bool operator==(const ModelAclEntry&, const ModelAclEntry&) = default;
};
using ModelAcl = std::vector<ModelAclEntry>;

inline ModelAcl model_acl(AclView acl) {
  ModelAcl copy;
  for (const AclEntry& entry : acl) {
    copy.push_back({entry.permissions, std::string(entry.identity.scheme), std::string(entry.identity.id)});
  }
  return copy;
}

struct ModelZnode {
  std::optional<std::string> data = "";
  ModelAcl acl{{31, "world", "anyone"}};
  Zxid czxid{}, mzxid{}, pzxid{};
  WallTime ctime{}, mtime{};
  std::int32_t version = 0, aversion = 0;
  std::int32_t creates = 0;
  enum class Kind : std::uint8_t { persistent, ephemeral, container, ttl } kind = Kind::persistent;
  std::int64_t owner_or_ttl = 0;
};

struct ModelSession {
  Password password{};
  std::int32_t timeout_ms = 0;
  NodeId owner{};
  std::uint32_t generation = 1;
};

struct ModelEvent {
  std::uint32_t watcher = 0;
  EventType type{};
  std::string path;
  Zxid zxid{};

  friend bool operator==(const ModelEvent&, const ModelEvent&) = default;
};

struct ModelWatch {
  std::uint32_t watcher = 0;
  std::string path;
  WatchKind kind{};

  friend auto operator<=>(const ModelWatch&, const ModelWatch&) = default;
};

struct ModelResult {
  Status status = Status::ok;
  std::string path{};
  Stat stat{};
};

class TreeModel {
 public:
  TreeModel() {
    znodes["/"];
    znodes["/zookeeper"];
    znodes["/zookeeper/quota"];
    znodes["/zookeeper/config"].acl = {{1, "world", "anyone"}};
    znodes["/zookeeper/config"].aversion = -1;
  }

  std::map<std::string, ModelZnode, std::less<>> znodes;
  std::map<std::int64_t, ModelSession> sessions;
  Switches switches;
  std::set<ModelWatch> watches;
  std::map<std::uint32_t, ModelAcl> credentials;  // By watcher; permissions unused.
  std::vector<ModelEvent> events;

  [[nodiscard]] std::vector<std::string> children(const std::string& path) const {
    std::vector<std::string> names;
    for (const auto& [other, znode] : znodes) {
      if (other != "/" && parent(other) == path) {
        names.push_back(std::string(name_of(other)));
      }
    }
    return names;
  }

  [[nodiscard]] static bool is_below(const std::string& path, const std::string& top) {
    return path != top && (top == "/" || path.starts_with(top + "/"));
  }

  [[nodiscard]] Stat stat(const std::string& path) const {
    const ModelZnode& znode = znodes.at(path);
    const auto count = static_cast<std::int32_t>(children(path).size());
    return {.czxid = znode.czxid,
            .mzxid = znode.mzxid,
            .ctime = znode.ctime,
            .mtime = znode.mtime,
            .version = znode.version,
            .cversion = znode.creates * 2 - count,
            .aversion = znode.aversion,
            .ephemeral_owner = znode.kind == ModelZnode::Kind::ephemeral ? znode.owner_or_ttl : 0,
            .data_length = static_cast<std::int32_t>(znode.data.value_or("").size()),
            .num_children = count,
            .pzxid = znode.pzxid};
  }

  ModelResult apply(const ApplyContext& context, const Operation& operation) {
    return std::visit([&](const auto& one) { return run(context, one); }, operation);
  }

  // On a copy: all of it or nothing.
  std::vector<ModelResult> multi(const ApplyContext& context, std::span<const Operation> operations) {
    TreeModel copy = *this;
    std::vector<ModelResult> results;
    for (const Operation& operation : operations) {
      results.push_back(copy.apply(context, operation));
      if (const Status status = results.back().status; status != Status::ok) {
        std::vector<ModelResult> failed(operations.size());
        for (std::size_t i = 0; i < operations.size(); ++i) {
          failed[i].status = i + 1 < results.size()    ? Status::ok
                             : i + 1 == results.size() ? status
                                                       : Status::runtime_inconsistency;
        }
        return failed;
      }
    }
    *this = std::move(copy);
    return results;
  }

  Status delete_container(const ApplyContext& context, const std::string& path) {
    if (!path.starts_with('/') || is_protected(path)) {
      return Status::bad_arguments;
    }
    const auto found = znodes.find(path);
    if (found == znodes.end()) {
      return Status::no_node;
    }
    if (!children(path).empty()) {
      return Status::not_empty;
    }
    const bool expired = found->second.kind == ModelZnode::Kind::ttl &&
                         raw(context.time) - raw(found->second.mtime) > found->second.owner_or_ttl;
    if (found->second.kind != ModelZnode::Kind::container && !expired) {
      return Status::bad_version;
    }
    erase(context, path);
    return Status::ok;
  }

  [[nodiscard]] std::set<std::string> expired(WallTime now, std::int64_t never_used_ms) const {
    std::set<std::string> paths;
    for (const auto& [path, znode] : znodes) {
      const std::int64_t age = raw(now) - raw(znode.mtime);
      const bool container = znode.kind == ModelZnode::Kind::container &&
                             (znode.creates > 0 || (never_used_ms != 0 && age > never_used_ms));
      const bool ttl = znode.kind == ModelZnode::Kind::ttl && age > znode.owner_or_ttl;
      if ((container || ttl) && children(path).empty()) {
        paths.insert(path);
      }
    }
    return paths;
  }

  Status close_session(const ApplyContext& context, SessionId id) {
    if (!sessions.contains(raw(id))) {
      return Status::session_expired;
    }
    for (const std::string& path : ephemerals(id)) {
      erase(context, path);
    }
    sessions.erase(raw(id));
    return Status::ok;
  }

  [[nodiscard]] std::vector<std::string> ephemerals(SessionId id) const {
    std::vector<std::string> paths;
    for (const auto& [path, znode] : znodes) {
      if (znode.kind == ModelZnode::Kind::ephemeral && znode.owner_or_ttl == raw(id)) {
        paths.push_back(path);
      }
    }
    return paths;
  }

 private:
  static std::string parent(std::string_view path) { return std::string(parent_of(path)); }

  [[nodiscard]] static bool permits(const ModelAcl& acl, std::int32_t wanted, const ModelAcl& credentials) {
    for (const ModelAclEntry& credential : credentials) {
      if (credential.scheme == "super") {
        return true;
      }
    }
    for (const ModelAclEntry& entry : acl) {
      if ((entry.permissions & wanted) == 0) {
        continue;
      }
      if (entry.scheme == "world") {
        return true;
      }
      for (const ModelAclEntry& credential : credentials) {
        if (credential.scheme == entry.scheme && credential.id == entry.id) {
          return true;
        }
      }
    }
    return false;
  }

  [[nodiscard]] bool allowed(const ModelAcl& acl, std::int32_t wanted, CredentialsView credentials_view) const {
    ModelAcl owned;
    for (const Identity& identity : credentials_view) {
      owned.push_back({0, std::string(identity.scheme), std::string(identity.id)});
    }
    return switches.skip_acl || permits(acl, wanted, owned);
  }

  [[nodiscard]] const ModelZnode* lookup(std::string_view path) const {
    const auto found = znodes.find(path.empty() ? "/" : path);
    return found == znodes.end() ? nullptr : &found->second;
  }

  static std::int32_t next_version(std::int32_t version) {
    if (version == INT32_MAX) {
      return INT32_MIN;
    }
    return version == -2 ? 0 : version + 1;
  }

  ModelResult run(const ApplyContext& context, const Create& operation) {
    if (has_ttl(operation.mode) && !switches.extended_types) {
      return {.status = Status::unimplemented};
    }
    if (has_ttl(operation.mode) && (operation.ttl < 1 || operation.ttl > 1'099'511'627'775)) {
      return {.status = Status::bad_arguments};
    }
    if (!sessions.contains(raw(context.session))) {
      return {.status = Status::session_expired};
    }
    if (is_null(operation.path)) {
      return {.status = Status::marshalling_error};
    }
    std::string path(operation.path);
    if (path.find('/') == std::string::npos || path.find('\0') != std::string::npos) {
      return {.status = Status::bad_arguments};
    }
    std::vector<AclEntry> entries;
    if (const Status status = AclTable::normalise(operation.acl, context.credentials, entries); status != Status::ok) {
      return {.status = status};
    }
    const std::string above = path.substr(0, path.rfind('/'));
    const ModelZnode* parent_znode = lookup(above);
    if (parent_znode == nullptr) {
      return {.status = Status::no_node};
    }
    if (!allowed(parent_znode->acl, 4, context.credentials)) {
      return {.status = Status::no_auth};
    }
    if (is_sequential(operation.mode)) {
      char suffix[16];
      std::snprintf(suffix, sizeof suffix, "%010d", parent_znode->creates);
      path += suffix;
    }
    if (!is_valid_path(path)) {
      return {.status = Status::bad_arguments};
    }
    if (znodes.contains(path)) {
      return {.status = Status::node_exists};
    }
    if (parent_znode->kind == ModelZnode::Kind::ephemeral) {
      return {.status = Status::no_children_for_ephemerals};
    }
    if (quota_forbids(path, 1, static_cast<std::int64_t>(operation.data.size()))) {
      return {.status = Status::quota_exceeded};
    }
    return created(context, operation, path, model_acl(entries));
  }

  ModelResult created(const ApplyContext& context, const Create& operation, const std::string& path, ModelAcl acl) {
    ModelZnode fresh;
    fresh.data = is_null(operation.data) ? std::nullopt : std::optional<std::string>(operation.data);
    fresh.acl = std::move(acl);
    fresh.czxid = fresh.mzxid = fresh.pzxid = context.zxid;
    fresh.ctime = fresh.mtime = context.time;
    if (is_ephemeral(operation.mode)) {
      fresh.kind = ModelZnode::Kind::ephemeral;
      fresh.owner_or_ttl = raw(context.session);
    } else if (is_container(operation.mode)) {
      fresh.kind = ModelZnode::Kind::container;
    } else if (has_ttl(operation.mode)) {
      fresh.kind = ModelZnode::Kind::ttl;
      fresh.owner_or_ttl = operation.ttl;
    }
    ModelZnode& above = znodes.at(parent(path));
    above.creates += 1;
    above.pzxid = context.zxid;
    znodes[path] = fresh;
    const ModelResult result{.status = Status::ok, .path = path, .stat = stat(path)};
    if (name_of(path) == quota_stats_name) {
      count_subtree(path);
    }
    count_quota(path, 1, static_cast<std::int64_t>(operation.data.size()));
    step(EventType::created, path, fresh.acl, true, {}, context.zxid);
    step(EventType::children_changed, parent(path), znodes.at(parent(path)).acl, false, {}, context.zxid);
    return result;
  }

  ModelResult run(const ApplyContext& context, const Delete& operation) {
    if (!sessions.contains(raw(context.session))) {
      return {.status = Status::session_expired};
    }
    if (is_null(operation.path)) {
      return {.status = Status::marshalling_error};
    }
    const std::string path(operation.path);
    if (path.find('/') == std::string::npos || path.find('\0') != std::string::npos || is_protected(path)) {
      return {.status = Status::bad_arguments};
    }
    const ModelZnode* above = lookup(path.substr(0, path.rfind('/')));
    if (above == nullptr) {
      return {.status = Status::no_node};
    }
    if (!allowed(above->acl, 8, context.credentials)) {
      return {.status = Status::no_auth};
    }
    const ModelZnode* znode = lookup(path);
    if (znode == nullptr) {
      return {.status = Status::no_node};
    }
    if (operation.version != -1 && operation.version != znode->version) {
      return {.status = Status::bad_version};
    }
    if (!children(path).empty()) {
      return {.status = Status::not_empty};
    }
    erase(context, path);
    return {};
  }

  void erase(const ApplyContext& context, const std::string& path) {
    const ModelZnode gone = znodes.at(path);
    znodes.erase(path);
    znodes.at(parent(path)).pzxid = context.zxid;
    count_quota(path, -1, -static_cast<std::int64_t>(gone.data.value_or("").size()));
    const std::set<std::uint32_t> told = step(EventType::deleted, path, gone.acl, true, {}, context.zxid);
    step(EventType::deleted, path, gone.acl, false, told, context.zxid);
    step(EventType::children_changed, parent(path), znodes.at(parent(path)).acl, false, {}, context.zxid);
  }

  ModelResult run(const ApplyContext& context, const SetData& operation) {
    if (!sessions.contains(raw(context.session))) {
      return {.status = Status::session_expired};
    }
    if (!is_valid_path(operation.path)) {
      return {.status = Status::bad_arguments};
    }
    const std::string path(operation.path);
    if (!znodes.contains(path)) {
      return {.status = Status::no_node};
    }
    if (!allowed(znodes.at(path).acl, 2, context.credentials)) {
      return {.status = Status::no_auth};
    }
    ModelZnode& znode = znodes.at(path);
    const std::int64_t delta =
        static_cast<std::int64_t>(operation.data.size()) - static_cast<std::int64_t>(znode.data.value_or("").size());
    if (quota_forbids(path, 0, delta)) {
      return {.status = Status::quota_exceeded};
    }
    if (operation.version != -1 && operation.version != znode.version) {
      return {.status = Status::bad_version};
    }
    znode.data = is_null(operation.data) ? std::nullopt : std::optional<std::string>(operation.data);
    znode.version = next_version(znode.version);
    znode.mzxid = context.zxid;
    znode.mtime = context.time;
    const ModelResult result{.status = Status::ok, .path = {}, .stat = stat(path)};
    count_quota(path, 0, delta);
    step(EventType::data_changed, path, znode.acl, true, {}, context.zxid);
    return result;
  }

  ModelResult run(const ApplyContext& context, const SetAcl& operation) {
    if (!sessions.contains(raw(context.session))) {
      return {.status = Status::session_expired};
    }
    if (!is_valid_path(operation.path)) {
      return {.status = Status::bad_arguments};
    }
    std::vector<AclEntry> entries;
    if (const Status status = AclTable::normalise(operation.acl, context.credentials, entries); status != Status::ok) {
      return {.status = status};
    }
    const std::string path(operation.path);
    if (!znodes.contains(path)) {
      return {.status = Status::no_node};
    }
    ModelZnode& znode = znodes.at(path);
    if (!allowed(znode.acl, 16, context.credentials)) {
      return {.status = Status::no_auth};
    }
    if (operation.version != -1 && operation.version != znode.aversion) {
      return {.status = Status::bad_version};
    }
    znode.acl = model_acl(entries);
    znode.aversion = next_version(znode.aversion);
    return {.status = Status::ok, .path = {}, .stat = stat(path)};
  }

  ModelResult run(const ApplyContext& context, const Check& operation) {
    if (!sessions.contains(raw(context.session))) {
      return {.status = Status::session_expired};
    }
    if (!is_valid_path(operation.path)) {
      return {.status = Status::bad_arguments};
    }
    const ModelZnode* znode = lookup(operation.path);
    if (znode == nullptr) {
      return {.status = Status::no_node};
    }
    if (!allowed(znode->acl, 1, context.credentials)) {
      return {.status = Status::no_auth};
    }
    const bool matches = operation.version == -1 || operation.version == znode->version;
    return {.status = matches ? Status::ok : Status::bad_version};
  }

  // Protocol 11, by looking at every prefix.
  [[nodiscard]] std::optional<std::string> quota_root(const std::string& path) const {
    for (std::string prefix = path; prefix != "/"; prefix = parent(prefix)) {
      if (znodes.contains("/zookeeper/quota" + prefix + "/zookeeper_limits")) {
        return prefix;
      }
    }
    return std::nullopt;
  }

  void count_quota(const std::string& path, std::int64_t count, std::int64_t bytes) {
    const auto top = quota_root(path);
    const auto stats = top ? znodes.find("/zookeeper/quota" + *top + "/zookeeper_stats") : znodes.end();
    if (stats != znodes.end()) {
      QuotaText text(ByteView(stats->second.data ? *stats->second.data : ""));
      text.add(count, bytes);
      stats->second.data = text.text();
    }
  }

  void count_subtree(const std::string& stats_path) {
    const std::string prefix = "/zookeeper/quota";
    const std::string above = parent(stats_path);
    if (above != prefix && !above.starts_with(prefix + "/")) {
      return;
    }
    const std::string top = above == prefix ? "/" : above.substr(prefix.size());
    std::int64_t count = 0;
    std::int64_t bytes = 0;
    for (const auto& [path, znode] : znodes) {
      if (path == top || (znodes.contains(top) && is_below(path, top))) {
        count += 1;
        bytes += static_cast<std::int64_t>(znode.data.value_or("").size());
      }
    }
    znodes.at(stats_path).data = QuotaText(count, bytes).text();
  }

  [[nodiscard]] bool quota_forbids(const std::string& path, std::int64_t count, std::int64_t bytes) const {
    const auto top = quota_root(path);
    if (!switches.enforce_quota || !top) {
      return false;
    }
    const auto limits = znodes.find("/zookeeper/quota" + *top + "/zookeeper_limits");
    const auto stats = znodes.find("/zookeeper/quota" + *top + "/zookeeper_stats");
    if (limits == znodes.end() || stats == znodes.end()) {
      return false;
    }
    const QuotaText limit(ByteView(limits->second.data ? *limits->second.data : ""));
    const QuotaText usage(ByteView(stats->second.data ? *stats->second.data : ""));
    const bool too_many =
        count > 0 && limit.count_hard_limit() >= 0 && usage.count() + count > limit.count_hard_limit();
    const bool too_big = bytes != 0 && limit.byte_hard_limit() >= 0 && usage.bytes() + bytes > limit.byte_hard_limit();
    return too_many || too_big;
  }

  // One line of protocol 7.4: who hears of it, and which one-shot watches are used up.
  std::set<std::uint32_t> step(EventType type, const std::string& path, const ModelAcl& acl, bool data_registry,
                               const std::set<std::uint32_t>& except, Zxid zxid) {
    std::set<std::uint32_t> hearers;
    std::vector<ModelWatch> spent;
    for (const ModelWatch& watch : watches) {
      const bool exact = watch.path == path;
      const bool heard =
          data_registry ? (exact && (watch.kind == WatchKind::data || watch.kind == WatchKind::persistent)) ||
                              (watch.kind == WatchKind::persistent_recursive && (exact || is_below(path, watch.path)))
                        : exact && (watch.kind == WatchKind::child || watch.kind == WatchKind::persistent);
      if (heard) {
        hearers.insert(watch.watcher);
        if (watch.kind == WatchKind::data || watch.kind == WatchKind::child) {
          spent.push_back(watch);
        }
      }
    }
    for (const ModelWatch& watch : spent) {
      watches.erase(watch);
    }
    std::set<std::uint32_t> told;
    for (const std::uint32_t watcher : hearers) {
      told.insert(watcher);
      if (!except.contains(watcher) && (switches.skip_acl || permits(acl, 1, credentials[watcher]))) {
        events.push_back({watcher, type, path, zxid});
      }
    }
    return told;
  }
};

}  // namespace quorate::tree::testing
