#pragma once

// Which operations a load consists of, by weight.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/prng.hpp"
#include "base/result.hpp"

namespace quorate::client::load {

enum class Kind : std::uint8_t {
  create,    // A new persistent znode.
  set,       // setData on a key, any version.
  get,       // getData of a key.
  exists,    // exists of a key.
  children,  // getChildren of a directory of keys.
  multi,     // check and setData of a key, setData of its neighbour, in one transaction.
  lock,      // Ephemeral lock cycle: create ephemeral sequential, getChildren, delete; counted once.
};
inline constexpr std::size_t kind_count = 7;

[[nodiscard]] std::string_view kind_name(Kind kind);

class Mix {
 public:
  // "get=90,set=10"; a bare name has weight 1. Weights are relative; kinds not named do not occur.
  static Result<Mix> parse(std::string_view text);

  [[nodiscard]] Kind pick(Prng& prng) const;
  [[nodiscard]] std::uint32_t weight(Kind kind) const { return weights_[static_cast<std::size_t>(kind)]; }
  // Whether any operation needs the keys to stand.
  [[nodiscard]] bool needs_keys() const;

 private:
  std::array<std::uint32_t, kind_count> weights_{};
  std::uint64_t total_ = 0;
  Kind first_{};  // What a mix of one kind always picks.
};

std::string describe(const Mix& mix);

}  // namespace quorate::client::load
