// The storage of a member of a cluster: logs of many terms whose tails are replaced, entries that are read back for
// others, and snapshots that are installed, with a crash at every operation (R-109, R-305, R-308, R-606; K-43, K-63,
// K-76, K-98).

#include "sim/testing/storage_member.hpp"

#include <cstdlib>
#include <gtest/gtest.h>
#include <string>

namespace quorate::sim {
namespace {

constexpr storage::WalConfig small_segments{.segment_bytes = 12 * 4096, .recycled_segments_max = 1};

// Some hundred operations of a follower.
bool live(Member& member) {
  if (!member.start()) {
    return false;
  }
  bool goes_on = true;
  for (int round = 0; goes_on && round < 4; ++round) {
    for (int i = 0; i < 3; ++i) {
      member.stage(1 + member.prng().below(4), 3000);
    }
    goes_on = member.flush() && member.read();
    member.stage(2, 100);
    member.commit();
    member.stage(2, 9000);
    goes_on = goes_on && member.flush() && member.mark() && member.read() && member.keep_house();
    member.commit();
    goes_on = goes_on && member.snapshot() && member.purge();
    if (round % 2 == 1) {
      if (round == 1) {
        member.stage(3, 50);  // It goes with the old log.
      }
      goes_on = goes_on && member.install(1 + member.prng().below(3), 200) && member.read();
    }
  }
  return goes_on;
}

std::uint64_t operations_of_a_life(std::uint64_t seed) {
  Disk disk;
  MemberTruth truth;
  Member member{disk, truth, small_segments, seed};
  EXPECT_TRUE(live(member)) << member.complaint;
  EXPECT_EQ(member.complaint, "");
  EXPECT_EQ(truth.installs, 2U);
  return disk.operations();
}

// `./check --long crash` asks for many more.
std::uint64_t lives_seeds() {
  const char* wanted = std::getenv("QUORATE_CRASH_SEEDS");
  return wanted == nullptr ? 30 : std::strtoull(wanted, nullptr, 10);
}

TEST(StorageMember, a_crash_at_any_operation_leaves_the_old_log_or_the_new_one) {  // F-202, R-109, R-606
  std::uint64_t finished_by_start = 0;
  std::uint64_t older_terms = 0;
  for (std::uint64_t seed = 1; seed <= 2; ++seed) {
    const std::uint64_t operations = operations_of_a_life(seed);
    for (std::uint64_t at = 1; at <= operations; ++at) {
      for (int fate = 0; fate < 6; ++fate) {
        Disk disk;
        MemberTruth truth;
        disk.crash_at(at, fate % 2 == 0);
        {
          Member first{disk, truth, small_segments, seed};
          (void)live(first);
          ASSERT_EQ(first.complaint, "");
        }
        switch (fate / 2) {
          case 0:
            disk.restart();
            break;
          case 1:
            disk.lose_power([] { return Disk::Fate::lost; });
            break;
          default:
            disk.lose_power(at);
        }
        Member second{disk, truth, small_segments, seed + 1};
        const bool lived = live(second);
        ASSERT_EQ(second.complaint, "") << "seed " << seed << ", after operation " << at << ", fate " << fate;
        ASSERT_TRUE(lived) << "seed " << seed << ", after operation " << at << ", fate " << fate;
        finished_by_start += truth.installs_finished_by_start;
        older_terms += truth.older_terms;
      }
    }
  }
  EXPECT_GT(finished_by_start, 0U) << "some crash fell between the snapshot's name and the log's new start";
  EXPECT_GT(older_terms, 0U) << "some tail was replaced by one of an older term";
}

TEST(StorageMember, a_crash_inside_the_recovery_from_a_crash_changes_nothing) {
  const std::uint64_t operations = operations_of_a_life(1);
  for (std::uint64_t at = 1; at <= operations; ++at) {
    Disk crashed;
    MemberTruth crashed_truth;
    crashed.crash_at(at, at % 2 == 0);
    {
      Member first{crashed, crashed_truth, small_segments, 1};
      (void)live(first);
    }
    crashed.lose_power(at);
    for (std::uint64_t again = 1;; ++again) {
      Disk disk = crashed;
      MemberTruth truth = crashed_truth;
      disk.crash_at(again, again % 2 == 0);
      bool recovered = false;
      {
        Member second{disk, truth, small_segments, 2};
        recovered = second.start();
        ASSERT_EQ(second.complaint, "") << "crash at " << at << ", then at " << again << " of the recovery";
      }
      if (recovered) {
        break;  // The recovery has fewer operations.
      }
      again % 3 == 0 ? disk.restart() : disk.lose_power(again);
      Member third{disk, truth, small_segments, 3};
      const bool lived = third.start() && third.read();
      ASSERT_EQ(third.complaint, "") << "crash at " << at << ", then at " << again << " of the recovery";
      ASSERT_TRUE(lived) << "crash at " << at << ", then at " << again << " of the recovery";
    }
  }
}

bool draw_installation(Member& member) {
  const std::uint64_t ahead = 1 + member.prng().below(5);
  return member.install(ahead, 1 + member.prng().below(500));
}

// One of the things that a member does, drawn.
bool act(Member& member) {
  const std::uint64_t choice = member.prng().below(20);
  if (choice < 8) {
    const std::uint64_t entries = 1 + member.prng().below(6);
    member.stage(entries, member.prng().chance(1, 10) ? 60000 : member.prng().below(5000));
    return true;
  }
  if (choice < 13) {
    return member.flush();
  }
  if (choice < 15) {
    member.commit();
    return true;
  }
  switch (choice) {
    case 15:
      return member.snapshot() && member.purge();
    case 16:
      return member.keep_house();
    case 17:
      return member.mark();
    case 18:
      return !member.prng().chance(1, 5) || draw_installation(member);
    default:
      return member.read();
  }
}

TEST(StorageMember, many_lives_that_end_anywhere_keep_what_was_durable) {  // F-206
  MemberTruth all;
  for (std::uint64_t seed = 1; seed <= lives_seeds(); ++seed) {
    Prng prng{seed};
    Disk disk;
    MemberTruth truth;
    const storage::WalConfig config{.segment_bytes = (8 + prng.below(100)) * 4096,
                                    .recycled_segments_max = prng.below(3)};
    for (int lives = 0; lives < 12; ++lives) {
      const std::uint64_t operation = 1 + prng.below(400);
      disk.crash_at(operation, prng.chance(1, 2));
      {
        Member member{disk, truth, config, prng.next_u64()};
        bool goes_on = member.start();
        while (goes_on) {
          goes_on = act(member);
        }
        ASSERT_EQ(member.complaint, "") << "seed " << seed << ", life " << lives;
      }
      ASSERT_TRUE(disk.has_crashed()) << "seed " << seed << ", life " << lives;
      prng.chance(1, 3) ? disk.restart() : disk.lose_power(prng.next_u64());
    }
    Member last{disk, truth, config, seed};
    ASSERT_TRUE(last.start() && last.read()) << "seed " << seed << ": " << last.complaint;
    ASSERT_EQ(last.complaint, "") << "seed " << seed;
    all.replacements += truth.replacements;
    all.older_terms += truth.older_terms;
    all.installs += truth.installs;
    all.reads += truth.reads;
  }
  // Each seed has a dozen lives: on average it has many of each.
  EXPECT_GT(all.replacements, 10 * lives_seeds());
  EXPECT_GT(all.reads, 2 * lives_seeds());
  EXPECT_GT(all.older_terms, lives_seeds());
  EXPECT_GT(all.installs, lives_seeds());
}

}  // namespace
}  // namespace quorate::sim
