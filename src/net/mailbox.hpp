#pragma once

// How threads hand values to each other: by move, in batches, with one wake-up a batch. The only mutex of the project.

#include <mutex>
#include <utility>
#include <vector>

#include "net/waker.hpp"

namespace quorate::net {

template <class T>
class Mailbox {
 public:
  // Any thread. The owner is woken only if nothing was waiting for it already.
  void post(T value) {
    bool first = false;
    {
      const std::lock_guard lock(mutex_);
      first = values_.empty();
      values_.push_back(std::move(value));
    }
    if (first) {
      waker_.wake();
    }
  }

  // The owner: everything posted so far, in order. `into` is replaced; its memory is used for the next batch.
  void take_all(std::vector<T>& into) {
    into.clear();
    const std::lock_guard lock(mutex_);
    std::swap(values_, into);
  }

  [[nodiscard]] Waker& waker() { return waker_; }

 private:
  std::mutex mutex_;
  std::vector<T> values_;
  Waker waker_;
};

}  // namespace quorate::net
