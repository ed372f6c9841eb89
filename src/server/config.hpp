#pragma once

// The configuration of a server: a zoo.cfg, flags, or neither (operations 1). Reading it is a pure function of texts;
// only load_config() opens files.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "replica/connection_throttle.hpp"
#include "server/settings.hpp"

namespace quorate::server {

// What the server obeys, in its own units. The defaults are those of the settings table without a file.
struct Config {
  std::string listen_host = "127.0.0.1";  // Empty: all interfaces.
  std::uint16_t port = 2181;
  int listen_backlog = -1;
  std::string data_directory = "data";
  std::string log_directory = "data";
  bool create_directories = true;
  NodeId node{1};
  std::int32_t tick_ms = 3000;
  std::int32_t min_session_timeout_ms = 6000;
  std::int32_t max_session_timeout_ms = 60000;
  std::int32_t handshake_timeout_ms = 10000;
  std::size_t connections_per_address_max = 60;  // 0: no limit.
  std::size_t connections_max = 0;               // 0: no limit.
  std::size_t frame_bytes_max = 0xFFFFF;
  std::size_t outstanding_max = 16384;
  std::int64_t throttled_op_wait_ms = 0;      // 0: off.
  std::int64_t large_request_threshold = -1;  // Negative: off.
  std::size_t large_request_bytes_max = 100U << 20;
  replica::ConnectionThrottleConfig connection_throttle;
  std::size_t request_throttle_max = 0;  // 0: off.
  bool drops_late_requests = false;
  bool checks_acls_early = false;
  bool keep_alive = false;
  bool force_sync = true;
  std::int64_t sync_warning_us = 1'000'000;
  std::uint64_t snapshot_entries = 100000;
  std::uint64_t snapshot_log_bytes = 4ULL << 30;  // UINT64_MAX: no limit.
  std::size_t snapshots_kept = 3;
  std::size_t tree_bytes_max = 0;  // 0: no limit.
  std::uint64_t segment_bytes = 64U << 20;
  std::size_t tail_entries_max = 500;
  bool skip_acl = false;
  bool enforce_quota = false;
  bool extended_types = false;
  bool reconfig_enabled = false;
  std::int64_t container_check_ms = 60000;
  std::int64_t container_never_used_ms = 0;
  std::size_t containers_per_minute_max = 10000;
  std::string super_digest;
  bool digest_enabled = true;
  std::vector<std::string> enforced_schemes;
  std::vector<std::string> four_letter_words{"srvr"};  // "*": all.
};

// Something to tell the operator about the configuration.
struct Finding {
  enum class Severity : std::uint8_t { note, warning, error };
  Severity severity = Severity::note;
  std::string origin;  // "zoo.cfg:12", "--tick-time", or the file alone.
  std::string text;    // What is wrong and what to write instead.

  friend bool operator==(const Finding&, const Finding&) = default;
};
std::string describe(const Finding& finding);

// A setting's value in force and where it comes from: "default", "zoo.cfg:3", "--data-dir".
struct Effective {
  const Setting* setting = nullptr;
  std::string value;  // As written; secrets are masked.
  std::string origin;
};

// A key given outside the file.
struct FlagValue {
  std::string key;
  std::string value;
  std::string flag;  // As the operator wrote it, for messages.
};

struct ConfigInput {
  std::string file_name;                 // For messages; empty: there is no file, and the embedded defaults hold.
  std::optional<std::string> file_text;  // Set with file_name.
  std::vector<FlagValue> flags;          // They win over the file.
  // Reads a file that the configuration names (dynamicConfigFile, myid); an error if it cannot be read.
  std::function<Result<std::string>(const std::string& path)> read_file;
};

struct ConfigReading {
  Config config;                     // Meaningful if is_usable().
  std::vector<Effective> effective;  // One for each setting of the table that has a value, in its order.
  std::vector<Finding> findings;     // In order of appearance.

  [[nodiscard]] bool is_usable() const;
};

ConfigReading read_config(const ConfigInput& input);

// read_config() over the real files. An empty path: no file.
ConfigReading load_config(const std::string& path, std::vector<FlagValue> flags);

}  // namespace quorate::server
