// `quorate verify` and `quorate repair` over damage of every kind: what they say, what they keep, and that the server
// starts afterwards (R-116, S-603).

#include <gtest/gtest.h>

#include "sim/testing/storage_life.hpp"
#include "storage/repair.hpp"
#include "storage/verify.hpp"
#include "wire/log_format.hpp"

namespace quorate::sim {
namespace {

constexpr storage::WalConfig small_segments{.segment_bytes = 12 * 4096, .recycled_segments_max = 1};

struct Sample {
  Disk disk;
  Promises promises;

  explicit Sample(int snapshots) {
    {
      Life life{disk, promises, small_segments};
      EXPECT_TRUE(life.start() && life.keep_house());
      for (int round = 0; round < 3; ++round) {
        EXPECT_TRUE(life.append(4, 6000) && life.append(1, 12000) && (round >= snapshots || life.snapshot()) &&
                    life.append(2, 9000) && life.append(3, 5000));
      }
      EXPECT_TRUE(life.mark());
    }
    disk.restart();
  }
  [[nodiscard]] std::vector<std::string> segments() {
    auto names = disk.list("data/log").value();
    std::erase_if(names, [](const std::string& name) { return !name.ends_with(".log"); });
    return names;
  }
  storage::VerifyReport verify() {
    auto report = storage::verify(disk, test_paths, {});
    EXPECT_TRUE(report) << report.error().message;
    return *report;
  }
};

// What is left counts from here on; the rest is what the operator gave up.
void give_up_behind(Promises& promises, Index last) {
  std::erase_if(promises.acked, [last](const auto& entry) { return entry.first > last; });
}

TEST(StorageRepair, a_sound_directory_is_not_touched) {
  Sample sample{2};
  EXPECT_EQ(sample.verify().verdict, storage::Verdict::sound) << sample.verify().text;
  const auto report = storage::repair(sample.disk, test_paths, {}, true);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::refused);
  EXPECT_FALSE(sample.disk.exists("data/quarantine-1").value());
}

TEST(StorageRepair, a_plan_changes_nothing) {
  Sample sample{0};
  const std::string path = "data/log/" + sample.segments()[1];
  sample.disk.corrupt(path, wire::log_block_bytes + 300, 0x20);
  const std::uint64_t operations = sample.disk.operations();
  const auto report = storage::repair(sample.disk, test_paths, {}, false);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_FALSE(report->done);
  const std::string lost = " to " + std::to_string(raw(sample.promises.last())) + " at least";
  EXPECT_NE(report->text.find(lost), std::string::npos) << report->text;
  EXPECT_EQ(sample.disk.operations(), operations);
}

TEST(StorageRepair, a_log_is_cut_at_the_damage_and_what_is_cut_is_kept) {
  const Sample whole{0};
  const std::size_t count = Sample{whole}.segments().size();
  for (std::size_t at = 0; at < count; ++at) {
    Sample sample = whole;
    const auto names = sample.segments();
    const std::string path = "data/log/" + names[at];
    // Behind the first record, or nothing would be left.
    sample.disk.corrupt(path, std::uint64_t{at == 0 ? 8U : 3U} * wire::log_block_bytes + 300, 0x20);
    if (sample.verify().verdict == storage::Verdict::sound) {
      continue;  // It hit padding.
    }
    const std::string evidence = sample.disk.contents(path);
    const auto report = storage::repair(sample.disk, test_paths, {}, true);
    ASSERT_TRUE(report) << names[at] << ": " << report.error().message;
    ASSERT_EQ(sample.disk.contents("data/quarantine-1/" + names[at]), evidence);
    for (std::size_t later = at + 1; later < count; ++later) {
      ASSERT_TRUE(sample.disk.exists("data/quarantine-1/" + names[later]).value()) << report->text;
    }
    ASSERT_EQ(sample.verify().verdict, storage::Verdict::sound) << sample.verify().text;

    auto directory = storage::DataDirectory::inspect(sample.disk, test_paths);
    const auto recovery = storage::recover_everything(*directory, {});
    const Index last = recovery->log.position.last_index;
    ASSERT_LT(last, sample.promises.last());
    sample.disk.restart();
    give_up_behind(sample.promises, last);
    Life life{sample.disk, sample.promises, small_segments};
    ASSERT_TRUE(life.start() && life.append(3, 4000)) << life.complaint;
    ASSERT_EQ(life.complaint, "");
  }
}

TEST(StorageRepair, a_missing_segment_ends_the_log_before_it) {
  Sample sample{0};
  const auto names = sample.segments();
  ASSERT_TRUE(sample.disk.remove("data/log/" + names[2]));
  EXPECT_EQ(sample.verify().verdict, storage::Verdict::stops_start);
  ASSERT_TRUE(storage::repair(sample.disk, test_paths, {}, true));
  EXPECT_EQ(sample.verify().verdict, storage::Verdict::sound) << sample.verify().text;
}

TEST(StorageRepair, a_lost_log_begins_anew_behind_the_snapshot) {
  Sample sample{2};
  for (const std::string& name : sample.segments()) {
    ASSERT_TRUE(sample.disk.remove("data/log/" + name));
  }
  EXPECT_EQ(sample.verify().verdict, storage::Verdict::stops_start);
  ASSERT_TRUE(storage::repair(sample.disk, test_paths, {}, true));
  ASSERT_EQ(sample.verify().verdict, storage::Verdict::sound) << sample.verify().text;
  give_up_behind(sample.promises, Index{15});
  Life life{sample.disk, sample.promises, small_segments};
  EXPECT_TRUE(life.start() && life.append(1, 10)) << life.complaint;
}

TEST(StorageRepair, a_damaged_snapshot_goes_to_the_quarantine) {
  Sample sample{2};
  const auto names = sample.disk.list("data/snapshots").value();
  sample.disk.corrupt("data/snapshots/" + names.back(), 60, 0x02);
  EXPECT_EQ(sample.verify().verdict, storage::Verdict::damaged_spares);
  const auto report = storage::repair(sample.disk, test_paths, {}, true);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_NE(report->text.find("lost: nothing"), std::string::npos) << report->text;
  EXPECT_TRUE(sample.disk.exists("data/quarantine-1/" + names.back()).value());
  EXPECT_EQ(sample.verify().verdict, storage::Verdict::sound);
}

// F-304: nobody can copy it, and it moves all the same.
TEST(StorageRepair, a_snapshot_that_cannot_be_read_goes_to_the_quarantine) {
  Sample sample{2};
  const std::string name = sample.disk.list("data/snapshots").value().back();
  sample.disk.fail("data/snapshots/" + name, Disk::Access::open);
  EXPECT_EQ(sample.verify().verdict, storage::Verdict::damaged_spares);
  const auto report = storage::repair(sample.disk, test_paths, {}, true);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_TRUE(sample.disk.exists("data/quarantine-1/" + name).value());
  EXPECT_EQ(sample.verify().verdict, storage::Verdict::sound);
}

TEST(StorageRepair, where_nothing_usable_is_left_it_refuses) {
  Sample sample{0};
  const auto names = sample.segments();
  sample.disk.corrupt("data/log/" + names.front(), 100, 0x02);
  const auto report = storage::repair(sample.disk, test_paths, {}, true);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::refused);
  EXPECT_FALSE(sample.disk.exists("data/quarantine-1").value());
}

