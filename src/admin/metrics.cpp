#include "admin/metrics.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace quorate::admin {
namespace {

using Kind = Metric::Kind;

std::int64_t shown(std::uint64_t value) {
  return static_cast<std::int64_t>(std::min<std::uint64_t>(value, INT64_MAX));
}

class List {
 public:
  void gauge(std::string_view name, std::uint64_t value) { number(name, Kind::gauge, shown(value)); }
  void counter(std::string_view name, std::uint64_t value) { number(name, Kind::counter, shown(value)); }
  void number(std::string_view name, Kind kind, std::int64_t value) {
    Metric metric;
    metric.name = name;
    metric.kind = kind;
    metric.value = value;
    metrics_.push_back(metric);
  }
  void fraction(std::string_view name, std::uint64_t numerator, std::uint64_t denominator) {
    Metric metric;
    metric.name = name;
    metric.kind = Kind::fraction;
    metric.numerator = numerator;
    metric.denominator = denominator;
    metrics_.push_back(metric);
  }
  void histogram(std::string_view name, Kind kind, const Histogram& values, std::uint64_t unit) {
    Metric metric;
    metric.name = name;
    metric.kind = kind;
    metric.histogram = &values;
    metric.unit = unit;
    metrics_.push_back(metric);
  }
  void sizes(std::string_view last, std::string_view maximum, std::string_view minimum, const SizeStatus& sizes) {
    number(last, Kind::gauge, sizes.last);
    number(maximum, Kind::gauge, sizes.maximum);
    number(minimum, Kind::gauge, sizes.minimum);
  }
  std::vector<Metric> take() { return std::move(metrics_); }

