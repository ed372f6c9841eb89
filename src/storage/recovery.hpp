#pragma once

// What a data directory holds: the newest usable snapshot, the log after it, and a verdict on every record that does
// not check. `quorate verify` and `quorate repair` are the same code (S-603).

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "raft/types.hpp"
#include "storage/data_directory.hpp"
#include "storage/wal.hpp"
#include "wire/snapshot_format.hpp"

namespace quorate::storage {

// One thing found wrong, in words for the operator.
struct Damage {
  enum class Kind : std::uint8_t {
    torn_tail,
    corrupt_record,
    missing_segment,
    gap,
    bad_header,
    bad_snapshot,
    beyond_log
  };
  Kind kind{};
  std::string file;
  std::uint64_t offset = 0;
  Index index{};            // The first entry that is affected, as far as known.
  std::string explanation;  // What it is, what it would cost, what to do.
};

struct LogContents {
  raft::Recovered recovered;   // Entries after `after` only.
  std::vector<Damage> damage;  // A torn tail is damage that costs nothing; everything else stops the start.
  std::uint64_t segments = 0;
  std::uint64_t records = 0;
};

// Loading in parallel takes the shell's threads: runs the tasks, returns when all are done (threads are not ours).
using Executor = std::function<void(std::vector<std::function<void()>>&)>;

}  // namespace quorate::storage
