#pragma once

// Reads the log's segments and judges what does not check. Private to this room.

#include "raft/types.hpp"
#include "storage/recovery.hpp"

namespace quorate::storage {

// `snapshot` is where the state that was restored stands; zero: none.
Result<LogContents> read_log(DataDirectory& directory, raft::LogId snapshot, bool everything);

}  // namespace quorate::storage
