#pragma once

// What a leader knows of one follower (dissertation 3.5, 10.2.1; ): probe until the logs are known to
// agree, then a pipeline within a window, or a snapshot when the log does not reach back far enough.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/ids.hpp"
#include "raft/messages.hpp"
#include "raft/types.hpp"

namespace quorate::raft {

enum class Flow : std::uint8_t { probe, replicate, snapshot };

// A snapshot on its way to one follower.
struct SnapshotTransfer {
  std::optional<SnapshotId> id;  // None until the host has named the snapshot.
  std::uint64_t offset = 0;      // The follower has everything before.
  std::uint64_t total = 0;
  bool has_begun = false;
  unsigned silent_rounds = 0;  // Deadlines passed without a word about it.
  MonoTime deadline{};
};

class Progress {
 public:
  // nextIndex starts behind the leader's last entry, matchIndex at 0 (RAFT-10).
  Progress(NodeId id, Index next_index, MonoTime now);

  [[nodiscard]] NodeId id() const { return id_; }
  [[nodiscard]] Flow flow() const { return flow_; }
  [[nodiscard]] Index match() const { return match_; }
  [[nodiscard]] Index next_index() const { return next_; }
  [[nodiscard]] std::size_t inflight_bytes() const { return inflight_bytes_; }
  [[nodiscard]] std::size_t inflight_messages() const { return inflight_.size() - inflight_head_; }

  // Whether entries may go now.
  [[nodiscard]] bool is_open(const Limits& limits) const;
  // An append with entries up to `last` left (bytes > 0), or an empty one. Returns the number to send it under.
  std::uint64_t sent(Index last, std::size_t bytes);
  // The follower holds everything up to `match` durably. Returns whether that is news.
  bool accepted(Index match);
  // The append numbered `sequence` was refused; the logs may agree at `agreed`, or below. Returns whether it counted.
  bool refused(std::uint64_t sequence, Index agreed);
  // The log on disk shows that they may agree at `agreed`, not above.
  void rewind(Index agreed);
  // A heartbeat came back: a probe is sent again where it was, and where entries are missing, what is under way may be
  // lost. Returns whether an append has to go, empty or not.
  bool nudge(Index last);
  void become_probe();
  // Nothing goes before its next heartbeat's answer.
  void pause() { probe_is_out_ = true; }
  void become_snapshot();

  // Kept by the duties that need them; no invariant ties them to the above.
  MonoTime heard{};                   // The newest word from it, for CheckQuorum.
  std::uint64_t confirmed_round = 0;  // The newest heartbeat round that it answered.
  Index told_commit{};                // The newest commit index that it was told.
  bool is_reading_log = false;        // Entries for it are on their way from the disk.
  // They may agree only where the own log's term is no higher; set while that part of it is not in memory.
  std::optional<Term> agrees_up_to;
  std::optional<SnapshotTransfer> snapshot;  // While flow() is snapshot.
  std::optional<MonoTime> departs;           // Removed: served until then, so that it learns of it.

 private:
  struct InFlight {
    Index last;
    std::size_t bytes;
  };

  void clear_window();

  NodeId id_;
  Flow flow_ = Flow::probe;
  Index match_{};
  Index next_;
  bool probe_is_out_ = false;
  bool heard_since_nudge_ = true;
  std::uint64_t sequence_ = 0;
  std::uint64_t first_valid_sequence_ = 1;  // Refusals of earlier appends are stale.
  std::vector<InFlight> inflight_;          // In order; those before inflight_head_ are done.
  std::size_t inflight_head_ = 0;
  std::size_t inflight_bytes_ = 0;
};

}  // namespace quorate::raft
