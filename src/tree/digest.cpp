#include "tree/digest.hpp"

#include <array>

#include "base/checksum.hpp"

namespace quorate::tree {

namespace {

__extension__ using Wide = unsigned __int128;

// Multiplies to 128 bits and folds: two words become one at the price of one multiplication.
std::uint64_t fold(std::uint64_t a, std::uint64_t b) {
  const Wide product = Wide{a} * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

std::uint64_t join(std::int32_t high, std::int32_t low) {
  return (std::uint64_t{static_cast<std::uint32_t>(high)} << 32) | static_cast<std::uint32_t>(low);
}

std::uint64_t word(std::int64_t value) {
  return static_cast<std::uint64_t>(value);
}

// Odd constants without structure (digits of pi's hexadecimal expansion).
constexpr std::array<std::uint64_t, 6> salt{0x243F6A8885A308D3, 0x13198A2E03707345, 0xA4093822299F31D1,
                                            0x082EFA98EC4E6C89, 0x452821E638D01377, 0xBE5466CF34E90C6D};

}  // namespace

std::uint64_t root_key(std::uint64_t hash_secret) {
  return checksum("/", hash_secret);
}

std::uint64_t child_key(std::uint64_t parent_key, std::string_view name) {
  return checksum(name, parent_key);
}

std::uint64_t stat_term(const DigestStat& stat) {
  const std::uint64_t times = fold(word(raw(stat.ctime)) ^ salt[0], word(raw(stat.mtime)) ^ stat.key);
  const std::uint64_t zxids = fold(word(raw(stat.czxid)) ^ salt[1], word(raw(stat.mzxid)) ^ stat.key);
  const std::uint64_t counters = fold(join(stat.version, stat.aversion) ^ salt[2], stat.acl_hash ^ stat.key);
  const std::uint64_t rest =
      fold(word(stat.owner) ^ salt[3], join(stat.create_counter, 1) ^ stat.key ^ (word(raw(stat.pzxid)) * salt[4]));
  return fold(times + zxids * 3 + salt[4], (counters ^ rest * 5) + salt[5]) ^ fold(stat.key ^ salt[5], rest ^ counters);
}

std::uint64_t data_term(std::uint64_t key, ByteView data) {
  if (is_null(data)) {
    return fold(key ^ salt[0], salt[1]);  // Null differs from empty (protocol 3.1).
  }
  return fold(checksum(data, key) ^ salt[2], key ^ salt[3]);
}

std::uint64_t session_term(const Session& session) {
  const std::uint64_t id = word(raw(session.id));
  const std::uint64_t password = checksum(ByteView(session.password.data(), session.password.size()), id);
  const std::uint64_t terms = join(session.timeout_ms, static_cast<std::int32_t>(raw(session.owner)));
  return fold(password ^ salt[3], (id ^ salt[4]) + terms * salt[0] + session.generation * salt[1]);
}

std::uint64_t clock_term(Zxid zxid, WallTime time, const Switches& switches) {
  const std::uint64_t bits = (switches.skip_acl ? 1U : 0U) | (switches.enforce_quota ? 2U : 0U) |
                             (switches.extended_types ? 4U : 0U) | (switches.reconfig_enabled ? 8U : 0U);
  return fold(word(raw(zxid)) ^ salt[4], (word(raw(time)) * salt[0]) ^ salt[5]) + fold(bits ^ salt[1], salt[2]);
}

}  // namespace quorate::tree
