#pragma once

// Reads the log's segments and judges what does not check. Private to this room.

#include "raft/types.hpp"
#include "storage/recovery.hpp"

namespace quorate::storage {

// Where the state that was restored stands; zero: none was.
struct SnapshotPoint {
  raft::LogId id;
  WallTime time{};  // The log's time there: no later entry has an older one.
  // It came from another server, and the log behind it may not have begun: one that does not reach it is void.
  bool is_installing = false;

  friend bool operator==(const SnapshotPoint&, const SnapshotPoint&) = default;
};

Result<LogContents> read_log(DataDirectory& directory, const SnapshotPoint& snapshot, const RecoverOptions& options);

}  // namespace quorate::storage
