#pragma once

// A non-blocking TCP connection with TCP_NODELAY.

#include <cstddef>
#include <span>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "net/address.hpp"
#include "net/descriptor.hpp"

namespace quorate::net {

// What one read or one send came to.
struct Transfer {
  std::size_t bytes = 0;
  bool blocked = false;  // There is no more for now: nothing to read, or no room to write.
  bool ended = false;    // The other side has finished (read) or is gone (send), or the connection broke.
};

class Stream {
 public:
  Stream() = default;
  explicit Stream(Descriptor descriptor) : descriptor_(std::move(descriptor)) {}

  // Starts to connect; the poller reports output when that has succeeded or failed (connect_outcome()).
  static Result<Stream> connect(const Address& address);
  [[nodiscard]] Result<void> connect_outcome() const;

  // One system call. A read that did not fill `into` has emptied the socket, so `blocked` is set with it.
  Transfer read(std::span<char> into);
  // One system call in the usual case.
  Transfer send(ByteView bytes);
  // Several pieces with one call, in order.
  Transfer send(std::span<const ByteView> pieces);

  // Nothing more will be sent: FIN after what is under way.
  void finish();
  // Closes with a reset: the other side learns at once, and nothing lingers here.
  void abort();
  void close() { descriptor_.reset(); }

  [[nodiscard]] int number() const { return descriptor_.number(); }
  [[nodiscard]] bool is_open() const { return descriptor_.is_open(); }
  [[nodiscard]] Address local_address() const;
  [[nodiscard]] Address peer_address() const;
  void keep_alive();                          // SO_KEEPALIVE
  void limit_send_buffer(std::size_t bytes);  // SO_SNDBUF

 private:
  Descriptor descriptor_;
};

}  // namespace quorate::net
