#pragma once

// How a cluster comes into being (design chapter 5, R-118, R-119; docs/founding.md has the argument of safety): one
// server's part in it, as a pure state machine. A server whose data directory is empty asks the servers that its
// configuration lists. If one of them knows a formed cluster, it founds nothing and joins. Only if all of them answer,
// list the same servers and never belonged to a cluster do they enrol, each durably, in the founding of exactly these
// incarnations, and only if all have enrolled is one decree of Basic Paxos run over the cluster's id.

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/ids.hpp"
#include "base/prng.hpp"
#include "paxos/cluster.hpp"
#include "paxos/decree.hpp"

namespace quorate::paxos {

struct Ask {
  std::uint64_t nonce = 0;  // Drawn for the round of questions: only an answer that repeats it is news.
  std::optional<ClusterId> cluster = {};
};
// What it states is durable at the sender.
struct Answer {
  std::uint64_t nonce = 0;  // The question's. 0: nobody asked, the sender has just enrolled.
  std::vector<NodeId> listed = {};
  Seats enrolled = {};                  // Empty: it takes part in no founding.
  std::optional<Cluster> cluster = {};  // It belongs to this one.
  bool is_told_to_found = false;
};
// A message of the decree of the one founding that is named.
struct Deliberation {
  Seats seats;
  Message message;
};

struct FoundingMessage {
  Incarnation sender;
  std::variant<Ask, Answer, Deliberation> content;
};

struct FoundingEnvelope {
  NodeId to{};
  FoundingMessage message;
};

// What survives crashes; written as one, old or new. A server that belongs to a cluster has nothing but that.
struct FoundingState {
  Seats enrolled;  // The founding that this server takes part in; it has left all that came before.
  Durable decree;  // Of that one.
  std::optional<Cluster> cluster;

  friend bool operator==(const FoundingState&, const FoundingState&) = default;
};

// Fields stand in the order in which the shell obeys them.
struct FoundingOutput {
  std::optional<FoundingState> persist;
  std::optional<PersistToken> token;              // Set with `persist`.
  std::vector<FoundingEnvelope> send;             // May leave at once.
  std::vector<FoundingEnvelope> send_after_sync;  // Leave when `token` is durable.

  void clear();
};

struct Listed {
  NodeId id{};
  std::string address;
};

struct FoundingConfig {
  NodeId self{};
  Incarnation incarnation;        // This data directory's, durable before this exists.
  ClusterId fresh_cluster_id;     // Random: the id that this server proposes.
  std::vector<Listed> listed;     // The voters of the configuration, ascending. Without `self`: it can only join.
  bool is_told_to_found = false;  // `quorate serve --found`: the operator's word that who does not answer has nothing.
  std::int64_t ask_us = 200'000;  // Between questions to who has not answered, and between rounds.
  std::int64_t round_us = 3'000'000;           // Answers older than that are asked for again.
  std::int64_t found_patience_us = 5'000'000;  // How long a server that is told to found looks for others.
  std::int64_t stagger_us = 50'000;  // The founders propose in the order of their ids, to stay out of each other's way.
};

enum class Standing : std::uint8_t {
  asking,    // Not all that are listed have answered as one.
  founding,  // Enrolled; the decree is under way or waits for others to enrol.
  member,    // Belongs to `Report::cluster`, durably.
  joining,   // Somebody belongs to `Report::cluster`: this server asks there to be admitted.
  refused,   // Something contradicts; `Report::objection` says what, and nothing happens until it is gone.
};

// Why a server founds nothing though it could ask everybody, or does not trust what it belongs to.
enum class Objection : std::uint8_t {
  none,
  two_clusters,           // Servers belong to different clusters (F-703, F-704).
  majority_lost,          // An earlier founding may have come to an end, and most of its directories are gone (F-311).
  list_shrunk,            // An earlier founding counted on a server that is not listed any more.
  founding_under_way,     // Told to found, but this server or another has enrolled with others already.
  several_told_to_found,  // As the word says.
  doubled_id,             // Another server speaks under this one's id (F-702).
};

struct Difference {
  NodeId server{};
  std::vector<NodeId> only_here;  // Listed here and not there.
  std::vector<NodeId> only_there;
};

struct Report {
  Standing standing = Standing::asking;
  Objection objection = Objection::none;
  std::optional<ClusterId> cluster;
  std::vector<std::pair<NodeId, ClusterId>> told;  // Who belongs to which cluster, as far as heard.
  std::vector<NodeId> silent;                      // Listed, and not heard of for two rounds.
  std::vector<Difference> differences;
  std::vector<NodeId> missing;  // While founding: whose enrolment is not known.
};
[[nodiscard]] std::string describe(const Report& report);  // One or two sentences for the operator.

class Founding {
 public:
  Founding(FoundingConfig config, FoundingState recovered, Prng prng);

