#pragma once

// Java's properties syntax, which zoo.cfg is written in (operations 1.1).

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace quorate::server {

struct Property {
  std::string key;
  std::string value;  // Trimmed, escapes resolved; \uXXXX becomes UTF-8.
  int line = 0;       // Where it begins, from 1.

  friend bool operator==(const Property&, const Property&) = default;
};

// All of them in the file's order; a key may appear twice. Only a malformed \u escape is an error, as in Java.
Result<std::vector<Property>> parse_properties(std::string_view text);

}  // namespace quorate::server
