#pragma once

// A listening TCP socket.

#include <optional>

#include "base/result.hpp"
#include "net/address.hpp"
#include "net/descriptor.hpp"
#include "net/stream.hpp"

namespace quorate::net {

class Listener {
 public:
  // Takes the address, but lets nobody connect before listen(). ErrorCode::busy if another process listens there. Port
  // 0: the system chooses; address() says which.
  static Result<Listener> bind(const Address& address);
  // From now on clients may connect, `backlog` of them before anybody accepts. ErrorCode::busy if another process began
  // to listen there since bind().
  Result<void> listen(int backlog);
  // Both at once.
  static Result<Listener> open(const Address& address, int backlog);

  struct Accepted {
    Stream stream;
    Address peer;
  };
  enum class Outcome {
    accepted,
    none,       // Nobody waits.
    refused,    // The process has no descriptor left: one client was accepted and closed, so that it learns at once.
    exhausted,  // The system has no memory for a connection; who waits goes on waiting, and the poller reports at once.
  };
  // At most one client a call.
  Outcome accept(Accepted& into);

  [[nodiscard]] const Address& address() const { return address_; }
  [[nodiscard]] int number() const { return socket_.number(); }

 private:
  Outcome refuse_one();

  Descriptor socket_;
  Descriptor reserve_;  // Given up for a moment to accept and close a client when there is no other descriptor.
  Address address_;
};

}  // namespace quorate::net
