#include "cli/sim_options.hpp"

#include <gtest/gtest.h>

namespace quorate::cli {
namespace {

constexpr const char* greatest = "18446744073709551615";

TEST(SimOptions, ranges_reach_the_greatest_seed_and_are_bounded) {
  for (const char* text : {"7", "7..7"}) {
    ASSERT_TRUE(parse_range(text)) << text;
    EXPECT_EQ(parse_range(text)->first, 7U);
    EXPECT_EQ(parse_range(text)->last, 7U);
  }
  const std::optional<SeedRange> last = parse_range(std::string("18446744073709551613..") + greatest);
  ASSERT_TRUE(last);
  EXPECT_EQ(last->last - last->first, 2U);
  EXPECT_TRUE(parse_range("1..1000000000000"));
  for (const std::string& text :
       {std::string("0..") + greatest, std::string("1..1000000000001"), std::string("2..1"), std::string("-1"),
        std::string("1..-1"), std::string("1.."), std::string("..1"), std::string("1...3"), std::string("1..3x"),
        std::string(" 1"), std::string(), std::string("18446744073709551616")}) {
    EXPECT_FALSE(parse_range(text)) << text;
  }
}

TEST(SimOptions, positions_rise_and_are_numbers) {
  EXPECT_EQ(parse_positions("none"), std::vector<std::size_t>{});
  EXPECT_EQ(parse_positions("4"), std::vector<std::size_t>{4});
  EXPECT_EQ(parse_positions("0,3,12"), (std::vector<std::size_t>{0, 3, 12}));
  for (const char* text : {"", "garbage", "0,x,3", "3,0", "3,3", "1,", ",1", "1,,2", "-1", "1;2"}) {
    EXPECT_FALSE(parse_positions(text)) << text;
  }
}

TEST(SimOptions, faults_that_the_seed_does_not_draw_are_refused) {
  SimOptions options;
  options.seed = 12;
  options.plan = sim::PlanOptions{.profile = "crashes", .seconds = 15};
  const std::size_t drawn = sim::make_plan(12, options.plan).faults.size();
  options.only_faults = "0," + std::to_string(drawn - 1);
  EXPECT_EQ(complete(options), std::nullopt);
  EXPECT_EQ(options.plan.only_faults, (std::vector<std::size_t>{0, drawn - 1}));

  options.plan.only_faults.reset();
  options.only_faults = "0," + std::to_string(drawn);
  ASSERT_TRUE(complete(options));
  EXPECT_NE(complete(options)->find("--only-faults: there is no " + std::to_string(drawn)), std::string::npos);
}

TEST(SimOptions, the_phase_with_faults_ends_before_it_is_over) {
  SimOptions options;
  options.plan = sim::PlanOptions{.seconds = 15, .until_us = 15'000'001};
  ASSERT_TRUE(complete(options));
  EXPECT_NE(complete(options)->find("--until-us: 15000001"), std::string::npos);
  options.plan.until_us = 15'000'000;
  EXPECT_EQ(complete(options), std::nullopt);
}

}  // namespace
}  // namespace quorate::cli
