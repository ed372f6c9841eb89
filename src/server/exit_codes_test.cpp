// The page of exit codes names all that there are.

#include "server/exit_codes.hpp"

#include <fstream>
#include <gtest/gtest.h>
#include <map>
#include <regex>
#include <sstream>
#include <string>

namespace quorate::server {
namespace {

std::string text_of(const std::string& path) {
  for (const char* up : {"", "../", "../../", "../../../"}) {
    if (std::ifstream file(up + path); file.is_open()) {
      std::ostringstream text;
      text << file.rdbuf();
      return text.str();
    }
  }
  ADD_FAILURE() << path << " is not there: tests run inside the project";
  return {};
}

std::map<std::string, std::string> matches(const std::string& text, const std::regex& pattern, int code, int name) {
  std::map<std::string, std::string> found;
  for (auto match = std::sregex_iterator(text.begin(), text.end(), pattern); match != std::sregex_iterator(); ++match) {
    found[match->str(static_cast<std::size_t>(code))] = match->str(static_cast<std::size_t>(name));
  }
  return found;
}

TEST(exit_codes, the_page_has_a_row_for_each_code_and_no_other) {
  const auto codes = matches(text_of("src/server/exit_codes.hpp"), std::regex(R"(\n  ([a-z_]+) = ([0-9]+),)"), 2, 1);
  const auto rows = matches(text_of("docs/exit-codes.md"), std::regex(R"(\n\| ([0-9]+) \| ([a-z_]+) \|)"), 1, 2);
  EXPECT_EQ(codes.size(), 9U);
  EXPECT_EQ(codes, rows);
}

}  // namespace
}  // namespace quorate::server
