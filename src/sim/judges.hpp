#pragma once

// Judges outside the core: they see what every server writes, says, commits and applies, believe none of them, and hold
// it against the invariants of the catalogue (I-101 to I-112, I-204, I-301) at every step.

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "base/ids.hpp"
#include "raft/core.hpp"
#include "raft/types.hpp"
#include "sim/log_model.hpp"

namespace quorate::sim {

struct Violation {
  std::string invariant;  // "I-101".
  std::string words;
};

class Judges {
 public:
  // What recovery made of a disk, before the core gets it. All that was durable has to be there; `has_rot`: but for the
  // very last record, which cannot be told from a torn one when it was damaged. False: that is missing.
  bool recovered(NodeId server, const raft::Recovered& log, bool has_rot);
  // The disk was lost, and what it promised is gone with it: this incarnation promised nothing yet.
  void wiped(NodeId server, std::uint64_t incarnation);

  void staged(const raft::Core& core, raft::PersistToken token, const std::optional<raft::HardState>& hard_state,
              std::span<const raft::Entry> entries);
  void persisted(NodeId server, raft::PersistToken token);
  void sent(NodeId server, const raft::Envelope& envelope);
  void led(const raft::Core& core);
  // After each batch: commitment, and what a leader believes.
  void turned(const raft::Core& core);
  // `digest`: of the state behind the entry.
  void applied(const raft::Core& core, const raft::Entry& entry, std::uint64_t digest);
  void snapshot_saved(raft::LogId point, std::uint64_t digest);
  void snapshot_installed(NodeId server, raft::LogId point, std::uint64_t digest);

  // I-204: definite answers. `index`: where the write stands that was answered.
  void proposed(std::uint64_t mark);
  void acknowledged(std::uint64_t mark);
  void refused(std::uint64_t mark);
  void committed_write(Index index, std::uint64_t mark);
  // At the end: what was acknowledged is there once, what was refused is not there at all.
  void judge_marks();

  void violate(std::string invariant, std::string words);
  [[nodiscard]] const std::optional<Violation>& violation() const { return violation_; }

  [[nodiscard]] Index committed() const { return canon_.last(); }
  [[nodiscard]] std::size_t leaders() const { return leaders_.size(); }
  [[nodiscard]] std::size_t truncations() const { return truncations_; }
  // Commitments that carried entries of earlier terms with them (Figure 8).
  [[nodiscard]] std::size_t inherited() const { return inherited_; }
  // Of everything that was committed.
  [[nodiscard]] std::uint64_t digest() const { return canon_.back().hash; }

 private:
  struct Write {
    raft::PersistToken token{};
    std::optional<raft::HardState> hard_state;
    Index first{};
    std::vector<Position> entries;
  };
  struct Server {
    LogModel memory = {};   // With what is not durable yet.
    LogModel durable = {};  //
    LogModel former = {};   // Of the disk before, when that was lost.
    raft::HardState hard_state = {};
    raft::HardState newest = {};  // With what is not durable yet.
    raft::HardState before = {};  // The newest flush: that took its place,
    Index flushed{};              // and this was its first entry; 0: it had none.
    Index promised{};             // What it acknowledged and has lost since.
    Term led{};                   // The newest term that it led in this life.
    raft::Configuration counted;  // By which it counted when it was looked at last.
    std::deque<Write> writes = {};
    Index commit{};
    Index applied{};
    Index configuration{};                          // Of the newest configuration entry in memory.
    std::optional<std::uint64_t> incarnation = {};  // If the disk is not the first one.
  };
  struct Mark {
    bool is_acknowledged = false;
    bool is_refused = false;
    unsigned times = 0;
    Index index{};
  };

  [[nodiscard]] Server& server_of(NodeId id);
  [[nodiscard]] const Server* find_server(NodeId id) const;
  static void put(Server& server, const Write& write);
  void forget_unsaid(const Server& server, Term durable_term);
  static bool matches(const Server& server, const raft::Recovered& log, const LogModel& recovered);
  static bool lacks_last_record(const Server& server, const raft::Recovered& log, const LogModel& recovered);
  [[nodiscard]] std::string name(NodeId id) const;
  void judge_match(NodeId id, Index index, const Position& position);
  void judge_commit(const raft::Core& core, Server& server);
  void forget_votes(NodeId id, Term from);
  void judge_hard_state(NodeId id, Server& server, const raft::HardState& next);
  void judge_vote(NodeId voter, Term term, NodeId candidate);
  void judge_election(const raft::Core& core, const Server& server);
  void judge_quorum(const raft::Core& core, const Server& server, Index index);
  [[nodiscard]] bool is_held(const raft::Configuration& configuration, Index index) const;
  void judge_progress(const raft::Core& core);
  void judge_configuration(const raft::Core& core, Server& server, const raft::Entry& entry);

  std::vector<std::unique_ptr<Server>> servers_;  // By id.
  std::map<Term, NodeId> leaders_;
  std::map<std::pair<NodeId, Term>, NodeId> votes_;                // That left their servers, a candidate's own too.
  std::set<std::tuple<NodeId, Term, NodeId>> former_votes_;        // Of disks that were lost since.
  boost::unordered_flat_map<std::uint64_t, std::uint64_t> known_;  // Log id to running hash.
  std::map<Term, Index> committed_in_;                             // What was committed by then.
  LogModel canon_;                                                 // What is committed.
  std::vector<std::optional<std::uint64_t>> digests_;              // Of the state, by index.
  boost::unordered_flat_map<std::uint64_t, Mark> marks_;
  std::size_t truncations_ = 0;
  std::size_t inherited_ = 0;
  std::optional<Violation> violation_;
};

}  // namespace quorate::sim
