#include "client/errors.hpp"

#include <string_view>

#include "wire/errors.hpp"

namespace quorate::client {

std::string describe_error(std::int32_t error) {
  const std::string_view name = wire::error_name(static_cast<decltype(wire::ErrorInfo::status)>(error));
  return name.empty() ? std::to_string(error) : std::to_string(error) + " " + std::string(name);
}

}  // namespace quorate::client
