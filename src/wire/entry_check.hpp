#pragma once

// What recovery asks of an entry before anything is applied or written: that this binary can carry it out (R-121,
// Apply takes it for granted.

#include <cstdint>
#include <optional>
#include <vector>

#include "base/result.hpp"
#include "raft/types.hpp"
#include "tree/types.hpp"
#include "wire/command.hpp"

namespace quorate::wire {

// What an entry says beside what it does.
struct EntryFacts {
  std::uint32_t feature_level = 0;                   // Of a term's start; 0 for other entries.
  std::optional<StreamId> stream;                    // Of a command.
  std::optional<raft::Configuration> configuration;  // Of a configuration.
};

// Decodes the whole entry, what its command's kind asks for included. Errors: unsupported (a newer version wrote it),
// corrupt. `scratch` is reused between calls.
Result<EntryFacts> check_entry(const raft::Entry& entry, std::vector<tree::Identity>& scratch);

}  // namespace quorate::wire
