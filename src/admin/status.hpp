#pragma once

// What the four-letter words and the metrics show, as plain values that the server gathers from its fronts, its replica
// and its storage. Nothing here knows where they come from.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/histogram.hpp"
#include "base/ids.hpp"

namespace quorate::admin {

enum class Role : std::uint8_t { standalone, leader, follower, observer, read_only };
// As in `Mode:` and zk_server_state.
[[nodiscard]] std::string_view describe(Role role);

// Latencies since start or `srst`, in microseconds; shown in milliseconds.
struct LatencyStatus {
  std::uint64_t count = 0;
  std::uint64_t sum_us = 0;
  std::uint64_t minimum_us = 0;
  std::uint64_t maximum_us = 0;
};

// Bytes; -1: none yet.
struct SizeStatus {
  std::int64_t last = -1;
  std::int64_t minimum = -1;
  std::int64_t maximum = -1;
};

// Of a leader only (operations 2.9).
struct LeaderStatus {
  std::uint64_t followers = 0;  // Connected voters.
  std::uint64_t synced_followers = 0;
  std::uint64_t synced_non_voting_followers = 0;
  std::uint64_t synced_observers = 0;
  std::uint64_t learners = 0;
  std::uint64_t pending_syncs = 0;
  std::uint64_t uptime_ms = 0;  // As the leader.
  SizeStatus proposal_sizes{};
};

// Of a member of an ensemble.
struct EnsembleStatus {
  std::string peer_state;         // "leading - broadcast" and so on.
  std::uint64_t quorum_size = 0;  // Voters configured.
  std::optional<LeaderStatus> leader;
};

// Where time goes and what happened since the start; `srst` does not touch them (operations 4.1).
struct Metrics {
  Histogram read_latency_us;    // From a request's arrival to its answer: reads.
  Histogram update_latency_us;  // The same: writes.
  Histogram fsync_us;
  Histogram snapshot_us;
  Histogram election_us;
  Histogram startup_us;                // The whole start: snapshot and log.
  Histogram startup_snapshot_load_us;  // One value a start, here and below.
  Histogram startup_log_load_us;
  Histogram startup_entries_loaded;
  Histogram batch_entries;  // Entries of one flush.
  Histogram created_watches;
  Histogram deleted_watches;
  Histogram changed_watches;
  Histogram children_watches;  // Watchers told by one event.
  Histogram propagation_ms;    // From an entry's time, given by the leader, to its being applied here.

