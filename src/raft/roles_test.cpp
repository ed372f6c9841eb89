// Role, term and timer against their rules, for every message in every role (RAFT-06, RAFT-08, RAFT-16, R-201 to
// R-203), and the restrictions of the vote (R-206).

#include <array>
#include <gtest/gtest.h>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "raft/core.hpp"
#include "raft/describe.hpp"
#include "raft/testing/cluster.hpp"
#include "raft/testing/notation.hpp"

namespace quorate::raft {
namespace {

constexpr NodeId self{1};

// One server of three, with a disk that confirms at once; the test is the other two.
class Solo {
 public:
  explicit Solo(Term term, const std::vector<Term>& log = {}, Config config = {}) {
    config.self = self;
    config.codec = testing::test_codec();
    Recovered recovered;
    recovered.hard_state.term = term;
    recovered.configuration.members = testing::voters({1, 2, 3});
    for (const Term entry : log) {
      recovered.entries.push_back(Entry{.term = entry,
                                        .index = Index{recovered.entries.size() + 1},
                                        .time = {},
                                        .kind = EntryKind::noop,
                                        .command = {}});
    }
    core_.emplace(config, std::move(recovered), Blob(), Prng(1));
    wait(1'000'000);
  }

  // What it says to the message, in the trace's notation; "" for nothing.
  std::string hear(unsigned from, const std::string& text) {
    std::istringstream stream(text);
    std::vector<std::string> words;
    for (std::string word; stream >> word;) {
      words.push_back(word);
    }
    Result<Message> message = testing::message_of(words, *core_);
    EXPECT_TRUE(message.has_value()) << text;
    EXPECT_TRUE(core_->step(NodeId{from}, std::move(*message)).has_value()) << text;
    return drain(NodeId{from});
  }

