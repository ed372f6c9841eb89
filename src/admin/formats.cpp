#include "admin/formats.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <fmt/format.h>
#include <iterator>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "admin/metrics.hpp"
#include "admin/text.hpp"

namespace quorate::admin {
namespace {

std::uint64_t milliseconds(std::uint64_t microseconds) {
  return microseconds / 1000;
}

// Ids and zxids are shown as their 64 bits: -1 is 0xffffffffffffffff.
std::uint64_t bits(SessionId id) {
  return static_cast<std::uint64_t>(raw(id));
}
std::uint64_t bits(Zxid zxid) {
  return static_cast<std::uint64_t>(raw(zxid));
}

std::string version_line(const ServerStatus& server) {
  std::string text = fmt::format("Zookeeper version: {}\n", server.version);
  if (server.read_only_mode) {
    text += "READ-ONLY mode; serving only read-only clients\n";
  }
  return text;
}

std::string figures(const ServerStatus& server) {
  const LatencyStatus& latency = server.latency;
  std::string text = fmt::format(
      "Latency min/avg/max: {}/{}/{}\nReceived: {}\nSent: {}\nConnections: {}\nOutstanding: {}\nZxid: 0x{:x}\n"
      "Mode: {}\nNode count: {}\n",
      milliseconds(latency.minimum_us), decimal(latency.sum_us, latency.count * 1000), milliseconds(latency.maximum_us),
      server.packets_received, server.packets_sent, server.connections, server.outstanding, bits(server.last_zxid),
      describe(server.role), server.znodes + 1);
  if (server.ensemble && server.ensemble->leader) {
    const SizeStatus& sizes = server.ensemble->leader->proposal_sizes;
    text += fmt::format("Proposal sizes last/min/max: {}/{}/{}\n", sizes.last, sizes.minimum, sizes.maximum);
  }
  return text;
}

// The poll interest in hex: a connection without a session serves a word and is read no more.
unsigned interest(const ConnectionStatus& connection) {
  return (connection.reading ? 1U : 0U) | (connection.writing ? 4U : 0U);
}

std::string connection_line(const ConnectionStatus& connection, bool brief) {
  std::string line = fmt::format(" /{}[{:x}](queued={},recved={},sent={}", one_line(connection.peer),
                                 interest(connection), connection.queued, connection.received, connection.sent);
  if (!brief && connection.session) {
    const ConnectionStatus::Session& session = *connection.session;
    const LatencyStatus& latency = session.latency;
    const std::uint64_t average = latency.count == 0 ? 0 : latency.sum_us / latency.count;
    line += fmt::format(",sid=0x{:x},lop={},est={},to={}", bits(session.id), session.last_operation,
                        raw(session.established), session.timeout_ms);
    if (session.last_xid >= 0) {
      line += fmt::format(",lcxid=0x{:x}", session.last_xid);
    }
    line += fmt::format(",lzxid=0x{:x},lresp={},llat={},minlat={},avglat={},maxlat={}", bits(session.last_zxid),
                        session.response_ms, milliseconds(session.last_latency_us), milliseconds(latency.minimum_us),
                        milliseconds(average), milliseconds(latency.maximum_us));
  }
  return line + ")\n";
}

void add_connections(const Snapshot& snapshot, bool brief, CappedText& text) {
  for (const ConnectionStatus& connection : snapshot.connections) {
    if (!text.add(connection_line(connection, brief))) {
      return;
    }
  }
  if (snapshot.omitted.connections) {
    text.mark_cut();
  }
}

// Sessions by the time of their expiry, as far as this server knows it.
void add_sessions(const Snapshot& snapshot, CappedText& text) {
  std::map<std::int64_t, std::vector<SessionId>> buckets;
  std::vector<SessionStatus> rest;
  for (const SessionStatus& session : snapshot.sessions) {
    if (session.expires) {
      buckets[raw(*session.expires)].push_back(session.id);
    } else {
      rest.push_back(session);
    }
  }
  text.add("SessionTracker dump:\n");
  if (rest.empty()) {
    text.add(fmt::format("Session Sets ({})/({}):\n", buckets.size(), snapshot.sessions.size()));
    for (auto& [time, sessions] : buckets) {
      std::ranges::sort(sessions);
      text.add(fmt::format("{} expire at {}:\n", sessions.size(), date_text(WallTime{time})));
      for (const SessionId id : sessions) {
        text.add(fmt::format("\t0x{:x}\n", bits(id)));
      }
    }
    return;
  }
  std::ranges::sort(rest, {}, &SessionStatus::id);
  text.add(fmt::format("Global Sessions({}):\n", snapshot.sessions.size()));
  for (const SessionStatus& session : rest) {
    text.add(fmt::format("0x{:x}\t{}ms\n", bits(session.id), session.timeout_ms));
  }
}

void add_ephemerals(const Snapshot& snapshot, CappedText& text) {
  std::map<std::uint64_t, std::vector<std::string_view>> owners;
  for (const EphemeralStatus& ephemeral : snapshot.ephemerals) {
    owners[bits(ephemeral.owner)].push_back(ephemeral.path);
  }
  text.add(fmt::format("ephemeral nodes dump:\nSessions with Ephemerals ({}):\n", owners.size()));
  for (auto& [owner, paths] : owners) {
    std::ranges::sort(paths);
    text.add(fmt::format("0x{:x}:\n", owner));
    for (const std::string_view path : paths) {
      if (!text.add(fmt::format("\t{}\n", one_line(path)))) {
        return;
      }
    }
  }
}

void add_connection_expiry(const Snapshot& snapshot, CappedText& text) {
  std::map<std::int64_t, std::vector<const ConnectionStatus*>> buckets;
  for (const ConnectionStatus& connection : snapshot.connections) {
    buckets[raw(connection.expires)].push_back(&connection);
  }
  text.add(
      fmt::format("Connections dump:\nConnections Sets ({})/({}):\n", buckets.size(), snapshot.connections.size()));
  for (const auto& [time, connections] : buckets) {
    text.add(fmt::format("{} expire at {}:\n", connections.size(), date_text(WallTime{time})));
    for (const ConnectionStatus* connection : connections) {
      const std::uint64_t id = connection->session ? bits(connection->session->id) : 0;
      text.add(fmt::format("\tip: /{} sessionId: 0x{:x}\n", one_line(connection->peer), id));
    }
  }
}

// One heading a key, ascending, and its lines indented; an empty line ends it (operations 2.8).
template <class Key, class Value>
std::string grouped(const std::map<Key, std::vector<Value>>& groups, bool cut, std::size_t bytes_max) {
  CappedText text{bytes_max};
  for (const auto& [key, values] : groups) {
    text.add(fmt::format("{}\n", key));
    for (const Value& value : values) {
      if (!text.add(fmt::format("\t{}\n", value))) {
        return text.take() + "\n";
      }
    }
  }
  if (cut) {
    text.mark_cut();
  }
  return text.take() + "\n";
}

struct Quantile {
  std::string_view name;
  double share;
};
constexpr std::array<Quantile, 4> quantiles{Quantile{"p50", 0.5}, Quantile{"p95", 0.95}, Quantile{"p99", 0.99},
                                            Quantile{"p999", 0.999}};

void add_summary(const Metric& metric, std::string& text) {
  const Histogram& values = *metric.histogram;
  const auto line = [&](std::string_view prefix, const auto& value) {
    fmt::format_to(std::back_inserter(text), "zk_{}_{}\t{}\n", prefix, metric.name, value);
  };
  if (metric.kind != Metric::Kind::quantiles) {
    line("avg", decimal(values.sum(), values.count() * metric.unit));
    line("min", values.minimum() / metric.unit);
    line("max", values.maximum() / metric.unit);
    line("cnt", values.count());
    line("sum", values.sum() / metric.unit);
  }
  if (metric.kind != Metric::Kind::summary) {
    for (const Quantile& quantile : quantiles) {
      line(quantile.name, values.percentile(quantile.share) / metric.unit);
    }
  }
}

}  // namespace

std::string format_srvr(const ServerStatus& server) {
  return version_line(server) + figures(server);
}

std::string format_stat(const Snapshot& snapshot, std::size_t bytes_max) {
  CappedText clients{bytes_max};
  add_connections(snapshot, true, clients);
  return version_line(snapshot.server) + "Clients:\n" + clients.take() + "\n" + figures(snapshot.server);
}

std::string format_cons(const Snapshot& snapshot, std::size_t bytes_max) {
  CappedText text{bytes_max};
  add_connections(snapshot, false, text);
  return text.take() + "\n";
}

std::string format_conf(const ConfigurationStatus& configuration, const DirectoryStatus& directories,
                        bool read_only_mode) {
  std::string text = fmt::format(
      "clientPort={}\nsecureClientPort={}\ndataDir={}\ndataDirSize={}\ndataLogDir={}\ndataLogSize={}\ntickTime={}\n"
      "maxClientCnxns={}\nminSessionTimeout={}\nmaxSessionTimeout={}\nclientPortListenBacklog={}\nserverId={}\n",
      configuration.client_port, configuration.secure_client_port, configuration.data_directory, directories.data_bytes,
      configuration.log_directory, directories.log_bytes, configuration.tick_ms,
      configuration.connections_per_address_max, configuration.min_session_timeout_ms,
      configuration.max_session_timeout_ms, configuration.listen_backlog, raw(configuration.server));
  if (configuration.ensemble) {
    const ConfigurationStatus::Ensemble& ensemble = *configuration.ensemble;
    text += fmt::format("initLimit={}\nsyncLimit={}\nelectionAlg=3\nelectionPort={}\nquorumPort={}\npeerType={}\n",
                        ensemble.init_limit, ensemble.sync_limit, ensemble.election_port, ensemble.quorum_port,
                        ensemble.observer ? 1 : 0);
    if (!read_only_mode) {
      text += "membership: \n" + ensemble.membership;
    }
  }
  return text;
}

std::string format_dirs(const DirectoryStatus& directories) {
  return fmt::format("datadir_size: {}\nlogdir_size: {}\n", directories.data_bytes, directories.log_bytes);
}

std::string format_envi(const EnvironmentStatus& environment, std::string_view version) {
  const auto megabytes = [](std::uint64_t bytes) { return bytes >> 20U; };
  return fmt::format(
      "Environment:\nzookeeper.version={}\nhost.name={}\nos.name={}\nos.arch={}\nos.version={}\nuser.name={}\n"
      "user.home={}\nuser.dir={}\nos.memory.free={}MB\nos.memory.max={}MB\nos.memory.total={}MB\n",
      version, environment.host_name, environment.os_name, environment.os_arch, environment.os_version,
      environment.user_name, environment.user_home, environment.user_directory,
      megabytes(environment.memory_free_bytes), megabytes(environment.memory_max_bytes),
      megabytes(environment.memory_total_bytes));
}

std::string format_dump(const Snapshot& snapshot, std::size_t bytes_max) {
  // Each block has its own share, so that a million sessions do not hide the ephemerals.
  std::string text;
  const auto add_block = [&](bool cut, const auto& add) {
    CappedText block{bytes_max / 3};
    add(snapshot, block);
    if (cut) {
      block.mark_cut();
    }
    text += block.take();
  };
  add_block(snapshot.omitted.sessions, add_sessions);
  add_block(snapshot.omitted.ephemerals, add_ephemerals);
  add_block(snapshot.omitted.connections, add_connection_expiry);
  return text;
}

std::string format_wchs(const WatchSummary& watches) {
  return fmt::format("{} connections watching {} paths\nTotal watches:{}\n", watches.watchers, watches.paths,
                     watches.watches);
}

std::string format_wchc(const Snapshot& snapshot, std::size_t bytes_max) {
  std::map<std::string, std::vector<std::string>> sessions;
  for (const WatchStatus& watch : snapshot.watches) {
    sessions[fmt::format("0x{:x}", bits(watch.session))].push_back(one_line(watch.path));
  }
  for (auto& [session, paths] : sessions) {
    std::ranges::sort(paths);
  }
  return grouped(sessions, snapshot.omitted.watches, bytes_max);
}

std::string format_wchp(const Snapshot& snapshot, std::size_t bytes_max) {
  std::map<std::string, std::vector<std::string>> paths;
  for (const WatchStatus& watch : snapshot.watches) {
    paths[one_line(watch.path)].push_back(fmt::format("0x{:x}", bits(watch.session)));
  }
  for (auto& [path, sessions] : paths) {
    std::ranges::sort(sessions);
  }
  return grouped(paths, snapshot.omitted.watches, bytes_max);
}

std::string format_hash(std::span<const DigestStatus> digests, std::size_t bytes_max) {
  CappedText text{bytes_max};
  for (const DigestStatus& one : digests) {
    text.add(fmt::format("{:x}: {}\n", bits(one.zxid), static_cast<std::int64_t>(one.digest)));
  }
  return text.take();
}

std::string format_mntr(const ServerStatus& server, const Metrics* metrics) {
  std::string text = fmt::format("zk_version\t{}\nzk_server_state\t{}\n", server.version, describe(server.role));
  const auto append = std::back_inserter(text);
  if (server.ensemble) {
    fmt::format_to(append, "zk_peer_state\t{}\n", server.ensemble->peer_state);
  }
  for (const Metric& metric : list_metrics(server, metrics)) {
    switch (metric.kind) {
      case Metric::Kind::gauge:
      case Metric::Kind::counter:
        fmt::format_to(append, "zk_{}\t{}\n", metric.name, metric.value);
        break;
      case Metric::Kind::fraction:
        fmt::format_to(append, "zk_{}\t{}\n", metric.name, decimal(metric.numerator, metric.denominator));
        break;
      case Metric::Kind::summary:
      case Metric::Kind::detailed:
      case Metric::Kind::quantiles:
        add_summary(metric, text);
        break;
    }
  }
  return text;
}

}  // namespace quorate::admin
