#pragma once

// The texts of the words that show something (operations 2.3 to 2.10). The long ones end at `bytes_max`.

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "admin/status.hpp"

namespace quorate::admin {

[[nodiscard]] std::string format_srvr(const ServerStatus& server);
[[nodiscard]] std::string format_stat(const Snapshot& snapshot, std::size_t bytes_max);
[[nodiscard]] std::string format_cons(const Snapshot& snapshot, std::size_t bytes_max);
[[nodiscard]] std::string format_conf(const ConfigurationStatus& configuration, const DirectoryStatus& directories,
                                      bool read_only_mode);
[[nodiscard]] std::string format_dirs(const DirectoryStatus& directories);
[[nodiscard]] std::string format_envi(const EnvironmentStatus& environment, std::string_view version);
[[nodiscard]] std::string format_dump(const Snapshot& snapshot, std::size_t bytes_max);
[[nodiscard]] std::string format_wchs(const WatchSummary& watches);
// By session, by path; each in ascending order.
[[nodiscard]] std::string format_wchc(const Snapshot& snapshot, std::size_t bytes_max);
[[nodiscard]] std::string format_wchp(const Snapshot& snapshot, std::size_t bytes_max);
[[nodiscard]] std::string format_hash(std::span<const DigestStatus> digests, std::size_t bytes_max);
[[nodiscard]] std::string format_mntr(const ServerStatus& server, const Metrics* metrics);

}  // namespace quorate::admin
