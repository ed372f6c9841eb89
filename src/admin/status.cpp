#include "admin/status.hpp"

#include <fmt/format.h>

namespace quorate::admin {

std::string_view describe(Role role) {
  switch (role) {
    case Role::standalone:
      return "standalone";
    case Role::leader:
      return "leader";
    case Role::follower:
      return "follower";
    case Role::observer:
      return "observer";
    case Role::read_only:
      return "read-only";
  }
  return "unknown";
}

bool GatherBudget::spend(std::size_t bytes) {
  if (spent_ || rows_ == 0 || bytes > bytes_) {
    spent_ = true;
    return false;
  }
  --rows_;
  bytes_ -= bytes;
  return true;
}

std::string version_text(std::string_view version, std::string_view build, std::string_view built_on) {
  return fmt::format("3.9.0-quorate-{}-{}, built on {}", version, build, built_on);
}

}  // namespace quorate::admin
