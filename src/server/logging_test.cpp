// S-504: what clients say never reaches a terminal or a log parser as anything but text.

#include "server/logging.hpp"

#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace quorate::server {
namespace {

TEST(logging, control_characters_and_broken_text_are_escaped) {
  struct Case {
    std::string line;
    std::string text;
    std::string json;
  };
  const std::vector<Case> cases = {
      {"plain /path", "plain /path", "plain /path"},
      {"a\nb\r\t", "a\\x0ab\\x0d\\x09", "a\\\\x0ab\\\\x0d\\\\x09"},
      {"\x1b[31mred", "\\x1b[31mred", "\\\\x1b[31mred"},
      {std::string("nul\0", 4), "nul\\x00", "nul\\\\x00"},
      {"\x7f", "\\x7f", "\\\\x7f"},
      {"say \"hi\" \\", "say \"hi\" \\", "say \\\"hi\\\" \\\\"},
      {"\xC3\xA4\xE2\x82\xAC", "\xC3\xA4\xE2\x82\xAC", "\xC3\xA4\xE2\x82\xAC"},
      {"\xC2\x9B", "\\xc2\\x9b", "\\\\xc2\\\\x9b"},  // A C1 control: some terminals obey it.
      {"\xFF\xC3", "\\xff\\xc3", "\\\\xff\\\\xc3"},
  };
  for (const Case& sample : cases) {
    EXPECT_EQ(escape_line(sample.line, LogFormat::text), sample.text);
    EXPECT_EQ(escape_line(sample.line, LogFormat::json), sample.json);
  }
}

TEST(logging, overlong_lines_are_cut) {
  for (const LogFormat format : {LogFormat::text, LogFormat::json}) {
    const std::string line = escape_line(std::string(1'000'000, '\n'), format);
    EXPECT_LT(line.size(), 4000U);
    EXPECT_TRUE(line.ends_with("..."));
  }
}

}  // namespace
}  // namespace quorate::server
