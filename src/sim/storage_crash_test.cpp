// A crash at every operation of the storage, and again inside the recovery from it (F-202, F-203, F-301 to F-303): no
// acknowledged entry is lost, nothing is invented, term and vote never go back (I-105 to I-107, R-122).

#include <cstdlib>
#include <functional>
#include <gtest/gtest.h>

#include "sim/testing/storage_life.hpp"

namespace quorate::sim {
namespace {

constexpr storage::WalConfig small_segments{.segment_bytes = 12 * 4096, .recycled_segments_max = 1};

// Everything that a server does with its storage, in a few hundred operations: rolling over into new and recycled
// segments, records of one and of several blocks, markers, snapshots, purges. False: the disk stopped.
bool live(Life& life) {
  if (!life.start()) {
    return false;
  }
  bool goes_on = life.append(1, 10) && life.append(3, 100) && life.keep_house() && life.append(1, 9000);
  for (int round = 0; goes_on && round < 3; ++round) {
    goes_on = life.append(2, 3000) && life.snapshot() && life.append(4, 2500) && life.mark() && life.purge() &&
              life.append(1, 12000) && life.append(1, 20);
  }
  return goes_on && life.mark();
}

// What follows a crash.
struct Aftermath {
  std::string_view name;
  std::function<void(Disk&)> happen;
};

std::vector<Aftermath> aftermaths() {
  return {{"the process starts again", [](Disk& disk) { disk.restart(); }},
          {"all unsynced is lost", [](Disk& disk) { disk.lose_power([] { return Disk::Fate::lost; }); }},
          {"all unsynced is kept", [](Disk& disk) { disk.lose_power([] { return Disk::Fate::kept; }); }},
          {"power loss, seed 1", [](Disk& disk) { disk.lose_power(1); }},
          {"power loss, seed 2", [](Disk& disk) { disk.lose_power(2); }},
          {"power loss, seed 3", [](Disk& disk) { disk.lose_power(3); }}};
}

std::uint64_t operations_of_a_life() {
  Disk disk;
  Promises promises;
  Life life{disk, promises, small_segments};
  EXPECT_TRUE(live(life)) << life.complaint;
  EXPECT_TRUE(life.complaint.empty()) << life.complaint;
  return disk.operations();
}

// `./check --long crash` asks for many more.
std::uint64_t lives_seeds() {
  const char* wanted = std::getenv("QUORATE_CRASH_SEEDS");
  return wanted == nullptr ? 60 : std::strtoull(wanted, nullptr, 10);
}

TEST(StorageCrash, the_script_does_what_a_server_does) {
  Disk disk;
  Promises promises;
  Life life{disk, promises, small_segments};
  ASSERT_TRUE(live(life)) << life.complaint;
  const auto log = disk.list("data/log").value();
  EXPECT_GE(log.size(), 2U);
  EXPECT_FALSE(disk.exists("data/log/00000000000000000001.log").value()) << "the first segment was purged";
  EXPECT_EQ(disk.list("data/snapshots").value().size(), 2U);
  EXPECT_GT(life.wal().segments(), 1U);
}

TEST(StorageCrash, a_crash_at_any_operation_keeps_every_promise) {  // F-202, F-203
  const std::uint64_t operations = operations_of_a_life();
  ASSERT_GT(operations, 100U);
  for (std::uint64_t at = 1; at <= operations; ++at) {
    for (const bool takes_effect : {false, true}) {
      for (const Aftermath& aftermath : aftermaths()) {
        Disk disk;
        Promises promises;
        disk.crash_at(at, takes_effect);
        {
          Life first{disk, promises, small_segments};
          (void)live(first);
          ASSERT_EQ(first.complaint, "");
        }
        aftermath.happen(disk);
        Life second{disk, promises, small_segments};
        const bool lived = live(second);
        ASSERT_EQ(second.complaint, "") << "after operation " << at << (takes_effect ? "" : ", void") << ": "
                                        << aftermath.name;
        ASSERT_TRUE(lived) << "after operation " << at << (takes_effect ? "" : ", void") << ": " << aftermath.name
                           << ": " << second.error.value_or(Error{}).message;
      }
    }
  }
}

TEST(StorageCrash, a_crash_inside_the_recovery_from_a_crash_changes_nothing) {
  const std::uint64_t operations = operations_of_a_life();
  for (std::uint64_t at = 1; at <= operations; ++at) {
    Disk crashed;
    Promises crashed_promises;
    crashed.crash_at(at, at % 2 == 0);
    {
      Life first{crashed, crashed_promises, small_segments};
      (void)live(first);
    }
    crashed.lose_power(at);
    for (std::uint64_t again = 1;; ++again) {
      Disk disk = crashed;
      Promises promises = crashed_promises;
      disk.crash_at(again, again % 2 == 0);
      bool recovered = false;
      {
        Life second{disk, promises, small_segments};
        recovered = second.start();
        ASSERT_EQ(second.complaint, "") << "crash at " << at << ", then at " << again << " of the recovery";
      }
      if (recovered) {
        break;  // The recovery has fewer operations.
      }
      again % 3 == 0 ? disk.restart() : disk.lose_power(again);
      Life third{disk, promises, small_segments};
      const bool lived = third.start() && third.append(2, 50);
      ASSERT_EQ(third.complaint, "") << "crash at " << at << ", then at " << again << " of the recovery";
      ASSERT_TRUE(lived) << "crash at " << at << ", then at " << again
                         << " of the recovery: " << third.error.value_or(Error{}).message;
    }
  }
}

TEST(StorageCrash, many_lives_that_end_anywhere_lose_nothing) {  // F-206
  for (std::uint64_t seed = 1; seed <= lives_seeds(); ++seed) {
    Prng prng{seed};
    Disk disk;
    Promises promises;
    for (int lives = 0; lives < 12; ++lives) {
      const std::uint64_t operation = 1 + prng.below(220);
      disk.crash_at(operation, prng.chance(1, 2));
      {
        Life life{disk, promises, small_segments};
        (void)live(life);
        ASSERT_EQ(life.complaint, "") << "seed " << seed << ", life " << lives;
      }
      prng.chance(1, 3) ? disk.restart() : disk.lose_power(prng.next_u64());
    }
    Life last{disk, promises, small_segments};
    ASSERT_TRUE(last.start()) << "seed " << seed << ": " << last.complaint << last.error.value_or(Error{}).message;
    ASSERT_EQ(last.complaint, "") << "seed " << seed;
  }
}

TEST(StorageCrash, without_force_sync_a_process_that_dies_loses_nothing) {
  storage::WalConfig config = small_segments;
  config.force_sync = false;
  for (std::uint64_t at = 1; at <= operations_of_a_life(); ++at) {
    Disk disk;
    Promises promises;
    disk.crash_at(at, false);
    {
      Life first{disk, promises, config};
      (void)live(first);
    }
    disk.restart();
    Life second{disk, promises, config};
    const bool lived = live(second);
    ASSERT_EQ(second.complaint, "") << "after operation " << at;
    ASSERT_TRUE(lived) << "after operation " << at << ": " << second.error.value_or(Error{}).message;
  }
}

}  // namespace
}  // namespace quorate::sim
