#pragma once

// Wakes a loop or a thread from any other one: an eventfd. Many wakes before the next look count as one.

#include "net/descriptor.hpp"

namespace quorate::net {

class Waker {
 public:
  Waker();

  void wake();   // Any thread.
  void drain();  // The owner, when the poller reports number() readable.
  void wait();   // A thread without a loop: sleeps until woken, and drains.
  [[nodiscard]] int number() const { return event_.number(); }

 private:
  Descriptor event_;
};

}  // namespace quorate::net
