#pragma once

// Snapshot files: written beside service, verified, kept in twos.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "raft/types.hpp"
#include "storage/data_directory.hpp"
#include "storage/recovery.hpp"
#include "tree/snapshot.hpp"
#include "wire/snapshot_format.hpp"

namespace quorate::storage {

// Takes items on the loop, compresses and writes blocks wherever the shell runs the jobs. Bounded: over `buffer_bytes`
// is_full() asks the loop to let the jobs catch up (design chapter 7).
class SnapshotWriter {
 public:
  static Result<std::unique_ptr<SnapshotWriter>> begin(DataDirectory& directory, const wire::SnapshotHeader& header,
                                                       std::size_t buffer_bytes = 8U << 20);
  ~SnapshotWriter();  // Removes the temporary file of an unfinished snapshot.

  void add(const tree::SnapshotItem& item);
  void end();  // No more items.

  [[nodiscard]] bool is_full() const;
  [[nodiscard]] bool has_work() const;
  // One block, or the finish (footer, sync, rename, sync of the directory). Called by one thread at a time, which may
  // be another than the one that adds. False when everything is on disk under its name.
  Result<bool> work();

 private:
  SnapshotWriter();
  struct State;
  std::unique_ptr<State> state_;
};

struct SnapshotFile {
  std::string path;
  raft::LogId point;
  std::uint64_t bytes = 0;
};

}  // namespace quorate::storage
