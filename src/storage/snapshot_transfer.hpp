#pragma once

// Snapshots on their way between servers: parts of a file that is read, and the file that parts are put
// together in. Each object belongs to one thread, a background one: its calls wait for the disk.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "raft/messages.hpp"
#include "raft/types.hpp"
#include "storage/data_directory.hpp"
#include "storage/snapshots.hpp"

namespace quorate::storage {

// Reads parts of snapshots. The files it is asked about stay open, so that a purge takes their names and not what a
// transfer still needs; those of the two newest transfers, as many as a leader has under way.
class SnapshotSender {
 public:
  // Keeps a reference to `directory`.
  explicit SnapshotSender(DataDirectory& directory) : directory_(&directory) {}

  // The part that was asked for, `bytes_max` long at most. Of another snapshot from its beginning on if the one under
  // way is not known here any more. nullopt: there is none that checks. Term and sender's term are the core's to fill
  // in. Errors: io, corrupt (what was whole when it was opened is so no more).
  Result<std::optional<raft::SnapshotChunk>> read(const raft::SnapshotRead& wanted, std::size_t bytes_max);
  // Leadership is over: the files are closed.
  void close() { open_.clear(); }

 private:
  struct Open {
    raft::SnapshotId id;
    std::uint64_t bytes = 0;
    std::unique_ptr<File> file;
  };
  Result<Open*> find(const raft::SnapshotRead& wanted);
  Result<Open*> open_newest();

  DataDirectory* directory_;
  std::vector<Open> open_;  // The one used last at the end.
};

// Puts the parts of one snapshot at a time together, in a file that is no snapshot yet: a start removes it. Memory is
// bounded by a part.
class SnapshotReceiver {
 public:
  // Keeps a reference to `directory`.
  explicit SnapshotReceiver(DataDirectory& directory) : directory_(&directory) {}
  SnapshotReceiver(const SnapshotReceiver&) = delete;
  SnapshotReceiver& operator=(const SnapshotReceiver&) = delete;
  ~SnapshotReceiver() { discard(); }

  // Adds a part; one at offset 0 begins anew. Returns up to where the file is there now. Errors, after which nothing is
  // staged: invalid (it does not continue what is staged), no_space; any other one is final.
  Result<std::uint64_t> write(const raft::SnapshotWrite& part);

  // Checks the whole file: every block, the digest, that it is the snapshot that was announced, and of this cluster;
  // delivers its items to `sink` (an empty one: nobody wants them), and makes its content durable. Errors, after
  // which nothing is staged: corrupt, invalid, unsupported (a newer version wrote it); io is final.
  Result<wire::SnapshotHeader> verify(const raft::SnapshotId& id, const SnapshotSink& sink, const Executor& executor);
  // For Wal::take_install(), after verify(). The file is the log's from then on.
  [[nodiscard]] std::string take_staged();
  // Removes what is staged.
  void discard();

 private:
  [[nodiscard]] std::string path() const { return directory_->snapshot_directory() + "/incoming.tmp"; }
  Result<void> begin(const raft::SnapshotWrite& part);
  Result<wire::SnapshotHeader> check(const raft::SnapshotId& id, const SnapshotSink& sink, const Executor& executor);

  DataDirectory* directory_;
  raft::SnapshotId id_;
  std::unique_ptr<File> file_;  // Open while parts are added.
  bool is_staged_ = false;      // The file exists.
  std::uint64_t total_ = 0;
  std::uint64_t stored_ = 0;
  std::uint64_t unsynced_ = 0;
};

}  // namespace quorate::storage
