#pragma once

// What each role owns, and nothing that outlives it (dissertation 3.3, figure 3.3; RAFT-06): changing the role destroys
// the old one's state by construction.

#include <cstdint>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "base/ids.hpp"
#include "raft/progress.hpp"
#include "raft/reads.hpp"
#include "raft/types.hpp"

namespace quorate::raft {

struct Follower {
  NodeId leader{};      // Of the current term; 0: not known.
  MonoTime deadline{};  // When this server campaigns.
  Index verified{};     // The log equals the leader's up to here.
  Index acknowledged{};
  std::vector<ForwardedRead> reads;  // Waiting for the leader's answer.
};

struct Candidate {
  bool is_pre = false;  // Asks only whether it could win.
  bool is_transfer = false;
  std::uint64_t campaign = 0;
  MonoTime deadline{};
  std::vector<std::pair<NodeId, bool>> answers;  // One for each voter that spoke, this server among them.
};

// Leadership on its way to another server.
struct Transfer {
  NodeId target{};
  MonoTime deadline{};
  bool is_sent = false;
};

// A learner's way to its vote (dissertation 4.2.1; R-406).
struct CatchUp {
  NodeId id{};
  unsigned round = 1;
  Index goal{};                // The leader's last index when the round began.
  MonoTime began{};            // The round.
  MonoTime moved{};            // Its last sign of progress,
  std::uint64_t position = 0;  // and how far it was then.
  bool is_done = false;        // The last round was short, and the one under way is not too long yet.
};

// The change of members that this leader drives, from the request to its end.
struct MemberChange {
  std::vector<Member> target;
  std::vector<CatchUp> joining;
  bool is_switching = false;  // The target, or the joint configuration on the way to it, is in the log.
  bool is_forced = false;     // whether or not a quorum of the target is healthy.
};

struct Leader {
  Index term_start{};           // The no-op.
  std::vector<Progress> peers;  // Every other member, and who was removed lately; by id.
  MonoTime next_heartbeat{};
  ReadRounds rounds;
  std::optional<Transfer> transfer;
  std::optional<MemberChange> change;
  bool has_spoiled_lease = false;  // for the rest of the term.
};

using RoleState = std::variant<Follower, Candidate, Leader>;

}  // namespace quorate::raft
