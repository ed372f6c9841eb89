// Snapshots on their way between servers, and entries that are read back: what is asked for in pieces, while files go
// and come.

#include <gtest/gtest.h>

#include "sim/testing/storage_member.hpp"

namespace quorate::sim {
namespace {

constexpr storage::WalConfig small_segments{.segment_bytes = 12 * 4096, .recycled_segments_max = 1};
constexpr storage::WalConfig large_segments{.segment_bytes = 1024 * 4096, .recycled_segments_max = 1};

// A leader with a snapshot, and what a follower gets of it.
class Transfer : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(life_.start() && life_.append(3, 100) && life_.snapshot());
    other_ = std::make_unique<storage::DataDirectory>(
        storage::DataDirectory::open(other_disk_, test_paths, other_identity_).value());
  }
  raft::SnapshotChunk read(storage::SnapshotSender& sender, const std::optional<raft::SnapshotId>& id,
                           std::uint64_t offset, std::size_t bytes) {
    auto chunk = sender.read(raft::SnapshotRead{.peer = NodeId{2}, .id = id, .offset = offset}, bytes);
    EXPECT_TRUE(chunk && *chunk);
    return chunk && *chunk ? **chunk : raft::SnapshotChunk{};
  }
  static raft::SnapshotWrite write_of(const raft::SnapshotChunk& chunk) {
    return {.id = chunk.id, .offset = chunk.offset, .total = chunk.total, .bytes = chunk.bytes};
  }
  // Everything, `bytes` at a time.
  raft::SnapshotId receive(storage::SnapshotReceiver& receiver, std::size_t bytes) {
    storage::SnapshotSender sender{life_.directory()};
    std::optional<raft::SnapshotId> id;
    for (std::uint64_t stored = 0;;) {
      const raft::SnapshotChunk chunk = read(sender, id, stored, bytes);
      id = chunk.id;
      const auto written = receiver.write(write_of(chunk));
      EXPECT_EQ(written.value_or(0), stored + chunk.bytes.size());
      stored = written.value_or(chunk.total);
      if (stored == chunk.total) {
        return *id;
      }
    }
  }
  [[nodiscard]] std::vector<std::string> others_files() { return other_disk_.list("data/snapshots").value(); }

  Disk disk_;
  Promises promises_;
  Life life_{disk_, promises_, small_segments};
  Disk other_disk_;
  storage::Identity other_identity_{
      .cluster_high = 7, .cluster_low = 8, .node = NodeId{2}, .incarnation_high = 44, .incarnation_low = 45};
  std::unique_ptr<storage::DataDirectory> other_;
};

TEST_F(Transfer, a_snapshot_arrives_in_parts_of_one_byte) {
  storage::SnapshotReceiver receiver{*other_};
  const raft::SnapshotId id = receive(receiver, 1);
  EXPECT_EQ(id.point, (raft::LogId{.term = Term{1}, .index = Index{3}}));
  const auto header = receiver.verify(id, {}, {});
  ASSERT_TRUE(header) << header.error().message;
  EXPECT_EQ(other_disk_.contents(receiver.take_staged()),
            disk_.contents("data/snapshots/00000000000000000003.snapshot"));
}

TEST_F(Transfer, a_purge_takes_a_file_s_name_and_not_what_is_being_sent) {
  storage::SnapshotSender sender{life_.directory()};
  const raft::SnapshotChunk first = read(sender, std::nullopt, 0, 50);
  const std::string whole = disk_.contents("data/snapshots/00000000000000000003.snapshot");
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(life_.append(1, 100) && life_.snapshot() && life_.purge());
  }
  ASSERT_FALSE(disk_.exists("data/snapshots/00000000000000000003.snapshot").value());
  const raft::SnapshotChunk rest = read(sender, first.id, 50, 1U << 20);
  EXPECT_EQ(rest.id, first.id);
  EXPECT_EQ(std::string{first.bytes.view()} + std::string{rest.bytes.view()}, whole);
  // Whoever asks anew gets the newest; whoever asks for one that is not known any more gets it from its beginning.
  EXPECT_EQ(read(sender, std::nullopt, 0, 10).id.point.index, Index{6});
  sender.close();
  const raft::SnapshotChunk anew = read(sender, first.id, 50, 10);
  EXPECT_EQ(anew.id.point.index, Index{6});
  EXPECT_EQ(anew.offset, 0U);
}

