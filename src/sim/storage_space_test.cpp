// The disk is full, a sync fails, an identity is torn: what the storage does when the ground gives way (R-107, R-111,
// F-306, F-307, F-701).

#include <gtest/gtest.h>

#include "sim/testing/storage_life.hpp"

namespace quorate::sim {
namespace {

constexpr storage::WalConfig small_segments{.segment_bytes = 12 * 4096, .recycled_segments_max = 1};

TEST(StorageSpace, a_full_disk_loses_nothing_and_service_resumes_by_itself) {  // R-902, F-307
  Disk disk;
  Promises promises;
  Life life{disk, promises, small_segments};
  ASSERT_TRUE(life.start() && life.keep_house() && life.append(2, 100));
  EXPECT_FALSE(life.wal().low_on_space());
  disk.set_capacity(disk.used_bytes() + 4096);
  // The spare covers one rolling over; after it, making the next one is what finds the disk full.
  int flushes = 0;
  while (life.append(1, 6000)) {
    (void)life.keep_house();
    ASSERT_LT(++flushes, 100);
  }
  EXPECT_GE(flushes, 2) << "the reserve is there to be used";
  ASSERT_EQ(life.error->code, ErrorCode::no_space);
  EXPECT_TRUE(life.wal().low_on_space());
  EXPECT_FALSE(life.wal().has_staged()) << "what found no space waits";
  const Index before = promises.last();

  disk.set_capacity(UINT64_MAX);
  ASSERT_TRUE(life.keep_house());
  ASSERT_TRUE(life.wal().has_staged()) << "nothing of the refused flush was dropped";
  ASSERT_TRUE(life.flush());
  EXPECT_FALSE(life.wal().low_on_space());
  EXPECT_EQ(promises.last(), next(before));
  ASSERT_TRUE(life.append(1, 10));
  disk.lose_power(7);
  Life second{disk, promises, small_segments};
  EXPECT_TRUE(second.start()) << second.complaint;
  EXPECT_EQ(second.complaint, "");
}

TEST(StorageSpace, what_came_after_a_refused_flush_follows_it) {
  Disk disk;
  Promises promises;
  Life life{disk, promises, small_segments};
  ASSERT_TRUE(life.start() && life.append(1, 10));
  disk.set_capacity(disk.used_bytes());
  while (life.append(1, 9000)) {
  }
  life.stage(2, 50);
  EXPECT_FALSE(life.wal().has_staged());
  disk.set_capacity(UINT64_MAX);
  ASSERT_TRUE(life.keep_house() && life.flush());
  disk.restart();
  Life second{disk, promises, small_segments};
  EXPECT_TRUE(second.start()) << second.complaint;
  EXPECT_EQ(second.complaint, "");
}

// As LogWriter does once a second.
void ask_again(Life& life) {
  (void)life.keep_house();
  (void)life.flush();
}

// What the log holds is what it says it holds: no file was forgotten.
std::uint64_t bytes_in_log_directory(Disk& disk) {
  std::uint64_t bytes = 0;
  const std::vector<std::string> names = disk.list("data/log").value();
  for (const std::string& name : names) {
    bytes += disk.contents("data/log/" + name).size();
  }
  return bytes;
}

// wherever space was missed and however it comes back, asking once a second is all that it takes.
TEST(StorageSpace, service_resumes_by_itself_in_every_sequence) {
  enum class Missed { spare, reserve, record, record_larger_than_a_spare };
  enum class Back { other_files_go, the_disk_grows, the_log_is_purged };
  for (const Missed missed : {Missed::spare, Missed::reserve, Missed::record, Missed::record_larger_than_a_spare}) {
    for (const Back back : {Back::other_files_go, Back::the_disk_grows, Back::the_log_is_purged}) {
      SCOPED_TRACE(std::to_string(static_cast<int>(missed)) + ", " + std::to_string(static_cast<int>(back)));
      Disk disk;
      Promises promises;
      Life life{disk, promises, small_segments};
      ASSERT_TRUE(life.start());
      if (missed != Missed::reserve) {
        ASSERT_TRUE(life.keep_house());
      }
      for (int i = 0; i < 4; ++i) {
        ASSERT_TRUE(life.append(5, 9000) && life.snapshot() && life.keep_house());
      }
      const std::uint64_t others = 100 * 4096;
      {
        auto file = disk.open("data/others", storage::Disk::Open::create_new);
        ASSERT_TRUE(file && (*file)->write(0, std::string(others, 'x')));
      }
      disk.set_capacity(disk.used_bytes());
      const std::size_t bytes = missed == Missed::record_larger_than_a_spare ? 90000 : 9000;
      while (life.append(1, bytes) && (missed == Missed::record || life.keep_house())) {
      }
      ASSERT_TRUE(life.wal().low_on_space());
      for (int i = 0; i < 3; ++i) {
        ask_again(life);
        ASSERT_TRUE(life.wal().low_on_space());
      }
      switch (back) {
        case Back::other_files_go:
          ASSERT_TRUE(disk.remove("data/others"));
          break;
        case Back::the_disk_grows:
          disk.set_capacity(disk.used_bytes() + others);
          break;
        case Back::the_log_is_purged:
          (void)life.purge();
          break;
      }
      for (int i = 0; i < 3; ++i) {
        ask_again(life);
      }
      EXPECT_FALSE(life.wal().low_on_space());
      EXPECT_TRUE(life.append(1, 100));
      EXPECT_EQ(life.wal().disk_bytes(), bytes_in_log_directory(disk));
      disk.lose_power(5);
      Life second{disk, promises, small_segments};
      ASSERT_TRUE(second.start()) << second.complaint;
      ASSERT_EQ(second.complaint, "");
    }
  }
}

TEST(StorageSpace, no_file_is_forgotten_when_space_runs_out_while_a_segment_is_made) {
  for (std::uint64_t at = 1; at < 12; ++at) {
    Disk disk;
    Promises promises;
    Life life{disk, promises, small_segments};
    ASSERT_TRUE(life.start() && life.append(1, 30000));
    for (int attempt = 0; attempt < 4; ++attempt) {
      disk.fail_at(at, ErrorCode::no_space);
      if (!life.append(1, 30000) && life.error->code != ErrorCode::no_space) {
        break;
      }
      (void)life.keep_house();
      ASSERT_EQ(life.wal().disk_bytes(), bytes_in_log_directory(disk)) << "operation " << at;
    }
  }
}

// what else lies on the disk takes every byte that becomes free between two starts.
TEST(StorageSpace, many_starts_on_a_full_disk_are_as_good_as_one) {
  constexpr storage::WalConfig segments{.segment_bytes = 256 * 4096, .recycled_segments_max = 1};
  Disk disk;
  Promises promises;
  {
    Life life{disk, promises, segments};
    ASSERT_TRUE(life.start() && life.keep_house() && life.append(3, 300));
  }
  for (std::uint64_t start = 1; start <= 100; ++start) {
    disk.set_capacity(disk.used_bytes());
    start % 2 == 0 ? disk.restart() : disk.lose_power(start);
    Life life{disk, promises, segments};
    ASSERT_TRUE(life.start()) << "start " << start << ": " << life.complaint << life.error.value_or(Error{}).message;
    ASSERT_EQ(life.complaint, "");
    ASSERT_TRUE(life.append(1, 100)) << "sessions that come back and end are written at start " << start;
    ASSERT_EQ(life.wal().disk_bytes(), bytes_in_log_directory(disk));
  }
  disk.set_capacity(UINT64_MAX);
  disk.restart();
  Life last{disk, promises, segments};
  ASSERT_TRUE(last.start() && last.keep_house() && last.append(5, 9000)) << last.complaint;
  EXPECT_FALSE(last.wal().low_on_space());
}

// the small reserve is for this; a spare is for the writes that go on when another one is left.
TEST(StorageSpace, a_start_on_a_full_disk_takes_the_smallest_file_and_serves_writes_if_all_others_are_left) {
  constexpr storage::WalConfig segments{.segment_bytes = 256 * 4096, .recycled_segments_max = 1};
  Disk disk;
  Promises promises;
  {
    Life life{disk, promises, segments};
    ASSERT_TRUE(life.start() && life.keep_house() && life.append(3, 300));
    auto file = disk.open("data/log/spare-0-0", storage::Disk::Open::create_new);
    ASSERT_TRUE(file && (*file)->write(0, std::string(30 * 4096, '\0')) && (*file)->sync());
    ASSERT_TRUE(disk.sync_directory("data/log"));
  }
  disk.set_capacity(disk.used_bytes());
  disk.restart();
  Life second{disk, promises, segments};
  ASSERT_TRUE(second.start()) << second.complaint;
  EXPECT_FALSE(disk.exists("data/log/spare-0-0").value());
  EXPECT_EQ(disk.contents("data/log/reserve").size(), segments.segment_bytes);
  ASSERT_TRUE(second.keep_house()) << "nothing is to be made";
  EXPECT_FALSE(second.wal().low_on_space());
}

TEST(StorageSpace, a_start_that_finds_too_little_takes_nothing) {
  Disk disk;
  Promises promises;
  {
    Life life{disk, promises, small_segments};
    ASSERT_TRUE(life.start() && life.keep_house() && life.append(1, 90000));
  }
  disk.set_capacity(disk.used_bytes());
  for (int start = 0; start < 5; ++start) {
    const std::uint64_t before = bytes_in_log_directory(disk);
    disk.restart();
    Life life{disk, promises, small_segments};
    ASSERT_FALSE(life.start());
    EXPECT_EQ(life.complaint, "");
    EXPECT_EQ(life.error->code, ErrorCode::no_space);
    EXPECT_EQ(bytes_in_log_directory(disk), before);
  }
  disk.set_capacity(UINT64_MAX);
  disk.restart();
  Life last{disk, promises, small_segments};
  EXPECT_TRUE(last.start()) << last.complaint;
  EXPECT_EQ(last.complaint, "");
}

TEST(StorageSpace, a_snapshot_that_fails_leaves_nothing_behind) {
  for (std::uint64_t at = 1; at < 12; ++at) {
    for (const ErrorCode code : {ErrorCode::no_space, ErrorCode::io}) {
      Disk disk;
      Promises promises;
      Life life{disk, promises, small_segments};
      ASSERT_TRUE(life.start() && life.append(1, 100));
      disk.fail_at(at, code);
      const bool taken = life.snapshot();
      EXPECT_EQ(disk.list("data/snapshots").value().size(), taken ? 1U : 0U)
          << "operation " << at << ": " << life.error.value_or(Error{}).message;
      disk.fail_at(1000, code);
      ASSERT_TRUE(taken || life.snapshot()) << "the next attempt is not in the way of the first";
    }
  }
}

// the name may never have reached the disk, so the log must not be let go for its sake.
TEST(StorageSpace, a_snapshot_whose_directory_could_not_be_synced_does_not_count) {
  for (std::uint64_t at = 1; at < 12; ++at) {
    Disk disk;
    Promises promises;
    {
      Life life{disk, promises, small_segments};
      ASSERT_TRUE(life.start() && life.append(4, 9000) && life.snapshot() && life.append(4, 9000));
      disk.fail_at(at, ErrorCode::io);
      if (life.snapshot()) {
        continue;
      }
      (void)life.purge();  // A server would have stopped; even if it did not, nothing is lost.
    }
    disk.lose_power([] { return Disk::Fate::lost; });
    Life second{disk, promises, small_segments};
    ASSERT_TRUE(second.start()) << "operation " << at << ": " << second.complaint;
    ASSERT_EQ(second.complaint, "");
  }
}

TEST(StorageSpace, a_start_on_a_full_disk_uses_the_reserve) {  // enough for one recovery.
  Disk disk;
  Promises promises;
  {
    Life life{disk, promises, small_segments};
    ASSERT_TRUE(life.start() && life.keep_house() && life.append(3, 300));
  }
  disk.set_capacity(disk.used_bytes());
  disk.lose_power(3);
  Life second{disk, promises, small_segments};
  ASSERT_TRUE(second.start()) << second.complaint << second.error.value_or(Error{}).message;
  EXPECT_EQ(second.complaint, "");
  EXPECT_TRUE(second.wal().low_on_space());
  EXPECT_TRUE(second.append(1, 100)) << "closing sessions and expiry still go through";
}

TEST(StorageSpace, no_space_at_any_operation_is_never_half_a_record) {  // F-307
  for (std::uint64_t at = 1; at < 80; ++at) {
    Disk disk;
    Promises promises;
    {
      Life life{disk, promises, small_segments};
      ASSERT_TRUE(life.start() && life.append(1, 100));
      disk.fail_at(at, ErrorCode::no_space);
      for (int i = 0; i < 8; ++i) {
        if (!life.keep_house() || !life.append(1, 7000)) {
          if (life.error->code != ErrorCode::no_space) {
            break;  // It stopped, as it must after any other error.
          }
          if (life.keep_house()) {
            ASSERT_TRUE(life.flush() || life.error->code == ErrorCode::io);
          }
        }
      }
    }
    disk.lose_power(at);
    Life second{disk, promises, small_segments};
    ASSERT_TRUE(second.start()) << "operation " << at << ": " << second.complaint;
    ASSERT_EQ(second.complaint, "") << "operation " << at;
  }
}

TEST(StorageSpace, a_failed_sync_is_final_and_its_tail_counts_only_when_written_anew) {  // R-111, F-306
  Disk disk;
  Promises promises;
  {
    Life life{disk, promises, small_segments};
    ASSERT_TRUE(life.start() && life.append(2, 100));
    disk.fail_at(2, ErrorCode::io);  // The write succeeds, its sync does not.
    ASSERT_FALSE(life.append(1, 500));
    EXPECT_EQ(life.error->code, ErrorCode::io);
    life.stage(1, 10);
    EXPECT_FALSE(life.wal().has_staged()) << "no second attempt";
  }
  // The page cache still shows the record, although it is not on disk and never will be.
  disk.restart();
  Life second{disk, promises, small_segments};
  ASSERT_TRUE(second.start()) << second.complaint;
  ASSERT_EQ(second.complaint, "");
  ASSERT_EQ(promises.last(), Index{3}) << "it was recovered, so from now on it counts";
  disk.lose_power([] { return Disk::Fate::lost; });
  Life third{disk, promises, small_segments};
  EXPECT_TRUE(third.start()) << third.complaint;
  EXPECT_EQ(third.complaint, "");
}

Result<storage::DataDirectory> open(Disk& disk, NodeId node = NodeId{1}) {
  storage::Identity identity = test_identity;
  identity.node = node;
  auto directory = storage::DataDirectory::open(disk, test_paths, identity);
  if (directory) {
    EXPECT_TRUE(directory->begin_start(0));
  }
  return directory;
}

TEST(StorageIdentity, a_directory_is_founded_once) {
  Disk disk;
  for (std::uint64_t start = 1; start <= 5; ++start) {
    const auto directory = open(disk);
    ASSERT_TRUE(directory);
    EXPECT_EQ(directory->is_new(), start == 1);
    EXPECT_EQ(directory->identity().starts, start);
    EXPECT_EQ(directory->identity().incarnation_high, test_identity.incarnation_high);
  }
}

// a start that was killed between making a directory and syncing its name, then a start that finds it there.
TEST(StorageIdentity, directories_that_a_killed_start_made_are_durable_before_they_hold_anything) {
  for (std::uint64_t at = 1; at <= 30; ++at) {
    Disk disk;
    Promises promises;
    disk.crash_at(at, true);
    {
      Life killed{disk, promises, small_segments};
      (void)killed.start();
    }
    disk.restart();
    {
      Life life{disk, promises, small_segments};
      ASSERT_TRUE(life.start() && life.append(2, 100)) << "operation " << at << ": " << life.complaint;
    }
    disk.lose_power([] { return Disk::Fate::lost; });
    Life last{disk, promises, small_segments};
    ASSERT_TRUE(last.start()) << "operation " << at << ": " << last.complaint;
    ASSERT_EQ(last.complaint, "") << "operation " << at;
  }
}

TEST(StorageIdentity, another_servers_directory_is_refused) {  // R-120, F-701
  Disk disk;
  ASSERT_TRUE(open(disk));
  const auto other = open(disk, NodeId{2});
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, ErrorCode::refused);
  EXPECT_NE(other.error().message.find("server 1"), std::string::npos) << other.error().message;
}

TEST(StorageIdentity, data_without_an_identity_is_damage_and_not_a_new_directory) {
  Disk disk;
  Promises promises;
  {
    Life life{disk, promises, small_segments};
    ASSERT_TRUE(life.start());
  }
  ASSERT_TRUE(disk.remove("data/identity"));
  const auto directory = open(disk);
  ASSERT_FALSE(directory);
  EXPECT_EQ(directory.error().code, ErrorCode::corrupt);
}

TEST(StorageIdentity, one_damaged_slot_costs_nothing_and_no_start_counter_comes_twice) {
  Disk sample;
  std::uint64_t starts = 0;
  for (int i = 0; i < 4; ++i) {
    starts = open(sample)->identity().starts;
  }
  for (const std::uint64_t slot : {std::uint64_t{0}, std::uint64_t{4096}}) {
    for (std::uint64_t offset = 0; offset < 80; ++offset) {
      Disk disk = sample;
      disk.restart();
      disk.corrupt("data/identity", slot + offset, 0x08);
      const auto directory = open(disk);
      ASSERT_TRUE(directory) << directory.error().message;
      EXPECT_GT(directory->identity().starts, starts);
    }
  }
  sample.corrupt("data/identity", 20, 0x01);
  sample.corrupt("data/identity", 4096 + 20, 0x01);
  const auto directory = open(sample);
  ASSERT_FALSE(directory);
  EXPECT_EQ(directory.error().code, ErrorCode::corrupt);
}

TEST(StorageIdentity, a_second_process_is_told_so) {
  Disk disk;
  const auto first = open(disk);
  ASSERT_TRUE(first);
  EXPECT_EQ(open(disk).error().code, ErrorCode::busy);
  EXPECT_EQ(storage::DataDirectory::inspect(disk, test_paths).error().code, ErrorCode::busy);
}

TEST(StorageSegments, a_recycled_segments_former_life_never_verifies) {  // Design chapter 8
  Prng prng{4};
  Disk disk;
  Promises promises;
  Life life{disk, promises, small_segments};
  ASSERT_TRUE(life.start() && life.keep_house());
  for (int round = 0; round < 40; ++round) {
    for (int i = 0; i < 4; ++i) {
      // Of different lengths, so that records of former lives stand behind the newest one.
      ASSERT_TRUE(life.append(1, prng.below(12000)));
    }
    ASSERT_TRUE(round % 2 == 0 || (life.snapshot() && life.purge())) << round;
    Disk copy = disk;
    Promises known = promises;
    copy.lose_power(static_cast<std::uint64_t>(round));
    Life second{copy, known, small_segments};
    ASSERT_TRUE(second.start()) << second.complaint;
    ASSERT_EQ(second.complaint, "");
    ASSERT_TRUE(second.recovery().damage.empty()) << describe(second.recovery().damage.front());
    ASSERT_LE(copy.used_bytes(), 20 * small_segments.segment_bytes) << "the log is bounded";
  }
}

TEST(StorageSegments, an_entry_larger_than_a_segment_gets_one_of_its_own) {
  Disk disk;
  Promises promises;
  for (std::uint64_t start = 1; start <= 4; ++start) {
    Life life{disk, promises, small_segments};
    ASSERT_TRUE(life.start()) << life.complaint;
    // Every other start's first segment stays without any record.
    ASSERT_TRUE((start % 2 == 0 || life.append(1, 10)) && life.append(1, 300000) && life.append(1, 10) && life.mark());
    ASSERT_EQ(life.complaint, "");
    disk.lose_power(start);
  }
}

TEST(StorageSegments, later_entries_replace_a_tail) {
  Disk disk;
  {
    auto directory = open(disk);
    ASSERT_TRUE(directory);
    auto wal = storage::Wal::open(*directory, small_segments, storage::Wal::Position{});
    ASSERT_TRUE(wal);
    const auto flush = [&wal](std::uint64_t term, std::uint64_t first, std::uint64_t last) {
      std::vector<raft::Entry> entries;
      for (std::uint64_t index = first; index <= last; ++index) {
        entries.push_back({.term = Term{term},
                           .index = Index{index},
                           .time = WallTime{1},
                           .kind = raft::EntryKind::command,
                           .command = Blob::copy(encode_request(1, std::string(5000, static_cast<char>('0' + term))))});
      }
      (*wal)->stage(raft::HardState{.term = Term{term}, .vote = NodeId{1}}, entries, Index{}, raft::PersistToken{term});
      auto job = (*wal)->take_flush();
      ASSERT_TRUE(job.run());
      (*wal)->finish(std::move(job));
    };
    flush(1, 1, 6);
    flush(2, 7, 12);  // In the next segment.
    flush(3, 4, 5);   // Reaches back across the border.
  }
  disk.lose_power([] { return Disk::Fate::lost; });
  auto directory = open(disk);
  ASSERT_TRUE(directory);
  const auto recovery = storage::recover(*directory, {.reset = [] {}, .item = {}}, {});
  ASSERT_TRUE(recovery);
  EXPECT_TRUE(recovery->damage.empty());
  std::vector<std::uint64_t> terms;
  for (const raft::Entry& entry : recovery->log.recovered.entries) {
    terms.push_back(raw(entry.term));
  }
  EXPECT_EQ(terms, (std::vector<std::uint64_t>{1, 1, 1, 3, 3}));
  EXPECT_EQ(recovery->log.recovered.hard_state, (raft::HardState{.term = Term{3}, .vote = NodeId{1}}));
}

}  // namespace
}  // namespace quorate::sim
