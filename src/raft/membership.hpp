#pragma once

// Which configuration rules, and which may follow it (dissertation chapter 4; ).

#include <cstddef>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "raft/configuration.hpp"
#include "raft/entry.hpp"

namespace quorate::raft {

struct StoredConfiguration {
  LogId id;  // The entry that carries it; zero: from founding.
  Configuration configuration;
};

// Every configuration of the log that may still be needed: the newest rules from its append on, truncation brings the
// one before back.
class ConfigurationHistory {
 public:
  explicit ConfigurationHistory(StoredConfiguration base);

  [[nodiscard]] const Configuration& effective() const { return stack_.back().configuration; }
  [[nodiscard]] LogId effective_id() const { return stack_.back().id; }
  // The newest one at or below `index`.
  [[nodiscard]] const StoredConfiguration& at(Index index) const;

  void append(LogId id, Configuration configuration);
  // Entries from `first` on are gone. Returns whether another configuration rules now.
  bool truncate(Index first);
  // Those that a position at or below `index` needs are all that may be asked for from now on.
  void compact(Index index);
  // A snapshot took the place of the whole log.
  void reset(StoredConfiguration base);

 private:
  std::vector<StoredConfiguration> stack_;  // Never empty; ascending by index.
};

// The first configuration on the way from `current` to the members `target`: the target itself where at most one voter
// differs, the joint one otherwise.
[[nodiscard]] Configuration first_step(const Configuration& current, std::vector<Member> target);
// The configuration that follows a joint one.
[[nodiscard]] Configuration after_joint(const Configuration& joint);

// Whether a majority of it can be told: one voter at least in each half, `voters_max` at most.
[[nodiscard]] bool can_decide(const Configuration& configuration);
// Whether `target` may follow `current` at all: refused with the reason.
[[nodiscard]] Result<void> check_target(const Configuration& current, const std::vector<Member>& target);

}  // namespace quorate::raft
