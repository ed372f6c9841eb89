#pragma once

// A few servers that found a cluster, with make-believe disks and a network that tests steer by hand or by chance.
// Judges that trust no server watch every write and every message.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/prng.hpp"
#include "paxos/founding.hpp"

namespace quorate::paxos::testing {

class FoundingWorld {
 public:
  explicit FoundingWorld(unsigned servers, std::uint64_t seed = 1);

  // What the operator does. A list counts from the next start on.
  void list(NodeId id, const std::vector<unsigned>& ids);
  void start(NodeId id, bool is_told_to_found = false);
  void crash(NodeId id, std::size_t kept);  // So many of the writes under way reached the disk.
  void wipe(NodeId id);                     // Down, and the disk is empty.
  void cut(NodeId id, bool is_cut);         // Nothing that is under way to or from it arrives.
  // The cluster's leader takes a joining server in, where a majority of the cluster can: false where not.
  bool admit(NodeId id);

  // What happens by itself.
  void tick(std::int64_t microseconds);
  bool deliver(std::size_t packet, bool is_repeated = false);
  void lose(std::size_t packet);
  bool finish_write(NodeId id);
  // One event of a calm world, in a fixed order; time goes on when nothing moves.
  void calm_event();
  // Everybody up, connected, agreeing on the list, and an operator who does what the reports ask for. True: all belong
  // to, or ask to join, one cluster within the bound; or a conflict that the operator caused is known to all.
  bool heal(std::int64_t bound_us);

  [[nodiscard]] const std::vector<NodeId>& ids() const { return ids_; }
  [[nodiscard]] bool is_up(NodeId id) const { return servers_.at(id).founding.has_value(); }
  [[nodiscard]] Report report(NodeId id) const { return servers_.at(id).founding->report(); }
  [[nodiscard]] const Cluster* cluster(NodeId id) const { return servers_.at(id).founding->cluster(); }
  [[nodiscard]] const FoundingState& disk(NodeId id) const { return servers_.at(id).disk; }
  [[nodiscard]] Incarnation incarnation(NodeId id) const { return *servers_.at(id).incarnation; }
  [[nodiscard]] std::size_t packets() const { return network_.size(); }
  [[nodiscard]] std::size_t writes(NodeId id) const { return servers_.at(id).writes.size(); }
  [[nodiscard]] MonoTime now() const { return now_; }
  [[nodiscard]] unsigned incarnations(NodeId id) const { return servers_.at(id).incarnations; }
  // How many clusters were founded, one after the other's disks were gone.
  [[nodiscard]] std::size_t clusters_founded() const { return ledger_.size(); }
  // Rare states that were reached, with their counts (I-505).
  [[nodiscard]] const std::map<std::string, unsigned>& marks() const { return marks_; }
  // The first law that was broken; empty: none.
  [[nodiscard]] const std::string& violation() const { return violation_; }
  [[nodiscard]] std::string describe() const;

 private:
  struct Packet {
    NodeId from{};
    NodeId to{};
    FoundingMessage message;
  };
  struct Write {
    PersistToken token{};
    FoundingState state;
    std::vector<FoundingEnvelope> then_send;
  };
  struct Server {
    std::optional<Incarnation> incarnation;  // Durable, with `disk`.
    FoundingState disk;
    std::vector<Listed> listed;
    std::optional<Founding> founding;
    std::deque<Write> writes;
    bool is_cut = false;
    unsigned incarnations = 0;
  };
  struct Facts {
    Cluster cluster;
    bool has_served = false;
  };

  void collect(NodeId id);
  void post(NodeId id, const FoundingEnvelope& envelope);
  void store(NodeId id, const FoundingState& state);
  void judge_statement(NodeId id, const FoundingMessage& message);
  void judge_founded(const Cluster& cluster);
  void judge_disks();
  void violated(const std::string& law);
  bool follow_reports();
  [[nodiscard]] bool is_healed() const;

  Prng prng_;
  MonoTime now_{1};
  std::vector<NodeId> ids_;
  std::map<NodeId, Server> servers_;
  std::vector<Packet> network_;
  std::map<ClusterId, Facts> ledger_;
  // A server that lost its disk was told to found: the operator's word may be wrong, and then two clusters are his.
  bool is_operator_in_error_ = false;
  std::map<std::string, unsigned> marks_;
  std::string violation_;
};

}  // namespace quorate::paxos::testing
