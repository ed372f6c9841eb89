#pragma once

// What a Server is made of; private to this room.

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "net/listener.hpp"
#include "net/poller.hpp"
#include "replica/front.hpp"
#include "replica/mailbox.hpp"
#include "replica/replica.hpp"
#include "server/admin_desk.hpp"
#include "server/client_port.hpp"
#include "server/config.hpp"
#include "server/event_lines.hpp"
#include "server/exit_codes.hpp"
#include "server/log_writer.hpp"
#include "server/signals.hpp"
#include "server/snapshotter.hpp"
#include "server/start.hpp"
#include "server/worker.hpp"

namespace quorate::server {

// The one loop of a server: it owns replica, front, sockets and log, and is the only one that touches them.
class Loop {
 public:
  Loop(const Config& config, OpenedData data, std::vector<net::Listener> listeners, Signals* signals,
       std::size_t descriptors_max);

  // Ends the threads first: their tasks use what goes afterwards.
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  ExitCode run();
  void ask_to_stop();
  [[nodiscard]] const ClientPort& client_port() const { return port_; }
  [[nodiscard]] Index applied() const { return replica_.applied(); }

 private:
  bool begin_service();
  void turn();
  void wait();
  void dispatch();
  void submit();
  void stage();
  void take_durable();
  void apply();
  void look_after_snapshot();
  void pass_on_touches();
  void keep_time();
  void tell_changes();
  void finish();
  [[nodiscard]] MonoTime deadline() const;
  [[nodiscard]] const std::optional<Error>& disk_failure() const;

  const Config config_;
  net::Poller poller_;
  Inbox inbox_;
  Signals* signals_;
  std::atomic<bool> stop_asked_{false};

  std::unique_ptr<storage::DataDirectory> directory_;
  std::unique_ptr<storage::Wal> wal_;
  replica::Replica replica_;
  replica::Front front_;
  replica::Mailbox mail_;
  ClientPort port_;

  struct Threads {
    Worker flusher{"flush", Worker::Priority::normal};
    Worker housekeeper{"segments", Worker::Priority::background};
    Worker snapshots{"snapshot", Worker::Priority::background};
  };
  std::unique_ptr<Threads> threads_ = std::make_unique<Threads>();
  LogWriter log_;
  Snapshotter snapshotter_;
  AdminDesk admin_;
  ChangeLines changes_;
  StartFigures figures_;

  MonoTime now_{};
  MonoTime next_second_{};
  bool work_left_ = false;  // The next turn must not wait.
  bool stirred_ = false;    // Something happened since the last time the loop slept its full time.
  replica::Output output_;
  std::vector<net::Ready> ready_;
  std::vector<Task> tasks_;
  std::vector<replica::Front::Touch> touches_;
  std::vector<replica::Front::AdminRequest> admin_requests_;
};

}  // namespace quorate::server