  std::uint64_t commits = 0;
  std::uint64_t proposals = 0;
  std::uint64_t elections = 0;  // Entered by this server.
  std::uint64_t snapshots_sent = 0;
  std::uint64_t connection_requests = 0;
  std::uint64_t connections_rejected = 0;  // Over a limit.
  std::uint64_t connections_dropped = 0;   // Closed by this server.
  std::uint64_t handshakes_timed_out = 0;
  std::uint64_t sessions_expired = 0;
  std::uint64_t resumes_asked = 0;  // Handshakes that name a session.
  std::uint64_t bytes_received = 0;
  std::uint64_t response_bytes = 0;
  std::uint64_t watch_bytes = 0;
  std::uint64_t requests_throttled = 0;
  std::uint64_t stale_requests_dropped = 0;
  std::uint64_t writes_refused_for_memory = 0;  // By the tree's budget.
  std::uint64_t connections_rate_limited = 0;   // Turned away by the token bucket.
  std::uint64_t large_requests_rejected = 0;
  std::uint64_t auth_failures = 0;
  std::uint64_t slow_fsyncs = 0;  // Over fsync.warningthresholdms.
  std::uint64_t digest_mismatches = 0;
};

struct MemoryStatus {
  std::uint64_t resident_bytes = 0;
  std::uint64_t tree_bytes = 0;
  std::uint64_t tree_live_bytes = 0;   // What the budget counts; the rest is kept for what comes.
  std::uint64_t tree_limit_bytes = 0;  // The budget; 0: none.
  std::uint64_t log_bytes = 0;         // The log's tail that is kept in memory.
  std::uint64_t watch_bytes = 0;
};

struct ServerStatus {
  std::string version;  // From version_text().
  bool serving = true;  // False: no leader is known.
  bool read_only_mode = false;
  Role role = Role::standalone;
  LatencyStatus latency;
  std::uint64_t packets_received = 0;
  std::uint64_t packets_sent = 0;
  std::uint64_t connections = 0;  // The asking one included.
  std::uint64_t outstanding = 0;
  Zxid last_zxid{};
  std::uint64_t znodes = 0;  // The root counted once; what is shown is one more (operations 2.4).
  std::uint64_t ephemerals = 0;
  std::uint64_t watches = 0;  // Both registries.
  std::uint64_t data_bytes = 0;
  std::uint64_t sessions = 0;
  std::uint64_t open_files = 0;
  std::uint64_t files_max = 0;
  std::uint64_t uptime_ms = 0;
  SizeStatus response_sizes;
  double connection_drop_probability = 0;
  std::int64_t trace_mask = 306;
  MemoryStatus memory;
  std::optional<EnsembleStatus> ensemble;
};

// One connection of the port that was asked (operations 2.6).
struct ConnectionStatus {
  struct Session {
    SessionId id{};
    std::string_view last_operation = "NA";  // wire::OpcodeInfo::short_name
    WallTime established{};
    std::int32_t timeout_ms = 0;
    std::int64_t last_xid = -1;    // Negative: not shown.
    Zxid last_zxid{-1};            // Last sent to the client.
    std::int64_t response_ms = 0;  // Time of the last response, of a monotonic clock.
    std::uint64_t last_latency_us = 0;
    LatencyStatus latency;
  };
  std::string peer;  // "10.0.0.21:46020"
  bool reading = true;
  bool writing = false;
  std::uint64_t queued = 0;
  std::uint64_t received = 0;
  std::uint64_t sent = 0;
  std::optional<Session> session;
  WallTime expires{};  // When silence would close it; for `dump`.
};

// The configuration in force (operations 2.5).
struct ConfigurationStatus {
  struct Ensemble {
    std::int64_t init_limit = 0;
    std::int64_t sync_limit = 0;
    std::int64_t election_port = -1;
    std::int64_t quorum_port = -1;
    bool observer = false;
    std::string membership;  // The server lines and `version=`, without a newline at the end.
  };
  std::int64_t client_port = -1;
  std::int64_t secure_client_port = -1;
  std::string data_directory;
  std::string log_directory;
  std::int64_t tick_ms = 0;
  std::int64_t connections_per_address_max = 0;
  std::int64_t min_session_timeout_ms = 0;
  std::int64_t max_session_timeout_ms = 0;
  std::int64_t listen_backlog = -1;
  NodeId server{};
  std::optional<Ensemble> ensemble;
};

struct DirectoryStatus {
  std::uint64_t data_bytes = 0;
  std::uint64_t log_bytes = 0;
};

struct EnvironmentStatus {
  std::string host_name;
  std::string os_name;
  std::string os_arch;
  std::string os_version;
  std::string user_name;
  std::string user_home;
  std::string user_directory;
  std::uint64_t memory_free_bytes = 0;
  std::uint64_t memory_max_bytes = 0;
  std::uint64_t memory_total_bytes = 0;
};

struct SessionStatus {
  SessionId id{};
  std::int32_t timeout_ms = 0;
  std::optional<WallTime> expires;  // Known to the leader alone.
};

struct EphemeralStatus {
  SessionId owner{};
  std::string path;
};

struct WatchSummary {
  std::uint64_t watchers = 0;
  std::uint64_t paths = 0;
  std::uint64_t watches = 0;  // All three: the data registry only (operations 2.8).
};

struct WatchStatus {
  SessionId session{};
  std::string path;
};

struct DigestStatus {
  Zxid zxid{};
  std::uint64_t digest = 0;
};

// What was counted but not gathered, because a budget was spent.
struct Omitted {
  bool connections = false;
  bool sessions = false;
  bool ephemerals = false;
  bool watches = false;
};

// Everything a word may show. Whoever answers fills what parts_of(word) names.
struct Snapshot {
  ServerStatus server;
  std::unique_ptr<const Metrics> metrics;  // Large; null: not gathered.
  std::vector<ConnectionStatus> connections;
  std::vector<SessionStatus> sessions;
  std::vector<EphemeralStatus> ephemerals;
  WatchSummary watch_summary;
  std::vector<WatchStatus> watches;
  std::vector<DigestStatus> digests;  // Oldest first.
  ConfigurationStatus configuration;
  DirectoryStatus directories;
  EnvironmentStatus environment;
  Omitted omitted;
};

// Bounds what is gathered for one answer (S-112): the gatherer asks before each row and stops at the first refusal.
class GatherBudget {
 public:
  static constexpr std::size_t rows_default = 10'000;
  static constexpr std::size_t bytes_default = std::size_t{1} << 20;

  explicit GatherBudget(std::size_t rows = rows_default, std::size_t bytes = bytes_default)
      : rows_(rows), bytes_(bytes) {}
  // `bytes`: of the row's texts. False once anything was refused.
  [[nodiscard]] bool spend(std::size_t bytes);
  [[nodiscard]] bool is_spent() const { return spent_; }

 private:
  std::size_t rows_;
  std::size_t bytes_;
  bool spent_ = false;
};

// "3.9.0-quorate-<version>-<build>, built on <date>": a number that tools compare, then the product (operations 2.11).
[[nodiscard]] std::string version_text(std::string_view version, std::string_view build, std::string_view built_on);

}  // namespace quorate::admin
