#pragma once

// The narrow seam to the disk: all that storage needs. PosixDisk is the real one, sim::Disk
// forgets what was not synced. The only virtual interface below server.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace quorate::storage {

// An open file. Calls may come from any thread, one at a time.
class File {
 public:
  virtual ~File() = default;
  // Fills `into` from `offset`; fewer bytes only at the end of the file.
  virtual Result<std::size_t> read(std::uint64_t offset, std::span<char> into) = 0;
  // All of it or an error; interruptions and short writes are completed inside.
  virtual Result<void> write(std::uint64_t offset, ByteView bytes) = 0;
  // Contents and size are on stable storage when it returns. An error is final.
  virtual Result<void> sync() = 0;
  // Contents alone: enough where the size did not change since the last sync().
  virtual Result<void> sync_data() = 0;
  virtual Result<void> truncate(std::uint64_t bytes) = 0;
  [[nodiscard]] virtual Result<std::uint64_t> size() = 0;
};

class Disk {
 public:
  virtual ~Disk() = default;
  enum class Open { existing, create_new, create_or_open };
  virtual Result<std::unique_ptr<File>> open(const std::string& path, Open how) = 0;
  // Parents too. Fine if it exists: then its name is made durable all the same, because whoever made it may have been
  // killed before doing that.
  virtual Result<void> make_directory(const std::string& path) = 0;
  virtual Result<std::vector<std::string>> list(const std::string& directory) = 0;  // Names, sorted.
  virtual Result<bool> exists(const std::string& path) = 0;
  virtual Result<void> rename(const std::string& from, const std::string& to) = 0;
  virtual Result<void> remove(const std::string& path) = 0;
  virtual Result<void> sync_directory(
      const std::string& path) = 0;  // Names are data. An error is final.
  virtual Result<std::uint64_t> free_bytes(const std::string& path) = 0;
  // Held until the returned file is destroyed; ErrorCode::busy if another process has it.
  virtual Result<std::unique_ptr<File>> lock(const std::string& path) = 0;
};

}  // namespace quorate::storage