  void tick(MonoTime now);  // Never backwards.
  void step(NodeId from, const FoundingMessage& message);
  // `token` and everything before it is on disk.
  void persisted(PersistToken token);
  // A leader of the cluster that this server asked to join has admitted it.
  void admitted(Cluster cluster);
  void take_output(FoundingOutput& into);
  [[nodiscard]] bool has_output() const { return is_changed_ || !outbox_.empty() || !promises_.empty(); }

  // The cluster that this server belongs to, once that is durable.
  [[nodiscard]] const Cluster* cluster() const;
  [[nodiscard]] Report report() const;

 private:
  struct Heard {
    MonoTime at{};
    Incarnation incarnation;
    Answer answer;
  };
  struct Peer {
    NodeId id{};
    std::optional<Heard> heard;
  };
  struct Write {
    PersistToken token{};
    std::optional<PersistToken> decree_token;
    std::uint64_t enrolments = 0;  // How many this server had made: whether the tokens are this decree's.
    bool has_cluster = false;
  };

  // Rounds of questions.
  void begin_round();
  void ask();
  void close_round();
  [[nodiscard]] bool is_answered(const Peer& peer) const;
  [[nodiscard]] bool needs_answers() const;
  [[nodiscard]] Answer answer(std::uint64_t nonce) const;
  void on(NodeId from, Incarnation sender, const Ask& ask);
  void on(NodeId from, Incarnation sender, const Answer& answer);
  void adopt_own_cluster();
  [[nodiscard]] std::vector<std::pair<NodeId, ClusterId>> told() const;

  // The founding.
  [[nodiscard]] Objection objection_to(const Seats& seats) const;
  [[nodiscard]] Objection objection_to_order() const;
  void obey_order();
  void enrol(Seats seats);
  void note_enrolment(NodeId from, Incarnation sender, const Seats& seats);
  [[nodiscard]] std::vector<NodeId> missing() const;
  void form(Cluster cluster);

  // Its decree.
  void open_decree();
  [[nodiscard]] bool can_deliberate() const;
  void propose_in_turn();
  void pump_decree();
  void on(NodeId from, Incarnation sender, const Deliberation& deliberation);
  [[nodiscard]] bool is_sound(NodeId from, const Message& message) const;

  void send(NodeId to, std::variant<Ask, Answer, Deliberation> content);

  FoundingConfig config_;
  FoundingState state_;
  Prng prng_;
  std::optional<MonoTime> started_;
  MonoTime now_{};
  std::vector<Peer> peers_;

  std::uint64_t nonce_ = 0;
  bool is_round_closed_ = false;
  MonoTime round_ends_{};
  MonoTime ask_again_{};
  Seats candidate_;  // What the round before found: a round that finds the same began when all of these were known.
  Objection objection_ = Objection::none;
  Objection order_objection_ = Objection::none;  // To --found.
  std::map<NodeId, ClusterId> foreign_;          // Who spoke as a member of another cluster.
  bool is_doubled_ = false;

  std::uint64_t enrolments_ = 0;
  bool is_enrolment_durable_ = false;
  bool is_cluster_durable_ = false;
  std::vector<NodeId> enrolled_;  // Who else has enrolled in the same founding.
  std::optional<Decree> decree_;
  std::optional<PersistToken> decree_token_;  // Of the decree's newest write in `state_`.
  std::optional<MonoTime> propose_at_;
  Output buffer_;

  bool is_changed_ = false;
  std::uint64_t last_token_ = 0;
  std::deque<Write> writes_;
  std::vector<FoundingEnvelope> outbox_;
  std::vector<FoundingEnvelope> promises_;
};

}  // namespace quorate::paxos
