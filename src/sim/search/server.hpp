#pragma once

// One server of the exhaustive search: the real core, a make-believe disk, and writes that are under way. A value: to
// try an input is to copy the server.
//
// Time is not part of its state. A time-out is an input that moves this server's own clock until its core acts, and no
// other input moves a clock far: heartbeats are a microsecond apart, time-outs days. What the core decides by time:
//   - stickiness: a vote request that reaches a follower finds it impatient; to refuse it in silence, as a
//     patient one does, is to lose the message, which the network does anyway;
//   - CheckQuorum: a leader that lost its quorum steps down, an input of its own.
// Numbers that only have to differ, or to be newer, are replaced in messages by small ones that say as much (canonical
// form): the round of a heartbeat by 0 (no scope reads), an append's sequence by how often its course had changed.

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "raft/core.hpp"
#include "sim/search/code.hpp"

namespace quorate::sim::search {

struct ServerSettings {
  std::vector<NodeId> founders;
  bool has_pre_vote = true;
  bool disk_is_instant = false;  // Every write is durable before anything else happens.
  bool disk_lies = false;        // A crash loses term and vote, durable or not.
};

// Position by position: the term, and a hash over everything up to there.
struct Mark {
  Term term{};
  std::uint64_t chain = 0;

  friend bool operator==(const Mark&, const Mark&) = default;
};

struct Voters {
  std::uint32_t incoming = 0;  // Bit n: server n votes.
  std::uint32_t outgoing = 0;  // While joint.

  // Whether `servers` holds a majority of each set.
  [[nodiscard]] bool has_quorum(std::uint32_t servers) const;
  friend bool operator==(const Voters&, const Voters&) = default;
};

// What judges look at.
struct View {
  NodeId id{};
  raft::Role role = raft::Role::follower;
  Term term{};
  Term disk_term{};
  Index commit{};
  Index applied{};
  Index durable{};
  Index term_start{};                                         // Of a leader.
  std::vector<Mark> log = {};                                 // As the core has it.
  std::vector<Mark> disk = {};                                // What survives.
  std::vector<std::pair<Index, Voters>> configurations = {};  // In the log, in order.
  Voters voters;                                              // In force at this server.
  std::uint64_t refusals = 0;                                 // Of a leader: the most that one follower's appends had.
  std::vector<std::pair<NodeId, Index>> matches = {};         // Of a leader.
  std::optional<std::uint64_t> campaign = {};                 // Of a candidate.
};

class Server {
 public:
  Server(NodeId self, const ServerSettings& settings);

  // ---- Inputs. What they make the server say comes in take_sent().
  void time_out();             // The election timer runs out.
  void lose_quorum();          // A leader hears nobody for an election time-out.
  void beat();                 // A leader's heartbeat is due.
  bool propose(char command);  // False: refused.
  bool change(const std::vector<NodeId>& voters);
  void finish_write();  // The oldest one is durable.
  void crash();         // What is not durable is lost; it starts again at once.
  void deliver(const Packet& packet);

  [[nodiscard]] std::vector<Packet> take_sent();
  // The invariant that broke inside this server, if one did, with its id.
  [[nodiscard]] const std::optional<std::string>& broken() const { return broken_; }

  [[nodiscard]] NodeId id() const { return self_; }
  [[nodiscard]] const raft::Core& core() const { return core_; }
  [[nodiscard]] bool has_writes() const { return !writes_.empty(); }
  [[nodiscard]] std::string code() const;
  [[nodiscard]] View view() const;

 private:
  struct Disk {
    raft::HardState hard_state;
    std::vector<raft::Entry> entries;
  };
  struct Write {
    raft::PersistToken token{};
    Term term{};
    Index last{};  // Of the entries that it makes durable, as the core counts them.
    std::optional<raft::HardState> hard_state;
    raft::Entries append;
    std::vector<Packet> then_send;
  };
  // How often a leader changed its course towards a peer; refusals of earlier appends count no more.
  struct Course {
    NodeId peer{};
    Term term{};
    std::uint64_t first_valid = 0;
    std::uint64_t changes = 0;
  };

  [[nodiscard]] raft::Core start();
  void pass(std::int64_t microseconds);
  void collect();
  void obey(raft::Output& output);
  void finish_first();
  void queue(Write&& write);
  void put(const Write& write);
  void apply(const raft::Entry& entry);
  void follow_courses();
  void depart(raft::Envelope&& envelope, std::vector<Packet>& into);
  void release(std::vector<Packet>& packets);
  void judge_message(const Packet& packet);
  void judge_step(Term term, raft::Role role, Index commit, const std::vector<Mark>& log);
  void find(bool holds, const char* invariant);
  [[nodiscard]] raft::Message concrete(const Packet& packet) const;
  [[nodiscard]] const Course* find_course(NodeId peer) const;
  [[nodiscard]] std::vector<Mark> marks() const;

  NodeId self_;
  ServerSettings settings_;
  unsigned lives_ = 0;
  MonoTime clock_{1'000'000};
  Disk disk_;
  raft::Core core_;
  std::deque<Write> writes_;
  std::vector<Course> courses_;
  std::uint64_t last_campaign_ = 0;  // In this life.
  std::vector<Packet> sent_;
  std::optional<std::string> broken_;
};

}  // namespace quorate::sim::search
