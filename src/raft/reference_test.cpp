// The core against a slow, obvious model of it, under random inputs.

#include "raft/testing/reference.hpp"

#include <algorithm>
#include <gtest/gtest.h>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/prng.hpp"
#include "raft/core.hpp"
#include "raft/describe.hpp"
#include "raft/testing/cluster.hpp"

namespace quorate::raft {
namespace {

using testing::reference_commit;
using testing::ReferenceFollower;

constexpr unsigned servers = 5;
constexpr NodeId self{1};

Config plain_config() {
  Config config{.self = self};
  config.has_pre_vote = false;
  config.has_check_quorum = false;
  config.has_stickiness = false;
  config.codec = testing::test_codec();
  return config;
}

Recovered with_log(const std::vector<Entry>& log) {
  Recovered recovered;
  recovered.configuration.members = testing::voters({1, 2, 3, 4, 5});
  recovered.entries = log;
  recovered.hard_state.term = log.empty() ? Term{} : log.back().term;
  return recovered;
}

// Terms, each with a leader and its log, as some run of Raft may have left them: every leader has what was committed.
struct Reign {
  Term term{};
  NodeId leader{};
  std::vector<Entry> log;
  std::size_t inherited = 0;  // Entries of the log that it was elected with.
  Index commit{};
};

std::vector<Reign> draw_reigns(Prng& prng, std::size_t count) {
  std::vector<Reign> reigns;
  std::size_t committed = 0;
  for (std::size_t i = 0; i < count; ++i) {
    Reign reign{
        .term = Term{i + 1}, .leader = NodeId{2 + static_cast<std::uint32_t>(prng.below(servers - 1))}, .log = {}};
    std::vector<const Reign*> heirs;
    for (const Reign& earlier : reigns) {
      const bool has_all = committed == 0 || (earlier.log.size() >= committed &&
                                              earlier.log[committed - 1] == reigns.back().log[committed - 1]);
      if (has_all) {
        heirs.push_back(&earlier);
      }
    }
    if (!heirs.empty()) {
      reign.log = heirs[prng.below(heirs.size())]->log;
      reign.log.resize(committed + prng.below(reign.log.size() - committed + 1));
    }
    reign.inherited = reign.log.size();
    const std::size_t added = 1 + prng.below(4);
    for (std::size_t j = 0; j < added; ++j) {
      reign.log.push_back(Entry{.term = reign.term,
                                .index = Index{reign.log.size() + 1},
                                .kind = EntryKind::command,
                                .command = Blob::copy(std::to_string(i))});
    }
    committed = prng.chance(1, 2) ? reign.log.size() - prng.below(added) : committed;
    reign.commit = Index{committed};
    reigns.push_back(std::move(reign));
  }
  return reigns;
}

LogId id_at(const std::vector<Entry>& log, std::size_t length) {
  return length == 0 ? LogId{} : LogId{.term = log[length - 1].term, .index = log[length - 1].index};
}

// One core whose writes are durable at once.
class Subject {
 public:
  explicit Subject(const std::vector<Entry>& log = {}) : core_(plain_config(), with_log(log), Blob(), Prng(3)) {
    core_.tick(MonoTime{1});
    settle();
  }

  std::vector<Message> step(NodeId from, Message message) {
    EXPECT_TRUE(core_.step(from, std::move(message)));
    return settle();
  }
  std::vector<Message> settle(bool is_durable = true) {
    std::vector<Message> sent;
    while (core_.has_output()) {
      core_.take_output(output_);
      for (const auto* list : {&output_.send, &output_.send_after_sync}) {
        for (const Envelope& envelope : *list) {
          sent.push_back(envelope.message);
        }
      }
      token_ = output_.token ? output_.token : token_;
      if (!output_.apply.empty()) {
        core_.applied(output_.apply.back().back().index);
      }
      if (is_durable) {
        persist();
      }
    }
    return sent;
  }
  void persist() {
    if (const std::optional<PersistToken> token = std::exchange(token_, std::nullopt)) {
      core_.persisted(*token);
    }
  }
  Core& core() { return core_; }

