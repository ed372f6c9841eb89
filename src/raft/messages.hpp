#pragma once

// What servers say to each other (dissertation figures 3.1, 3.8 and 5.3, sections 3.10, 4.2.3, 6.4). The sender is
// known from the link that delivered a message; every message carries the sender's term.

#include <cstdint>
#include <variant>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "raft/entry.hpp"

namespace quorate::raft {

// RequestVote. A pre-vote's term is the proposed one, which the sender has not taken yet.
struct VoteRequest {
  Term term{};
  LogId last;
  std::uint64_t campaign = 0;  // Drawn for each campaign; replies echo it.
  bool is_pre = false;
  bool is_transfer = false;  // The leader asked for it: stickiness does not refuse it.

  friend bool operator==(const VoteRequest&, const VoteRequest&) = default;
};

// A granted pre-vote echoes the proposed term; a refusal carries the voter's own.
struct VoteReply {
  Term term{};
  std::uint64_t campaign = 0;
  bool is_pre = false;
  bool is_granted = false;

  friend bool operator==(const VoteReply&, const VoteReply&) = default;
};

struct AppendRequest {
  Term term{};
  LogId previous;  // The position that the entries follow.
  Index commit{};
  std::uint64_t sequence = 0;  // Numbered for each follower; a refusal echoes it.
  Entries entries;

  friend bool operator==(const AppendRequest&, const AppendRequest&) = default;
};

struct AppendReply {
  Term term{};
  bool is_accepted = false;
  Index match{};               // Accepted: verified and durable up to here.
  std::uint64_t sequence = 0;  // Of the request that is refused.
  LogId hint;                  // Refused: where the logs may agree.

  friend bool operator==(const AppendReply&, const AppendReply&) = default;
};

// On a lane of its own, so that no bulk delays it.
struct Heartbeat {
  Term term{};
  Index commit{};           // Never above what this follower is known to hold.
  std::uint64_t round = 0;  // The newest one of this term.

  friend bool operator==(const Heartbeat&, const Heartbeat&) = default;
};

struct HeartbeatReply {
  Term term{};
  std::uint64_t round = 0;

  friend bool operator==(const HeartbeatReply&, const HeartbeatReply&) = default;
};

// Names one transfer of a snapshot; of two, the one of the newer leader counts, then the later point.
struct SnapshotId {
  Term sender_term{};
  LogId point;          // The last entry that it includes.
  LogId configuration;  // The entry from which its configuration came.

  friend auto operator<=>(const SnapshotId&, const SnapshotId&) = default;
};

// InstallSnapshot, one part of it.
struct SnapshotChunk {
  Term term{};
  SnapshotId id;
  std::uint64_t offset = 0;
  std::uint64_t total = 0;
  Blob bytes;

  friend bool operator==(const SnapshotChunk&, const SnapshotChunk&) = default;
};

struct SnapshotReply {
  Term term{};
  SnapshotId id;
  std::uint64_t offset = 0;  // The next byte that is wanted.
  bool is_refused = false;   // It did not check, or cannot be taken now: begin anew, later.

  friend bool operator==(const SnapshotReply&, const SnapshotReply&) = default;
};

// Leadership transfer's last step (dissertation 3.10; R-501).
struct TimeoutNow {
  Term term{};

  friend bool operator==(const TimeoutNow&, const TimeoutNow&) = default;
};

// A follower asks for a read index (dissertation 6.4; R-705).
struct ReadRequest {
  Term term{};
  std::uint64_t attempt = 0;  // Fresh for every attempt.

  friend bool operator==(const ReadRequest&, const ReadRequest&) = default;
};

struct ReadReply {
  Term term{};
  std::uint64_t attempt = 0;
  Index index{};
  bool is_refused = false;

  friend bool operator==(const ReadReply&, const ReadReply&) = default;
};

using Message = std::variant<VoteRequest, VoteReply, AppendRequest, AppendReply, Heartbeat, HeartbeatReply,
                             SnapshotChunk, SnapshotReply, TimeoutNow, ReadRequest, ReadReply>;

[[nodiscard]] Term term_of(const Message& message);

struct Envelope {
  NodeId to{};
  Message message;

  friend bool operator==(const Envelope&, const Envelope&) = default;
};

}  // namespace quorate::raft
