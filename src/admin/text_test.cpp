#include "admin/text.hpp"

#include <array>
#include <cstdint>
#include <gtest/gtest.h>
#include <string>
#include <string_view>

namespace quorate::admin {
namespace {

struct DecimalCase {
  std::uint64_t numerator;
  std::uint64_t denominator;
  std::string_view text;
};

TEST(text, decimals_are_one_to_four_and_never_an_exponent) {  // operations 2.9
  for (const DecimalCase& one : std::to_array<DecimalCase>({
           {0, 0, "0.0"},
           {5, 0, "0.0"},  // No NaN, no infinity.
           {0, 7, "0.0"},
           {17, 1, "17.0"},
           {242, 303, "0.7987"},
           {1, 4, "0.25"},
           {1, 8, "0.125"},
           {1, 16, "0.0625"},
           {1, 32, "0.0313"},  // Half up.
           {1, 10'000, "0.0001"},
           {1, 20'000, "0.0001"},
           {1, 20'001, "0.0"},
           {1, 1'000'000'000, "0.0"},
           {19'999, 20'000, "1.0"},  // Rounding carries.
           {199'999, 20'000, "10.0"},
           {UINT64_MAX, 1, "18446744073709551615.0"},
           {1, UINT64_MAX, "0.0"},
           {UINT64_MAX - 1, UINT64_MAX, "1.0"},
       })) {
    EXPECT_EQ(decimal(one.numerator, one.denominator), one.text) << one.numerator << " " << one.denominator;
  }
}

struct DateCase {
  std::int64_t time;
  std::string_view text;
};

TEST(text, dates_look_as_java_prints_them) {
  for (const DateCase& one : std::to_array<DateCase>({
           {0, "Thu Jan 01 00:00:00 UTC 1970"},
           {1795265319000, "Sat Nov 21 12:48:39 UTC 2026"},
           {951782400000, "Tue Feb 29 00:00:00 UTC 2000"},
           {951782400999, "Tue Feb 29 00:00:00 UTC 2000"},
           {1798761599000, "Thu Dec 31 23:59:59 UTC 2026"},
           {-1, "Thu Jan 01 00:00:00 UTC 1970"},
           {INT64_MAX, "Fri Dec 31 23:59:59 UTC 9999"},
       })) {
    EXPECT_EQ(date_text(WallTime{one.time}), one.text);
  }
}

TEST(text, a_client_s_text_stays_on_its_line) {
  EXPECT_EQ(one_line("/a b/\xC3\xA9"), "/a b/\xC3\xA9");
  EXPECT_EQ(one_line("/a\nzk_fake\t1\x7F"), "/a?zk_fake?1?");
}

TEST(text, a_full_text_takes_nothing_more_and_says_so) {  // S-112
  CappedText text{10};
  EXPECT_TRUE(text.add("12345\n"));
  EXPECT_FALSE(text.add("12345\n"));
  EXPECT_FALSE(text.add("1\n"));  // Nothing after a gap.
  EXPECT_TRUE(text.is_full());
  EXPECT_EQ(text.take(), "12345\n(cut: more than one answer may carry)\n");

  CappedText exact{6};
  EXPECT_TRUE(exact.add("12345\n"));
  EXPECT_FALSE(exact.is_full());
  EXPECT_EQ(exact.take(), "12345\n");
}

}  // namespace
}  // namespace quorate::admin
