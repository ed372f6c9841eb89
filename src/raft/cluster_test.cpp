// Several cores under chance: the judges of testing/cluster.hpp watch every step.

#include "raft/testing/cluster.hpp"

#include <gtest/gtest.h>
#include <string>

namespace quorate::raft {
namespace {

using testing::Cluster;
using testing::Server;
using testing::voters;

TEST(Cluster, three_servers_elect_one_leader_and_commit) {
  Cluster cluster({1, 2, 3}, Config{}, 1);
  const unsigned leader = cluster.elect();
  ASSERT_TRUE(cluster.propose(leader, "x").has_value());
  cluster.settle();
  for (auto& [id, server] : cluster.servers()) {
    EXPECT_EQ(server.state.index, cluster.core(leader).log().last().index) << raw(id);
  }
}

TEST(Cluster, without_faults_the_leader_stays) {  // I-403
  Cluster cluster({1, 2, 3, 4, 5}, Config{}, 2);
  const unsigned leader = cluster.elect();
  const Term term = cluster.core(leader).term();
  cluster.run(60'000'000);
  EXPECT_EQ(cluster.leader(), leader);
  EXPECT_EQ(cluster.core(leader).term(), term);
}

// One random world: faults for a while, then calm in which everything has to converge (F-003).
class RandomWorld {
 public:
  // Braces: what is drawn is drawn from left to right, by each compiler.
  explicit RandomWorld(std::uint64_t seed) : prng_(seed), cluster_{founders(), config(), prng_.next_u64()} {}

  void rage(std::size_t steps) {
    for (std::size_t step = 0; step < steps && !::testing::Test::HasFatalFailure(); ++step) {
      act();
    }
  }

