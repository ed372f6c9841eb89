#include "raft/core.hpp"

#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace quorate::raft {
namespace {

constexpr NodeId self{1};

Recovered fresh() {
  Recovered recovered;
  recovered.configuration.members = {Member{.id = self}};
  return recovered;
}

Entry old_entry(std::uint64_t index, std::uint64_t term, std::int64_t time = 0) {
  return Entry{.term = Term{term},
               .index = Index{index},
               .time = WallTime{time},
               .kind = EntryKind::command,
               .command = Blob::copy("old")};
}

Core make_core(Recovered recovered, Limits limits = {}) {
  return Core(Config{.self = self, .limits = limits}, std::move(recovered), Blob::copy("switches"), Prng(1));
}

std::vector<Blob> commands(std::size_t count, std::size_t bytes = 10) {
  return std::vector<Blob>(count, Blob::adopt(std::string(bytes, 'c')));
}

// A core whose no-op is durable, committed and applied.
struct Serving {
  Core core;
  Output output;

  explicit Serving(Limits limits = {}) : core(make_core(fresh(), limits)) { turn(); }
  void turn() {
    core.take_output(output);
    if (output.token) {
      core.persisted(*output.token);
      core.take_output(output);
    }
    core.applied(core.commit_index());
  }
};

TEST(Core, each_start_leads_a_new_term_and_votes_for_itself_durably) {
  Recovered recovered = fresh();
  recovered.hard_state = HardState{.term = Term{4}, .vote = NodeId{1}};
  Core core = make_core(recovered);
  EXPECT_EQ(core.role(), Role::leader);
  EXPECT_EQ(core.term(), Term{5});
  Output output;
  core.take_output(output);
  EXPECT_EQ(output.hard_state, (HardState{.term = Term{5}, .vote = self}));
  ASSERT_EQ(output.append.size(), 1U);
  EXPECT_EQ(output.append.front().kind, EntryKind::noop);
  EXPECT_EQ(output.append.front().term, Term{5});
  EXPECT_EQ(output.append.front().command.view(), "switches");
  EXPECT_EQ(output.role, Role::leader);
  EXPECT_TRUE(output.token.has_value());
}

TEST(Core, the_new_term_is_above_the_newest_entry_even_if_the_hard_state_is_older) {
  Recovered recovered = fresh();
  recovered.hard_state = HardState{.term = Term{2}, .vote = self};
  recovered.entries = {old_entry(1, 6)};
  EXPECT_EQ(make_core(recovered).term(), Term{7});
}

TEST(Core, nothing_commits_before_it_is_durable) {
  Core core = make_core(fresh());
  Output output;
  core.take_output(output);
  EXPECT_TRUE(output.apply.empty());
  EXPECT_EQ(core.commit_index(), Index{0});
  core.persisted(*output.token);
  EXPECT_EQ(core.commit_index(), Index{1});
  core.take_output(output);
  ASSERT_EQ(output.apply.size(), 1U);
  EXPECT_FALSE(output.hard_state.has_value());
  EXPECT_FALSE(output.token.has_value());
}

TEST(Core, older_terms_commit_only_through_an_entry_of_the_own_term) {
  Recovered recovered = fresh();
  recovered.entries = {old_entry(1, 1), old_entry(2, 2)};
  Core core = make_core(recovered);
  Output output;
  core.take_output(output);
  EXPECT_TRUE(output.apply.empty());
  EXPECT_EQ(core.commit_index(), Index{0});
  core.persisted(*output.token);
  core.take_output(output);
  ASSERT_EQ(output.apply.size(), 2U) << "what was on disk, and the no-op";
  EXPECT_EQ(output.apply.front().front().index, Index{1});
  EXPECT_EQ(output.apply.back().back().index, Index{3});
}

TEST(Core, what_the_hint_knows_to_be_committed_is_applied_at_once) {
  Recovered recovered = fresh();
  recovered.entries = {old_entry(1, 1), old_entry(2, 1)};
  recovered.commit_hint = Index{1};
  Core core = make_core(recovered);
  Output output;
  core.take_output(output);
  ASSERT_EQ(output.apply.size(), 1U);
  core.persisted(*output.token);
  core.take_output(output);
  EXPECT_EQ(output.apply.size(), 2U);  // Each exactly once.
}

TEST(Core, the_log_continues_after_a_snapshot) {
  Recovered recovered = fresh();
  recovered.snapshot = LogId{.term = Term{3}, .index = Index{100}};
  Core core = make_core(recovered);
  EXPECT_EQ(core.term(), Term{4});
  Output output;
  core.take_output(output);
  EXPECT_EQ(output.append.front().index, Index{101});
  core.persisted(*output.token);
  core.take_output(output);
  ASSERT_EQ(output.apply.size(), 1U);
  EXPECT_EQ(output.apply.front().front().index, Index{101});
}

TEST(Core, a_token_covers_everything_before_it_and_a_late_one_tells_nothing) {
  Serving serving;
  Output first;
  Output second;
  ASSERT_TRUE(serving.core.propose(commands(2), WallTime{1}).has_value());
  serving.core.take_output(first);
  ASSERT_TRUE(serving.core.propose(commands(3), WallTime{1}).has_value());
  serving.core.take_output(second);
  serving.core.persisted(*second.token);
  EXPECT_EQ(serving.core.commit_index(), Index{6});
  serving.core.persisted(*first.token);
  EXPECT_EQ(serving.core.commit_index(), Index{6});
}

TEST(Core, an_earlier_token_commits_only_its_own_part) {
  Serving serving;
  Output first;
  Output second;
  ASSERT_TRUE(serving.core.propose(commands(2), WallTime{1}).has_value());
  serving.core.take_output(first);
  ASSERT_TRUE(serving.core.propose(commands(3), WallTime{1}).has_value());
  serving.core.take_output(second);
  serving.core.persisted(*first.token);
  EXPECT_EQ(serving.core.commit_index(), Index{3});
}

TEST(Core, a_batch_shares_one_time_and_time_never_goes_back) {
  Serving serving;
  ASSERT_TRUE(serving.core.propose(commands(2), WallTime{1000}).has_value());
  ASSERT_TRUE(serving.core.propose(commands(1), WallTime{400}).has_value());
  Output output;
  serving.core.take_output(output);
  ASSERT_EQ(output.append.size(), 3U);
  for (const Entry& entry : output.append) {
    EXPECT_EQ(entry.time, WallTime{1000});
  }
}

TEST(Core, the_no_op_is_not_older_than_the_log) {
  Recovered recovered = fresh();
  recovered.entries = {old_entry(1, 1, 5000)};
  Core core = make_core(recovered);
  Output output;
  core.take_output(output);
  EXPECT_EQ(output.append.front().time, WallTime{5000});
}

// A start from a snapshot at the log's very end once wrote its no-op with time 0, behind entries of today: a later
// start from the older snapshot met a log whose time went back.
TEST(Core, the_no_op_is_not_older_than_the_snapshot) {
  Recovered recovered = fresh();
  recovered.snapshot = LogId{.term = Term{3}, .index = Index{9}};
  recovered.time = WallTime{700};
  Core core = make_core(recovered);
  Output output;
  core.take_output(output);
  ASSERT_EQ(output.append.size(), 1U);
  EXPECT_EQ(output.append.front().time, WallTime{700});
}

TEST(Core, proposals_over_the_bound_are_refused_whole_and_before_they_have_an_index) {
  Serving serving(Limits{.uncommitted_entries_max = 4});
  ASSERT_TRUE(serving.core.propose(commands(3), WallTime{1}).has_value());
  const Index last = serving.core.log().last().index;
  const Result<Index> refused = serving.core.propose(commands(2), WallTime{1});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::refused);
  EXPECT_EQ(serving.core.log().last().index, last);
  EXPECT_TRUE(serving.core.propose(commands(1), WallTime{1}).has_value());
}

