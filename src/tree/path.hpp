#pragma once

// Path rules (protocol 5). Paths are UTF-8 as received; what Java's decoder would turn into U+FFFD is refused.

#include <string_view>

namespace quorate::tree {

// Full validation, protocol 5.1.
[[nodiscard]] bool is_valid_path(std::string_view path);

// "/", "/zookeeper", "/zookeeper/quota" and "/zookeeper/config" are never deleted (protocol 5.2).
[[nodiscard]] bool is_protected(std::string_view path);

// The text before the last '/', "/" for a top-level path ("" is an alias of the root). The path must contain a '/'.
[[nodiscard]] std::string_view parent_of(std::string_view path);
// The text after the last '/'.
[[nodiscard]] std::string_view name_of(std::string_view path);

}  // namespace quorate::tree
