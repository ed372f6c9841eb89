#pragma once

// Answers four-letter words: gathers what a word shows from front, replica, log and system, lets admin write it down,
// and does what the word asks for besides.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "admin/four_letter_words.hpp"
#include "admin/status.hpp"
#include "base/ids.hpp"
#include "replica/front.hpp"
#include "replica/replica.hpp"
#include "server/client_port.hpp"
#include "server/config.hpp"
#include "server/log_writer.hpp"
#include "server/snapshotter.hpp"
#include "server/start.hpp"
#include "storage/data_directory.hpp"

namespace quorate::server {

class AdminDesk {
 public:
  struct Sources {
    replica::Front& front;
    const replica::Replica& replica;
    const ClientPort& port;
    const LogWriter& log;
    const Snapshotter& snapshotter;
    storage::DataDirectory& directory;
    const StartFigures& start;
  };
  AdminDesk(const Config& config, Sources sources, std::size_t descriptors_max, MonoTime started);

  void answer(const replica::Front::AdminRequest& request, MonoTime now, WallTime wall);

 private:
  admin::Snapshot gather(const admin::Parts& parts) const;
  void gather_server(admin::ServerStatus& into) const;
  std::unique_ptr<admin::Metrics> gather_metrics() const;
  void gather_connections(admin::Snapshot& into) const;
  void gather_sessions(admin::Snapshot& into) const;
  void gather_ephemerals(admin::Snapshot& into) const;
  void gather_watches(admin::Snapshot& into) const;
  void gather_configuration(admin::ConfigurationStatus& into) const;
  void gather_directories(admin::DirectoryStatus& into) const;
  [[nodiscard]] WallTime wall_of(MonoTime time) const;

  const Config& config_;
  Sources sources_;
  admin::Whitelist whitelist_;
  std::size_t descriptors_max_;
  MonoTime started_;
  std::int64_t trace_mask_ = 306;
  MonoTime now_{};
  WallTime wall_{};
};

}  // namespace quorate::server
