#include "server/admin_desk.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "server/logging.hpp"
#include "server/process_facts.hpp"
#include "server/version.hpp"
#include "storage/snapshots.hpp"
#include "tree/session_table.hpp"
#include "tree/tree.hpp"
#include "tree/watch_table.hpp"

namespace quorate::server {

namespace {

constexpr std::size_t paths_a_slice = 256;

admin::LatencyStatus status_of(const replica::LatencySpan& latency) {
  return {.count = latency.count,
          .sum_us = latency.sum_us,
          .minimum_us = latency.minimum_us,
          .maximum_us = latency.maximum_us};
}

// One value, if what it measures took place.
Histogram once(const std::optional<std::uint64_t>& value) {
  Histogram histogram;
  if (value) {
    histogram.record(*value);
  }
  return histogram;
}

}  // namespace

AdminDesk::AdminDesk(const Config& config, Sources sources, std::size_t descriptors_max, MonoTime started)
    : config_(config),
      sources_(sources),
      whitelist_(config.four_letter_words, false),
      descriptors_max_(descriptors_max),
      started_(started) {}

void AdminDesk::answer(const replica::Front::AdminRequest& request, MonoTime now, WallTime wall) {
  now_ = now;
  wall_ = wall;
  const std::string_view name(request.word.data(), request.word.size());
  const std::optional<admin::Word> word = admin::recognise(name);
  // Without its argument a word comes only if it is not allowed anyway.
  if (!word || (whitelist_.allows(*word) && request.rest.size() < admin::argument_bytes(*word))) {
    sources_.front.answer_admin(request.connection, "");
    return;
  }
  log_info(fmt::format("four-letter word {} from {}", name, sources_.port.host_of(request.connection)));
  const admin::Parts parts = whitelist_.allows(*word) ? admin::parts_of(*word) : admin::Parts{};
  const admin::Answer answer = admin::answer(
      *word, std::string_view(request.rest).substr(0, admin::argument_bytes(*word)), whitelist_, gather(parts));
  switch (answer.effect) {
    case admin::Effect::none:
      break;
    case admin::Effect::reset_server_statistics:
      sources_.front.reset_stats();
      break;
    case admin::Effect::reset_connection_statistics:
      sources_.front.reset_connection_stats();
      break;
    case admin::Effect::set_trace_mask:
      trace_mask_ = answer.trace_mask;
      break;
  }
  sources_.front.answer_admin(request.connection, answer.text);
}

admin::Snapshot AdminDesk::gather(const admin::Parts& parts) const {
  admin::Snapshot snapshot;
  gather_server(snapshot.server);
  if (parts.metrics) {
    snapshot.metrics = gather_metrics();
  }
  if (parts.connections) {
    gather_connections(snapshot);
  }
  if (parts.sessions) {
    gather_sessions(snapshot);
  }
  if (parts.ephemerals) {
    gather_ephemerals(snapshot);
  }
  const tree::WatchTable& watches = sources_.front.watches();
  if (parts.watch_summary) {
    snapshot.watch_summary = {.watchers = watches.data_watcher_count(),
                              .paths = watches.data_path_count(),
                              .watches = watches.data_watch_count()};
  }
  if (parts.watches) {
    gather_watches(snapshot);
  }
  if (parts.digests) {
    sources_.replica.for_each_digest(
        [&](Zxid zxid, std::uint64_t digest) { snapshot.digests.push_back({.zxid = zxid, .digest = digest}); });
  }
  if (parts.configuration) {
    gather_configuration(snapshot.configuration);
  }
  if (parts.directories || parts.configuration) {
    gather_directories(snapshot.directories);
  }
  if (parts.environment) {
    snapshot.environment = environment();
  }
  return snapshot;
}

void AdminDesk::gather_server(admin::ServerStatus& into) const {
  const replica::FrontStats& front = sources_.front.stats();
  const tree::Tree& tree = sources_.replica.tree();
  into.version = admin::version_text(version(), commit(), commit_date());
  into.serving = sources_.replica.is_serving();
  into.latency = status_of(front.since_reset.latency);
  into.packets_received = front.since_reset.traffic.packets_received;
  into.packets_sent = front.since_reset.traffic.packets_sent;
  into.connections = front.connections;
  into.outstanding = front.outstanding;
  into.last_zxid = tree.last_zxid();
  into.znodes = tree.znode_count();
  into.ephemerals = tree.ephemeral_count();
  into.watches = sources_.front.watches().watch_count();
  into.data_bytes = static_cast<std::uint64_t>(std::max<std::int64_t>(tree.approximate_data_size(), 0));
  into.sessions = tree.sessions().size();
  into.open_files = open_descriptors();
  into.files_max = descriptors_max_;
  into.uptime_ms = static_cast<std::uint64_t>(elapsed_us(started_, now_) / 1000);
  into.response_sizes = {
      .last = front.reply_bytes_last, .minimum = front.reply_bytes_min, .maximum = front.reply_bytes_max};
  into.connection_drop_probability = sources_.front.connection_drop_probability();
  into.trace_mask = trace_mask_;
  into.memory = {.resident_bytes = resident_bytes(),
                 .tree_bytes = tree.memory_bytes(),
                 .tree_live_bytes = tree.live_bytes(),
                 .tree_limit_bytes = config_.tree_bytes_max,
                 .log_bytes = sources_.replica.core().log().bytes(),
                 .watch_bytes = sources_.front.watches().bytes()};
}

std::unique_ptr<admin::Metrics> AdminDesk::gather_metrics() const {
  auto metrics = std::make_unique<admin::Metrics>();
  const replica::FrontStats& front = sources_.front.stats();
  const replica::ReplicaStats& replica = sources_.replica.stats();
  metrics->read_latency_us = front.read_latency_us;
  metrics->update_latency_us = front.write_latency_us;
  metrics->fsync_us = sources_.log.stats().flush_us;
  metrics->snapshot_us = sources_.snapshotter.stats().took_us;
  metrics->startup_us = once(sources_.start.whole_us);
  metrics->startup_snapshot_load_us = once(sources_.start.snapshot_us);
  metrics->startup_log_load_us = once(sources_.start.log_us);
  metrics->startup_entries_loaded = once(sources_.start.entries);
  metrics->created_watches = replica.created_watches;
  metrics->deleted_watches = replica.deleted_watches;
  metrics->changed_watches = replica.changed_watches;
  metrics->children_watches = replica.children_watches;
  metrics->propagation_ms = replica.propagation_ms;
  metrics->batch_entries = sources_.log.stats().batch_entries;
  metrics->commits = raw(sources_.replica.core().commit_index());
  metrics->proposals = replica.proposals;
  metrics->connection_requests = front.connections_opened;
  metrics->connections_rejected = sources_.port.stats().refused;
  metrics->connections_dropped = front.slow_readers_closed + front.malformed_closed + front.handshakes_timed_out +
                                 front.connections_rate_limited + front.large_requests_rejected +
                                 front.late_requests_dropped;
  metrics->handshakes_timed_out = front.handshakes_timed_out;
  metrics->resumes_asked = front.resumes_asked;
  metrics->sessions_expired = replica.sessions_expired;
  metrics->bytes_received = front.bytes_received;
  metrics->response_bytes = front.bytes_sent;
  metrics->watch_bytes = front.event_bytes;
  metrics->stale_requests_dropped = front.late_requests_dropped;
  metrics->writes_refused_for_memory = replica.refused_for_memory;
  metrics->connections_rate_limited = front.connections_rate_limited;
  metrics->requests_throttled = front.operations_throttled;
  metrics->large_requests_rejected = front.large_requests_rejected;
  metrics->auth_failures = front.auth_failed;
  metrics->slow_fsyncs = sources_.log.stats().slow_flushes;
  return metrics;
}

WallTime AdminDesk::wall_of(MonoTime time) const {
  return WallTime{raw(wall_) - elapsed_us(time, now_) / 1000};
}

void AdminDesk::gather_connections(admin::Snapshot& into) const {
  admin::GatherBudget budget;
  sources_.front.for_each_connection([&](const replica::ConnectionInfo& info) {
    if (!budget.spend(info.ip.size() + 160)) {
      return;
    }
    admin::ConnectionStatus status{.peer = fmt::format("{}:{}", info.ip, info.port),
                                   .reading = info.wants_input,
                                   .writing = info.has_output,
                                   .queued = info.queued,
                                   .received = info.traffic.packets_received,
                                   .sent = info.traffic.packets_sent,
                                   .session = std::nullopt};
    status.expires = wall_of(after_ms(info.opened, config_.handshake_timeout_ms));
    if (info.session != SessionId{}) {
      status.expires = wall_of(after_ms(now_, info.timeout_ms));
      status.session = admin::ConnectionStatus::Session{
          .id = info.session,
          .last_operation = info.last_operation,
          .established = wall_of(info.opened),
          .timeout_ms = info.timeout_ms,
          .last_xid = info.last_xid,
          .last_zxid = info.last_zxid,
          .response_ms = raw(info.last_reply) / 1000,
          .last_latency_us = static_cast<std::uint64_t>(std::max<std::int64_t>(info.last_latency_us, 0)),
          .latency = {.count = info.latency_count,
                      .sum_us = static_cast<std::uint64_t>(info.latency_sum_us),
                      .minimum_us = static_cast<std::uint64_t>(info.latency_min_us),
                      .maximum_us = static_cast<std::uint64_t>(info.latency_max_us)}};
    }
    into.connections.push_back(std::move(status));
  });
  into.omitted.connections = budget.is_spent();
}

void AdminDesk::gather_sessions(admin::Snapshot& into) const {
  admin::GatherBudget budget;
  const tree::SessionTable& sessions = sources_.replica.tree().sessions();
  const auto gather = [&](MonoTime expires, const std::vector<SessionId>& ids) {
    for (const SessionId id : ids) {
      const tree::Session* session = sessions.find(id);
      if (session != nullptr && budget.spend(32)) {
        into.sessions.push_back({.id = id, .timeout_ms = session->timeout_ms, .expires = wall_of(expires)});
      }
    }
  };
  sources_.replica.expiry().for_each_bucket(gather, admin::GatherBudget::rows_default + 1);
  into.omitted.sessions = budget.is_spent();
}

void AdminDesk::gather_ephemerals(admin::Snapshot& into) const {
  admin::GatherBudget budget;
  const tree::Tree& tree = sources_.replica.tree();
  const tree::Session* session = tree.sessions().find_first();
  while (session != nullptr && !budget.is_spent()) {
    tree.for_each_ephemeral(session->id, [&](std::string_view path) {
      if (budget.spend(path.size() + 16)) {
        into.ephemerals.push_back({.owner = session->id, .path = std::string(path)});
      }
      return !budget.is_spent();
    });
    session = tree.sessions().find_after(session->id);
  }
  into.omitted.ephemerals = budget.is_spent();
}

void AdminDesk::gather_watches(admin::Snapshot& into) const {
  admin::GatherBudget budget;
  std::unordered_map<std::uint32_t, SessionId> sessions;
  sources_.front.for_each_connection(
      [&sessions](const replica::ConnectionInfo& info) { sessions.emplace(info.watcher, info.session); });
  std::uint32_t cursor = 0;
  do {
    cursor = sources_.front.watches().walk_data_watches(
        cursor, paths_a_slice, [&](std::string_view path, tree::WatcherId watcher) {
          const auto owner = sessions.find(static_cast<std::uint32_t>(watcher));
          if (owner != sessions.end() && budget.spend(path.size() + 24)) {
            into.watches.push_back({.session = owner->second, .path = std::string(path)});
          }
        });
  } while (cursor != 0 && !budget.is_spent());
  into.omitted.watches = budget.is_spent();
}

void AdminDesk::gather_configuration(admin::ConfigurationStatus& into) const {
  into.client_port =
      sources_.port.listeners().empty() ? config_.port : sources_.port.listeners().front().address().port();
  into.data_directory = config_.data_directory;
  into.log_directory = config_.log_directory;
  into.tick_ms = config_.tick_ms;
  into.connections_per_address_max = static_cast<std::int64_t>(config_.connections_per_address_max);
  into.min_session_timeout_ms = config_.min_session_timeout_ms;
  into.max_session_timeout_ms = config_.max_session_timeout_ms;
  into.listen_backlog = config_.listen_backlog;
  into.server = NodeId{0};  // A server that runs alone says 0 (operations 2.5).
}

void AdminDesk::gather_directories(admin::DirectoryStatus& into) const {
  into.log_bytes = sources_.log.wal().disk_bytes();
  if (const auto snapshots = storage::list_snapshots(sources_.directory); snapshots) {
    for (const storage::SnapshotFile& file : *snapshots) {
      into.data_bytes += file.bytes;
    }
  }
  if (config_.data_directory == config_.log_directory) {
    // One directory for both: both say the same (operations 2.2).
    into.data_bytes += into.log_bytes;
    into.log_bytes = into.data_bytes;
  }
}

}  // namespace quorate::server
