#pragma once

// The bytes of one simulated file, by sector. A log is mostly zeros, and what is on disk is mostly what is in the page
// cache: sectors of zeros take no memory, and equal ones are shared until one of their owners writes.

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.hpp"

namespace quorate::sim {

class Image {
 public:
  static constexpr std::size_t sector_bytes = 512;

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::string bytes() const;
  // As much as there is, from an offset inside; how much that was.
  std::size_t read(std::size_t offset, std::span<char> into) const;

  // What is new is zero.
  void resize(std::size_t size);
  // All of it lies inside.
  void write(std::size_t offset, ByteView from);
  // The bytes [start, end), which both have.
  void copy(const Image& from, std::size_t start, std::size_t end);

 private:
  using Sector = std::array<char, sector_bytes>;

  void put(std::size_t offset, ByteView from, bool is_blank);

  std::size_t size_ = 0;
  std::vector<std::shared_ptr<Sector>> sectors_;  // None: zeros. Behind the size too there are only zeros.
};

}  // namespace quorate::sim
