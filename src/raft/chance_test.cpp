// What only many runs show: elections end by chance (R-204, RAFT-17), refusals are few, and of all ways to
// split a cluster at most one side goes on (RAFT-42).

#include <algorithm>
#include <gtest/gtest.h>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "raft/core.hpp"
#include "raft/testing/cluster.hpp"

namespace quorate::raft {
namespace {

constexpr std::int64_t step_us = 10'000;
constexpr std::int64_t election_us = Timing{}.election_us;

// Servers with equal logs, messages that take up to 25 ms: a round trip of a twentieth of a time-out at most.
class Race {
 public:
  // `is_shared`: all draw the same numbers, so all have the same time-outs, and all messages take as long.
  Race(unsigned voters, std::uint64_t seed, bool is_shared) : prng_(seed), is_shared_(is_shared) {
    std::vector<unsigned> ids(voters);
    std::iota(ids.begin(), ids.end(), 1U);
    const std::uint64_t common = prng_.next_u64();
    for (const unsigned id : ids) {
      Config config;
      config.self = NodeId{id};
      config.codec = testing::test_codec();
      Recovered recovered;
      recovered.configuration.members = testing::voters(ids);
      cores_.emplace_back(config, std::move(recovered), Blob(), Prng(is_shared ? common : prng_.next_u64()));
    }
  }

  // When somebody led, in microseconds; none within `limit_us`.
  std::optional<std::int64_t> run(std::int64_t limit_us) {
    for (std::int64_t now = 0; now < limit_us; now += step_us) {
      for (Core& core : cores_) {
        core.tick(MonoTime{now});
        pump(core, now);
        if (core.role() == Role::leader) {
          return now;
        }
      }
      deliver(now);
    }
    return std::nullopt;
  }

 private:
  struct Packet {
    std::int64_t arrives;
    NodeId from;
    Envelope envelope;
  };

