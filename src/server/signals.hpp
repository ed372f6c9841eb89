#pragma once

// Signals as input of the loop: SIGTERM and SIGINT ask for a stop; SIGPIPE and SIGHUP mean nothing here.

#include "net/descriptor.hpp"

namespace quorate::server {

class Signals {
 public:
  // Blocks the signals for this thread and all that it starts from now on, so it stands before any thread.
  Signals();
  // True if a stop was asked for since the last call.
  bool take_stop();
  [[nodiscard]] int number() const { return events_.number(); }

 private:
  net::Descriptor events_;
};

}  // namespace quorate::server
