#pragma once

// A queue in a ring whose size is a power of two: what comes and goes in order costs no allocation once it is warm.

#include <cstddef>
#include <utility>
#include <vector>

#include "base/ensure.hpp"

namespace quorate::replica {

template <class T>
class Ring {
 public:
  [[nodiscard]] bool empty() const { return count_ == 0; }
  [[nodiscard]] std::size_t size() const { return count_; }

  void push_back(T value) {
    if (count_ == slots_.size()) {
      grow();
    }
    slots_[(head_ + count_) & (slots_.size() - 1)] = std::move(value);
    ++count_;
  }
  T& operator[](std::size_t position) {
    ensure(position < count_, "a position inside the queue");
    return slots_[(head_ + position) & (slots_.size() - 1)];
  }
  T& front() { return (*this)[0]; }
  T& back() { return (*this)[count_ - 1]; }
  T pop_front() {
    T value = std::move(front());
    head_ = (head_ + 1) & (slots_.size() - 1);
    --count_;
    return value;
  }
  void reset() { *this = Ring(); }  // Gives the memory back.

 private:
  void grow() {
    std::vector<T> larger(slots_.empty() ? 4 : slots_.size() * 2);
    for (std::size_t i = 0; i < count_; ++i) {
      larger[i] = std::move(slots_[(head_ + i) & (slots_.size() - 1)]);
    }
    slots_ = std::move(larger);
    head_ = 0;
  }

  std::vector<T> slots_;
  std::size_t head_ = 0;
  std::size_t count_ = 0;
};

}  // namespace quorate::replica
