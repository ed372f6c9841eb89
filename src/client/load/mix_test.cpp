#include "client/load/mix.hpp"

#include <array>
#include <cstdint>
#include <gtest/gtest.h>
#include <string>

namespace quorate::client::load {
namespace {

std::string parsed(const std::string& text) {
  const Result<Mix> mix = Mix::parse(text);
  return mix ? describe(*mix) : "error: " + mix.error().message;
}

TEST(Mix, is_read_as_names_with_weights) {
  struct Case {
    std::string text;
    std::string expected;
  };
  const std::array<Case, 6> cases = {{
      {"get=90,set=10", "set=10,get=90"},
      {"set", "set=1"},
      {"create,set=2,get=3,exists=4,children=5,multi=6,lock=7",
       "create=1,set=2,get=3,exists=4,children=5,multi=6,lock=7"},
      {"get=0,set=1", "set=1"},
      {"get=1,get=5", "get=5"},
      {"get=1000000", "get=1000000"},
  }};
  for (const Case& c : cases) {
    EXPECT_EQ(parsed(c.text), c.expected) << c.text;
  }
}

TEST(Mix, names_the_part_that_is_wrong) {
  for (const std::string text :
       {"", "get=0", "fetch=1", "get=1,,set=1", "get=", "get=-1", "get=1x", "get=1000001", "get=99999999999", "=5"}) {
    EXPECT_TRUE(parsed(text).starts_with("error: ")) << text << " became " << parsed(text);
  }
  EXPECT_NE(parsed("get=1,fetch=2").find("\"fetch=2\""), std::string::npos);
}

TEST(Mix, picks_by_weight) {
  const Mix mix = *Mix::parse("get=90,set=9,lock=1");
  Prng prng(7);
  std::array<int, kind_count> counts{};
  constexpr int picks = 100'000;
  for (int times = 0; times < picks; ++times) {
    ++counts[static_cast<std::size_t>(mix.pick(prng))];
  }
  EXPECT_NEAR(counts[static_cast<std::size_t>(Kind::get)], 90'000, 900);
  EXPECT_NEAR(counts[static_cast<std::size_t>(Kind::set)], 9'000, 500);
  EXPECT_NEAR(counts[static_cast<std::size_t>(Kind::lock)], 1'000, 200);
  EXPECT_EQ(counts[static_cast<std::size_t>(Kind::create)], 0);
}

TEST(Mix, knows_whether_keys_must_stand) {
  EXPECT_FALSE(Mix::parse("create=3,lock=1")->needs_keys());
  EXPECT_TRUE(Mix::parse("create=3,get=1")->needs_keys());
}

}  // namespace
}  // namespace quorate::client::load
