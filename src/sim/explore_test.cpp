// The exhaustive search of the Raft core, as far as it fits into a check; `explore` searches the larger scopes
// (docs/raft.md, "Exhaustive search", with the mutants that it was tried on).

#include "sim/explore.hpp"

#include <algorithm>
#include <gtest/gtest.h>
#include <string>

#include "base/ensure.hpp"
#include "sim/search/judge.hpp"
#include "sim/search/key_index.hpp"
#include "sim/search/server.hpp"

namespace quorate::sim {
namespace {

Scope scope_named(std::string_view name) {
  const Scope* scope = find_scope(name);
  ensure(scope != nullptr, "the scope exists");
  return *scope;
}

SearchReport search(const Scope& scope, std::size_t states_max = 200'000) {
  SearchReport report = explore(scope, {.states_max = states_max, .replay_every = 499});
  if (report.broken) {
    ADD_FAILURE() << report.broken->invariant;
    for (const std::string& line : report.broken->path) {
      std::printf("  %s\n", line.c_str());
    }
  }
  return report;
}

// RAFT-18, RAFT-19, RAFT-33; I-101, I-102, I-106, I-108.
TEST(explore, one_term_of_elections_keeps_every_invariant_in_every_state) {
  const SearchReport report = search(scope_named("votes"));
  EXPECT_TRUE(report.is_exhausted);
  EXPECT_GT(report.states, 10'000U);
  EXPECT_GT(report.leaders, 1000U);
  EXPECT_GT(report.replayed, 10U) << "states are the same with real cores all the way";
}

// RAFT-18; R-211.
TEST(explore, elections_with_pre_votes_keep_every_invariant_in_every_state) {
  const SearchReport report = search(scope_named("pre-votes"));
  EXPECT_TRUE(report.is_exhausted);
  EXPECT_GT(report.leaders, 1000U);
  EXPECT_GT(report.replayed, 10U);
}

// RAFT-26, RAFT-27, RAFT-28; I-103 to I-106, I-109 to I-111.
TEST(explore, replication_with_a_crash_keeps_every_invariant_in_every_state) {
  Scope scope = scope_named("replication");
  scope.proposals = 1;
  const SearchReport report = search(scope);
  EXPECT_TRUE(report.is_exhausted);
  EXPECT_GT(report.states, 500U);
  EXPECT_EQ(report.committed, 2U) << "the no-op and the proposal";
}

// MEMB-01, MEMB-03, MEMB-05; I-108. The larger scopes have elections on the way.
TEST(explore, changes_of_the_members_keep_every_invariant_in_every_state) {
  for (const std::string_view name : {"removal", "addition", "replacement"}) {
    Scope scope = scope_named(name);
    scope.time_outs = 0;
    const SearchReport report = search(scope);
    EXPECT_TRUE(report.is_exhausted) << name << ": " << report.states;
    EXPECT_GE(report.committed, name == "removal" ? 2U : 3U) << name;
  }
}

// RAFT-05, RAFT-35; MEMB-08, MEMB-11; I-108. The beginning only: `explore whole` goes on.
TEST(explore, the_beginning_of_the_whole_scope_keeps_every_invariant) {
  const SearchReport report = search(scope_named("whole"), 60'000);
  EXPECT_FALSE(report.is_exhausted);
  EXPECT_EQ(report.states, 60'000U);
}

// The search can fail: a disk that takes a durable vote back leads to a second vote in the same term (R-102, RAFT-19).
TEST(explore, a_disk_that_forgets_votes_is_found_by_the_shortest_path) {
  const SearchReport report = explore(scope_named("lying-disk"), {});
  ASSERT_TRUE(report.broken.has_value());
  EXPECT_EQ(report.broken->invariant.substr(0, 5), "I-102") << report.broken->invariant;
  // Campaign, write, crash that forgets; another campaign's request, the same term, the write of its grant.
  EXPECT_EQ(report.broken->path.size(), 7U);
  EXPECT_FALSE(report.is_exhausted);
}

TEST(explore, a_run_is_the_same_each_time) {
  const SearchReport first = search(scope_named("pre-votes"), 5000);
  const SearchReport second = search(scope_named("pre-votes"), 5000);
  EXPECT_EQ(first.steps, second.steps);
  EXPECT_EQ(first.server_states, second.server_states);
  EXPECT_EQ(first.messages, second.messages);
}

// ---- The judge, on worlds made by hand: each invariant can fail.

using search::Committed;
using search::Mark;
using search::Memory;
using search::View;
using search::Voters;

constexpr std::uint32_t all_three = 0b1110;

struct Hand {
  Memory memory;
  std::vector<View> views;

  Hand() {
    memory.configuration = Voters{.incoming = all_three, .outgoing = 0};
    for (const unsigned id : {1U, 2U, 3U}) {
      views.push_back(View{.id = NodeId{id}, .term = Term{1}, .disk_term = Term{1}, .voters = memory.configuration});
    }
  }
  // Entry 1, of `term`, with a history of its own.
  static Mark mark(std::uint64_t term, std::uint64_t chain) { return Mark{.term = Term{term}, .chain = chain}; }
  void store(std::size_t server, Mark entry) {
    views[server].log = {entry};
    views[server].disk = {entry};
  }
  [[nodiscard]] std::vector<const View*> world() const {
    std::vector<const View*> all;
    for (const View& view : views) {
      all.push_back(&view);
    }
    return all;
  }
  [[nodiscard]] std::string state() const { return search::judge_state(memory, world()).value_or("holds"); }
  std::string step(const View& before, std::size_t after, const std::vector<search::Vote>& votes = {}) {
    return search::judge_step(memory, before, views[after], world(), votes).value_or("holds");
  }
};

search::Vote vote(unsigned voter, std::uint64_t term, unsigned candidate) {
  return search::Vote{.voter = NodeId{voter}, .term = Term{term}, .candidate = NodeId{candidate}};
}

TEST(explore_judge, a_second_vote_in_a_term_is_found) {
  Hand hand;
  EXPECT_EQ(hand.step(hand.views[0], 0, {vote(1, 1, 2)}), "holds");
  EXPECT_EQ(hand.step(hand.views[0], 0, {vote(1, 1, 2)}), "holds") << "the same one again";
  EXPECT_EQ(hand.step(hand.views[0], 0, {vote(1, 2, 3)}), "holds") << "another term";
  EXPECT_EQ(hand.step(hand.views[0], 0, {vote(1, 1, 3)}).substr(0, 5), "I-102");
}

TEST(explore_judge, a_second_leader_and_a_leader_without_votes_are_found) {
  Hand hand;
  const View before = hand.views[0];
  hand.views[0].role = raft::Role::leader;
  EXPECT_EQ(hand.step(before, 0, {vote(1, 1, 1)}).substr(0, 5), "I-108");
  Hand other;
  other.views[0].role = raft::Role::leader;
  EXPECT_EQ(other.step(before, 0, {vote(1, 1, 1), vote(2, 1, 1)}), "holds");
  other.views[1].role = raft::Role::leader;
  EXPECT_EQ(other.step(before, 1).substr(0, 5), "I-101");
}

TEST(explore_judge, a_commit_without_a_quorum_of_disks_or_of_an_older_term_is_found) {
  Hand hand;
  View before = hand.views[0];
  before.role = raft::Role::leader;
  hand.store(0, Hand::mark(1, 7));
  hand.views[0].commit = Index{1};
  EXPECT_EQ(hand.step(before, 0).substr(0, 5), "I-105");
  hand.store(1, Hand::mark(1, 7));
  View older = before;
  older.term = Term{2};
  EXPECT_EQ(hand.step(older, 0).substr(0, 5), "I-104");
  EXPECT_EQ(hand.step(hand.views[0], 0).substr(0, 5), "I-105") << "a follower decides";
  EXPECT_EQ(hand.step(before, 0), "holds");
  EXPECT_EQ(hand.memory.committed.size(), 1U);
}

TEST(explore_judge, configurations_whose_quorums_do_not_meet_are_found) {
  Hand hand;
  View before = hand.views[0];
  before.role = raft::Role::leader;
  before.voters = Voters{.incoming = 0b0010, .outgoing = 0};
  hand.store(0, Hand::mark(1, 7));
  hand.views[0].commit = Index{1};
  hand.views[0].configurations = {{Index{1}, before.voters}};
  EXPECT_EQ(hand.step(before, 0).substr(0, 5), "I-108") << "from three voters to one, without a joint phase";
}

TEST(explore_judge, logs_that_differ_at_one_position_are_found) {
  Hand hand;
  hand.store(0, Hand::mark(1, 7));
  hand.store(1, Hand::mark(1, 8));
  EXPECT_EQ(hand.state().substr(0, 5), "I-104");
  hand.store(1, Hand::mark(2, 8));
  EXPECT_EQ(hand.state(), "holds") << "another term";
}

TEST(explore_judge, a_lost_commit_and_a_leader_that_lacks_it_are_found) {
  Hand hand;
  hand.memory.committed = {Committed{.mark = Hand::mark(1, 7), .in = Term{1}, .voters = hand.memory.configuration}};
  hand.store(0, Hand::mark(1, 7));
  EXPECT_EQ(hand.state().substr(0, 5), "I-105");
  hand.store(1, Hand::mark(1, 7));
  EXPECT_EQ(hand.state(), "holds");
  hand.views[2].role = raft::Role::leader;
  EXPECT_EQ(hand.state(), "holds") << "of the term in which it was committed";
  hand.views[2].term = Term{2};
  EXPECT_EQ(hand.state().substr(0, 5), "I-104");
}

TEST(explore_judge, another_committed_history_and_an_early_apply_are_found) {
  Hand hand;
  hand.memory.committed = {Committed{.mark = Hand::mark(1, 7), .in = Term{1}, .voters = hand.memory.configuration}};
  hand.store(0, Hand::mark(1, 7));
  hand.store(1, Hand::mark(1, 7));
  hand.store(2, Hand::mark(2, 8));
  hand.views[2].commit = Index{1};
  EXPECT_EQ(hand.state().substr(0, 5), "I-109");
  hand.store(2, Hand::mark(1, 7));
  hand.views[2].disk.clear();
  EXPECT_EQ(hand.state(), "holds") << "committed before it is durable here";
  hand.views[2].applied = Index{1};
  EXPECT_EQ(hand.state().substr(0, 5), "I-110");
}

TEST(explore_judge, a_match_above_the_followers_disk_is_found) {
  Hand hand;
  hand.store(0, Hand::mark(1, 7));
  hand.views[0].role = raft::Role::leader;
  hand.views[0].matches = {{NodeId{2}, Index{1}}};
  EXPECT_EQ(hand.state().substr(0, 5), "I-111");
  hand.store(1, Hand::mark(1, 7));
  EXPECT_EQ(hand.state(), "holds");
}

TEST(explore_judge, two_uncommitted_configurations_in_a_log_are_found) {
  Hand hand;
  hand.views[0].log = {Hand::mark(1, 7), Hand::mark(1, 8)};
  hand.views[0].configurations = {{Index{1}, hand.memory.configuration}, {Index{2}, hand.memory.configuration}};
  EXPECT_EQ(hand.state().substr(0, 5), "I-108");
}

// Small numbers are no worse keys than hashes.
TEST(explore_key_index, every_key_gets_one_number) {
  search::KeyIndex index;
  for (std::uint64_t i = 0; i < 5000; ++i) {
    EXPECT_EQ(index.insert({i / 70, i % 70}), std::pair(static_cast<std::uint32_t>(i), true));
  }
  for (std::uint64_t i = 0; i < 5000; ++i) {
    EXPECT_EQ(index.insert({i / 70, i % 70}), std::pair(static_cast<std::uint32_t>(i), false));
  }
  EXPECT_EQ(index.size(), 5000U);
}

}  // namespace
}  // namespace quorate::sim
