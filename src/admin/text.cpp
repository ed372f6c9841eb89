#include "admin/text.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <fmt/format.h>
#include <utility>

namespace quorate::admin {

std::string decimal(std::uint64_t numerator, std::uint64_t denominator) {
  if (denominator == 0) {
    return "0.0";
  }
  std::uint64_t whole = numerator / denominator;
  const double rest = static_cast<double>(numerator % denominator) / static_cast<double>(denominator);
  auto digits = static_cast<std::uint64_t>(std::floor((rest * 10000) + 0.5));
  if (digits == 10000) {
    ++whole;
    digits = 0;
  }
  std::string text = fmt::format("{}.{:04}", whole, digits);
  while (text.ends_with('0') && !text.ends_with(".0")) {
    text.pop_back();
  }
  return text;
}

std::string date_text(WallTime time) {
  using std::chrono::days;
  using std::chrono::floor;
  constexpr std::array<std::string_view, 7> weekdays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array<std::string_view, 12> months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  // The calendar of the standard library ends in the year 32767.
  constexpr std::int64_t latest = 253402300799;  // The last second of 9999.
  const std::int64_t seconds = std::clamp<std::int64_t>(raw(time) / 1000, 0, latest);
  const std::chrono::sys_seconds at{std::chrono::seconds{seconds}};
  const auto day = floor<days>(at);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss clock{at - day};
  return fmt::format("{} {} {:02} {:02}:{:02}:{:02} UTC {}", weekdays.at(std::chrono::weekday{day}.c_encoding()),
                     months.at(static_cast<unsigned>(date.month()) - 1), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
                     static_cast<int>(date.year()));
}

std::string one_line(std::string_view text) {
  std::string safe{text};
  for (char& letter : safe) {
    const auto byte = static_cast<unsigned char>(letter);
    if (byte < 0x20 || byte == 0x7F) {
      letter = '?';
    }
  }
  return safe;
}

bool CappedText::add(std::string_view lines) {
  if (full_ || lines.size() > bytes_max_ - text_.size()) {
    full_ = true;
    return false;
  }
  text_.append(lines);
  return true;
}

std::string CappedText::take() {
  if (full_ || cut_) {
    text_.append("(cut: more than one answer may carry)\n");
  }
  return std::move(text_);
}

}  // namespace quorate::admin
