#pragma once

// One decree of Basic Paxos (Lamport 1998, 2001; L-1xx): proposer, acceptor and learner of one server in one pure state
// machine, over a fixed set of voters. Quorate's founders choose their cluster with it (design chapter 5, R-119), and
// it is the lab's first exhibit.
//
// Everything that an answer rests on is durable before the answer leaves (L-102, L-104, L-106): promises and
// acceptances are in Output::send_after_sync. Ballots are unique for each attempt because the counter is durable before
// it is used (L-101).

#include <compare>
#include <cstdint>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/prng.hpp"

namespace quorate::paxos {

// The proposal's id: totally ordered, never used twice (L-101). The zero value is below all.
struct Ballot {
  std::uint64_t counter = 0;
  NodeId proposer{};

  friend auto operator<=>(const Ballot&, const Ballot&) = default;
};

struct Proposal {
  Ballot ballot;
  Blob value;

  friend bool operator==(const Proposal&, const Proposal&) = default;
};

struct Prepare {
  Ballot ballot;
};
struct Promise {
  Ballot ballot;
  std::optional<Proposal> accepted;  // The one with the highest ballot that this acceptor accepted (L-103).
};
struct Accept {
  Proposal proposal;
};
struct Accepted {
  Ballot ballot;
};
// To a prepare or accept that came too late; names the ballot that was promised.
struct Refusal {
  Ballot ballot;
  Ballot promised;
};
// Asks for the value, if it is known.
struct Question {};
struct Chosen {
  Blob value;
};

using Message = std::variant<Prepare, Promise, Accept, Accepted, Refusal, Question, Chosen>;

struct Envelope {
  NodeId to{};
  Message message;
};

// What survives crashes (L-106).
struct Durable {
  std::uint64_t counter = 0;  // Of this server's newest own ballot.
  Ballot promised;
  std::optional<Proposal> accepted;
  std::optional<Blob> chosen;

  friend bool operator==(const Durable&, const Durable&) = default;
};

enum class PersistToken : std::uint64_t {};

// Fields stand in the order in which the shell obeys them.
struct Output {
  std::optional<Durable> persist;
  std::optional<PersistToken> token;      // Set with `persist`.
  std::vector<Envelope> send;             // May leave at once.
  std::vector<Envelope> send_after_sync;  // Leave when `token` is durable.

  void clear();
};

struct Config {
  NodeId self{};
  std::vector<NodeId> voters;  // All of them, this server among them.
  std::int64_t retry_us =
      100'000;  // The first attempt's patience; doubled with each, and drawn at random within (L-107).
  std::int64_t retry_us_max = 5'000'000;
};

class Decree {
 public:
  Decree(Config config, Durable recovered, Prng prng);

  // The value that this server would like to see chosen; it goes on trying until one is (L-104: perhaps another's).
  void propose(Blob value);
  void tick(MonoTime now);  // Never backwards.
  void step(NodeId from, const Message& message);
  // `token` and everything before it is on disk.
  void persisted(PersistToken token);
  void take_output(Output& into);
  [[nodiscard]] bool has_output() const;

  // Known once, the same for ever (L-109).
  [[nodiscard]] const std::optional<Blob>& chosen() const { return durable_.chosen; }
  [[nodiscard]] const Durable& durable() const { return durable_; }

 private:
  // An attempt of this server's: phase 1 gathers promises, phase 2 acceptances of the one ballot.
  struct Attempt {
    Ballot ballot;
    bool is_accepting = false;
    Blob value;                       // Of phase 2.
    std::vector<NodeId> answers;      // Of the phase under way, each voter once.
    std::optional<Proposal> highest;  // Accepted before, among the promises.
  };

  void begin_attempt();
  void begin_phase_two();
  void learn(const Blob& value);
  void tell(NodeId to, Message message);
  void answer(NodeId to, Message message);
  void broadcast(const Message& message, bool waits);
  bool add_answer(NodeId from);
  void draw_deadline();

  void on(NodeId from, const Prepare& prepare);
  void on(NodeId from, const Promise& promise);
  void on(NodeId from, const Accept& accept);
  void on(NodeId from, const Accepted& accepted);
  void on(NodeId from, const Refusal& refusal);
  void on(NodeId from, const Question& question);
  void on(NodeId from, const Chosen& chosen);

  Config config_;
  Durable durable_;
  bool is_changed_ = false;
  Prng prng_;
  std::optional<Blob> wish_;
  std::optional<Attempt> attempt_;
  unsigned attempts_ = 0;
  MonoTime now_{};
  std::optional<MonoTime> deadline_;
  std::uint64_t last_token_ = 0;
  std::uint64_t durable_token_ = 0;
  std::vector<Envelope> outbox_;
  std::vector<Envelope> promises_;
  // What this server has to say to itself, with the token that it waits for: an acceptor answers its own proposer too,
  // and no sooner than anybody else's.
  std::vector<std::pair<std::uint64_t, Message>> to_self_;
};

}  // namespace quorate::paxos
