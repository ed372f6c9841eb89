#pragma once

// A server's data directory: its lock, its identity, and where things lie (docs/formats/data-directory.md).
//   quorate.lock, identity, log/<sequence>.log, snapshots/<index>.snapshot

#include <cstdint>
#include <memory>
#include <string>

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

class DataDirectory {
 public:
  // Locks, reads or founds the identity, raises the start counter. `fresh` supplies what a new directory is given.
  // Refuses a directory of another node id, a newer format, and one that holds data without an
  // identity.
  static Result<DataDirectory> open(Disk& disk, Paths paths, const Identity& fresh);

  [[nodiscard]] const Identity& identity() const { return identity_; }
  [[nodiscard]] const Paths& paths() const { return paths_; }
  [[nodiscard]] Disk& disk() const { return *disk_; }
  [[nodiscard]] bool is_new() const { return is_new_; }

 private:
  DataDirectory() = default;

  Disk* disk_ = nullptr;
  Paths paths_;
  Identity identity_;
  std::unique_ptr<File> lock_;
  bool is_new_ = false;
};

}  // namespace quorate::storage
