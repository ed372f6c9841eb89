#pragma once

// The small parts of our own formats (docs/formats/): little-endian fixed numbers, LEB128 varints, zigzag where
// negative values are common, length-prefixed bytes. And the big-endian ones of the clients' protocol.

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "tree/types.hpp"

namespace quorate::wire {

template <std::unsigned_integral T>
constexpr T to_order(T value, std::endian order) {
  return order == std::endian::native ? value : std::byteswap(value);
}

// Writes the number at `at` and returns the byte behind it.
template <std::integral T>
char* put_big(char* at, T value) {
  const auto bits = to_order(static_cast<std::make_unsigned_t<T>>(value), std::endian::big);
  std::memcpy(at, &bits, sizeof bits);
  return at + sizeof bits;
}
template <std::integral T>
char* put_little(char* at, T value) {
  const auto bits = to_order(static_cast<std::make_unsigned_t<T>>(value), std::endian::little);
  std::memcpy(at, &bits, sizeof bits);
  return at + sizeof bits;
}
inline char* put_bytes(char* at, ByteView bytes) {
  if (!bytes.empty()) {  // A null view has no source to copy from.
    std::memcpy(at, bytes.data(), bytes.size());
  }
  return at + bytes.size();
}
template <std::integral T>
T get_big(const char* at) {
  std::make_unsigned_t<T> bits;
  std::memcpy(&bits, at, sizeof bits);
  return static_cast<T>(to_order(bits, std::endian::big));
}
template <std::integral T>
T get_little(const char* at) {
  std::make_unsigned_t<T> bits;
  std::memcpy(&bits, at, sizeof bits);
  return static_cast<T>(to_order(bits, std::endian::little));
}

// Appends `bytes` bytes that `fill(char*)` writes: one growth, nothing zeroed first. (libstdc++ 12 hands the callback
// the grown capacity in place of the size asked for, so its size is not used here or elsewhere.)
template <class Fill>
void append_filled(std::string& out, std::size_t bytes, Fill fill) {
  const std::size_t start = out.size();
  out.resize_and_overwrite(start + bytes, [&](char* data, std::size_t) {
    fill(data + start);
    return start + bytes;
  });
}

constexpr std::uint64_t zigzag(std::int64_t value) {
  return (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
}
constexpr std::int64_t unzigzag(std::uint64_t value) {
  return static_cast<std::int64_t>((value >> 1) ^ (~(value & 1) + 1));
}

inline constexpr std::size_t varint_bytes_max = 10;
[[nodiscard]] std::size_t varint_bytes(std::uint64_t value);
// As put_little; at most varint_bytes_max bytes.
char* put_varint(char* at, std::uint64_t value);

// Appends to a string that the caller reuses.
class Packer {
 public:
  explicit Packer(std::string& out) : out_(out) {}

  void write_byte(std::uint8_t value) { out_.push_back(static_cast<char>(value)); }
  void write_fixed32(std::uint32_t value);
  void write_fixed64(std::uint64_t value);
  void write_varint(std::uint64_t value);
  void write_zigzag(std::int64_t value) { write_varint(zigzag(value)); }
  void write_raw(ByteView bytes) { out_.append(bytes); }
  void write_sized(ByteView bytes);     // varint length, bytes; null becomes empty.
  void write_nullable(ByteView bytes);  // varint length + 1, bytes; 0 is null.

 private:
  std::string& out_;
};

// Sticky, as Reader: after the first field that is short, too large or not in its shortest form it yields zeros and
// empty views. Nothing is allocated by it.
class Unpacker {
 public:
  explicit Unpacker(ByteView bytes) : bytes_(bytes) {}

  std::uint8_t read_byte();
  std::uint32_t read_fixed32();
  std::uint64_t read_fixed64();
  // Most numbers take one byte.
  std::uint64_t read_varint() {
    if (ok_ && position_ < bytes_.size()) [[likely]] {
      const auto byte = static_cast<std::uint8_t>(bytes_[position_]);
      if (byte < 0x80) [[likely]] {
        ++position_;
        return byte;
      }
    }
    return read_long_varint();
  }
  std::uint64_t read_varint_up_to(std::uint64_t limit);
  std::int64_t read_zigzag() { return unzigzag(read_varint()); }
  std::int32_t read_zigzag32();
  ByteView read_raw(std::size_t length);
  ByteView read_sized();
  ByteView read_nullable();
  // A count of elements of at least `element_bytes_min` each, which must fit into what is left (S-103).
  std::size_t read_count(std::size_t element_bytes_min);

  [[nodiscard]] bool ok() const { return ok_; }
  void fail() { ok_ = false; }
  // Fails for a value that only a newer version can have written; `what` is a literal that names it.
  void fail_unknown(const char* what) {
    unknown_ = ok_ ? what : unknown_;
    ok_ = false;
  }
  // What fail_unknown() was told first, if that is what failed; nullptr otherwise.
  [[nodiscard]] const char* unknown() const { return unknown_; }
  [[nodiscard]] std::size_t remaining() const { return bytes_.size() - position_; }
  [[nodiscard]] std::size_t position() const { return position_; }
  [[nodiscard]] bool finished() const { return ok_ && remaining() == 0; }

 private:
  std::uint64_t read_long_varint();

  ByteView bytes_;
  std::size_t position_ = 0;
  const char* unknown_ = nullptr;
  bool ok_ = true;
};

// `what` is of a version, or of a part of one, that this binary does not know. It is `unsupported` wherever it
// stands, never corrupt and never ignored.
[[nodiscard]] std::unexpected<Error> newer_than_known(std::string_view format, std::string_view what);
// Why `unpacker` failed: unsupported if it met something unknown, corrupt otherwise.
[[nodiscard]] std::unexpected<Error> undecodable(const Unpacker& unpacker, std::string_view format,
                                                 std::string_view what);

inline ByteView Unpacker::read_raw(std::size_t length) {
  if (!ok_ || length > remaining()) [[unlikely]] {
    ok_ = false;
    return empty_bytes;
  }
  const ByteView part(bytes_.data() + position_, length);
  position_ += length;
  return length == 0 ? empty_bytes : part;
}

inline std::uint8_t Unpacker::read_byte() {
  const ByteView part = read_raw(1);
  return ok_ ? static_cast<std::uint8_t>(part[0]) : std::uint8_t{0};
}

inline std::uint64_t Unpacker::read_varint_up_to(std::uint64_t limit) {
  const std::uint64_t value = read_varint();
  if (value > limit) [[unlikely]] {
    ok_ = false;
    return 0;
  }
  return value;
}

inline ByteView Unpacker::read_sized() {
  return read_raw(read_varint_up_to(remaining()));
}

// Formats that may grow end in extensions: for each a tag (varint, ascending) and sized bytes. None is known yet, so
// all that stands there is a newer version's: unsupported if it has that form, corrupt if not. `what` is a literal.
void read_no_extensions(Unpacker& unpacker, const char* what);

// Schemes take one byte in our formats: a code of one table, or 0 and the text. The codes are final. The text of a
// scheme that has a code is read as well: a code that is added later must not make older files unreadable. A code that
// is not in the table is a newer version's: unsupported.
void pack_scheme(Packer& packer, std::string_view scheme);
[[nodiscard]] std::string_view unpack_scheme(Unpacker& unpacker);

// Switches are bits of one varint. One that this binary does not know would change results unseen: unsupported.
void pack_switches(Packer& packer, const tree::Switches& switches);
[[nodiscard]] tree::Switches unpack_switches(Unpacker& unpacker);

}  // namespace quorate::wire
