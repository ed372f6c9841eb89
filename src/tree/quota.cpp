#include "tree/quota.hpp"

#include <charconv>
#include <optional>

namespace quorate::tree {

namespace {

std::optional<std::int64_t> parse_number(std::string_view text) {
  if (text.empty()) {
    return -1;  // An empty value means unlimited.
  }
  if (text.front() == '+') {
    text.remove_prefix(1);
    if (!text.empty() && text.front() == '-') {
      return std::nullopt;
    }
  }
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return number;
}

std::int64_t wrapping_sum(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}

}  // namespace

QuotaText::QuotaText(ByteView text) {
  while (!text.empty()) {
    const std::size_t end = text.find_first_of(",;");
    const std::string_view item = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    // `bytes=3=` is how text with hard limits is written: only what stands between the first two signs counts.
    const std::size_t sign = item.find('=');
    if (sign == std::string_view::npos || sign == 0) {
      continue;
    }
    const std::string_view rest = item.substr(sign + 1);
    if (const auto number = parse_number(rest.substr(0, rest.find('=')))) {
      values_.insert_or_assign(std::string(item.substr(0, sign)), *number);
    }
  }
}

QuotaText::QuotaText(std::int64_t count, std::int64_t bytes) {
  values_.emplace("count", count);
  values_.emplace("bytes", bytes);
}

std::int64_t QuotaText::value(std::string_view key) const {
  const auto found = values_.find(key);
  return found == values_.end() ? -1 : found->second;
}

void QuotaText::add(std::int64_t count, std::int64_t bytes) {
  values_.insert_or_assign("count", wrapping_sum(this->count(), count));
  values_.insert_or_assign("bytes", wrapping_sum(this->bytes(), bytes));
}

std::string QuotaText::text() const {
  std::string text = "count=" + std::to_string(count()) + ",bytes=" + std::to_string(bytes());
  bool first = true;
  for (const auto& [key, number] : values_) {
    if (key == "count" || key == "bytes") {
      continue;
    }
    text += first ? "=;" : ";";  // The stray sign keeps parsers of 3.4 alive (protocol 11).
    first = false;
    text += key + "=" + std::to_string(number);
  }
  return text;
}

std::string_view quota_subject(std::string_view parent) {
  if (!parent.starts_with(quota_root_path)) {
    return {};
  }
  if (parent.size() == quota_root_path.size()) {
    return "/";
  }
  return parent[quota_root_path.size()] == '/' ? parent.substr(quota_root_path.size()) : std::string_view{};
}

}  // namespace quorate::tree