TEST(StorageRepair, a_crash_at_any_point_of_it_can_be_repaired_again) {
  for (const int snapshots : {0, 2}) {
    Sample damaged{snapshots};
    damaged.disk.corrupt("data/log/" + damaged.segments()[snapshots == 0 ? 2 : damaged.segments().size() - 2],
                         std::uint64_t{2} * wire::log_block_bytes + 300, 0x20);
    ASSERT_EQ(damaged.verify().verdict, storage::Verdict::stops_start);
    Index good;
    {
      auto directory = storage::DataDirectory::inspect(damaged.disk, test_paths);
      good = storage::recover_everything(*directory, {})->log.position.last_index;
    }
    for (std::uint64_t at = 1;; ++at) {
      Sample sample = damaged;
      sample.disk.restart();
      sample.disk.crash_at(at, at % 2 == 0);
      if (storage::repair(sample.disk, test_paths, {}, true)) {
        break;
      }
      sample.disk.lose_power(at);
      if (sample.verify().verdict == storage::Verdict::stops_start) {
        const auto again = storage::repair(sample.disk, test_paths, {}, true);
        ASSERT_TRUE(again) << "crash at " << at << ": " << again.error().message;
      }
      give_up_behind(sample.promises, good);
      Life life{sample.disk, sample.promises, small_segments};
      ASSERT_TRUE(life.start()) << "crash at " << at << ": " << life.complaint;
      ASSERT_EQ(life.complaint, "") << "crash at " << at;
    }
  }
}

}  // namespace
}  // namespace quorate::sim