TEST_F(Transfer, a_damaged_snapshot_is_not_sent) {
  ASSERT_TRUE(life_.append(1, 100) && life_.snapshot());
  disk_.corrupt("data/snapshots/00000000000000000004.snapshot", 150, 1);
  storage::SnapshotSender sender{life_.directory()};
  EXPECT_EQ(read(sender, std::nullopt, 0, 10).id.point.index, Index{3});
}

TEST_F(Transfer, a_part_that_does_not_continue_ends_the_transfer_and_one_at_the_start_begins_anew) {
  storage::SnapshotReceiver receiver{*other_};
  storage::SnapshotSender sender{life_.directory()};
  const raft::SnapshotChunk first = read(sender, std::nullopt, 0, 50);
  ASSERT_TRUE(receiver.write(write_of(first)));
  raft::SnapshotWrite gap = write_of(read(sender, first.id, 50, 50));
  gap.offset = 51;
  EXPECT_FALSE(receiver.write(gap));
  EXPECT_TRUE(others_files().empty()) << "nothing of it stays";
  EXPECT_FALSE(receiver.write(write_of(read(sender, first.id, 50, 50))));
  EXPECT_TRUE(receiver.write(write_of(first)));
  EXPECT_TRUE(receiver.write(write_of(first)));
  EXPECT_FALSE(receiver.verify(first.id, {}, {})) << "it is not whole";
  EXPECT_TRUE(receiver.verify(receive(receiver, 64), {}, {}));
}

TEST_F(Transfer, what_does_not_check_is_not_installed) {
  storage::SnapshotReceiver receiver{*other_};
  raft::SnapshotId id = receive(receiver, 100);
  other_disk_.corrupt("data/snapshots/incoming.tmp", 160, 1);
  const auto damaged = receiver.verify(id, {}, {});
  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error().code, ErrorCode::corrupt);
  EXPECT_TRUE(others_files().empty());

  life_.change_header = [](wire::SnapshotHeader& header) { header.cluster_low = 9; };
  ASSERT_TRUE(life_.append(1, 10) && life_.snapshot());
  const auto foreign = receiver.verify(receive(receiver, 100), {}, {});
  ASSERT_FALSE(foreign);
  EXPECT_EQ(foreign.error().code, ErrorCode::invalid);
}

TEST_F(Transfer, a_full_disk_ends_a_transfer_and_leaves_no_file) {
  storage::SnapshotReceiver receiver{*other_};
  storage::SnapshotSender sender{life_.directory()};
  const raft::SnapshotChunk first = read(sender, std::nullopt, 0, 50);
  ASSERT_TRUE(receiver.write(write_of(first)));
  other_disk_.set_capacity(other_disk_.used_bytes());
  const auto refused = receiver.write(write_of(read(sender, first.id, 50, 50)));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::no_space);
  EXPECT_TRUE(others_files().empty());
}

// an installation that finds no space for a segment has changed nothing.
TEST(StorageInstall, without_space_everything_is_as_before) {
  Disk disk;
  MemberTruth truth;
  Member member{disk, truth, small_segments, 1};
  ASSERT_TRUE(member.start());
  member.stage(3, 100);
  ASSERT_TRUE(member.flush());
  disk.set_capacity(disk.used_bytes());
  const auto before = disk.list("data/log").value();
  auto job = member.wal().take_install("data/snapshots/incoming.tmp", {.term = Term{9}, .index = Index{9}});
  const auto done = job.run();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::no_space);
  member.wal().finish(std::move(job));
  EXPECT_EQ(disk.list("data/log").value(), before);
  disk.set_capacity(UINT64_MAX);
  member.stage(3, 100);
  EXPECT_TRUE(member.flush() && member.read());
  disk.restart();
  Member next{disk, truth, small_segments, 2};
  EXPECT_TRUE(next.start());
  EXPECT_EQ(next.complaint, "");
}