  void wait(std::int64_t microseconds) {
    now_ = after_us(now_, microseconds);
    core_->tick(now_);
    drain(NodeId{});
  }
  // In half timeouts: a longer step would be a pause (R-006).
  void wait_for_timeout() {
    for (int step = 0; step < 4; ++step) {
      wait(500'000);
    }
  }

  [[nodiscard]] const Core& core() const { return *core_; }
  [[nodiscard]] Core& host() { return *core_; }
  [[nodiscard]] MonoTime deadline() const {
    if (const auto* follower = std::get_if<Follower>(&core_->role_state())) {
      return follower->deadline;
    }
    const auto* candidate = std::get_if<Candidate>(&core_->role_state());
    return candidate == nullptr ? MonoTime{} : candidate->deadline;
  }

 private:
  std::string drain(NodeId peer) {
    std::string said;
    Output output;
    while (core_->has_output()) {
      core_->take_output(output);
      for (const auto* envelopes : {&output.send, &output.send_after_sync}) {
        for (const Envelope& envelope : *envelopes) {
          said = envelope.to == peer ? describe(envelope.message) : said;
        }
      }
      if (output.token) {
        core_->persisted(*output.token);
      }
      if (!output.apply.empty()) {
        core_->applied(output.apply.back().back().index);
      }
    }
    return said;
  }

  std::optional<Core> core_;
  MonoTime now_{};
};

enum class Start : std::uint8_t { follower_of_2, follower, pre_candidate, candidate, leader };
constexpr std::array starts = {Start::follower_of_2, Start::follower, Start::pre_candidate, Start::candidate,
                               Start::leader};
constexpr std::array<const char*, 5> names = {"follower of 2", "follower", "pre-candidate", "candidate", "leader"};

// In term 5, whatever it is, with one entry of term 1.
Solo begin(Start start) {
  Solo solo(Term{start < Start::candidate ? 5U : 4U}, {Term{1}});
  if (start == Start::follower_of_2) {
    solo.hear(2, "heartbeat t5 commit 0 round 1");
  } else if (start > Start::follower) {
    solo.wait_for_timeout();
  }
  if (start >= Start::candidate) {
    solo.hear(3, "pre-vote t5 granted");
  }
  if (start == Start::leader) {
    solo.hear(3, "vote t5 granted");
    solo.hear(3, "appended t5 match 2");
    solo.hear(2, "appended t5 match 2");
  }
  solo.wait(300'000);
  return solo;
}

Role role_of(Start start) {
  if (start == Start::leader) {
    return Role::leader;
  }
  return start <= Start::follower ? Role::follower : Role::candidate;
}

struct Case {
  const char* message;         // Without its term, which stands where '@' is.
  bool is_from_leader;         // Append, heartbeat, a part of a snapshot.
  const char* older;           // What is said to it when its term is older (R-202).
  bool proposes_only = false;  // R-211: its term is taken by nobody.
};

constexpr std::array cases = {
    Case{"append @ after 0.0 commit 0", true, "append refused t5 try 0.0"},
    Case{"heartbeat @ commit 0 round 1", true, "heartbeat heard t5 round 0"},
    Case{"snapshot @ at 3.9 bytes 0+7 of 20", true, "snapshot refused t5 at 3.9 next byte 0"},
    Case{"vote? @ last 9.9", false, ""},
    Case{"vote? @ last 0.0", false, ""},  // Its log is too short.
    Case{"pre-vote? @ last 9.9", false, "pre-vote t5 refused", true},
    Case{"vote @ refused", false, ""},
    Case{"pre-vote @ refused", false, ""},
    Case{"appended @ match 0", false, ""},
    Case{"append refused @ try 0.0", false, ""},
    Case{"heartbeat heard @ round 0", false, ""},
    Case{"snapshot stored @ at 3.9 next byte 7", false, ""},
    Case{"read index? @", false, "read index t5 refused"},
    Case{"read index @ 0", false, ""},
};

std::string with_term(const char* message, unsigned term) {
  std::string text = message;
  return text.replace(text.find('@'), 1, "t" + std::to_string(term));
}

// Who has heard a leader lately, and who is one with a live quorum, ignores who asks for votes (R-210).
bool is_sticky(Start start) {
  return start == Start::follower_of_2 || start == Start::leader;
}

TEST(Roles, a_message_of_an_older_term_changes_nothing_and_is_answered_as_r_202_says) {  // RAFT-08
  for (const Start start : starts) {
    for (const Case& message : cases) {
      SCOPED_TRACE(std::string(names.at(std::to_underlying(start))) + ": " + message.message);
      Solo solo = begin(start);
      const MonoTime deadline = solo.deadline();
      const bool is_ignored = message.proposes_only && is_sticky(start);
      EXPECT_EQ(solo.hear(message.is_from_leader ? 2 : 3, with_term(message.message, 4)),
                is_ignored ? "" : message.older);
      EXPECT_EQ(solo.core().term(), Term{5});
      EXPECT_EQ(solo.core().role(), role_of(start));
      EXPECT_EQ(solo.deadline(), deadline);
    }
  }
}

TEST(Roles, a_message_of_a_newer_term_makes_a_follower_of_it) {  // RAFT-06, RAFT-08, R-201, R-203
  for (const Start start : starts) {
    for (const Case& message : cases) {
      SCOPED_TRACE(std::string(names.at(std::to_underlying(start))) + ": " + message.message);
      Solo solo = begin(start);
      const MonoTime deadline = solo.deadline();
      const bool asks = std::string(message.message).starts_with("vote?");
      const bool gives_vote = asks && std::string(message.message).ends_with("9.9");
      solo.hear(message.is_from_leader ? 2 : 3, with_term(message.message, 6));
      if (message.proposes_only || (asks && is_sticky(start))) {
        EXPECT_EQ(solo.core().term(), Term{5});
        EXPECT_EQ(solo.core().role(), role_of(start));
        EXPECT_EQ(solo.deadline(), deadline);
        continue;
      }
      EXPECT_EQ(solo.core().term(), Term{6});
      EXPECT_EQ(solo.core().role(), Role::follower);
      EXPECT_EQ(solo.core().leader(), message.is_from_leader ? NodeId{2} : NodeId{});
      EXPECT_EQ(solo.core().hard_state().vote, gives_vote ? NodeId{3} : NodeId{});  // R-205, K-40
      // A follower's timer starts anew for a leader and for a vote given, and for nothing else.
      const bool is_new = message.is_from_leader || gives_vote || role_of(start) != Role::follower;
      EXPECT_EQ(solo.deadline() != deadline, is_new);
    }
  }
}

TEST(Roles, in_the_own_term_only_a_leader_and_a_vote_given_restart_the_timer) {  // RAFT-16, R-203, K-05, K-49
  for (const Start start : starts) {
    for (const Case& message : cases) {
      if (start == Start::leader && message.is_from_leader) {
        continue;  // R-215: two_leaders_in_one_term_stop_the_process
      }
      SCOPED_TRACE(std::string(names.at(std::to_underlying(start))) + ": " + message.message);
      Solo solo = begin(start);
      const MonoTime deadline = solo.deadline();
      const std::string text = message.message;
      const bool is_good = text.starts_with("vote?") && text.ends_with("9.9");
      const bool gives_vote = is_good && (start == Start::follower || start == Start::pre_candidate);
      solo.hear(message.is_from_leader ? 2 : 3, with_term(message.message, 5));
      EXPECT_EQ(solo.core().term(), Term{5});
      EXPECT_EQ(solo.core().role(), message.is_from_leader || gives_vote ? Role::follower : role_of(start));
      EXPECT_EQ(solo.deadline() != deadline, message.is_from_leader || gives_vote);
    }
  }
}

TEST(Roles, the_state_diagram_has_no_other_arrows) {  // RAFT-06, RAFT-16, RAFT-18, RAFT-43
  const auto after = [](Start start, auto input) {
    Solo solo = begin(start);
    input(solo);
    return std::pair(solo.core().role(), raw(solo.core().term()));
  };
  const auto times_out = [](Solo& solo) { solo.wait_for_timeout(); };
  // Nobody campaigns in earnest before a pre-vote is won (R-211), and a leader without a quorum is none (R-212).
  EXPECT_EQ(after(Start::follower_of_2, times_out), std::pair(Role::candidate, std::uint64_t{5}));
  EXPECT_EQ(after(Start::follower, times_out), std::pair(Role::candidate, std::uint64_t{5}));
  EXPECT_EQ(after(Start::pre_candidate, times_out), std::pair(Role::candidate, std::uint64_t{5}));
  EXPECT_EQ(after(Start::candidate, times_out), std::pair(Role::candidate, std::uint64_t{5}));
  EXPECT_EQ(after(Start::leader, [](Solo& solo) { solo.wait(1'500'000); }),
            std::pair(Role::follower, std::uint64_t{5}));

  const auto wins_pre_vote = [](Solo& solo) { solo.hear(3, "pre-vote t6 granted"); };
  EXPECT_EQ(after(Start::follower, wins_pre_vote), std::pair(Role::follower, std::uint64_t{5}));
  EXPECT_EQ(after(Start::pre_candidate, wins_pre_vote), std::pair(Role::candidate, std::uint64_t{6}));
  EXPECT_EQ(after(Start::candidate, wins_pre_vote), std::pair(Role::candidate, std::uint64_t{5}));
  EXPECT_EQ(after(Start::leader, wins_pre_vote), std::pair(Role::leader, std::uint64_t{5}));

  const auto wins = [](Solo& solo) { solo.hear(3, "vote t5 granted"); };
  EXPECT_EQ(after(Start::follower, wins), std::pair(Role::follower, std::uint64_t{5}));
  EXPECT_EQ(after(Start::pre_candidate, wins), std::pair(Role::candidate, std::uint64_t{5}));
  EXPECT_EQ(after(Start::candidate, wins), std::pair(Role::leader, std::uint64_t{5}));

  const auto loses = [](Solo& solo) {
    solo.hear(2, "vote t5 refused");
    solo.hear(3, "vote t5 refused");
  };
  EXPECT_EQ(after(Start::candidate, loses), std::pair(Role::follower, std::uint64_t{5}));
  EXPECT_EQ(after(Start::leader, loses), std::pair(Role::leader, std::uint64_t{5}));

  const auto is_asked_to_lead = [](Solo& solo) { solo.hear(2, "campaign now t5"); };
  EXPECT_EQ(after(Start::follower_of_2, is_asked_to_lead), std::pair(Role::candidate, std::uint64_t{6}));
  EXPECT_EQ(after(Start::follower, is_asked_to_lead), std::pair(Role::follower, std::uint64_t{5}));
  EXPECT_EQ(after(Start::candidate, is_asked_to_lead), std::pair(Role::candidate, std::uint64_t{5}));
  EXPECT_EQ(after(Start::leader, is_asked_to_lead), std::pair(Role::leader, std::uint64_t{5}));
}

TEST(RolesDeath, two_leaders_in_one_term_stop_the_process) {  // R-215
  EXPECT_DEATH(begin(Start::leader).hear(2, "heartbeat t5 commit 0 round 1"), "R-215");
  EXPECT_DEATH(begin(Start::follower_of_2).hear(3, "append t5 after 0.0 commit 0"), "R-215");
}

TEST(RolesDeath, another_entry_where_something_is_committed_stops_the_process) {  // I-105, R-302, R-607, K-81
  const auto committed = [] {
    Solo solo(Term{5}, {Term{1}, Term{2}});
    solo.hear(2, "append t5 after 2.2 commit 2");
    return solo;
  };
  EXPECT_EQ(committed().core().commit_index(), Index{2});
  EXPECT_DEATH(committed().hear(2, "snapshot t5 at 3.2 bytes 0+7 of 20"), "R-607");
}

// Every log of up to three entries whose terms do not fall.
std::vector<std::vector<Term>> small_logs() {
  std::vector<std::vector<Term>> logs = {{}};
  for (std::size_t i = 0; i < logs.size(); ++i) {
    for (std::uint64_t term = 1; term <= 3 && logs[i].size() < 3; ++term) {
      if (logs[i].empty() || logs[i].back() <= Term{term}) {
        logs.push_back(logs[i]);
        logs.back().push_back(Term{term});
      }
    }
  }
  return logs;
}

TEST(Votes, go_to_logs_that_are_at_least_as_new_term_first_then_length) {  // R-206, RAFT-20, K-58, N-01
  std::size_t granted = 0;
  for (const auto& own : small_logs()) {
    for (const auto& other : small_logs()) {
      const std::uint64_t own_term = own.empty() ? 0 : raw(own.back());
      const std::uint64_t other_term = other.empty() ? 0 : raw(other.back());
      const bool is_as_new = other_term > own_term || (other_term == own_term && other.size() >= own.size());
      const std::string last = " t9 last " + std::to_string(other_term) + "." + std::to_string(other.size());
      for (const std::string kind : {"pre-vote", "vote"}) {
        Solo solo(Term{5}, own);
        EXPECT_EQ(solo.hear(2, kind + "?" + last).ends_with("granted"), is_as_new) << kind << last;
      }
      granted += is_as_new ? 1U : 0U;
    }
  }
  EXPECT_GT(granted, 200U);
}

TEST(Roles, who_installs_a_snapshot_does_not_campaign_until_it_is_in_place_or_has_failed) {  // R-209
  Solo solo(Term{5});
  solo.hear(2, "snapshot t5 at 3.9 bytes 0+20 of 20");
  const SnapshotId id{.sender_term = Term{5}, .point = {.term = Term{3}, .index = Index{9}}, .configuration = {}};
  solo.host().snapshot_stored(id, 20);
  solo.wait_for_timeout();
  solo.wait_for_timeout();
  EXPECT_EQ(solo.core().role(), Role::follower);
  solo.host().snapshot_failed(id);
  solo.wait_for_timeout();
  EXPECT_EQ(solo.core().role(), Role::candidate);
}

TEST(Votes, are_not_given_in_doubt) {  // R-117, R-123
  Solo solo(Term{5}, {}, Config{.may_vote = false});
  EXPECT_EQ(solo.hear(2, "pre-vote? t6 last 9.9"), "pre-vote t5 refused");
  EXPECT_EQ(solo.hear(2, "vote? t6 last 9.9"), "vote t6 refused");
  solo.wait_for_timeout();
  EXPECT_EQ(solo.core().role(), Role::follower);
}

}  // namespace
}  // namespace quorate::raft
