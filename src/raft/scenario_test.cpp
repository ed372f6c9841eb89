// Plays every scenario of testdata/ and compares what happens with what the file says. QUORATE_UPDATE=1 writes what
// happened into the files, to be judged in the diff.

#include "raft/testing/scenario.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <regex>
#include <sstream>
#include <string>

namespace quorate::raft {
namespace {

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST(Scenarios, go_as_their_files_say) {
  const std::filesystem::path folder = std::filesystem::path(__FILE__).parent_path() / "testdata";
  const bool updates = std::getenv("QUORATE_UPDATE") != nullptr;
  std::size_t played = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) {
      continue;
    }
    SCOPED_TRACE(entry.path().filename().string());
    auto blocks = testing::parse_scenario(read_file(entry.path()));
    const auto traces = testing::play(blocks);
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      if (!updates) {
        EXPECT_EQ(blocks[i].expected, traces[i]) << "block " << i + 1 << ", begins " << blocks[i].commands.front();
      }
      blocks[i].expected = traces[i];
    }
    if (updates) {
      std::ofstream(entry.path()) << testing::written(blocks);
    }
    ++played;
  }
  EXPECT_GE(played, 100U);
}

TEST(Scenarios, that_docs_raft_md_names_exist) {  // its tables of rows and of known bugs stay true.
  const std::filesystem::path room = std::filesystem::path(__FILE__).parent_path();
  const std::string page = read_file(room / ".." / ".." / "docs" / "raft.md");
  const std::regex name("`((election|replication|membership|snapshots|reads|transfer)/[a-z0-9_]+)`");
  std::size_t named = 0;
  for (std::sregex_iterator found(page.begin(), page.end(), name); found != std::sregex_iterator(); ++found) {
    EXPECT_TRUE(std::filesystem::exists(room / "testdata" / ((*found)[1].str() + ".txt"))) << found->str();
    ++named;
  }
  EXPECT_GT(named, 80U);
}

}  // namespace
}  // namespace quorate::raft
