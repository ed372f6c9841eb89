#include "paxos/decree.hpp"

#include <deque>
#include <gtest/gtest.h>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/prng.hpp"

namespace quorate::paxos {
namespace {

constexpr NodeId one{1};
constexpr NodeId two{2};
constexpr NodeId three{3};

struct Packet {
  NodeId from{};
  NodeId to{};
  Message message;
};

// Servers with make-believe disks, and an observer of what is durable (L-109).
class World {
 public:
  explicit World(unsigned servers, std::uint64_t seed = 1) : prng_(seed) {
    for (unsigned id = 1; id <= servers; ++id) {
      voters_.push_back(NodeId{id});
    }
    for (const NodeId id : voters_) {
      start(id);
    }
  }

  Decree& decree(NodeId id) { return *servers_.at(id).decree; }
  [[nodiscard]] std::vector<Packet>& network() { return network_; }
  [[nodiscard]] const std::vector<NodeId>& voters() const { return voters_; }
  [[nodiscard]] const std::optional<std::string>& value() const { return value_; }

  void propose(NodeId id, const std::string& value) {
    decree(id).propose(Blob::copy(value));
    collect(id);
  }

  void send(NodeId from, NodeId to, Message message) {
    network_.push_back(Packet{.from = from, .to = to, .message = std::move(message)});
  }

  void tick(std::int64_t microseconds) {
    now_ = after_us(now_, microseconds);
    for (const NodeId id : voters_) {
      decree(id).tick(now_);
      collect(id);
    }
  }

  void deliver(std::size_t packet, bool is_repeated = false) {
    const Packet chosen = network_[packet];
    if (!is_repeated) {
      network_.erase(network_.begin() + static_cast<std::ptrdiff_t>(packet));
    }
    decree(chosen.to).step(chosen.from, chosen.message);
    collect(chosen.to);
  }

  // Delivers the oldest message for which `wanted` holds; false: there is none.
  template <class Kind>
  bool deliver_next(NodeId from, NodeId to) {
    for (std::size_t i = 0; i < network_.size(); ++i) {
      if (network_[i].from == from && network_[i].to == to && std::holds_alternative<Kind>(network_[i].message)) {
        deliver(i);
        return true;
      }
    }
    return false;
  }

  bool finish_write(NodeId id) {
    Server& server = servers_.at(id);
    if (server.writes.empty()) {
      return false;
    }
    const Write write = server.writes.front();
    server.writes.pop_front();
    store(id, write.durable);
    for (const Envelope& envelope : write.then_send) {
      network_.push_back(Packet{.from = id, .to = envelope.to, .message = envelope.message});
    }
    server.decree->persisted(write.token);
    collect(id);
    return true;
  }

  // `kept` of the writes under way reached the disk.
  void crash(NodeId id, std::size_t kept) {
    Server& server = servers_.at(id);
    for (std::size_t i = 0; i < std::min(kept, server.writes.size()); ++i) {
      store(id, server.writes[i].durable);
    }
    server.writes.clear();
    start(id);
  }

