// Any bytes are a configuration or an error, never a crash; and a usable one keeps its bounds.

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/ensure.hpp"
#include "server/config.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace quorate;
  const server::ConfigInput input{
      .file_name = "zoo.cfg",
      .file_text = std::string(reinterpret_cast<const char*>(data), size),
      .flags = {},
      .read_file = [](const std::string& path) -> Result<std::string> { return path; },
  };
  const server::ConfigReading reading = server::read_config(input);
  if (reading.is_usable()) {
    ensure(reading.config.tick_ms >= 1, "a tick takes time");
    ensure(reading.config.min_session_timeout_ms <= reading.config.max_session_timeout_ms, "the bounds are in order");
    ensure(!reading.config.data_directory.empty(), "data has a place");
  }
  for (const server::Finding& finding : reading.findings) {
    ensure(!server::describe(finding).empty(), "every finding says something");
  }
  return 0;
}
