#pragma once

// Ids that cannot be mixed: scoped enums cost nothing, hash and order for free, and refuse arithmetic.

#include <cstdint>
#include <utility>

namespace quorate {

enum class Term : std::uint64_t {};
enum class Index : std::uint64_t {};     // Position in the replicated log; the first entry has 1, 0 means none.
enum class Zxid : std::int64_t {};       // base + Index (design chapter 5); what clients see.
enum class SessionId : std::int64_t {};  // 0 means none.
enum class NodeId : std::uint32_t {};    // A server's id ("myid"), 1 to 254; 0 means none.
enum class WallTime : std::int64_t {};   // Milliseconds since 1970, from a leader's clock; stamped into entries.
enum class MonoTime : std::int64_t {};   // Microseconds of a clock that never goes back; never leaves its server.

constexpr Index next(Index index) {
  return Index{std::to_underlying(index) + 1};
}
constexpr Index previous(Index index) {
  return Index{std::to_underlying(index) - 1};
}
constexpr Term next(Term term) {
  return Term{std::to_underlying(term) + 1};
}
constexpr std::uint64_t raw(Term term) {
  return std::to_underlying(term);
}
constexpr std::uint64_t raw(Index index) {
  return std::to_underlying(index);
}
constexpr std::int64_t raw(Zxid zxid) {
  return std::to_underlying(zxid);
}
constexpr std::int64_t raw(SessionId id) {
  return std::to_underlying(id);
}
constexpr std::uint32_t raw(NodeId id) {
  return std::to_underlying(id);
}
constexpr std::int64_t raw(WallTime time) {
  return std::to_underlying(time);
}
constexpr std::int64_t raw(MonoTime time) {
  return std::to_underlying(time);
}

// later - earlier, in microseconds.
constexpr std::int64_t elapsed_us(MonoTime earlier, MonoTime later) {
  return raw(later) - raw(earlier);
}
constexpr MonoTime after_us(MonoTime start, std::int64_t microseconds) {
  return MonoTime{raw(start) + microseconds};
}
constexpr MonoTime after_ms(MonoTime start, std::int64_t milliseconds) {
  return after_us(start, milliseconds * 1000);
}

}  // namespace quorate
