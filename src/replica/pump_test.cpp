#include "replica/pump.hpp"

#include <algorithm>
#include <gtest/gtest.h>
#include <optional>
#include <variant>
#include <vector>

#include "base/prng.hpp"
#include "wire/configuration.hpp"

namespace quorate::replica {
namespace {

constexpr NodeId self{1};

raft::Core one_of_three(bool has_pre_vote = true) {
  raft::Recovered recovered;
  for (const std::uint32_t id : {1U, 2U, 3U}) {
    recovered.configuration.members.push_back(raft::Member{.id = NodeId{id}, .incarnation_low = 1});
  }
  raft::Config config{.self = self, .codec = wire::configuration_codec()};
  config.has_pre_vote = has_pre_vote;
  raft::Core core(config, std::move(recovered), Blob(), Prng(7));
  core.tick(MonoTime{1});
  return core;
}

std::vector<raft::Entry> commands(Term term, Index first, std::size_t count) {
  std::vector<raft::Entry> entries;
  for (std::size_t i = 0; i < count; ++i) {
    entries.push_back(raft::Entry{
        .term = term, .index = Index{raw(first) + i}, .kind = raft::EntryKind::command, .command = Blob::copy("x")});
  }
  return entries;
}

void append(raft::Core& core, NodeId leader, Term term, raft::LogId previous, std::vector<raft::Entry> entries) {
  ASSERT_TRUE(core.step(
      leader,
      raft::AppendRequest{
          .term = term, .previous = previous, .commit = Index{}, .sequence = 1, .entries = std::move(entries)}));
}

template <class T>
bool holds(const std::vector<raft::Envelope>& messages) {
  return std::ranges::any_of(
      messages, [](const raft::Envelope& envelope) { return std::holds_alternative<T>(envelope.message); });
}

TEST(Pump, a_promise_leaves_after_the_write_that_it_rests_on) {
  raft::Core core = one_of_three();
  Pump pump(core);
  ASSERT_TRUE(core.step(NodeId{2}, raft::VoteRequest{.term = Term{1}, .last = {}, .campaign = 5}));
  Output output;
  pump.take(output);
  EXPECT_EQ(output.hard_state, (raft::HardState{.term = Term{1}, .vote = NodeId{2}}));
  EXPECT_FALSE(holds<raft::VoteReply>(output.send));
  ASSERT_TRUE(output.token);
  pump.persisted(*output.token);
  pump.take(output);
  EXPECT_TRUE(holds<raft::VoteReply>(output.send));
}

TEST(Pump, a_promise_waits_for_its_own_write_and_not_for_one_before) {
  raft::Core core = one_of_three();
  Pump pump(core);
  Output output;
  append(core, NodeId{3}, Term{1}, {}, commands(Term{1}, Index{1}, 1));
  pump.take(output);
  const std::optional<raft::PersistToken> entry = output.token;
  const raft::VoteRequest request{
      .term = Term{1}, .last = {.term = Term{1}, .index = Index{1}}, .campaign = 5, .is_transfer = true};
  ASSERT_TRUE(core.step(NodeId{2}, request));
  pump.take(output);
  ASSERT_TRUE(entry && output.token);
  EXPECT_EQ(output.hard_state, (raft::HardState{.term = Term{1}, .vote = NodeId{2}}));
  const raft::PersistToken vote = *output.token;
  pump.persisted(*entry);
  pump.take(output);
  EXPECT_FALSE(holds<raft::VoteReply>(output.send));
  pump.persisted(vote);
  pump.take(output);
  EXPECT_TRUE(holds<raft::VoteReply>(output.send));
}

TEST(Pump, a_promise_of_an_earlier_term_is_dropped) {  // what it rested on may be gone.
  raft::Core core = one_of_three();
  Pump pump(core);
  ASSERT_TRUE(core.step(NodeId{2}, raft::VoteRequest{.term = Term{1}, .last = {}, .campaign = 5}));
  Output output;
  pump.take(output);
  const std::optional<raft::PersistToken> vote = output.token;
  ASSERT_TRUE(vote);
  append(core, NodeId{3}, Term{2}, {}, commands(Term{2}, Index{1}, 1));
  pump.persisted(*vote);
  pump.take(output);
  EXPECT_FALSE(holds<raft::VoteReply>(output.send));
}

TEST(Pump, who_is_no_candidate_any_more_asks_for_no_votes) {
  raft::Core core = one_of_three(false);
  Pump pump(core);
  Output output;
  for (std::int64_t time = 1; core.role() != raft::Role::candidate && time < 10'000'000; time += 100'000) {
    core.tick(MonoTime{time});
  }
  pump.take(output);
  const std::optional<raft::PersistToken> vote = output.token;
  ASSERT_TRUE(vote);
  append(core, NodeId{3}, core.term(), {}, commands(core.term(), Index{1}, 1));
  pump.persisted(*vote);
  pump.take(output);
  EXPECT_FALSE(holds<raft::VoteRequest>(output.send));
}

TEST(Pump, what_two_turns_append_is_one_contiguous_write) {
  raft::Core core = one_of_three();
  Pump pump(core);
  append(core, NodeId{2}, Term{1}, {}, commands(Term{1}, Index{1}, 3));
  ASSERT_TRUE(pump.committed().empty());  // A turn that takes no output.
  append(core, NodeId{3}, Term{2}, {.term = Term{1}, .index = Index{1}}, commands(Term{2}, Index{2}, 1));
  Output output;
  pump.take(output);
  ASSERT_EQ(output.append.size(), 2U);
  EXPECT_EQ(output.append[0].term, Term{1});
  EXPECT_EQ(output.append[1].term, Term{2});
  EXPECT_EQ(output.append[1].index, Index{2});
  EXPECT_EQ(output.hard_state->term, Term{2});
}

TEST(Pump, an_entry_is_handed_out_until_it_is_counted_off) {  // I-110
  raft::Core core = one_of_three();
  Pump pump(core);
  append(core, NodeId{2}, Term{1}, {}, commands(Term{1}, Index{1}, 3));
  Output output;
  pump.take(output);
  pump.persisted(*output.token);
  ASSERT_TRUE(core.step(NodeId{2}, raft::Heartbeat{.term = Term{1}, .commit = Index{3}, .round = 1}));
  ASSERT_EQ(pump.committed().size(), 3U);
  pump.applied(2);
  EXPECT_EQ(core.applied_index(), Index{2});
  ASSERT_EQ(pump.committed().size(), 1U);
  EXPECT_EQ(pump.committed().front().index, Index{3});
}

}  // namespace
}  // namespace quorate::replica
