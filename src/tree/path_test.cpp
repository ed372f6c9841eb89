#include "tree/path.hpp"

#include <cstdint>
#include <gtest/gtest.h>
#include <string>
#include <string_view>
#include <vector>

#include "base/prng.hpp"

namespace quorate::tree {
namespace {

std::string utf8(std::uint32_t code) {
  const auto byte = [](std::uint32_t value) { return static_cast<char>(value); };
  if (code < 0x80) {
    return {byte(code)};
  }
  if (code < 0x800) {
    return {byte(0xC0U | (code >> 6U)), byte(0x80U | (code & 0x3FU))};
  }
  if (code < 0x10000) {
    return {byte(0xE0U | (code >> 12U)), byte(0x80U | ((code >> 6U) & 0x3FU)), byte(0x80U | (code & 0x3FU))};
  }
  return {byte(0xF0U | (code >> 18U)), byte(0x80U | ((code >> 12U) & 0x3FU)), byte(0x80U | ((code >> 6U) & 0x3FU)),
          byte(0x80U | (code & 0x3FU))};
}

struct PathCase {
  std::string path;
  bool valid;
  std::string_view why;
};

TEST(path, full_validation_follows_protocol_5_1) {
  const std::vector<PathCase> cases = {
      {"/", true, "the root"},
      {"/a", true, "plain"},
      {"/a/b/c", true, "plain"},
      {"/zookeeper/config", true, "plain"},
      {"/a b", true, "a space"},
      {"/...", true, "three dots"},
      {"/.a", true, "a dot in front"},
      {"/a.", true, "a dot behind"},
      {"/..a", true, "two dots in front"},
      {"/a../b", true, "two dots behind"},
      {"/~", true, "U+007E"},
      {"/" + utf8(0xA0), true, "U+00A0"},
      {"/" + utf8(0x7FF), true, "the last of two bytes"},
      {"/" + utf8(0x800), true, "the first of three bytes"},
      {"/" + utf8(0xD7FF), true, "below the surrogates"},
      {"/" + utf8(0xF900), true, "above private use"},
      {"/" + utf8(0xFEFF), true, "a byte order mark is a character like others"},
      {"/" + utf8(0xFFEF), true, "below the specials"},
      {"/" + utf8(0xE9) + "t" + utf8(0xE9) + "/" + utf8(0x4E2D), true, "mixed"},

      {"", false, "empty"},
      {"a", false, "relative"},
      {"a/b", false, "relative"},
      {"/a/", false, "ends in a slash"},
      {"//", false, "two slashes"},
      {"//a", false, "two slashes"},
      {"/a//b", false, "two slashes"},
      {"/.", false, "a dot"},
      {"/..", false, "two dots"},
      {"/./a", false, "a dot"},
      {"/a/.", false, "a dot at the end"},
      {"/a/../b", false, "two dots inside"},
      {"/a/..", false, "two dots at the end"},
      {std::string{"/a\0b", 4}, false, "U+0000"},
      {"/a\x01", false, "U+0001"},
      {"/a\x1F", false, "U+001F"},
      {"/a\x7F", false, "U+007F"},
      {"/" + utf8(0x80), false, "U+0080"},
      {"/" + utf8(0x9F), false, "U+009F"},
      {"/" + utf8(0xD800), false, "an encoded surrogate"},
      {"/" + utf8(0xDFFF), false, "an encoded surrogate"},
      {"/" + utf8(0xE000), false, "private use"},
      {"/" + utf8(0xF8FF), false, "private use"},
      {"/" + utf8(0xFFF0), false, "specials"},
      {"/" + utf8(0xFFFD), false, "what Java puts for what it cannot decode"},
      {"/" + utf8(0xFFFF), false, "specials"},
      {"/" + utf8(0x10000), false, "above U+FFFF: surrogates in Java"},
      {"/" + utf8(0x1F600), false, "above U+FFFF"},
      {"/" + utf8(0x10FFFF), false, "above U+FFFF"},

      {"/\x80", false, "a continuation without a lead"},
      {"/\xC3", false, "a lead without continuation"},
      {"/\xC3/a", false, "a lead before a slash"},
      {"/\xC3\xC3\xA9", false, "a lead before a lead"},
      {"/\xE4\xB8", false, "cut off"},
      {"/\xE4\xB8/x", false, "cut off by a slash"},
      {"/\xC0\xAF", false, "an overlong slash"},
      {"/\xC1\xBF", false, "overlong"},
      {"/\xC0\x80", false, "Java's modified U+0000"},
      {"/\xE0\x82\xA0", false, "U+00A0 overlong"},
      {"/\xF0\x8F\xBF\xBF", false, "overlong"},
      {"/\xF8\x88\x80\x80\x80", false, "five bytes"},
      {"/\xFF", false, "never in UTF-8"},
  };
  for (const PathCase& one : cases) {
    EXPECT_EQ(is_valid_path(one.path), one.valid) << one.why << ": " << one.path;
  }
  EXPECT_FALSE(is_valid_path({}));
}

TEST(path, every_character_of_the_basic_plane_is_judged_by_its_number) {
  for (std::uint32_t code = 1; code <= 0x10FFFF; ++code) {
    const bool refused =
        code <= 0x1F || (code >= 0x7F && code <= 0x9F) || (code >= 0xD800 && code <= 0xF8FF) || code >= 0xFFF0;
    if (code == '/') {
      continue;
    }
    ASSERT_EQ(is_valid_path("/x" + utf8(code)), !refused) << code;
    ASSERT_EQ(is_valid_path("/x" + utf8(code) + "/y"), !refused) << code;
  }
}

// The obvious twin: decode everything first, as Java does, then look for each offence in turn.
bool is_valid_by_the_book(const std::string& path) {
  std::vector<std::uint32_t> units;
  for (std::size_t index = 0; index < path.size();) {
    bool decoded = false;
    for (std::size_t length = 1; length <= 4 && index + length <= path.size() && !decoded; ++length) {
      // Whatever encodes back to the same bytes and is no surrogate is well-formed.
      const std::string piece = path.substr(index, length);
      const auto bits = [&](std::size_t at, std::uint32_t mask) {
        return static_cast<std::uint32_t>(static_cast<unsigned char>(piece[at])) & mask;
      };
      std::uint32_t code = 0;
      switch (length) {
        case 1:
          code = bits(0, 0x7F);
          break;
        case 2:
          code = (bits(0, 0x1F) << 6U) | bits(1, 0x3F);
          break;
        case 3:
          code = (bits(0, 0x0F) << 12U) | (bits(1, 0x3F) << 6U) | bits(2, 0x3F);
          break;
        default:
          code = (bits(0, 0x07) << 18U) | (bits(1, 0x3F) << 12U) | (bits(2, 0x3F) << 6U) | bits(3, 0x3F);
      }
      if (code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF) && utf8(code) == piece) {
        units.push_back(code > 0xFFFF ? 0xD800 : code);
        index += length;
        decoded = true;
      }
    }
    if (!decoded) {
      units.push_back(0xFFFD);
      ++index;
    }
  }
  std::vector<std::vector<std::uint32_t>> components{{}};
  for (const std::uint32_t unit : units) {
    if (unit <= 0x1F || (unit >= 0x7F && unit <= 0x9F) || (unit >= 0xD800 && unit <= 0xF8FF) || unit >= 0xFFF0) {
      return false;
    }
    if (unit == '/') {
      components.emplace_back();
    } else {
      components.back().push_back(unit);
    }
  }
  if (units.size() == 1 && components.size() == 2) {
    return true;
  }
  for (std::size_t index = 1; index < components.size(); ++index) {
    const auto& name = components[index];
    if (name.empty() || name == std::vector<std::uint32_t>{'.'} || name == std::vector<std::uint32_t>{'.', '.'}) {
      return false;
    }
  }
  return components.size() > 1 && components[0].empty();
}

TEST(path, fast_and_obvious_judgement_agree_on_random_bytes) {
  Prng prng{5};
  const std::string_view favourites{"/.a\x7F\x1F\xC2\xA0\x9F\xE0\xED\xEF\xBF\xBD\xA0\x80\xF0\x90\xFF", 18};
  std::uint64_t valid = 0;
  for (int round = 0; round < 200'000; ++round) {
    std::string path = "/";
    for (std::uint64_t length = prng.below(8); length > 0; --length) {
      path.push_back(favourites[prng.below(prng.chance(1, 2) ? 3 : favourites.size())]);
    }
    const bool expected = is_valid_by_the_book(path);
    valid += expected ? 1 : 0;
    ASSERT_EQ(is_valid_path(path), expected) << testing::PrintToString(path);
  }
  EXPECT_GT(valid, 10'000U);
}

TEST(path, protected_znodes_are_the_four_of_5_2) {
  for (const std::string_view path : {"/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config"}) {
    EXPECT_TRUE(is_protected(path)) << path;
  }
  for (const std::string_view path :
       {"", "/zookeeper/", "/zookeeper/quotas", "/zookeeper/quota/a", "/zookeepe", "/a"}) {
    EXPECT_FALSE(is_protected(path)) << path;
  }
}

TEST(path, parent_and_name_split_at_the_last_slash) {
  EXPECT_EQ(parent_of("/a/b"), "/a");
  EXPECT_EQ(parent_of("/a"), "/");
  EXPECT_EQ(parent_of("/"), "/");
  EXPECT_EQ(parent_of("/a/"), "/a");
  EXPECT_EQ(parent_of("x/y"), "x");  // delete of a relative path finds no parent: -101 (protocol 3.2).
  EXPECT_EQ(name_of("/a/b"), "b");
  EXPECT_EQ(name_of("/a"), "a");
  EXPECT_EQ(name_of("/"), "");
  EXPECT_EQ(name_of("/a/"), "");
}

}  // namespace
}  // namespace quorate::tree