  // Everything is delivered and written, in order, time goes on when nothing moves.
  void settle(int turns = 1000) {
    for (int turn = 0; turn < turns; ++turn) {
      bool has_moved = false;
      for (const NodeId id : voters_) {
        has_moved = finish_write(id) || has_moved;
      }
      if (!network_.empty()) {
        deliver(0);
        has_moved = true;
      }
      if (!has_moved) {
        tick(50'000);
      }
    }
  }

 private:
  struct Write {
    PersistToken token{};
    Durable durable;
    std::vector<Envelope> then_send;
  };
  struct Server {
    std::optional<Decree> decree;
    Durable disk;
    std::deque<Write> writes;
  };

  void start(NodeId id) {
    Server& server = servers_[id];
    server.decree.emplace(Config{.self = id, .voters = voters_}, server.disk, Prng(prng_.next_u64()));
    server.decree->tick(now_);
  }

  void collect(NodeId id) {
    Server& server = servers_.at(id);
    Output output;
    while (server.decree->has_output()) {
      server.decree->take_output(output);
      for (const Envelope& envelope : output.send) {
        network_.push_back(Packet{.from = id, .to = envelope.to, .message = envelope.message});
      }
      if (output.token) {
        server.writes.push_back(
            Write{.token = *output.token, .durable = *output.persist, .then_send = output.send_after_sync});
      }
    }
    if (server.decree->chosen()) {
      judge_chosen(std::string(server.decree->chosen()->view()));
    }
  }

  void store(NodeId id, const Durable& durable) {
    Durable& disk = servers_.at(id).disk;
    ASSERT_GE(durable.promised, disk.promised) << "a promise is never taken back (L-109)";
    ASSERT_TRUE(!durable.accepted || durable.accepted->ballot <= durable.promised) << "(L-109)";
    disk = durable;
    if (durable.accepted) {
      const std::string value(durable.accepted->value.view());
      auto& [voted_value, acceptors] = acceptances_[durable.accepted->ballot];
      ASSERT_TRUE(acceptors.empty() || voted_value == value) << "one value a ballot";
      voted_value = value;
      acceptors.insert(id);
      if (acceptors.size() > voters_.size() / 2) {
        judge_chosen(value);
      }
    }
  }

  void judge_chosen(const std::string& value) {
    ASSERT_TRUE(!value_ || *value_ == value) << "two values are chosen: " << *value_ << " and " << value;
    value_ = value;
  }

  Prng prng_;
  MonoTime now_{1};
  std::vector<NodeId> voters_;
  std::map<NodeId, Server> servers_;
  std::vector<Packet> network_;
  std::map<Ballot, std::pair<std::string, std::set<NodeId>>> acceptances_;
  std::optional<std::string> value_;
};

TEST(Decree, one_proposer_needs_two_round_trips) {  // PAXOS-01, PAXOS-10
  World world(3);
  world.propose(one, "a");
  world.settle(50);
  for (const NodeId id : world.voters()) {
    EXPECT_EQ(world.decree(id).chosen(), Blob::copy("a"));
  }
}

TEST(Decree, nothing_leaves_before_it_is_durable) {  // L-101, L-102, L-106
  World world(3);
  world.propose(one, "a");
  EXPECT_TRUE(world.network().empty());  // The counter is not on disk.
  world.finish_write(one);
  ASSERT_EQ(world.network().size(), 2U);
  world.deliver(0);
  EXPECT_EQ(world.network().size(), 1U);  // The promise is not on disk.
  world.finish_write(two);
  EXPECT_EQ(world.network().size(), 2U);
}

TEST(Decree, a_prepare_is_answered_again_and_an_older_one_refused) {  // L-102, L-103, PAXOS-03
  World world(3);
  world.propose(one, "a");
  world.finish_write(one);
  world.propose(two, "b");
  world.finish_write(two);
  // Ballot (1, two) is above (1, one): the third promises it and refuses the lower one.
  ASSERT_TRUE(world.deliver_next<Prepare>(two, three));
  world.finish_write(three);
  ASSERT_TRUE(world.deliver_next<Prepare>(one, three));
  ASSERT_TRUE(world.deliver_next<Refusal>(three, one));
  world.decree(three).step(two, Prepare{.ballot = Ballot{.counter = 1, .proposer = two}});
  Output output;
  world.decree(three).take_output(output);
  ASSERT_EQ(output.send_after_sync.size(), 1U);
  EXPECT_TRUE(std::holds_alternative<Promise>(output.send_after_sync.front().message));
}

// An acceptor that crashes before its acceptance is on disk has accepted nothing and said nothing; one that crashes
// after it holds it, said or not.
TEST(Decree, an_acceptance_is_stored_with_its_ballot_before_it_is_told) {  // L-104, L-106, PAXOS-05
  for (const std::size_t kept : {0U, 1U}) {
    World world(3);
    const Proposal proposal{.ballot = Ballot{.counter = 4, .proposer = one}, .value = Blob::copy("a")};
    world.send(one, three, Accept{.proposal = proposal});
    ASSERT_TRUE(world.deliver_next<Accept>(one, three));
    EXPECT_TRUE(world.network().empty());  // Not told yet.
    world.crash(three, kept);
    EXPECT_TRUE(world.network().empty());  // And never now.
    EXPECT_EQ(world.decree(three).durable().accepted, kept == 0 ? std::nullopt : std::optional(proposal));
    world.send(two, three, Prepare{.ballot = Ballot{.counter = 5, .proposer = two}});
    ASSERT_TRUE(world.deliver_next<Prepare>(two, three));
    world.finish_write(three);
    ASSERT_EQ(world.network().size(), 1U);
    const auto* promise = std::get_if<Promise>(&world.network().front().message);
    ASSERT_NE(promise, nullptr);
    EXPECT_EQ(promise->accepted, kept == 0 ? std::nullopt : std::optional(proposal));
  }
}

TEST(Decree, a_value_that_may_have_been_chosen_is_adopted) {  // L-104, PAXOS-04
  World world(3);
  world.propose(one, "a");
  world.finish_write(one);
  ASSERT_TRUE(world.deliver_next<Prepare>(one, two));
  world.finish_write(two);
  ASSERT_TRUE(world.deliver_next<Promise>(two, one));
  world.finish_write(one);
  world.finish_write(one);
  ASSERT_TRUE(world.deliver_next<Accept>(one, two));
  world.finish_write(two);
  // One is gone before it heard that two accepted; its own acceptance is on disk. Nobody knows that "a" is chosen.
  world.network().clear();
  world.crash(one, 9);
  world.propose(three, "c");
  world.settle();
  EXPECT_EQ(world.value(), "a");
}

TEST(Decree, the_highest_ballot_among_the_promises_counts_and_not_the_last_to_arrive) {  // L-104, L-110
  World world(5);
  world.propose(one, "own");
  world.finish_write(one);
  Decree& decree = world.decree(one);
  world.crash(one, 0);
  world.propose(one, "own");
  world.finish_write(one);
  const Ballot ballot = std::get<Prepare>(world.network().back().message).ballot;
  const auto accepted = [](std::uint64_t counter, NodeId proposer, const char* value) {
    return Proposal{.ballot = Ballot{.counter = counter, .proposer = proposer}, .value = Blob::copy(value)};
  };
  decree.step(two, Promise{.ballot = ballot, .accepted = accepted(1, three, "newer")});
  decree.step(three, Promise{.ballot = ballot, .accepted = accepted(1, two, "zz older")});
  decree.step(NodeId{4}, Promise{.ballot = ballot, .accepted = std::nullopt});
  Output output;
  decree.take_output(output);
  ASSERT_FALSE(output.send.empty());
  EXPECT_EQ(std::get<Accept>(output.send.front().message).proposal.value, Blob::copy("newer"));
}

TEST(Decree, a_restarted_proposer_never_reuses_a_ballot) {  // L-101, PAXOS-02
  World world(3);
  world.propose(one, "a");
  world.finish_write(one);
  const Ballot first = std::get<Prepare>(world.network().front().message).ballot;
  world.network().clear();
  world.crash(one, 0);
  world.propose(one, "b");
  world.finish_write(one);
  ASSERT_FALSE(world.network().empty());
  EXPECT_GT(std::get<Prepare>(world.network().front().message).ballot, first);
}

TEST(Decree, an_accept_that_missed_its_prepare_is_taken) {  // L-104: not "equal"
  World world(3);
  world.decree(three).step(
      one, Accept{.proposal = Proposal{.ballot = Ballot{.counter = 4, .proposer = one}, .value = Blob::copy("a")}});
  Output output;
  world.decree(three).take_output(output);
  ASSERT_TRUE(output.persist.has_value());
  EXPECT_EQ(output.persist->promised, (Ballot{.counter = 4, .proposer = one}));
  EXPECT_TRUE(std::holds_alternative<Accepted>(output.send_after_sync.front().message));
}

TEST(Decree, acceptances_of_different_ballots_do_not_add_up) {  // L-105, PAXOS-06
  World world(5);
  world.propose(one, "a");
  world.finish_write(one);
  Decree& decree = world.decree(one);
  const Ballot ballot = std::get<Prepare>(world.network().front().message).ballot;
  for (const NodeId id : {two, three, NodeId{4}}) {
    decree.step(id, Promise{.ballot = ballot, .accepted = std::nullopt});
  }
  decree.step(two, Accepted{.ballot = ballot});
  decree.step(two, Accepted{.ballot = ballot});                                   // The same one twice,
  decree.step(three, Accepted{.ballot = Ballot{.counter = 9, .proposer = two}});  // and one of another ballot.
  decree.step(NodeId{4}, Accepted{.ballot = Ballot{.counter = 9, .proposer = two}});
  EXPECT_FALSE(decree.chosen().has_value());
}

TEST(Decree, who_missed_the_news_asks_and_hears_the_same_value) {  // PAXOS-06
  World world(3);
  world.propose(one, "a");
  world.settle(50);
  world.crash(two, 0);
  world.decree(one).step(three, Question{});
  Output output;
  world.decree(one).take_output(output);
  ASSERT_EQ(output.send.size(), 1U);
  EXPECT_EQ(std::get<Chosen>(output.send.front().message).value, Blob::copy("a"));
}

TEST(Decree, dueling_proposers_come_apart_by_chance) {  // L-107, PAXOS-08
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    World world(3, seed);
    world.propose(one, "a");
    world.propose(two, "b");
    world.propose(three, "c");
    world.settle(2000);
    ASSERT_TRUE(world.value().has_value()) << "seed " << seed;
  }
}

TEST(Decree, one_value_is_chosen_whatever_is_lost_repeated_or_crashes) {  // L-109, PAXOS-09, PAXOS-11
  for (std::uint64_t seed = 1; seed <= 3000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Prng prng(seed);
    World world(static_cast<unsigned>(1 + prng.below(5)), seed);
    for (int step = 0; step < 600; ++step) {
      const NodeId id = world.voters()[prng.below(world.voters().size())];
      const std::uint64_t dice = prng.below(100);
      if (dice < 50 && !world.network().empty()) {
        const std::size_t packet = prng.below(world.network().size());
        if (prng.chance(1, 10)) {
          world.network().erase(world.network().begin() + static_cast<std::ptrdiff_t>(packet));
        } else {
          world.deliver(packet, prng.chance(1, 10));
        }
      } else if (dice < 80) {
        world.finish_write(id);
      } else if (dice < 84) {
        world.propose(id, "value of " + std::to_string(raw(id)));
      } else if (dice < 90) {
        world.tick(static_cast<std::int64_t>(prng.below(200'000)));
      } else if (dice < 92) {
        world.crash(id, prng.below(3));
      }
    }
    for (const NodeId id : world.voters()) {
      world.propose(id, "value of " + std::to_string(raw(id)));
    }
    world.settle(3000);
    ASSERT_FALSE(HasFailure());
    for (const NodeId id : world.voters()) {
      ASSERT_TRUE(world.decree(id).chosen().has_value()) << raw(id);
    }
  }
}

}  // namespace
}  // namespace quorate::paxos
