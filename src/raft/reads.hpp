#pragma once

// Linearizable reads at the leader (dissertation 6.4; ): numbered heartbeat rounds, and which
// reads each of them confirms.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "base/ids.hpp"

namespace quorate::raft {

// Who waits for a read index.
struct ReadWaiter {
  NodeId from{};  // The server that asked; 0: this one.
  std::uint64_t id = 0;
};

// A read of this server's clients whose index the leader was asked for.
struct ForwardedRead {
  std::uint64_t attempt = 0;
  std::uint64_t id = 0;
  MonoTime deadline{};
};

// A read index that has been confirmed.
struct ConfirmedRead {
  ReadWaiter waiter;
  Index index{};
};

class ReadRounds {
 public:
  // A read that arrived when `commit` was the commit index; none: no entry of the own term is committed yet, and the
  // index is fixed when one is (R-702 step 1).
  void add(ReadWaiter waiter, std::optional<Index> commit);
  // The own term has a committed entry from now on.
  void fix(Index commit);
  // Whether a read waits that no round covers yet; a round that has been sent covers none that came later.
  [[nodiscard]] bool wants_round() const { return uncovered_ > 0; }
  // Begins the next round, which covers everything that waits with an index. Returns its number.
  std::uint64_t begin(MonoTime now);
  [[nodiscard]] std::uint64_t newest() const { return newest_; }
  // A quorum has answered `round`: appends to `into` what that confirms.
  void confirm(std::uint64_t round, std::vector<ConfirmedRead>& into);
  // When the newest round that a quorum answered was sent.
  [[nodiscard]] std::optional<MonoTime> confirmed_at() const { return confirmed_at_; }
  // Only rounds that begin from now on count for a lease (R-707: after every change of configuration).
  void restart_lease();
  [[nodiscard]] std::size_t size() const { return waiting_.size(); }
  // Everybody who waits is told to ask again.
  void take_all(std::vector<ReadWaiter>& into);

 private:
  struct Waiting {
    ReadWaiter waiter;
    std::optional<Index> index;
    std::uint64_t round = 0;  // The one that covers it; 0: none yet.
  };
  struct Sent {
    std::uint64_t round;
    MonoTime at;
  };

  std::deque<Waiting> waiting_;  // In order of arrival, so rounds and indexes rise along it.
  std::size_t uncovered_ = 0;    // With an index, not covered.
  std::uint64_t newest_ = 0;
  std::deque<Sent> sent_;  // Not confirmed yet; a few at most, see begin().
  std::uint64_t first_for_lease_ = 1;
  std::optional<MonoTime> confirmed_at_;
};

}  // namespace quorate::raft
