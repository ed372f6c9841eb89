#pragma once

// Small pieces of text that several answers share.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/ids.hpp"

namespace quorate::admin {

// numerator / denominator with at least one and at most four decimals, rounded half up, never an exponent or NaN
// (operations 2.4, 2.9); "0.0" for an empty denominator.
[[nodiscard]] std::string decimal(std::uint64_t numerator, std::uint64_t denominator);

// "Sat Nov 21 12:48:39 UTC 2026"
[[nodiscard]] std::string date_text(WallTime time);

// A client's text on a line of its own: control characters could forge lines, so each becomes '?'.
[[nodiscard]] std::string one_line(std::string_view text);

// An answer of bounded size (S-112): lines are taken whole or not at all, and the first that is refused ends it.
class CappedText {
 public:
  explicit CappedText(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  // False if nothing more is taken.
  bool add(std::string_view lines);
  // Says at the end that rows are missing, although all that came were taken.
  void mark_cut() { cut_ = true; }
  [[nodiscard]] bool is_full() const { return full_; }
  // The text, with a last line if it was cut.
  [[nodiscard]] std::string take();

 private:
  std::size_t bytes_max_;
  std::string text_;
  bool full_ = false;
  bool cut_ = false;
};

}  // namespace quorate::admin
