#include "server/properties.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <utility>

namespace quorate::server {

namespace {

constexpr bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\f';
}

std::string_view without_leading_blanks(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) {
    text.remove_prefix(1);
  }
  return text;
}

std::string trimmed(std::string_view text) {
  constexpr std::string_view blanks = " \t\f\r\n";
  const std::size_t first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) {
    return {};
  }
  return std::string(text.substr(first, text.find_last_not_of(blanks) - first + 1));
}

bool continues(std::string_view line) {
  std::size_t backslashes = 0;
  while (backslashes < line.size() && line[line.size() - 1 - backslashes] == '\\') {
    ++backslashes;
  }
  return backslashes % 2 == 1;
}

// Natural lines; \n, \r and \r\n end one.
class Lines {
 public:
  explicit Lines(std::string_view text) : rest_(text) {}

  bool take(std::string_view& line) {
    if (rest_.empty()) {
      return false;
    }
    const std::size_t end = rest_.find_first_of("\r\n");
    line = rest_.substr(0, end);
    if (end == std::string_view::npos) {
      rest_ = {};
    } else {
      rest_.remove_prefix(end + (rest_.substr(end, 2) == "\r\n" ? 2 : 1));
    }
    ++number_;
    return true;
  }
  [[nodiscard]] int number() const { return number_; }

 private:
  std::string_view rest_;
  int number_ = 0;
};

void append_utf8(std::string& out, std::uint32_t code) {
  if (code < 0x80) {
    out.push_back(static_cast<char>(code));
  } else if (code < 0x800) {
    out.push_back(static_cast<char>(0xC0U | (code >> 6U)));
    out.push_back(static_cast<char>(0x80U | (code & 0x3FU)));
  } else {
    out.push_back(static_cast<char>(0xE0U | (code >> 12U)));
    out.push_back(static_cast<char>(0x80U | ((code >> 6U) & 0x3FU)));
    out.push_back(static_cast<char>(0x80U | (code & 0x3FU)));
  }
}

Result<std::string> unescaped(std::string_view text, int line) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '\\' || at + 1 == text.size()) {
      if (text[at] != '\\') {
        out.push_back(text[at]);
      }
      continue;
    }
    const char c = text[++at];
    if (c == 'u') {
      std::uint32_t code = 0;
      const std::string_view digits = text.substr(at + 1, 4);
      const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
      if (digits.size() < 4 || error != std::errc{} || end != digits.data() + 4) {
        return failure(ErrorCode::invalid, "line " + std::to_string(line) +
                                               ": \\u is followed by four hexadecimal digits, \\\\ is a backslash");
      }
      append_utf8(out, code);
      at += 4;
      continue;
    }
    constexpr std::string_view letters = "tnrf";
    constexpr std::string_view meanings = "\t\n\r\f";
    const std::size_t position = letters.find(c);
    out.push_back(position == std::string_view::npos ? c : meanings[position]);
  }
  return out;
}

Result<Property> parse_logical_line(std::string_view text, int line) {
  std::size_t end = 0;
  while (end < text.size() && text[end] != '=' && text[end] != ':' && !is_blank(text[end])) {
    end += text[end] == '\\' ? 2U : 1U;
  }
  end = std::min(end, text.size());
  std::string_view value = without_leading_blanks(text.substr(end));
  if (!value.empty() && (value.front() == '=' || value.front() == ':')) {
    value = without_leading_blanks(value.substr(1));
  }
  Result<std::string> key_text = unescaped(text.substr(0, end), line);
  Result<std::string> value_text = unescaped(value, line);
  if (!key_text || !value_text) {
    return std::unexpected(key_text ? value_text.error() : key_text.error());
  }
  return Property{.key = trimmed(*key_text), .value = trimmed(*value_text), .line = line};
}

}  // namespace

Result<std::vector<Property>> parse_properties(std::string_view text) {
  std::vector<Property> properties;
  Lines lines(text);
  std::string_view line;
  while (lines.take(line)) {
    line = without_leading_blanks(line);
    if (line.empty() || line.front() == '#' || line.front() == '!') {
      continue;
    }
    const int number = lines.number();
    std::string logical(line);
    while (continues(logical)) {
      logical.pop_back();
      if (!lines.take(line)) {
        break;
      }
      logical += without_leading_blanks(line);
    }
    Result<Property> property = parse_logical_line(logical, number);
    if (!property) {
      return std::unexpected(property.error());
    }
    properties.push_back(std::move(*property));
  }
  return properties;
}

}  // namespace quorate::server