TEST(Core, bytes_are_bounded_too_and_the_counter_returns_to_zero) {
  Serving serving(Limits{.uncommitted_bytes_max = 1000});
  ASSERT_TRUE(serving.core.propose(commands(1, 600), WallTime{1}).has_value());
  EXPECT_FALSE(serving.core.propose(commands(1, 600), WallTime{1}).has_value());
  serving.turn();
  EXPECT_EQ(serving.core.uncommitted_bytes(), 0U);
  EXPECT_TRUE(serving.core.propose(commands(1, 600), WallTime{1}).has_value());
}

TEST(Core, one_proposal_is_always_admissible_when_the_tail_is_empty) {
  Serving serving(Limits{.uncommitted_bytes_max = 100, .uncommitted_entries_max = 1});
  EXPECT_TRUE(serving.core.propose(commands(5, 500), WallTime{1}).has_value());
}

TEST(Core, a_read_barrier_waits_for_the_own_term) {
  Recovered recovered = fresh();
  recovered.entries = {old_entry(1, 1)};
  recovered.commit_hint = Index{1};
  Core core = make_core(recovered);
  Output output;
  core.take_output(output);
  const PersistToken token = *output.token;
  core.applied(Index{1});
  core.read_index(7, MonoTime{});
  core.take_output(output);
  EXPECT_TRUE(output.reads.empty());
  core.persisted(token);
  core.take_output(output);
  EXPECT_TRUE(output.reads.empty());  // Committed, not applied yet (R-702 step 4).
  core.applied(Index{2});
  core.take_output(output);
  EXPECT_EQ(output.reads, std::vector<std::uint64_t>{7});
}

