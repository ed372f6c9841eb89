#include "server/config_values.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

namespace quorate::server {

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

std::optional<std::int64_t> parse_integer(std::string_view text, bool hexadecimal) {
  int base = 10;
  if (hexadecimal && (text.starts_with("0x") || text.starts_with("0X"))) {
    text.remove_prefix(2);
    base = 16;
  }
  if (text.starts_with('+')) {
    text.remove_prefix(1);
  }
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return number;
}

std::optional<double> parse_fraction(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size() ||
      !(number >= -1e18 && number <= 1e18)) {
    return std::nullopt;
  }
  return number;
}

std::string_view trimmed(std::string_view text) {
  const auto is_space = [](char c) { return static_cast<unsigned char>(c) <= ' '; };
  while (!text.empty() && is_space(text.front())) {
    text.remove_prefix(1);
  }
  while (!text.empty() && is_space(text.back())) {
    text.remove_suffix(1);
  }
  return text;
}

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(','), text.size());
    const std::string_view part = trimmed(text.substr(0, end));
    if (!part.empty()) {
      parts.emplace_back(part);
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

std::string remedy(std::string_view folded, std::string_view yes, std::string_view no) {
  constexpr std::array<std::string_view, 6> agreeing = {"yes", "true", "on", "1", "y", "enabled"};
  constexpr std::array<std::string_view, 6> denying = {"no", "false", "off", "0", "n", "disabled"};
  if (std::ranges::find(agreeing, folded) != agreeing.end()) {
    return "; write " + std::string(yes);
  }
  if (std::ranges::find(denying, folded) != denying.end()) {
    return "; write " + std::string(no);
  }
  return "; write " + std::string(yes) + " or " + std::string(no);
}

bool may_be_one_host(std::string_view first, std::string_view second) {
  const auto is_number = [](std::string_view host) {
    return host.contains(':') || host.find_first_not_of("0123456789.") == std::string_view::npos;
  };
  const auto is_everywhere = [](std::string_view host) { return host == "0.0.0.0" || host == "::"; };
  if (is_everywhere(first) || is_everywhere(second) || is_number(first) == is_number(second)) {
    return lower(first) == lower(second);
  }
  return true;
}

}  // namespace quorate::server
