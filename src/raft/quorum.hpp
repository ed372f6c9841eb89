#pragma once

// Quorum arithmetic (dissertation 3.3, 4.3; ): majorities of one set of voters, or of two while
// joint. Values only; tested against brute force up to seven voters.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "base/ensure.hpp"
#include "base/ids.hpp"
#include "raft/configuration.hpp"

namespace quorate::raft {

inline constexpr std::size_t voters_max = 7;  // In one set.

class VoterSet {
 public:
  void add(NodeId id);
  [[nodiscard]] bool contains(NodeId id) const;
  [[nodiscard]] std::span<const NodeId> ids() const { return {ids_.data(), count_}; }
  [[nodiscard]] std::size_t size() const { return count_; }
  [[nodiscard]] std::size_t majority() const { return count_ / 2 + 1; }

  friend bool operator==(const VoterSet&, const VoterSet&) = default;

 private:
  std::array<NodeId, voters_max> ids_{};
  std::size_t count_ = 0;
};

enum class Verdict : std::uint8_t { pending, won, lost };

// The voters that decide: the incoming set, and the outgoing one too while joint.
class Electorate {
 public:
  Electorate() = default;
  explicit Electorate(const Configuration& configuration);

  [[nodiscard]] bool contains(NodeId id) const { return incoming_.contains(id) || outgoing_.contains(id); }
  [[nodiscard]] const VoterSet& incoming() const { return incoming_; }
  [[nodiscard]] const VoterSet& outgoing() const { return outgoing_; }  // Empty unless joint.
  [[nodiscard]] bool is_alone(NodeId id) const;

  // The largest value that a majority of each set has reached; `reached` tells a voter's.
  template <class Value>
  [[nodiscard]] Value quorum_value(const std::function<Value(NodeId)>& reached) const {
    const Value incoming = majority_value(incoming_, reached);
    return outgoing_.size() == 0 ? incoming : std::min(incoming, majority_value(outgoing_, reached));
  }
  // Each voter for whom `holds` is true is counted.
  [[nodiscard]] bool has_quorum(const std::function<bool(NodeId)>& holds) const;
  // `vote` yields nothing for a voter that has not answered.
  [[nodiscard]] Verdict verdict(const std::function<std::optional<bool>(NodeId)>& vote) const;

 private:
  template <class Value>
  static Value majority_value(const VoterSet& set, const std::function<Value(NodeId)>& reached) {
    ensure(set.size() > 0, "somebody votes");
    std::array<Value, voters_max> values{};  // Kept in descending order.
    std::size_t count = 0;
    for (const NodeId id : set.ids()) {
      const Value value = reached(id);
      std::size_t place = count++;
      for (; place > 0 && values[place - 1] < value; --place) {
        values[place] = values[place - 1];
      }
      values[place] = value;
    }
    return values[set.majority() - 1];
  }

  VoterSet incoming_;
  VoterSet outgoing_;
};

}  // namespace quorate::raft
