#include "base/result.hpp"

#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <utility>

namespace quorate {
namespace {

Result<int> half(int number) {
  if (number % 2 != 0) {
    return failure(ErrorCode::invalid, "an odd number has no half");
  }
  return number / 2;
}

Result<void> accept(bool good) {
  if (!good) {
    return failure(ErrorCode::no_space, "full");
  }
  return {};
}

TEST(result, holds_a_value_or_says_what_went_wrong) {
  const Result<int> good = half(8);
  ASSERT_TRUE(good.has_value());
  EXPECT_EQ(*good, 4);
  const Result<int> bad = half(7);
  ASSERT_FALSE(bad.has_value());
  EXPECT_EQ(bad.error().code, ErrorCode::invalid);
  EXPECT_EQ(bad.error().message, "an odd number has no half");
}

TEST(result, nothing_can_be_a_value_too) {
  EXPECT_TRUE(accept(true).has_value());
  EXPECT_EQ(accept(false).error().code, ErrorCode::no_space);
}

TEST(result, an_error_passes_through_functions_of_other_types) {
  const auto outer = []() -> Result<std::string> {
    Result<int> inner = half(3);
    if (!inner) {
      return std::unexpected(std::move(inner.error()));
    }
    return std::to_string(*inner);
  };
  EXPECT_EQ(outer().error().message, "an odd number has no half");
}

TEST(result, carries_what_only_moves) {
  const auto make = []() -> Result<std::unique_ptr<int>> { return std::make_unique<int>(5); };
  Result<std::unique_ptr<int>> made = make();
  const std::unique_ptr<int> taken = std::move(*made);
  EXPECT_EQ(*taken, 5);
}

}  // namespace
}  // namespace quorate
