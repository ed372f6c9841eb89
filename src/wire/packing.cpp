#include "wire/packing.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <string_view>

namespace quorate::wire {

namespace {

// Position is the code. 0 stands for "the text follows". New schemes are appended, none is ever moved.
constexpr std::array<std::string_view, 8> well_known_schemes = {"",     "ip",   "digest", "super",
                                                                "sasl", "x509", "world",  "auth"};

}  // namespace

std::size_t varint_bytes(std::uint64_t value) {
  return value == 0 ? 1 : (static_cast<std::size_t>(std::bit_width(value)) + 6) / 7;
}

char* put_varint(char* at, std::uint64_t value) {
  while (value >= 0x80) {
    *at++ = static_cast<char>((value & 0x7F) | 0x80);
    value >>= 7;
  }
  *at++ = static_cast<char>(value);
  return at;
}

void Packer::write_fixed32(std::uint32_t value) {
  append_filled(out_, sizeof value, [value](char* at) { put_little(at, value); });
}

void Packer::write_fixed64(std::uint64_t value) {
  append_filled(out_, sizeof value, [value](char* at) { put_little(at, value); });
}

void Packer::write_varint(std::uint64_t value) {
  std::array<char, varint_bytes_max> bytes;
  const char* const end = put_varint(bytes.data(), value);
  out_.append(bytes.data(), static_cast<std::size_t>(end - bytes.data()));
}

void Packer::write_sized(ByteView bytes) {
  write_varint(bytes.size());
  out_.append(bytes);
}

void Packer::write_nullable(ByteView bytes) {
  if (is_null(bytes)) {
    write_varint(0);
    return;
  }
  write_varint(std::uint64_t{bytes.size()} + 1);
  out_.append(bytes);
}

std::uint32_t Unpacker::read_fixed32() {
  const ByteView part = read_raw(sizeof(std::uint32_t));
  return ok_ ? get_little<std::uint32_t>(part.data()) : 0;
}

std::uint64_t Unpacker::read_fixed64() {
  const ByteView part = read_raw(sizeof(std::uint64_t));
  return ok_ ? get_little<std::uint64_t>(part.data()) : 0;
}

std::uint64_t Unpacker::read_long_varint() {
  const std::size_t limit = ok_ ? std::min(remaining(), varint_bytes_max) : 0;
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < limit; ++i) {
    const auto byte = static_cast<std::uint8_t>(bytes_[position_ + i]);
    const std::uint64_t bits = byte & 0x7FU;
    // The tenth byte has room for one bit; a last byte of zero would be a longer form of a shorter number.
    if ((i + 1 == varint_bytes_max && bits > 1) || (byte == 0 && i > 0)) {
      break;
    }
    value |= bits << (7 * i);
    if (byte < 0x80) {
      position_ += i + 1;
      return value;
    }
  }
  ok_ = false;
  return 0;
}

std::int32_t Unpacker::read_zigzag32() {
  const std::int64_t value = read_zigzag();
  if (value < std::numeric_limits<std::int32_t>::min() || value > std::numeric_limits<std::int32_t>::max()) {
    ok_ = false;
    return 0;
  }
  return static_cast<std::int32_t>(value);
}

ByteView Unpacker::read_nullable() {
  const std::uint64_t length = read_varint_up_to(std::uint64_t{remaining()} + 1);
  if (!ok_ || length == 0) {
    return null_bytes;
  }
  return read_raw(length - 1);
}

std::size_t Unpacker::read_count(std::size_t element_bytes_min) {
  const std::uint64_t count = read_varint();
  if (count > remaining() / element_bytes_min) {
    ok_ = false;
    return 0;
  }
  return count;
}

void pack_scheme(Packer& packer, std::string_view scheme) {
  for (std::size_t code = 1; code < well_known_schemes.size(); ++code) {
    if (well_known_schemes[code] == scheme) {
      packer.write_byte(static_cast<std::uint8_t>(code));
      return;
    }
  }
  packer.write_byte(0);
  packer.write_sized(scheme);
}

std::string_view unpack_scheme(Unpacker& unpacker) {
  const std::uint8_t code = unpacker.read_byte();
  if (code == 0) {
    return unpacker.read_sized();
  }
  if (code >= well_known_schemes.size()) {
    unpacker.fail_unknown("a scheme's code");
    return empty_bytes;
  }
  return well_known_schemes[code];
}

void read_no_extensions(Unpacker& unpacker, const char* what) {
  if (!unpacker.ok() || unpacker.remaining() == 0) {
    return;
  }
  unpacker.read_varint();
  unpacker.read_sized();
  unpacker.fail_unknown(what);
}

std::unexpected<Error> newer_than_known(std::string_view format, std::string_view what) {
  return failure(ErrorCode::unsupported, std::string(format) + ": " + std::string(what) +
                                             " is not known to this version of quorate; a newer one wrote it");
}

std::unexpected<Error> undecodable(const Unpacker& unpacker, std::string_view format, std::string_view what) {
  if (unpacker.unknown() != nullptr) {
    return newer_than_known(format, unpacker.unknown());
  }
  return failure(ErrorCode::corrupt, std::string(format) + ": " + std::string(what) + " does not decode");
}

void pack_switches(Packer& packer, const tree::Switches& switches) {
  packer.write_varint((switches.skip_acl ? 1U : 0U) | (switches.enforce_quota ? 2U : 0U) |
                      (switches.extended_types ? 4U : 0U) | (switches.reconfig_enabled ? 8U : 0U));
}

tree::Switches unpack_switches(Unpacker& unpacker) {
  constexpr std::uint64_t known_bits = 15;
  const std::uint64_t bits = unpacker.read_varint();
  if ((bits & ~known_bits) != 0) {
    unpacker.fail_unknown("a switch");
    return {};
  }
  return {.skip_acl = (bits & 1) != 0,
          .enforce_quota = (bits & 2) != 0,
          .extended_types = (bits & 4) != 0,
          .reconfig_enabled = (bits & 8) != 0};
}

}  // namespace quorate::wire