 private:
  std::vector<Metric> metrics_;
};

constexpr std::uint64_t milliseconds = 1000;  // Recorded in microseconds, shown in milliseconds.

void list_server(const ServerStatus& server, List& list) {
  const LatencyStatus& latency = server.latency;
  list.fraction("avg_latency", latency.sum_us, latency.count * milliseconds);
  list.gauge("max_latency", latency.maximum_us / milliseconds);
  list.gauge("min_latency", latency.minimum_us / milliseconds);
  list.gauge("packets_received", server.packets_received);
  list.gauge("packets_sent", server.packets_sent);
  list.gauge("num_alive_connections", server.connections);
  list.gauge("outstanding_requests", server.outstanding);
  list.gauge("znode_count", server.znodes + 1);
  list.gauge("watch_count", server.watches);
  list.gauge("ephemerals_count", server.ephemerals);
  list.gauge("approximate_data_size", server.data_bytes);
  list.gauge("open_file_descriptor_count", server.open_files);
  list.gauge("max_file_descriptor_count", server.files_max);
  list.gauge("global_sessions", server.sessions);
  list.gauge("local_sessions", 0);
  list.gauge("uptime", server.uptime_ms);
  list.sizes("last_client_response_size", "max_client_response_size", "min_client_response_size",
             server.response_sizes);
  constexpr double steps = 10'000;
  list.fraction(
      "connection_drop_probability",
      static_cast<std::uint64_t>(std::lround(std::clamp(server.connection_drop_probability, 0.0, 1.0) * steps)),
      static_cast<std::uint64_t>(steps));
  list.gauge("non_mtls_remote_conn_count", 0);
  list.gauge("non_mtls_local_conn_count", 0);
  list.gauge("outstanding_tls_handshake", 0);
}

void list_ensemble(const EnsembleStatus& ensemble, List& list) {
  list.gauge("quorum_size", ensemble.quorum_size);
  if (!ensemble.leader) {
    return;
  }
  const LeaderStatus& leader = *ensemble.leader;
  list.gauge("followers", leader.followers);  // Gone since 3.6, but still asked for (operations 2.9).
  list.gauge("synced_followers", leader.synced_followers);
  list.gauge("synced_non_voting_followers", leader.synced_non_voting_followers);
  list.gauge("synced_observers", leader.synced_observers);
  list.gauge("learners", leader.learners);
  list.gauge("pending_syncs", leader.pending_syncs);
  list.gauge("leader_uptime", leader.uptime_ms);
  list.sizes("last_proposal_size", "max_proposal_size", "min_proposal_size", leader.proposal_sizes);
}

void list_counters(const Metrics& metrics, List& list) {
  list.gauge("auth_failed_count", metrics.auth_failures);
  list.counter("commit_count", metrics.commits);
  list.counter("proposal_count", metrics.proposals);
  list.counter("looking_count", metrics.elections);
  list.counter("snap_count", metrics.snapshots_sent);
  list.counter("connection_request_count", metrics.connection_requests);
  list.counter("connection_rejected", metrics.connections_rejected);
  list.counter("connection_drop_count", metrics.connections_dropped);
  list.counter("sessionless_connections_expired", metrics.handshakes_timed_out);
  list.counter("stale_sessions_expired", metrics.sessions_expired);
  list.counter("connection_revalidate_count", metrics.resumes_asked);
  list.counter("bytes_received_count", metrics.bytes_received);
  list.counter("response_bytes", metrics.response_bytes);
  list.counter("watch_bytes", metrics.watch_bytes);
  list.counter("throttled_ops", metrics.requests_throttled);
  list.counter("stale_requests_dropped", metrics.stale_requests_dropped);
  list.counter("large_requests_rejected", metrics.large_requests_rejected);
  list.counter("fsync_threshold_exceed_count", metrics.slow_fsyncs);
  list.counter("digest_mismatches_count", metrics.digest_mismatches);
  list.counter("unrecoverable_error_count", 0);  // Such an error ends the process.
}

void list_summaries(const Metrics& metrics, List& list) {
  list.histogram("fsynctime", Kind::summary, metrics.fsync_us, milliseconds);
  list.histogram("snapshottime", Kind::summary, metrics.snapshot_us, milliseconds);
  list.histogram("election_time", Kind::summary, metrics.election_us, milliseconds);
  list.histogram("dbinittime", Kind::summary, metrics.startup_us, milliseconds);
  list.histogram("startup_snap_load_time", Kind::summary, metrics.startup_snapshot_load_us, milliseconds);
  list.histogram("startup_txns_load_time", Kind::summary, metrics.startup_log_load_us, milliseconds);
  list.histogram("startup_txns_loaded", Kind::summary, metrics.startup_entries_loaded, 1);
  list.histogram("sync_processor_batch_size", Kind::summary, metrics.batch_entries, 1);
  list.histogram("node_created_watch_count", Kind::summary, metrics.created_watches, 1);
  list.histogram("node_deleted_watch_count", Kind::summary, metrics.deleted_watches, 1);
  list.histogram("node_changed_watch_count", Kind::summary, metrics.changed_watches, 1);
  list.histogram("node_children_watch_count", Kind::summary, metrics.children_watches, 1);
  list.histogram("propagation_latency", Kind::detailed, metrics.propagation_ms, 1);
  list.histogram("readlatency", Kind::detailed, metrics.read_latency_us, milliseconds);
  list.histogram("updatelatency", Kind::detailed, metrics.update_latency_us, milliseconds);
}

// What ZooKeeper has no name for. Milliseconds are too coarse for this server: the same three in microseconds.
void list_own(const ServerStatus& server, const Metrics* metrics, List& list) {
  list.gauge("resident_memory_bytes", server.memory.resident_bytes);
  list.gauge("tree_memory_bytes", server.memory.tree_bytes);
  list.gauge("tree_live_bytes", server.memory.tree_live_bytes);
  list.gauge("tree_limit_bytes", server.memory.tree_limit_bytes);
  list.gauge("log_memory_bytes", server.memory.log_bytes);
  list.gauge("watch_memory_bytes", server.memory.watch_bytes);
  if (metrics != nullptr) {
    list.counter("writes_refused_for_memory", metrics->writes_refused_for_memory);
    list.counter("connections_rate_limited", metrics->connections_rate_limited);
    list.histogram("readlatency_us", Kind::quantiles, metrics->read_latency_us, 1);
    list.histogram("updatelatency_us", Kind::quantiles, metrics->update_latency_us, 1);
    list.histogram("fsynctime_us", Kind::quantiles, metrics->fsync_us, 1);
  }
}

}  // namespace

std::vector<Metric> list_metrics(const ServerStatus& server, const Metrics* metrics) {
  List list;
  list_server(server, list);
  if (server.ensemble) {
    list_ensemble(*server.ensemble, list);
  }
  if (metrics != nullptr) {
    list_counters(*metrics, list);
    list_summaries(*metrics, list);
  }
  list_own(server, metrics, list);
  return list.take();
}

}  // namespace quorate::admin
