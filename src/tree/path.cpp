#include "tree/path.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/ensure.hpp"

namespace quorate::tree {
namespace {

enum class ByteClass : std::uint8_t { plain, slash, refused, multibyte };

constexpr std::array<ByteClass, 256> make_classes() {
  std::array<ByteClass, 256> classes{};
  for (std::size_t byte = 0; byte < classes.size(); ++byte) {
    if (byte < 0x20 || byte == 0x7F) {
      classes[byte] = ByteClass::refused;
    } else if (byte >= 0x80) {
      classes[byte] = ByteClass::multibyte;
    }
  }
  classes['/'] = ByteClass::slash;
  return classes;
}
constexpr std::array<ByteClass, 256> classes = make_classes();

constexpr std::uint32_t byte_at(std::string_view text, std::size_t index) {
  return static_cast<unsigned char>(text[index]);
}

constexpr bool is_continuation(std::string_view text, std::size_t index) {
  return index < text.size() && (byte_at(text, index) & 0xC0U) == 0x80U;
}

// The length of the character that starts at `index` if a path may contain it, else 0. Four-byte characters would be
// surrogates in Java; overlong forms, encoded surrogates and stray bytes become U+FFFD there: none of them may stand.
std::size_t allowed_multibyte(std::string_view text, std::size_t index) {
  const std::uint32_t lead = byte_at(text, index);
  if (lead >= 0xC2 && lead <= 0xDF) {
    if (!is_continuation(text, index + 1)) {
      return 0;
    }
    const std::uint32_t code = ((lead & 0x1FU) << 6U) | (byte_at(text, index + 1) & 0x3FU);
    return code >= 0xA0 ? 2 : 0;
  }
  if (lead < 0xE0 || lead > 0xEF || !is_continuation(text, index + 1) || !is_continuation(text, index + 2)) {
    return 0;
  }
  const std::uint32_t code =
      ((lead & 0x0FU) << 12U) | ((byte_at(text, index + 1) & 0x3FU) << 6U) | (byte_at(text, index + 2) & 0x3FU);
  const bool refused = code < 0x800 || (code >= 0xD800 && code <= 0xF8FF) || code >= 0xFFF0;
  return refused ? 0 : 3;
}

bool is_valid_component(std::string_view name) {
  return !name.empty() && name != "." && name != "..";
}

}  // namespace

bool is_valid_path(std::string_view path) {
  if (path.empty() || path.front() != '/') {
    return false;
  }
  if (path.size() == 1) {
    return true;
  }
  std::size_t component = 1;  // Where the current component starts.
  std::size_t index = 1;
  while (index < path.size()) {
    switch (classes[byte_at(path, index)]) {
      case ByteClass::plain:
        ++index;
        break;
      case ByteClass::slash:
        if (!is_valid_component(path.substr(component, index - component))) {
          return false;
        }
        component = ++index;
        break;
      case ByteClass::multibyte: {
        const std::size_t length = allowed_multibyte(path, index);
        if (length == 0) {
          return false;
        }
        index += length;
        break;
      }
      case ByteClass::refused:
        return false;
    }
  }
  return is_valid_component(path.substr(component));
}

bool is_protected(std::string_view path) {
  return path == "/" || path == "/zookeeper" || path == "/zookeeper/quota" || path == "/zookeeper/config";
}

std::string_view parent_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  ensure(slash != std::string_view::npos, "only a path with a '/' has a parent");
  return slash == 0 ? std::string_view{"/"} : path.substr(0, slash);
}

std::string_view name_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  ensure(slash != std::string_view::npos, "only a path with a '/' has a name");
  return path.substr(slash + 1);
}

}  // namespace quorate::tree