// R-603, K-83: with the log behind it gone, an older snapshot leads nowhere.
TEST(StorageInstall, older_snapshots_and_the_old_segments_go) {
  Disk disk;
  MemberTruth truth;
  Member member{disk, truth, small_segments, 1};
  ASSERT_TRUE(member.start());
  for (int i = 0; i < 5; ++i) {
    member.stage(4, 9000);
    member.commit();
    ASSERT_TRUE(member.flush() && member.snapshot());
  }
  const std::uint64_t old_segments = member.wal().segments();
  ASSERT_GT(old_segments, 1U);
  ASSERT_TRUE(member.install(2, 1000));
  EXPECT_EQ(member.wal().segments(), 1U);
  ASSERT_TRUE(member.keep_house());
  EXPECT_FALSE(disk.exists("data/log/00000000000000000001.log").value());
  storage::SnapshotKeeper keeper{member.directory()};
  keeper.begin_anew(Index{truth.committed.size()});
  EXPECT_EQ(keeper.purge(2).value().release, Index{}) << "there are no two snapshots yet";
  EXPECT_EQ(storage::list_snapshots(member.directory()).value().size(), 1U);
}

// Segments that are read stay, whatever is released meanwhile.
TEST(StorageReads, a_segment_that_is_being_read_is_not_recycled) {
  Disk disk;
  MemberTruth truth;
  Member member{disk, truth, small_segments, 1};
  ASSERT_TRUE(member.start());
  for (int i = 0; i < 8; ++i) {
    member.stage(2, 9000);
    member.commit();
    ASSERT_TRUE(member.flush());
  }
  const Index last{truth.durable.size()};
  auto read = member.wal().take_read({}, last, storage::ReadLimits{});
  ASSERT_TRUE(read);
  member.wal().release(last);
  ASSERT_TRUE(member.keep_house() && member.keep_house());
  ASSERT_TRUE(read->run());
  EXPECT_EQ(read->before(), raft::LogId{});
  EXPECT_EQ(read->take_entries(), truth.durable);
  member.wal().finish(std::move(*read));
  ASSERT_TRUE(member.keep_house());
  EXPECT_FALSE(member.wal().take_read({}, last, storage::ReadLimits{})) << "it was recycled after that";
}

// A read of few entries costs a few blocks of the file, wherever they stand in a segment.
TEST(StorageReads, entries_are_found_without_reading_the_segment) {
  Disk disk;
  MemberTruth truth;
  Member member{disk, truth, large_segments, 3};
  ASSERT_TRUE(member.start());
  for (int i = 0; i < 300; ++i) {
    member.stage(1, 3000);
    member.commit();
    ASSERT_TRUE(member.flush());
  }
  const Entries log = truth.durable;
  const raft::Entry& far = log[log.size() / 2];
  // Everything that such a read does not need cannot be read.
  disk.fail_reads("data/log/00000000000000000001.log", 4096 * (log.size() / 2 + 80));
  auto read = member.wal().take_read({.term = far.term, .index = far.index}, Index{log.size()},
                                     storage::ReadLimits{.bytes_max = 20000});
  ASSERT_TRUE(read);
  const auto done = read->run();
  EXPECT_TRUE(done) << done.error().message;
  EXPECT_EQ(read->take_entries().front(), log[log.size() / 2 + 1]);
  member.wal().finish(std::move(*read));
  // F-304: what cannot be read, or is not what was written, is said.
  disk.corrupt("data/log/00000000000000000001.log", 4096 * (log.size() / 2), 1);
  auto damaged = member.wal().take_read({.term = log[9].term, .index = Index{10}}, Index{log.size()},
                                        storage::ReadLimits{.bytes_max = 4U << 20});
  ASSERT_TRUE(damaged);
  EXPECT_FALSE(damaged->run());
  member.wal().finish(std::move(*damaged));
}

}  // namespace
}  // namespace quorate::sim
