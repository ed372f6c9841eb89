#pragma once

// What a data directory holds: the newest usable snapshot, the log after it, and a verdict on every record that does
// not check. `quorate verify` and `quorate repair` are the same code (S-603).

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "raft/types.hpp"
#include "storage/data_directory.hpp"
#include "storage/snapshots.hpp"
#include "storage/wal.hpp"
#include "wire/snapshot_format.hpp"

namespace quorate::storage {

// One thing found wrong, in words for the operator.
struct Damage {
  enum class Kind : std::uint8_t {
    torn_tail,        // A write that a crash cut short; never acknowledged.
    corrupt_record,   // A record that was durable does not check.
    missing_segment,  // A file of the log is not there.
    gap,              // Entries between the snapshot and the log are in neither.
    bad_header,       // A segment's first block does not check, or belongs elsewhere.
    bad_snapshot,     // A snapshot does not check.
    beyond_log,       // The log says that more was committed than it holds.
    cut_segment,      // The newest segment's file is shorter than it was made.
    other_history,    // Snapshot and log hold different entries at the snapshot's point.
  };
  Kind kind{};
  // Acknowledged entries may be missing: the server does not start. False: nothing is lost.
  bool stops_start = true;
  std::string file;
  std::uint64_t offset = 0;
  Index index{};            // The first entry that is affected, as far as known.
  std::string explanation;  // What it is, what it would cost, what to do.

  friend bool operator==(const Damage&, const Damage&) = default;
};
[[nodiscard]] std::string_view name_of(Damage::Kind kind);
[[nodiscard]] std::string describe(const Damage& damage);  // One line: file, offset, index, explanation.

struct LogContents {
  raft::Recovered recovered;  // Entries after the snapshot's point only; what follows damage is left out.
  Wal::Position position;     // Where the log continues, if damage does not forbid it.
  std::vector<Damage> damage;
  std::uint64_t segments = 0;
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;
  Index last_seen{};                // The highest index that any valid record holds, behind damage too.
  std::uint64_t starts = 0;         // The highest start counter of this server that the log shows.
  std::uint32_t feature_level = 0;  // The highest one that a term's start after the snapshot names.
  // Segments that lie behind damage: not part of what was read. Repair moves them away.
  std::vector<std::uint64_t> cut_off;
};

struct RecoverOptions {
  // A snapshot may have come from a peer: then it may be of a time at which this very id was the only member, as
  // another incarnation. A server that never had peers has such a one by mistake.
  bool has_peers = false;
  bool everything = false;  // For verify: segments and snapshots that a start does not need are read as well.
  // Asked every few MiB of the log that are scanned, from any thread of the executor; true: reading ends with
  // ErrorCode::refused. (The snapshot's reader is the sink's own, and may end it there.)
  std::function<bool()> should_stop = nullptr;
};

struct Recovery {
  std::optional<SnapshotFile> snapshot;        // The one that was loaded.
  std::optional<wire::SnapshotHeader> header;  // Its header.
  LogContents log;
  std::vector<Damage> damage;  // All of it: snapshots', then the log's.
  std::uint64_t snapshots = 0;
  std::uint64_t starts = 0;         // The highest start counter of this server that snapshot or log show.
  std::uint32_t feature_level = 0;  // The highest one that snapshot or log name.

  // with damage that may have cost acknowledged entries nothing starts.
  [[nodiscard]] bool may_start() const;
};

// Reads without changing anything, the log beside the snapshot where the executor has threads;
// DataDirectory::begin_start(recovery.starts) is the first write, and then Wal::open(recovery.log.position). Errors are
// what kept it from reading: io, invalid (a snapshot of another cluster or server), unsupported (R-121: anything in a
// header, an entry or an item that a newer version wrote). What it found wrong is in `damage`; entries that are handed
// out can be carried out (wire::check_entry).
Result<Recovery> recover(DataDirectory& directory, const SnapshotSink& sink, const Executor& executor,
                         const RecoverOptions& options = {});

}  // namespace quorate::storage
