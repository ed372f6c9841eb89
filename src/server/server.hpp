#pragma once

// The process's one loop: sockets, front, replica and log, each turn in the order in which design chapter 3 tells a
// request's journey.

#include <cstdint>
#include <memory>

#include "server/config.hpp"
#include "server/exit_codes.hpp"
#include "server/signals.hpp"
#include "server/start.hpp"
#include "storage/disk.hpp"

namespace quorate::server {

class Loop;

class Server {
 public:
  // Takes the port, then opens and reads the data. Clients may connect when it returns; they are answered once run()
  // serves. `disk` and `signals` outlive the server; without signals only stop() ends it.
  static Started<std::unique_ptr<Server>> start(const Config& config, storage::Disk& disk, Signals* signals = nullptr);
  ~Server();

  // Serves until a stop is asked for or the disk fails. The lines at start and stop are the log's.
  ExitCode run();
  // From any thread.
  void stop();

  [[nodiscard]] std::uint16_t port() const;  // The real one, where the configuration said 0.

 private:
  explicit Server(std::unique_ptr<Loop> loop);
  std::unique_ptr<Loop> loop_;
};

}  // namespace quorate::server
