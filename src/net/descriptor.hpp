#pragma once

// An owned file descriptor: closed when it goes.

#include <cstddef>
#include <utility>

#include "base/result.hpp"

namespace quorate::net {

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { reset(); }

  void reset();
  [[nodiscard]] int number() const { return number_; }
  [[nodiscard]] bool is_open() const { return number_ >= 0; }

 private:
  int number_ = -1;
};

// Raises this process's limit of open descriptors to the hard one; the limit that then holds.
std::size_t raise_descriptor_limit();

// "what: the operating system's words", with the code of the class of trouble `error_number` belongs to.
Error system_error(const char* what, int error_number);

}  // namespace quorate::net
