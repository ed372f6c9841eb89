// Which snapshots count, and what goes for their sake (R-602, R-603, R-611, K-105).

#include <gtest/gtest.h>

#include "sim/testing/storage_life.hpp"
#include "wire/snapshot_format.hpp"

namespace quorate::sim {
namespace {

constexpr storage::WalConfig small_segments{.segment_bytes = 12 * 4096, .recycled_segments_max = 1};

// Four snapshots, with an entry between each two.
class Keeping : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(life_.start());
    for (int i = 0; i < 4; ++i) {
      ASSERT_TRUE(life_.append(1, 100) && life_.snapshot());
      indexes_.push_back(promises_.last());
    }
  }
  [[nodiscard]] std::vector<Index> present() {
    const auto files = storage::list_snapshots(life_.directory());
    EXPECT_TRUE(files);
    std::vector<Index> found;
    for (const storage::SnapshotFile& file : *files) {
      found.insert(found.begin(), file.index);
    }
    return found;
  }
  [[nodiscard]] std::string newest_path() {
    const auto files = storage::list_snapshots(life_.directory());
    EXPECT_TRUE(files);
    return files->front().path;
  }

  Disk disk_;
  Promises promises_;
  Life life_{disk_, promises_, small_segments};
  std::vector<Index> indexes_;
};

TEST_F(Keeping, what_is_older_than_the_newest_verified_ones_goes) {
  storage::SnapshotKeeper keeper{life_.directory()};
  const auto purged = keeper.purge(2);
  ASSERT_TRUE(purged) << purged.error().message;
  EXPECT_EQ(purged->release, next(indexes_[2]));
  EXPECT_EQ(present(), (std::vector<Index>{indexes_[2], indexes_[3]}));
}

// all its bytes are what was written, but it could not be loaded: nothing may go for its sake.
TEST_F(Keeping, a_snapshot_that_did_not_load_never_counts) {
  storage::SnapshotKeeper keeper{life_.directory()};
  keeper.distrust(indexes_[3]);
  keeper.distrust(indexes_[2]);
  const auto purged = keeper.purge(2);
  ASSERT_TRUE(purged) << purged.error().message;
  EXPECT_EQ(purged->release, next(indexes_[0]));
  // They go as soon as there are two good ones: after a restart nobody would know that they do not load.
  EXPECT_EQ(present(), (std::vector<Index>{indexes_[0], indexes_[1]}));
}

TEST_F(Keeping, with_one_good_snapshot_nothing_goes) {  // K-105
  storage::SnapshotKeeper keeper{life_.directory()};
  for (int i = 1; i < 4; ++i) {
    keeper.distrust(indexes_[static_cast<std::size_t>(i)]);
  }
  const auto purged = keeper.purge(2);
  ASSERT_TRUE(purged) << purged.error().message;
  EXPECT_EQ(purged->release, Index{});
  EXPECT_EQ(present(), indexes_);
}

TEST_F(Keeping, one_that_was_written_anew_counts_again) {
  storage::SnapshotKeeper keeper{life_.directory()};
  keeper.distrust(indexes_[3]);
  keeper.trust(indexes_[3]);
  EXPECT_EQ(keeper.purge(2).value().release, next(indexes_[2]));
}

// Checksums, lengths and digest are right, and what they cover is no snapshot's item.
TEST_F(Keeping, blocks_that_check_and_do_not_decode_are_damage) {
  const std::string path = newest_path();
  wire::SnapshotHeader header;
  header.point = raft::LogId{.term = Term{1}, .index = indexes_[3]};
  header.configuration.members = {raft::Member{.id = test_identity.node,
                                               .incarnation_high = test_identity.incarnation_high,
                                               .incarnation_low = test_identity.incarnation_low}};
  std::string bytes;
  wire::encode_snapshot_header(bytes, header);
  wire::SnapshotFooter footer{.blocks = 1, .items = 1, .file_bytes = 0, .digest = wire::extend_digest(0, bytes)};
  std::string block;
  wire::encode_block(block, std::string(1000, '\x7f'));
  footer.digest = wire::extend_digest(footer.digest, block);
  footer.file_bytes = bytes.size() + block.size() + wire::snapshot_footer_bytes;
  bytes += block;
  wire::encode_snapshot_footer(bytes, footer);
  {
    auto file = disk_.open(path, storage::Disk::Open::existing);
    ASSERT_TRUE(file && (*file)->truncate(0) && (*file)->write(0, bytes) && (*file)->sync());
  }
  const auto files = storage::list_snapshots(life_.directory());
  ASSERT_TRUE(files && storage::verify_snapshot(life_.directory(), files->front())) << "the bytes are as written";
  storage::SnapshotKeeper keeper{life_.directory()};
  EXPECT_EQ(keeper.purge(2).value().release, next(indexes_[1]));
}

// A file that never goes away holds no log back: the index depends on the newest two alone.
TEST_F(Keeping, what_cannot_be_removed_holds_no_log_back) {
  storage::SnapshotKeeper keeper{life_.directory()};
  disk_.fail_at(1, ErrorCode::io);
  const auto purged = keeper.purge(2);
  ASSERT_TRUE(purged) << purged.error().message;
  EXPECT_EQ(purged->release, next(indexes_[2]));
  ASSERT_EQ(purged->failures.size(), 1U);
  EXPECT_EQ(present().size(), 3U) << "the other one went";
  const auto again = keeper.purge(2);
  ASSERT_TRUE(again && again->failures.empty());
  EXPECT_EQ(present(), (std::vector<Index>{indexes_[2], indexes_[3]}));
}

TEST_F(Keeping, a_purge_whose_sync_failed_says_so) {
  storage::SnapshotKeeper keeper{life_.directory()};
  disk_.fail_at(3, ErrorCode::io);  // Behind the two removals.
  EXPECT_FALSE(keeper.purge(2));
  EXPECT_TRUE(keeper.has_failed_sync());
}

}  // namespace
}  // namespace quorate::sim
