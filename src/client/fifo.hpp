#pragma once

// A queue that keeps its memory: a ring that doubles when it is full and never shrinks, for small values that come and
// go millions of times a second.

#include <cstddef>
#include <type_traits>
#include <vector>

#include "base/ensure.hpp"

namespace quorate::client {

template <class T>
  requires std::is_trivially_copyable_v<T>
class Fifo {
 public:
  void push(const T& value) {
    if (count_ == ring_.size()) [[unlikely]] {
      grow();
    }
    ring_[(head_ + count_) & (ring_.size() - 1)] = value;
    ++count_;
  }
  [[nodiscard]] const T& front() const {
    ensure(count_ > 0, "only a queue that holds something has a front");
    return ring_[head_];
  }
  void pop() {
    ensure(count_ > 0, "only what was pushed is popped");
    head_ = (head_ + 1) & (ring_.size() - 1);
    --count_;
  }
  [[nodiscard]] std::size_t size() const { return count_; }
  [[nodiscard]] bool empty() const { return count_ == 0; }

 private:
  void grow() {
    std::vector<T> larger(ring_.empty() ? 16 : ring_.size() * 2);
    for (std::size_t position = 0; position < count_; ++position) {
      larger[position] = ring_[(head_ + position) & (ring_.size() - 1)];
    }
    ring_.swap(larger);
    head_ = 0;
  }

  std::vector<T> ring_;  // Its size is a power of two, or zero.
  std::size_t head_ = 0;
  std::size_t count_ = 0;
};

}  // namespace quorate::client
