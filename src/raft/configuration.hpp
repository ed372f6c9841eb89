#pragma once

// Who takes part: the value that a configuration entry carries (dissertation chapter 4; R-4xx).

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"

namespace quorate::raft {

// What a member does now and, where that is decided, what it becomes. The last two occur in joint consensus only
// voters of the outgoing half that the incoming one does not count.
enum class MemberRole : std::uint8_t {
  voter = 1,
  learner = 2,           // Receives everything, never counts.
  learner_to_voter = 3,  // Catches up, then is promoted.
  voter_to_learner = 4,  // Becomes a learner when the joint configuration is left.
  leaving = 5,           // Is removed when the joint configuration is left.
};

struct Member {
  NodeId id{};
  std::uint64_t incarnation_high = 0;  // Drawn once for a data directory.
  std::uint64_t incarnation_low = 0;
  MemberRole role = MemberRole::voter;
  std::string address = {};  // Its server line's value in zoo.cfg, opaque here: routing only. May be empty.

  friend bool operator==(const Member&, const Member&) = default;
};

// A tombstone: this incarnation is never again a member.
struct RemovedMember {
  NodeId id{};
  std::uint64_t incarnation_high = 0;
  std::uint64_t incarnation_low = 0;

  friend auto operator<=>(const RemovedMember&, const RemovedMember&) = default;
};

// Who takes part. In joint consensus `outgoing` holds the voters of the configuration that is being left, members all
// of them; empty otherwise. Each list is ascending, without repetition.
struct Configuration {
  std::vector<Member> members;
  std::vector<NodeId> outgoing = {};
  std::vector<RemovedMember> removed = {};
  bool leaves_automatically = false;  // The joint configuration is left without being asked to.

  friend bool operator==(const Configuration&, const Configuration&) = default;
};

[[nodiscard]] inline bool is_joint(const Configuration& configuration) {
  return !configuration.outgoing.empty();
}
[[nodiscard]] const Member* find_member(const Configuration& configuration, NodeId id);
// A voter of the new set, or of the outgoing one.
[[nodiscard]] bool is_voter(const Configuration& configuration, NodeId id);

// How a configuration becomes an entry's bytes and back: the byte format is `wire`'s, which knows this room and not
// the other way round.
struct ConfigurationCodec {
  Blob (*encode)(const Configuration& configuration) = nullptr;
  Result<Configuration> (*decode)(ByteView bytes) = nullptr;
};

}  // namespace quorate::raft
