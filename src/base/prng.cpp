#include "base/prng.hpp"

#include <bit>

#include "base/ensure.hpp"

namespace quorate {
namespace {

// SplitMix64, the recommended way to fill the state from one word.
std::uint64_t split_mix(std::uint64_t& state) {
  state += 0x9e3779b97f4a7c15ULL;
  std::uint64_t z = state;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

}  // namespace

Prng::Prng(std::uint64_t seed) {
  for (auto& word : state_) {
    word = split_mix(seed);
  }
}

std::uint64_t Prng::next_u64() {
  const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const std::uint64_t shifted = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

std::uint64_t Prng::below(std::uint64_t bound) {
  ensure(bound > 0, "a draw needs a non-empty range");
  std::uint64_t draw = next_u64();
  if (draw < bound) {
    const std::uint64_t threshold = (0 - bound) % bound;  // Below it, the remainder would be biased.
    while (draw < threshold) {
      draw = next_u64();
    }
  }
  return draw % bound;
}

std::int64_t Prng::between(std::int64_t low, std::int64_t high) {
  ensure(low <= high, "a range has its lower bound first");
  const auto width = static_cast<std::uint64_t>(high) - static_cast<std::uint64_t>(low) + 1;
  const std::uint64_t offset = width == 0 ? next_u64() : below(width);
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(low) + offset);
}

bool Prng::chance(std::uint64_t numerator, std::uint64_t denominator) {
  ensure(numerator <= denominator, "a probability is at most one");
  return below(denominator) < numerator;
}

}  // namespace quorate