  void calm() {
    cluster_.heal();
    for (auto& [id, server] : cluster_.servers()) {
      if (!server.is_up) {
        cluster_.restart(raw(id), prng_.below(4));
      }
    }
    // A transfer or a change that was under way may refuse it at first.
    bool is_proposed = false;
    for (int attempt = 0; attempt < 20 && !is_proposed; ++attempt) {
      const unsigned leader = cluster_.elect();
      ASSERT_NE(leader, 0U);
      is_proposed = cluster_.propose(leader, "last").has_value();
      cluster_.run(200'000);
    }
    ASSERT_TRUE(is_proposed);
    cluster_.run(20'000'000);
    const unsigned last_leader = cluster_.leader();
    ASSERT_NE(last_leader, 0U);
    const Core& core = cluster_.core(last_leader);
    EXPECT_EQ(core.uncommitted_bytes(), 0U);  // I-405
    EXPECT_EQ(core.commit_index(), core.log().last().index);
    for (const Member& member : core.configuration().members) {
      EXPECT_EQ(cluster_.server(raw(member.id)).state, cluster_.server(last_leader).state) << raw(member.id);
    }
    EXPECT_FALSE(is_joint(core.configuration()));
    if (::testing::Test::HasFailure()) {
      printf("leader %u term %lu last %lu start %lu commit %lu\n", last_leader, raw(core.term()),
             raw(core.log().last().index), raw(core.log().start().index), raw(core.commit_index()));
      for (const Progress& peer : core.peers()) {
        printf("peer %u flow %d match %lu next %lu inflight %zu reading %d departs %d\n", raw(peer.id()),
               int(peer.flow()), raw(peer.match()), raw(peer.next_index()), peer.inflight_messages(),
               peer.is_reading_log, peer.departs.has_value());
      }
      for (auto& [id, sv] : cluster_.servers()) {
        printf("server %u role %d term %lu last %lu commit %lu durable %lu applied %lu writes %zu leader %u\n", raw(id),
               int(sv.core->role()), raw(sv.core->term()), raw(sv.core->log().last().index),
               raw(sv.core->commit_index()), raw(sv.core->durable_index()), raw(sv.state.index), sv.writes.size(),
               raw(sv.core->leader()));
      }
    }
  }

  Cluster& cluster() { return cluster_; }
  [[nodiscard]] std::size_t replaced() const { return replaced_; }

 private:
  std::vector<unsigned> founders() {
    std::vector<unsigned> ids;
    const std::uint64_t count = 1 + prng_.below(5);
    for (unsigned id = 1; id <= count; ++id) {
      ids.push_back(id);
    }
    return ids;
  }

  Config config() {
    Config config;
    config.limits.tail_entries_max = prng_.below(20);
    config.limits.message_bytes_max = prng_.chance(1, 2) ? 1 : 300;
    config.limits.inflight_messages_max = 1 + prng_.below(4);
    config.timing.catch_up_us = 10'000'000;
    config.has_leases = prng_.chance(1, 4);
    return config;
  }

  unsigned any() {
    auto server = cluster_.servers().begin();
    std::advance(server, static_cast<std::ptrdiff_t>(prng_.below(cluster_.servers().size())));
    return raw(server->first);
  }

  void act() {
    const std::uint64_t dice = prng_.below(1000);
    const unsigned id = any();
    Server& server = cluster_.server(id);
    if (dice < 550) {
      move_message();
    } else if (dice < 700) {
      if (server.is_up && !server.writes.empty()) {
        cluster_.finish_write(server);
      }
    } else if (dice < 800) {
      cluster_.advance(static_cast<std::int64_t>(prng_.below(prng_.chance(1, 20) ? 1'500'000 : 40'000)));
    } else if (dice < 900) {
      if (server.is_up) {
        std::ignore = cluster_.propose(id, std::to_string(prng_.next_u64()));
      }
    } else if (dice < 940) {
      if (server.is_up) {
        cluster_.read(id);
      }
    } else if (dice < 965) {
      if (server.is_up) {
        cluster_.compact(id);
      }
    } else if (dice < 975) {
      crash_or_restart(id);
    } else {
      rare(id);
    }
  }

  void move_message() {
    auto& network = cluster_.network();
    if (network.empty()) {
      return;
    }
    const std::size_t packet = prng_.chance(1, 2) ? 0 : prng_.below(network.size());
    if (prng_.chance(1, 20)) {
      cluster_.drop(packet);
    } else {
      cluster_.deliver(packet, prng_.chance(1, 20));
    }
  }

  void crash_or_restart(unsigned id) {
    if (cluster_.server(id).is_up) {
      cluster_.crash(id);
    } else {
      cluster_.restart(id, prng_.below(4));
    }
  }

  void rare(unsigned id) {
    const unsigned other = any();
    if (!cluster_.server(id).is_up) {
      return;
    }
    switch (prng_.below(8)) {
      case 0:
        if (id != other) {
          cluster_.cut(id, other);
        }
        break;
      case 1:
      case 2:
        cluster_.heal();
        break;
      case 3:
        if (id != other) {
          std::ignore = cluster_.core(id).transfer_leadership(NodeId{other});
        }
        break;
      case 4:
      case 5:
        change(id);
        break;
      case 6:
        if (id != other && !cluster_.server(other).is_up) {
          cluster_.core(id).leader_is_gone(NodeId{other});
        }
        break;
      default:
        if (id != other) {
          cluster_.core(id).unreachable(NodeId{other});
        }
        break;
    }
    cluster_.collect(cluster_.server(id));
  }

  // Any set of servers that were never removed; now and then one nobody knew.
  void change(unsigned id) {
    if (cluster_.servers().size() < 7 && prng_.chance(1, 4)) {
      cluster_.add_server(static_cast<unsigned>(cluster_.servers().size()) + 1);
    }
    std::vector<unsigned> ids;
    for (const auto& [other, server] : cluster_.servers()) {
      if (prng_.chance(2, 3)) {
        ids.push_back(raw(other));
      }
    }
    std::vector<Member> target = voters(ids);
    replace_some(id, target);
    for (Member& member : target) {
      if (prng_.chance(1, 5)) {
        member.role = MemberRole::learner;
      }
    }
    std::ignore = cluster_.core(id).change_members(std::move(target), prng_.chance(1, 2));
  }

  // Whoever was removed for good may come back with an empty disk, as another incarnation.
  void replace_some(unsigned id, std::vector<Member>& target) {
    const Core& core = cluster_.core(id);
    const bool is_certain = core.role() == Role::leader && core.configuration_id().index <= core.commit_index();
    for (Member& member : target) {
      const Server& server = cluster_.server(raw(member.id));
      const RemovedMember tombstone{.id = member.id, .incarnation_high = 0, .incarnation_low = server.incarnation};
      const auto& removed = core.configuration().removed;
      if (is_certain && std::ranges::find(removed, tombstone) != removed.end() && prng_.chance(1, 2)) {
        cluster_.replace_server(raw(member.id));
        ++replaced_;
      }
      member.incarnation_low = server.incarnation;
    }
  }

  Prng prng_;
  Cluster cluster_;
  std::size_t replaced_ = 0;
};

TEST(Cluster, random_worlds_stay_safe_and_come_to_rest) {
  std::size_t reads = 0;
  std::size_t snapshots = 0;
  std::size_t changes = 0;
  std::size_t leaders = 0;
  std::size_t replaced = 0;
  for (std::uint64_t seed = 1; seed <= 2000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RandomWorld world(seed);
    world.rage(3000);
    if (!HasFatalFailure()) {
      world.calm();
    }
    ASSERT_FALSE(HasFailure());
    reads += world.cluster().reads_answered();
    snapshots += world.cluster().snapshots_installed();
    changes += world.cluster().changes_done();
    leaders += world.cluster().leaders_seen();
    replaced += world.replaced();
  }
  // I-505: what was never reached was not tested.
  EXPECT_GT(reads, 100U);
  EXPECT_GT(snapshots, 50U);
  EXPECT_GT(changes, 50U);
  EXPECT_GT(leaders, 500U);
  EXPECT_GT(replaced, 10U);
}

}  // namespace
}  // namespace quorate::raft
