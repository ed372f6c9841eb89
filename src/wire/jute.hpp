#pragma once

// ZooKeeper's binary encoding (protocol 1.2): big-endian, length-prefixed, -1 for null.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "wire/packing.hpp"

namespace quorate::wire {

// Sticky: after the first short or oversized field it yields zeros and null views; ok() says whether all was well.
// Views point into the bytes given. Nothing is allocated by it (S-103). The bodies stand here because every request
// of every client passes through them.
class Reader {
 public:
  explicit Reader(ByteView bytes) : bytes_(bytes) {}

  std::int32_t read_int() { return read_number<std::int32_t>(); }
  std::int64_t read_long() { return read_number<std::int64_t>(); }
  bool read_bool() { return read_number<std::int8_t>() != 0; }
  ByteView read_buffer();                                   // Null view for -1.
  std::string_view read_string() { return read_buffer(); }  // UTF-8 is judged where it matters (protocol 5).
  // Element count of a vector; null_vector for -1, 0 for other negatives. A count whose elements, of at least
  // `element_bytes_min` each, cannot fit into what is left is a failure (S-102).
  static constexpr std::int32_t null_vector = -1;
  std::int32_t read_count(std::size_t element_bytes_min);

  [[nodiscard]] bool ok() const { return ok_; }
  void fail() { ok_ = false; }
  [[nodiscard]] std::size_t remaining() const { return bytes_.size() - position_; }
  [[nodiscard]] std::size_t position() const { return position_; }

 private:
  template <std::signed_integral T>
  T read_number() {
    if (!ok_ || remaining() < sizeof(T)) [[unlikely]] {
      ok_ = false;
      return 0;
    }
    const T value = get_big<T>(bytes_.data() + position_);
    position_ += sizeof(T);
    return value;
  }

  ByteView bytes_;
  std::size_t position_ = 0;
  bool ok_ = true;
};

inline ByteView Reader::read_buffer() {
  const std::int32_t length = read_int();
  if (!ok_ || length < 0) [[unlikely]] {
    ok_ = ok_ && length == -1;
    return null_bytes;
  }
  const auto bytes = static_cast<std::size_t>(length);
  if (bytes > remaining()) [[unlikely]] {
    ok_ = false;
    return null_bytes;
  }
  const ByteView part(bytes_.data() + position_, bytes);
  position_ += bytes;
  return part;
}

// Appends to a string that the caller reuses.
class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}

  void write_int(std::int32_t value);
  void write_long(std::int64_t value);
  void write_bool(bool value);
  void write_buffer(ByteView bytes);         // A null view becomes -1.
  void write_string(std::string_view text);  // Never null: a null view becomes "" (protocol 1.2, Q:).
  // Reserves a frame's length and fills it in when the payload is complete.
  [[nodiscard]] std::size_t begin_frame();
  void end_frame(std::size_t frame);

  // Overwrites an int that was written before: a count that is known only at the end.
  void patch_int(std::size_t at, std::int32_t value);
  // Room for the caller's own bytes, written by `fill(char*)`.
  template <class Fill>
  void write_filled(std::size_t bytes, Fill fill) {
    append_filled(out_, bytes, fill);
  }

  [[nodiscard]] std::size_t size() const { return out_.size(); }

 private:
  std::string& out_;
};

}  // namespace quorate::wire
