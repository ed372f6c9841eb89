#pragma once

// A server's data directory: its lock, its identity, and where things lie (docs/formats/data-directory.md).
//   quorate.lock, identity, log/<sequence>.log, snapshots/<index>.snapshot

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "storage/disk.hpp"

namespace quorate::storage {

// Durable from the first start on. Two alternating checksummed slots in one file.
struct Identity {
  std::uint64_t cluster_high = 0;  // 0, 0: not yet part of a cluster.
  std::uint64_t cluster_low = 0;
  NodeId node{};
  std::uint64_t incarnation_high = 0;
  std::uint64_t incarnation_low = 0;
  std::uint64_t starts = 0;  // Raised durably by each start, before the first write leaves.

  friend bool operator==(const Identity&, const Identity&) = default;
};

struct Paths {
  std::string data;  // dataDir: identity, lock, snapshots
  std::string log;   // dataLogDir: segments; the same as data by default
};

// Moves like a value, but Wal and SnapshotWriter keep a reference to the one they were opened with: it outlives them
// and stays where it is meanwhile.
class DataDirectory {
 public:
  // Locks, reads or founds the identity. `fresh` supplies what a new directory is given; its `starts` is ignored.
  // Refuses a directory of another node id, a newer format, and one that holds data without an identity
  // . Of an existing directory nothing changes but the lock file: what it holds may turn out to be a newer
  // version's.
  static Result<DataDirectory> open(Disk& disk, Paths paths, const Identity& fresh);

  // The same for an existing directory of whatever node id, for the tools.
  static Result<DataDirectory> inspect(Disk& disk, Paths paths);

  // Before anything else is written: removes what an interrupted write left behind under a temporary name, and raises
  // the start counter, durably. `starts_seen` is the highest one that log and snapshots show
  // (Recovery::starts): above that of an identity that was restored from an older copy.
  Result<void> begin_start(std::uint64_t starts_seen);
  [[nodiscard]] bool has_begun_start() const { return has_begun_start_; }

  [[nodiscard]] const Identity& identity() const { return slot_.identity; }
  [[nodiscard]] const Paths& paths() const { return paths_; }
  [[nodiscard]] Disk& disk() const { return *disk_; }
  [[nodiscard]] bool is_new() const { return is_new_; }
  [[nodiscard]] std::string log_directory() const { return paths_.log + "/log"; }
  [[nodiscard]] std::string snapshot_directory() const { return paths_.data + "/snapshots"; }

  // The newest segment that was ever durable here; 0: the log was never begun. A log that ends earlier has lost its
  // end, one that is absent although it was begun is not "new" (R-119, K-104).
  [[nodiscard]] std::uint64_t newest_segment() const { return slot_.newest_segment; }
  // The names in one of its directories, sorted; none if it is not there (a crash while founding may lose its name).
  [[nodiscard]] Result<std::vector<std::string>> names_in(const std::string& directory) const;
  // Durable when it returns. Called by whoever makes the segment, one thread at a time.
  Result<void> record_newest_segment(std::uint64_t sequence);

 private:
  struct Slot {
    std::uint64_t number = 0;  // Counts the writes of this file; the higher one is valid.
    Identity identity;
    std::uint64_t newest_segment = 0;
  };

  DataDirectory() = default;
  static Result<DataDirectory> lock(Disk& disk, Paths paths);
  static std::string encode(const Slot& slot);
  static Result<std::optional<Slot>> decode(ByteView bytes, const std::string& path);
  [[nodiscard]] std::string identity_path() const { return paths_.data + "/identity"; }
  Result<void> found(const Identity& fresh);
  Result<bool> holds_data();
  Result<void> load();
  Result<void> write_slot();
  Result<void> remove_leftovers();

  Disk* disk_ = nullptr;
  Paths paths_;
  Slot slot_;
  bool slot_lost_ = false;  // One of the two did not check: its start may have been the last one.
  std::unique_ptr<File> lock_;
  std::unique_ptr<File> log_lock_;  // Of a separate dataLogDir.
  std::unique_ptr<File> identity_file_;
  bool is_new_ = false;
  bool has_begun_start_ = false;
};

}  // namespace quorate::storage