  void pump(Core& core, std::int64_t now) {
    while (core.has_output()) {
      core.take_output(output_);
      for (auto* envelopes : {&output_.send, &output_.send_after_sync}) {
        for (Envelope& envelope : *envelopes) {
          const auto delay = is_shared_ ? 2 * step_us : static_cast<std::int64_t>(prng_.below(25'001));
          packets_.push_back(Packet{.arrives = now + delay, .from = core.self(), .envelope = std::move(envelope)});
        }
      }
      if (output_.token) {
        core.persisted(*output_.token);
      }
    }
  }

  void deliver(std::int64_t now) {
    for (std::size_t i = 0; i < packets_.size();) {
      if (packets_[i].arrives > now) {
        ++i;
        continue;
      }
      Packet packet = std::move(packets_[i]);
      packets_.erase(packets_.begin() + static_cast<std::ptrdiff_t>(i));
      Core& to = cores_[raw(packet.envelope.to) - 1];
      EXPECT_TRUE(to.step(packet.from, std::move(packet.envelope.message)).has_value());
      pump(to, now);
    }
  }

  Prng prng_;
  bool is_shared_;
  std::vector<Core> cores_;
  std::vector<Packet> packets_;
  Output output_;
};

TEST(Chance, ends_split_votes_within_five_timeouts) {  // R-204, RAFT-17
  constexpr std::uint64_t runs = 10'000;
  for (const unsigned voters : {3U, 5U, 7U}) {
    std::vector<std::int64_t> times;
    for (std::uint64_t seed = 1; seed <= runs; ++seed) {
      if (const auto time = Race(voters, seed * 8 + voters, false).run(5 * election_us)) {
        times.push_back(*time);
      }
    }
    EXPECT_GE(times.size(), runs - runs / 1000) << voters << " voters";
    std::ranges::sort(times);
    const std::string name = "voters_" + std::to_string(voters);
    RecordProperty(name + "_decided", std::to_string(times.size()));
    RecordProperty(name + "_median_us", std::to_string(times[times.size() / 2]));
  }
}

TEST(Chance, that_all_share_is_none) {  // RAFT-17, the failing twin: equal time-outs collide for ever
  for (const unsigned voters : {3U, 5U, 7U}) {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
      EXPECT_FALSE(Race(voters, seed, true).run(60 * election_us).has_value()) << voters << " voters, seed " << seed;
    }
  }
}

// The servers' sides, for every way to split so many of them.
std::vector<std::vector<unsigned>> splits(unsigned servers) {
  std::vector<std::vector<unsigned>> all = {{}};
  for (unsigned server = 0; server < servers; ++server) {
    std::vector<std::vector<unsigned>> longer;
    for (const auto& split : all) {
      const unsigned next = split.empty() ? 0 : *std::ranges::max_element(split) + 1;
      for (unsigned side = 0; side <= next; ++side) {
        longer.push_back(split);
        longer.back().push_back(side);
      }
    }
    all = std::move(longer);
  }
  return all;
}

class Splits : public ::testing::TestWithParam<unsigned> {};

TEST_P(Splits, leave_one_side_that_commits_if_it_is_a_majority_and_never_two) {  // RAFT-24, RAFT-42, F-105
  const unsigned servers = GetParam();
  std::vector<unsigned> ids(servers);
  std::iota(ids.begin(), ids.end(), 1U);
  for (const auto& side_of : splits(servers)) {
    testing::Cluster cluster(ids, Config{}, 7);
    ASSERT_NE(cluster.elect(), 0U);
    std::vector<std::size_t> sizes(servers, 0);
    for (const unsigned a : ids) {
      ++sizes[side_of[a - 1]];
      for (const unsigned b : ids) {
        if (side_of[a - 1] != side_of[b - 1]) {
          cluster.cut(a, b);
        }
      }
    }
    // Also at the one that led before the split, before it steps down.
    std::vector<std::string> commands;
    const auto propose_everywhere = [&](const std::string& when) {
      for (const unsigned id : ids) {
        commands.push_back(std::to_string(side_of[id - 1]) + when + std::to_string(id));
        std::ignore = cluster.propose(id, commands.back());
      }
    };
    propose_everywhere("early");
    cluster.run(8'000'000);
    propose_everywhere("late");
    cluster.run(1'000'000);
    std::vector<bool> commits(servers, false);
    std::string text;
    for (const std::string& command : commands) {
      const unsigned side = static_cast<unsigned>(command.front() - '0');
      commits[side] = commits[side] || cluster.is_answered(command);
      text = std::to_string(sizes[side]) + " " + text;
    }
    for (unsigned side = 0; side < servers; ++side) {
      EXPECT_EQ(commits[side], sizes[side] > servers / 2) << text;
    }
    cluster.heal();
    cluster.run(8'000'000);
    const unsigned leader = cluster.leader();
    ASSERT_NE(leader, 0U);
    for (const unsigned id : ids) {
      EXPECT_EQ(cluster.server(id).state, cluster.server(leader).state);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Of, Splits, ::testing::Values(3U, 4U, 5U));

TEST(Repair, takes_at_most_a_round_trip_for_each_term_that_differs) {  // R-305, RAFT-32, K-59
  Prng prng(11);
  std::size_t worst = 0;
  for (int run = 0; run < 500; ++run) {
    testing::Cluster cluster({1, 2, 3}, Config{}, 1);
    // A common beginning, then the leader has even terms and the follower odd ones.
    const std::uint64_t common = prng.below(4);
    std::vector<std::vector<std::uint64_t>> tails(2);
    std::size_t different = 0;
    for (unsigned side = 0; side < 2; ++side) {
      std::uint64_t term = side == 0 ? 2 : 3;
      const std::uint64_t length = prng.below(25);
      for (std::uint64_t i = 0; i < length; ++i) {
        if (i == 0 || prng.chance(1, 3)) {
          term += 2 * prng.below(2) + (i == 0 ? 0 : 2);
          ++different;
        }
        tails[side].push_back(term);
      }
    }
    for (const unsigned id : {1U, 2U, 3U}) {
      testing::Server& server = cluster.server(id);
      std::vector<std::uint64_t> terms(common, 1);
      const auto& tail = tails[id == 3 ? 1 : 0];
      terms.insert(terms.end(), tail.begin(), tail.end());
      server.disk.hard_state.term = Term{200};
      for (const std::uint64_t term : terms) {
        server.disk.entries.push_back(Entry{.term = Term{term},
                                            .index = Index{server.disk.entries.size() + 1},
                                            .time = {},
                                            .kind = EntryKind::noop,
                                            .command = {}});
      }
      server.writes.clear();
      cluster.crash(id);
      cluster.restart(id);
    }
    cluster.crash(3);  // So that 1 or 2 leads.
    ASSERT_NE(cluster.elect(), 0U);
    std::vector<std::string> trace;
    cluster.trace_to(&trace);
    cluster.restart(3);
    cluster.run(300'000);
    const auto is_refusal = [](const std::string& line) { return line.find("append refused") != std::string::npos; };
    const auto refusals = static_cast<std::size_t>(std::ranges::count_if(trace, is_refusal));
    EXPECT_LE(refusals, different + 1) << "run " << run;
    worst = std::max(worst, refusals);
    EXPECT_EQ(cluster.server(3).state, cluster.server(cluster.leader()).state) << "run " << run;
  }
  EXPECT_GT(worst, 2U);
}

}  // namespace
}  // namespace quorate::raft
