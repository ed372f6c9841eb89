#pragma once

#include <cstdint>
#include <optional>

#include "base/ids.hpp"

namespace quorate::server {

// At most one line a second of one kind: what clients can make happen must not be able to fill a disk with it (S-504).
class LineLimit {
 public:
  // How many lines were kept back since the last one; nullopt: this one is kept back too.
  std::optional<std::uint64_t> admit(MonoTime now);

 private:
  MonoTime next_{};
  std::uint64_t unsaid_ = 0;
};

}  // namespace quorate::server
