// The real disk, and the storage as a server uses it, in a directory of its own.

#include "storage/posix_disk.hpp"

#include <array>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "storage/recovery.hpp"
#include "storage/wal.hpp"
#include "wire/command.hpp"
#include "wire/opcodes.hpp"

namespace quorate::storage {
namespace {

class PosixDiskTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "quorate-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  [[nodiscard]] std::string path(const std::string& name) const { return root_ + "/" + name; }
  Result<DataDirectory> open_directory() {
    return DataDirectory::open(disk_, Paths{path("data"), path("data")},
                               Identity{.cluster_high = 7,
                                        .cluster_low = 8,
                                        .node = NodeId{1},
                                        .incarnation_high = 42,
                                        .incarnation_low = 43,
                                        .starts = 0});
  }

  std::string root_;
  PosixDisk disk_;
};

raft::Entry entry(std::uint64_t term, std::uint64_t index, std::string_view request) {
  std::string command;
  wire::encode_command(command, wire::Command{.kind = wire::CommandKind::client_request,
                                              .stream = {},
                                              .number = index,
                                              .credentials = {},
                                              .opcode = wire::Opcode::create,
                                              .request = request});
  return {.term = Term{term},
          .index = Index{index},
          .time = WallTime{1},
          .kind = raft::EntryKind::command,
          .command = Blob::copy(command)};
}

SnapshotSink no_items() {
  return {.reset = [] {}, .item = [](const tree::SnapshotItem&) -> Result<void> { return {}; }};
}

TEST_F(PosixDiskTest, bytes_are_read_back_where_they_were_written) {
  auto file = disk_.open(path("file"), Disk::Open::create_new);
  ASSERT_TRUE(file) << file.error().message;
  ASSERT_TRUE((*file)->write(3, "abc"));
  ASSERT_TRUE((*file)->sync_data());
  EXPECT_EQ((*file)->size().value(), 6);
  std::array<char, 16> bytes{};
  EXPECT_EQ((*file)->read(2, bytes).value(), 4);  // Fewer at the end of the file.
  EXPECT_EQ(std::string_view(bytes.data(), 4), std::string_view("\0abc", 4));
  ASSERT_TRUE((*file)->truncate(4));
  EXPECT_EQ((*file)->read(4, bytes).value(), 0);
}

TEST_F(PosixDiskTest, files_and_directories_are_for_their_owner_alone) {  // S-602
  ASSERT_TRUE(disk_.make_directory(path("a/b")));
  ASSERT_TRUE(disk_.open(path("a/b/file"), Disk::Open::create_new));
  struct stat status{};
  ASSERT_EQ(::stat(path("a/b/file").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  ASSERT_EQ(::stat(path("a/b").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0700U);
}

TEST_F(PosixDiskTest, one_directory_is_recognised_however_it_is_spelled) {
  ASSERT_TRUE(disk_.make_directory(path("data")));
  std::filesystem::create_directory_symlink(path("data"), path("link"));
  for (const char* name : {"data", "data/", "./data//", "link", "link/"}) {
    EXPECT_TRUE(is_same_directory(path("data"), path(name))) << name;
  }
  // Not there yet.
  EXPECT_TRUE(is_same_directory(path("new"), path("./new/")));
  EXPECT_TRUE(is_same_directory(path("data/new"), path("link/new")));
  EXPECT_FALSE(is_same_directory(path("new"), path("newer")));
  EXPECT_TRUE(is_same_directory("new", std::filesystem::absolute("new").string()));
}

TEST_F(PosixDiskTest, a_symbolic_link_is_not_followed) {  // S-602
  std::ofstream(path("elsewhere")) << "precious";
  std::filesystem::create_symlink(path("elsewhere"), path("link"));
  EXPECT_FALSE(disk_.open(path("link"), Disk::Open::existing));
  EXPECT_FALSE(disk_.open(path("link"), Disk::Open::create_or_open));
  EXPECT_FALSE(disk_.lock(path("link")));
}

TEST_F(PosixDiskTest, a_new_file_is_never_an_old_one) {
  ASSERT_TRUE(disk_.open(path("file"), Disk::Open::create_new));
  EXPECT_FALSE(disk_.open(path("file"), Disk::Open::create_new));
  EXPECT_EQ(disk_.open(path("other"), Disk::Open::existing).error().code, ErrorCode::not_found);
}

TEST_F(PosixDiskTest, names_are_listed_sorted_and_renamed_over) {
  for (const char* name : {"b", "a", "c"}) {
    ASSERT_TRUE(disk_.open(path(name), Disk::Open::create_new));
  }
  ASSERT_TRUE(disk_.rename(path("c"), path("a")));
  ASSERT_TRUE(disk_.remove(path("b")));
  ASSERT_TRUE(disk_.sync_directory(root_));
  EXPECT_EQ(disk_.list(root_).value(), std::vector<std::string>{"a"});
  EXPECT_TRUE(disk_.exists(path("a")).value());
  EXPECT_FALSE(disk_.exists(path("b")).value());
  EXPECT_GT(disk_.free_bytes(root_).value(), 0);
}

TEST_F(PosixDiskTest, a_directory_has_one_process) {
  {
    const auto first = open_directory();
    ASSERT_TRUE(first) << first.error().message;
    const auto second = open_directory();
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, ErrorCode::busy);
  }
  EXPECT_TRUE(open_directory()) << "the lock goes with its holder";
}

TEST_F(PosixDiskTest, what_was_flushed_is_there_at_the_next_start) {
  for (std::uint64_t start = 1; start <= 3; ++start) {
    auto directory = open_directory();
    ASSERT_TRUE(directory) << directory.error().message;
    EXPECT_EQ(directory->is_new(), start == 1);
    auto recovery = recover(*directory, no_items(), {});
    ASSERT_TRUE(recovery) << recovery.error().message;
    ASSERT_TRUE(directory->begin_start(recovery->starts));
    EXPECT_EQ(directory->identity().starts, start);
    ASSERT_TRUE(recovery->may_start()) << describe(recovery->damage.front());
    EXPECT_TRUE(recovery->damage.empty());
    ASSERT_EQ(recovery->log.recovered.entries.size(), start - 1);
    auto wal = Wal::open(*directory, WalConfig{.segment_bytes = 1U << 20}, recovery->log.position);
    ASSERT_TRUE(wal) << wal.error().message;
    const raft::Entry one = entry(start, start, "a command");
    (*wal)->stage(raft::HardState{.term = Term{start}, .vote = NodeId{1}}, {&one, 1}, Index{start - 1},
                  raft::PersistToken{9});
    auto flush = (*wal)->take_flush();
    ASSERT_TRUE(flush.run());
    EXPECT_EQ((*wal)->finish(std::move(flush)), raft::PersistToken{9});
    auto spare = (*wal)->take_spare_job();
    ASSERT_EQ(spare.has_value(), start == 1) << "the spare segment outlives the start that made it";
    if (spare) {
      ASSERT_TRUE(spare->run());
      (*wal)->finish(std::move(*spare));
    }
  }
}

TEST_F(PosixDiskTest, what_an_interrupted_write_left_is_removed) {
  ASSERT_TRUE(open_directory());
  std::ofstream(path("data/snapshots/00000000000000000001.snapshot.tmp")) << "half";
  std::ofstream(path("data/log/spare-1-1.tmp")) << "half";
  auto directory = open_directory();
  ASSERT_TRUE(directory && directory->begin_start(0));
  EXPECT_TRUE(disk_.list(path("data/snapshots")).value().empty());
  EXPECT_TRUE(disk_.list(path("data/log")).value().empty());
}

}  // namespace
}  // namespace quorate::storage
