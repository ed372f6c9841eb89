#pragma once

// The order in which effects are obeyed: persist, send, apply (R-003; design chapter 8). Between the core and whoever
// has a disk and a network: the server's loop and the simulator's servers both drive this one.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <vector>

#include "base/ids.hpp"
#include "raft/core.hpp"
#include "raft/types.hpp"

namespace quorate::replica {

// One batch of effects, obeyed in the order of its fields. The durable part goes to storage in one write; when it is on
// disk the shell calls persisted(token).
struct Output {
  std::optional<raft::HardState> hard_state;
  raft::Entries append;
  std::optional<raft::PersistToken> token;
  Index commit_hint{};
  std::vector<raft::Envelope> send;          // All of it may leave now.
  std::vector<std::uint64_t> reads;          // May be served from what is applied.
  std::vector<std::uint64_t> refused_reads;  // To be asked again.
  std::vector<raft::LogRead> log_reads;
  std::vector<raft::SnapshotRead> snapshot_reads;
  std::vector<raft::SnapshotWrite> snapshot_writes;
  std::optional<raft::SnapshotId> snapshot_install;
  std::optional<raft::Role> role;  // The newest one, if it changed.
  std::optional<raft::ChangeOutcome> change;
  bool can_apply = false;       // There are committed entries that are not applied yet.
  bool start_snapshot = false;  // It is time, says the state machine: the shell begins one when storage is ready.

  void clear();
  void swap(Output& other) noexcept;  // Buffers and all, without moving each.
};

class Pump {
 public:
  // Keeps the reference.
  explicit Pump(raft::Core& core) : core_(core) {}

  // Whether take() would bring anything, or committed() does.
  [[nodiscard]] bool has_output() const { return has_batch_ || has_committed() || core_.has_output(); }
  // Everything that the core has to say so far; `into` keeps nothing of an earlier batch.
  void take(Output& into);
  // What `token` names, and everything before it, is durable: the promises that waited for it leave with the next batch
  //
  void persisted(raft::PersistToken token);

  // The oldest entries that are committed and durable here, those that came together, each until applied() counts it
  // off (I-110); then the next ones.
  [[nodiscard]] std::span<const raft::Entry> committed();
  void applied(std::size_t entries);
  [[nodiscard]] bool has_committed() const { return !committed_.empty(); }

 private:
  // Messages that wait for a write.
  struct Promise {
    raft::PersistToken token;
    std::vector<raft::Envelope> messages;
  };

  void pull();
  void merge_append(raft::Entries newer);

  raft::Core& core_;
  raft::Output from_core_;  // Its buffers are used again.
  Output batch_;
  bool has_batch_ = false;  // There is something in it.
  std::deque<Promise> promises_;
  std::deque<raft::Entries> committed_;  // As the core handed them out; none is empty.
};

}  // namespace quorate::replica
