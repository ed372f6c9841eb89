#pragma once

// A few cores with make-believe disks and a network that tests steer by hand or by chance, watched by judges that trust
// no core (I-1xx). The real storage under real faults is the simulator's; this is the smallest world in which the core
// lives.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.hpp"
#include "base/prng.hpp"
#include "raft/core.hpp"

namespace quorate::raft::testing {

[[nodiscard]] ConfigurationCodec test_codec();
[[nodiscard]] std::vector<Member> voters(const std::vector<unsigned>& ids);

// What a server's state machine is here: a hash over everything applied.
struct State {
  Index index{};
  std::uint64_t hash = 0;

  friend bool operator==(const State&, const State&) = default;
};

struct StoredSnapshot {
  LogId point;
  StoredConfiguration configuration;
  WallTime time{};
  std::uint64_t hash = 0;
};

// What survives a crash.
struct Disk {
  HardState hard_state;
  StoredSnapshot snapshot;
  std::vector<Entry> entries;  // After the snapshot.
};

struct Write {
  PersistToken token{};
  std::optional<HardState> hard_state;
  Entries append;
  std::vector<Envelope> then_send;
};

struct Server {
  NodeId id{};
  std::int64_t behind_us = 0;  // Its clock, against the cluster's.
  bool is_up = true;
  bool is_stalled = false;  // Its disk hangs: settle() finishes no write of it.
  std::optional<Core> core;
  Disk disk;
  std::deque<Write> writes;  // Handed over and not durable yet.
  State state;
  std::optional<std::pair<SnapshotId, std::string>> staging;
  std::map<std::uint64_t, Index> reads;  // Waiting: what was committed somewhere when they were asked.
  unsigned lives = 0;
  std::uint64_t incarnation = 1;
};

struct Packet {
  NodeId from{};
  NodeId to{};
  Message message;
  // Of the receiver, as the sender's configuration names it when it sends; 0 when it names none: links are opened by
  // the configuration, so a request reaches that incarnation or nobody.
  std::uint64_t meant_incarnation = 0;
};

class Cluster {
 public:
  Cluster(const std::vector<unsigned>& founders, Config config, std::uint64_t seed);
  Cluster(std::vector<Member> founders, Config config, std::uint64_t seed);

  // A server outside the configuration, with an empty disk.
  Server& add_server(unsigned id);
  // The server loses its disk and comes back as its next incarnation, of which nobody knows yet. What the one
  // before had said, and what was said to it, is lost with its links.
  void replace_server(unsigned id);
  [[nodiscard]] Server& server(unsigned id);
  [[nodiscard]] Core& core(unsigned id) { return *server(id).core; }
  [[nodiscard]] std::map<NodeId, Server>& servers() { return servers_; }
  [[nodiscard]] std::vector<Packet>& network() { return network_; }
  [[nodiscard]] MonoTime now() const { return now_; }
  [[nodiscard]] MonoTime clock_of(unsigned id) { return clock_of(server(id)); }
  // The one that leads in the highest term; 0: none.
  [[nodiscard]] unsigned leader() const;

  // Time goes on for all, messages stay.
  void advance(std::int64_t microseconds);
  // Time goes on at one server only: its clock is ahead of the others' from now on.
  void advance(unsigned id, std::int64_t microseconds);
  // Delivers what is under way and finishes all writes, until nothing moves; messages across cuts are lost.
  void settle();
  // advance() and settle() in steps of a tenth of a heartbeat.
  void run(std::int64_t microseconds);
  // Ticks until somebody leads and has committed in its term; fails the test after `limit_us`.
  unsigned elect(std::int64_t limit_us = 60'000'000);

  void cut(unsigned a, unsigned b) { cuts_.insert({NodeId{a}, NodeId{b}}); }  // What a says to b is lost.
  void heal() { cuts_.clear(); }
  void crash(unsigned id);
  // `kept` of the writes that were under way reached the disk.
  void restart(unsigned id, std::size_t kept = 0);
  // From its next start on this server runs with a configuration of its own.
  void configure(unsigned id, const Config& config) { own_configs_[NodeId{id}] = config; }
  [[nodiscard]] const Config& config_of(NodeId id) const;
  // Everything that happens is told, a line each.
  void trace_to(std::vector<std::string>* lines) { trace_ = lines; }
  // What the judges find is told instead of failing the test: for the twins that lack a cure.
  void tolerate_violations() { tolerates_violations_ = true; }

  Result<Index> propose(unsigned id, const std::string& command);
  void read(unsigned id);
  void compact(unsigned id);

  // A message that nobody sent.
  Result<void> forge(unsigned from, unsigned to, Message message);
  // Whether the server that took this command has applied it in the same life: its client has its answer.
  [[nodiscard]] bool is_answered(const std::string& command) const { return answered_.contains(command); }

  // Single steps, for chance to choose from.
  void deliver(std::size_t packet, bool is_repeated);
  void drop(std::size_t packet);
  void finish_write(Server& server);
  void collect(Server& server);

  [[nodiscard]] Index committed() const { return committed_; }
  [[nodiscard]] std::size_t reads_answered() const { return reads_answered_; }
  [[nodiscard]] std::size_t leaders_seen() const { return leaders_.size(); }
  [[nodiscard]] std::size_t snapshots_installed() const { return snapshots_installed_; }
  [[nodiscard]] std::size_t changes_done() const { return changes_done_; }

 private:
  void start(Server& server);
  void apply(Server& server, const Entry& entry);
  void judge(Server& server, const Output& output);
  void judge_message(const Server& server, const Envelope& envelope);
  void send(Server& server, std::vector<Envelope>& envelopes);
  [[nodiscard]] bool is_another_incarnation(const Packet& packet) const;
  void serve_log(Server& server, const LogRead& read);
  void serve_snapshot(Server& server, const SnapshotRead& read);
  void stage_snapshot(Server& server, const SnapshotWrite& write);
  void install_snapshot(Server& server, const SnapshotId& id);
  void put(Disk& disk, const Write& write);
  // A judge's word: `what` was violated unless it holds.
  void claim(bool holds, const std::string& what);
  void tell(const std::string& line);
  void tell(const Server& server, const Output& output);
  [[nodiscard]] MonoTime clock_of(const Server& server) const { return after_us(now_, -server.behind_us); }

  std::vector<std::string>* trace_ = nullptr;
  bool tolerates_violations_ = false;
  Config config_;
  std::map<NodeId, Config> own_configs_;
  Configuration founding_;
  Prng prng_;
  MonoTime now_{1'000'000};
  std::map<NodeId, Server> servers_;
  std::vector<Packet> network_;
  std::set<std::pair<NodeId, NodeId>> cuts_;
  std::uint64_t last_read_ = 0;
  std::map<std::string, std::pair<NodeId, unsigned>> proposed_;  // Where, and in which of its lives.
  std::set<std::string> answered_;
  // The judges' memory.
  std::map<Term, NodeId> leaders_;
  std::map<std::pair<NodeId, Term>, NodeId> votes_;
  std::map<Index, std::pair<Term, std::uint64_t>> canon_;  // Index to the term and the hash of everything up to it.
  Index committed_{};
  std::size_t reads_answered_ = 0;
  std::size_t snapshots_installed_ = 0;
  std::size_t changes_done_ = 0;
};

}  // namespace quorate::raft::testing
