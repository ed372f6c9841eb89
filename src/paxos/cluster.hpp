#pragma once

// What the founders decide on: a cluster's id and who founds it, each with the incarnation of its data directory
//

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"

namespace quorate::paxos {

// 128 bits drawn at random once for a data directory: a wiped server comes back under its id with another one.
struct Incarnation {
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  friend auto operator<=>(const Incarnation&, const Incarnation&) = default;
};

struct ClusterId {
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  friend auto operator<=>(const ClusterId&, const ClusterId&) = default;
};

// One server as one founding counts on it.
struct Seat {
  NodeId id{};
  Incarnation incarnation;

  friend auto operator<=>(const Seat&, const Seat&) = default;
};

// A set of seats in ascending order of ids, each id once. It names a founding: whoever is wiped is in another one.
using Seats = std::vector<Seat>;

struct Founder {
  Seat seat;
  std::string address;  // As the server line gives it: routing only, opaque here. May be empty.

  friend bool operator==(const Founder&, const Founder&) = default;
};

// The first configuration of the replicated log is made from it: every founder a voter.
struct Cluster {
  ClusterId id;
  std::vector<Founder> founders;  // Ascending by id.

  friend bool operator==(const Cluster&, const Cluster&) = default;
};

inline constexpr std::size_t founders_max = 254;  // As many as there are server ids.
inline constexpr std::size_t founder_address_bytes_max = 1024;

[[nodiscard]] Seats seats_of(const Cluster& cluster);
[[nodiscard]] bool holds(const Seats& seats, const Seat& seat);
[[nodiscard]] const Seat* find_seat(const Seats& seats, NodeId id);

// The value of the decree: version 1, the id, the number of founders, and each one's id, incarnation and address;
// integers big-endian. The cluster keeps the limits above.
[[nodiscard]] Blob encode_cluster(const Cluster& cluster);
// Errors: unsupported for a newer version, corrupt for what does not decode or is not ascending.
[[nodiscard]] Result<Cluster> decode_cluster(ByteView bytes);

[[nodiscard]] std::string describe(Incarnation incarnation);  // 32 hexadecimal digits.
[[nodiscard]] std::string describe(ClusterId id);             // As well.
[[nodiscard]] std::string describe(const Seats& seats);  // "1/3f02 2/9a11": ids and the incarnations' first digits.

}  // namespace quorate::paxos
