#pragma once

// The real disk: POSIX files, owner-only, never through a symbolic link (S-602).

#include <string>

#include "storage/disk.hpp"

namespace quorate::storage {

class PosixDisk final : public Disk {
 public:
  Result<std::unique_ptr<File>> open(const std::string& path, Open how) override;
  Result<void> make_directory(const std::string& path) override;
  Result<std::vector<std::string>> list(const std::string& directory) override;
  Result<bool> exists(const std::string& path) override;
  Result<void> rename(const std::string& from, const std::string& to) override;
  Result<void> remove(const std::string& path) override;
  Result<void> sync_directory(const std::string& path) override;
  Result<std::uint64_t> free_bytes(const std::string& path) override;
  Result<std::unique_ptr<File>> lock(const std::string& path) override;
};

// Whether both name one directory, however each is spelled: relative, with a slash at its end, through a symbolic link.
// Either may not exist yet.
[[nodiscard]] bool is_same_directory(const std::string& one, const std::string& other);

}  // namespace quorate::storage