 private:
  Core core_;
  Output output_;
  std::optional<PersistToken> token_;
};

template <class T>
const T* find(const std::vector<Message>& messages) {
  const T* last = nullptr;
  for (const Message& message : messages) {
    if (const T* found = std::get_if<T>(&message)) {
      last = found;
    }
  }
  return last;
}

void expect_equal(const Core& core, const ReferenceFollower& model) {
  ASSERT_EQ(core.term(), model.term);
  ASSERT_EQ(core.hard_state().vote, model.vote);
  ASSERT_EQ(core.log().last(), model.last());
  ASSERT_EQ(core.commit_index(), model.commit);
  for (const auto& [index, term] : model.log) {
    ASSERT_EQ(core.log().term_at(index), term) << raw(index);
  }
}

TEST(Reference, a_follower_votes_appends_and_commits_as_figure_3_1_says) {  // R-010, RAFT-11, RAFT-12
  std::size_t votes = 0;
  std::size_t cuts = 0;
  for (std::uint64_t seed = 1; seed <= 2000; ++seed) {
    Prng prng(seed);
    const std::vector<Reign> reigns = draw_reigns(prng, 6);
    Subject subject;
    ReferenceFollower model;
    for (int step = 0; step < 40; ++step) {
      const Reign& reign = reigns[prng.below(reigns.size())];
      if (prng.chance(1, 4)) {
        const bool is_winner = prng.chance(1, 2);
        const Reign& other = reigns[prng.below(raw(reign.term))];
        const VoteRequest request{
            .term = reign.term,
            .last = is_winner ? id_at(reign.log, reign.inherited) : id_at(other.log, prng.below(other.log.size() + 1)),
            .campaign = seed};
        const NodeId candidate =
            is_winner ? reign.leader : NodeId{2 + static_cast<std::uint32_t>(prng.below(servers - 1))};
        if (!is_winner && candidate == reign.leader) {
          continue;  // It asks with the log that it has.
        }
        const auto sent = subject.step(candidate, request);
        const ReferenceFollower::Answer answer = model.on(candidate, request);
        const auto* reply = find<VoteReply>(sent);
        ASSERT_EQ(reply != nullptr && reply->is_granted, answer.is_yes) << seed << ": " << describe(Message(request));
        votes += answer.is_yes ? 1U : 0U;
      } else {
        const std::size_t from = prng.below(reign.log.size() + 1);
        const std::size_t count = prng.below(reign.log.size() - from + 1);
        AppendRequest request{.term = reign.term,
                              .previous = id_at(reign.log, from),
                              .commit = Index{prng.below(raw(reign.commit) + 1)},
                              .sequence = static_cast<std::uint64_t>(step + 1),
                              .entries = Entries(reign.log).slice(from, count)};
        const LogId before = model.last();
        const ReferenceFollower::Answer answer = model.on(request);
        cuts += model.term_at(before.index) != before.term ? 1U : 0U;
        const auto sent = subject.step(reign.leader, request);
        const auto* reply = find<AppendReply>(sent);
        const bool is_accepted = reply != nullptr && reply->is_accepted;
        ASSERT_EQ(is_accepted, answer.is_yes) << seed << ": " << describe(Message(request));
        if (is_accepted) {
          ASSERT_EQ(reply->match, answer.match) << seed;
        }
      }
      ASSERT_NO_FATAL_FAILURE(expect_equal(subject.core(), model)) << seed;
    }
  }
  EXPECT_GT(votes, 1000U);
  EXPECT_GT(cuts, 30U);
}

// A leader whose log begins with entries of earlier terms, whose disk and followers confirm in any order (Figure 8).
TEST(Reference, a_leader_commits_what_a_majority_holds_of_its_own_term) {
  std::size_t commits = 0;
  for (std::uint64_t seed = 1; seed <= 2000; ++seed) {
    Prng prng(seed);
    const std::vector<Reign> reigns = draw_reigns(prng, 1 + prng.below(4));
    Subject subject(reigns.back().log);
    Core& core = subject.core();
    std::optional<VoteRequest> request;
    for (std::int64_t time = 0; !request && time < 10'000'000; time += 100'000) {
      core.tick(MonoTime{1 + time});
      const auto asked = subject.settle();
      if (const auto* found = find<VoteRequest>(asked)) {
        request = *found;
      }
    }
    ASSERT_TRUE(request);
    for (const std::uint32_t id : {2U, 3U}) {
      ASSERT_TRUE(
          core.step(NodeId{id}, VoteReply{.term = core.term(), .campaign = request->campaign, .is_granted = true}));
    }
    ASSERT_EQ(core.role(), Role::leader);
    std::map<Index, Term> log;
    for (const Entry& entry : reigns.back().log) {
      log[entry.index] = entry.term;
    }
    std::map<NodeId, Index> match{{self, core.durable_index()}};
    for (std::uint32_t id = 2; id <= servers; ++id) {
      match[NodeId{id}] = Index{};
    }
    Index commit{};
    for (int step = 0; step < 30; ++step) {
      const std::uint64_t choice = prng.below(4);
      if (choice == 0) {
        const Blob command = Blob::copy("c");
        ASSERT_TRUE(core.propose({&command, 1}, WallTime{step}));
      } else if (choice == 1) {
        subject.settle(false);
        subject.persist();
      } else {
        const NodeId from{2 + static_cast<std::uint32_t>(prng.below(servers - 1))};
        Index& known = match[from];
        known = Index{raw(known) + prng.below(raw(core.log().last().index) - raw(known) + 1)};
        ASSERT_TRUE(core.step(from, AppendReply{.term = core.term(), .is_accepted = true, .match = known, .hint = {}}));
      }
      subject.settle(false);
      for (Index index = next(Index{log.size()}); index <= core.log().last().index; index = next(index)) {
        log[index] = core.term();
      }
      match[self] = core.durable_index();
      const Index expected = reference_commit(match, log, core.term(), commit);
      commits += expected > commit ? 1U : 0U;
      commit = expected;
      ASSERT_EQ(core.commit_index(), commit) << seed << " at " << step << ": " << describe(core);
    }
  }
  EXPECT_GT(commits, 1000U);
}

}  // namespace
}  // namespace quorate::raft
