#include <cerrno>
#include <cstdio>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

#include "server/config.hpp"

namespace quorate::server {

namespace {

// No configuration is larger; it keeps a mistaken path (a device, a log) from filling memory.
constexpr std::size_t file_bytes_max = 4U << 20;

Result<std::string> read_file(const std::string& path) {
  const auto close = [](std::FILE* file) { (void)std::fclose(file); };
  const std::unique_ptr<std::FILE, decltype(close)> file(std::fopen(path.c_str(), "rbe"), close);
  if (!file) {
    return failure(ErrorCode::not_found, "cannot be read: " + std::generic_category().message(errno));
  }
  std::string text(file_bytes_max + 1, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file.get()));
  if (std::ferror(file.get()) != 0) {
    return failure(ErrorCode::io, "cannot be read: " + std::generic_category().message(errno));
  }
  if (text.size() > file_bytes_max) {
    return failure(ErrorCode::invalid, "is larger than any configuration");
  }
  return text;
}

}  // namespace

ConfigReading load_config(const std::string& path, std::vector<FlagValue> flags) {
  ConfigInput input{.file_name = path, .file_text = std::nullopt, .flags = std::move(flags), .read_file = read_file};
  if (!path.empty()) {
    Result<std::string> text = read_file(path);
    if (!text) {
      ConfigReading reading;
      reading.findings.push_back(
          Finding{.severity = Finding::Severity::error, .origin = path, .text = text.error().message});
      return reading;
    }
    input.file_text = std::move(*text);
  }
  return read_config(input);
}

}  // namespace quorate::server