TEST(Core, a_lease_is_judged_by_the_clock_of_the_check_and_not_of_the_last_tick) {
  Serving serving;
  serving.core.set_leases(true);
  serving.core.tick(MonoTime{0});
  serving.core.tick(MonoTime{100'000});  // A round, which the only voter confirms at once.
  serving.turn();
  serving.core.read_index(1, MonoTime{600'000});
  EXPECT_EQ(serving.core.reads_by_lease(), 1U);
  serving.core.read_index(2, MonoTime{1'100'000});  // It stood still before it looked.
  EXPECT_EQ(serving.core.reads_by_lease(), 1U);
}

TEST(Core, a_read_barrier_does_not_wait_for_what_is_proposed_after_it) {
  Serving serving;
  serving.core.read_index(1, MonoTime{});
  ASSERT_TRUE(serving.core.propose(commands(1), WallTime{1}).has_value());
  Output output;
  serving.core.take_output(output);
  EXPECT_EQ(output.reads, std::vector<std::uint64_t>{1});
}

TEST(Core, applied_entries_stay_within_the_tails_bound) {
  Serving serving(Limits{.tail_entries_max = 5});
  for (int round = 0; round < 20; ++round) {
    ASSERT_TRUE(serving.core.propose(commands(7), WallTime{1}).has_value());
    serving.turn();
    EXPECT_LE(serving.core.log().size(), 5U);
  }
}

TEST(Core, a_snapshot_lets_the_log_go) {
  Serving serving;
  ASSERT_TRUE(serving.core.propose(commands(9), WallTime{1}).has_value());
  serving.turn();
  serving.core.compacted(LogId{.term = Term{1}, .index = Index{8}});
  EXPECT_EQ(serving.core.log().size(), 2U);
  EXPECT_EQ(serving.core.log().term_at(Index{8}), Term{1});
}

TEST(CoreDeath, a_snapshot_beyond_what_is_applied_is_a_lie) {
  Serving serving;
  ASSERT_TRUE(serving.core.propose(commands(1), WallTime{1}).has_value());
  EXPECT_DEATH(serving.core.compacted(LogId{.term = Term{1}, .index = Index{2}}), "R-604");
}

TEST(Core, an_idle_core_has_no_output) {
  Serving serving;
  EXPECT_FALSE(serving.core.has_output());
  serving.core.take_output(serving.output);
  EXPECT_TRUE(serving.output.empty());
}

}  // namespace
}  // namespace quorate::raft
