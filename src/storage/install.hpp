#pragma once

// The names of a snapshot while it is installed. Private to this room.
//   <index>.install: whole and durable; the log behind it may not have begun yet. Only recovery reads it.

#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "storage/data_directory.hpp"
#include "storage/snapshots.hpp"

namespace quorate::storage {

[[nodiscard]] std::string snapshot_path(const DataDirectory& directory, Index index);
[[nodiscard]] std::string install_path(const DataDirectory& directory, Index index);
// The files whose installation was cut short, newest first.
Result<std::vector<SnapshotFile>> list_installs(DataDirectory& directory);
// The log behind it has begun: it gets a snapshot's name, durably. Errors are final.
Result<void> finish_install(DataDirectory& directory, Index index);

}  // namespace quorate::storage
