#include "paxos/founding.hpp"

#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "base/prng.hpp"
#include "paxos/testing/founding_world.hpp"

namespace quorate::paxos {
namespace {

using testing::FoundingWorld;

constexpr NodeId one{1};
constexpr NodeId two{2};
constexpr NodeId three{3};
constexpr std::int64_t second_us = 1'000'000;

void start_all(FoundingWorld& world) {
  for (const NodeId id : world.ids()) {
    world.start(id);
  }
}

void run_calm(FoundingWorld& world, std::int64_t microseconds) {
  const MonoTime end = after_us(world.now(), microseconds);
  while (world.now() < end) {
    world.calm_event();
  }
}

TEST(Founding, empty_servers_that_list_the_same_found_one_cluster) {  // R-119, PAXOS-11
  for (unsigned servers = 1; servers <= 7; ++servers) {
    FoundingWorld world(servers);
    start_all(world);
    ASSERT_TRUE(world.heal(second_us)) << world.describe();
    EXPECT_EQ(world.clusters_founded(), 1U);
    for (const NodeId id : world.ids()) {
      ASSERT_NE(world.cluster(id), nullptr) << raw(id);
      EXPECT_EQ(world.cluster(id)->founders.size(), servers);
      EXPECT_TRUE(holds(seats_of(*world.cluster(id)), Seat{.id = id, .incarnation = world.incarnation(id)}));
      EXPECT_EQ(world.cluster(id)->founders.back().address, "server" + std::to_string(servers) + ":2888:3888");
    }
  }
}

TEST(Founding, fewer_than_all_found_nothing) {  // a majority of empty servers is not enough
  for (unsigned servers = 2; servers <= 5; ++servers) {
    FoundingWorld world(servers);
    for (unsigned id = 1; id < servers; ++id) {
      world.start(NodeId{id});
    }
    run_calm(world, 30 * second_us);
    EXPECT_EQ(world.clusters_founded(), 0U);
    const Report report = world.report(one);
    EXPECT_EQ(report.standing, Standing::asking);
    EXPECT_EQ(report.silent, std::vector{NodeId{servers}});
    world.start(NodeId{servers});
    EXPECT_TRUE(world.heal(4 * second_us)) << world.describe();
    EXPECT_EQ(world.violation(), "");
  }
}

TEST(Founding, one_cluster_whatever_is_lost_crashes_or_is_wiped) {  // PAXOS-09, PAXOS-11, F-311
  for (std::uint64_t seed = 1; seed <= 4000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Prng prng(seed);
    FoundingWorld world(static_cast<unsigned>(1 + prng.below(7)), seed);
    const std::uint64_t loss = prng.below(3) * 10;
    const std::uint64_t repeats = prng.below(3) * 10;
    const std::uint64_t crashes = prng.below(3) * 10;
    const std::uint64_t wipes = prng.below(3) * 5;
    const std::uint64_t cuts = prng.below(3) * 5;
    bool is_order_left = prng.chance(1, 4);
    for (int step = 0; step < 1200 && world.violation().empty(); ++step) {
      const NodeId id = world.ids()[prng.below(world.ids().size())];
      const std::uint64_t dice = prng.below(1000);
      if (dice < 500) {
        if (world.packets() > 0) {
          const std::size_t packet =
              prng.below(prng.chance(3, 4) ? std::min<std::size_t>(world.packets(), 6) : world.packets());
          if (prng.below(100) < loss) {
            world.lose(packet);
          } else {
            world.deliver(packet, prng.below(100) < repeats);
          }
        }
      } else if (dice < 800) {
        world.finish_write(id);
      } else if (dice < 860) {
        world.tick(static_cast<std::int64_t>(prng.below(100'000)));
      } else if (dice < 860 + crashes) {
        world.crash(id, prng.below(4));
      } else if (dice < 880 + wipes) {
        world.wipe(id);
      } else if (dice < 890 + cuts) {
        world.cut(id, prng.chance(1, 2));
      } else if (dice < 910) {
        world.admit(id);
      } else if (dice < 980) {
        const bool is_told = is_order_left && !world.is_up(id) && prng.chance(1, 4);
        is_order_left = is_order_left && !is_told;
        world.start(id, is_told);
      }
    }
    ASSERT_EQ(world.violation(), "");
    ASSERT_TRUE(world.heal(20 * second_us)) << world.violation() << world.describe();
    ASSERT_EQ(world.violation(), "");
  }
}

}  // namespace
}  // namespace quorate::paxos
