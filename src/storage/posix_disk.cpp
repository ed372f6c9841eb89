#include "storage/posix_disk.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <system_error>
#include <unistd.h>

#include "base/ensure.hpp"

namespace quorate::storage {
namespace {

std::unexpected<Error> system_failure(std::string_view what, const std::string& path) {
  const int error = errno;
  ErrorCode code = ErrorCode::io;
  if (error == ENOSPC || error == EDQUOT) {
    code = ErrorCode::no_space;
  } else if (error == ENOENT) {
    code = ErrorCode::not_found;
  } else if (error == EEXIST) {
    code = ErrorCode::invalid;
  }
  return failure(code, fmt::format("cannot {} {}: {}", what, path, std::generic_category().message(error)));
}

class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  Descriptor(Descriptor&& other) noexcept : value_(std::exchange(other.value_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() {
    if (value_ >= 0) {
      ::close(value_);
    }
  }
  [[nodiscard]] int value() const { return value_; }

 private:
  int value_;
};

class PosixFile final : public File {
 public:
  PosixFile(Descriptor descriptor, std::string path) : descriptor_(std::move(descriptor)), path_(std::move(path)) {}

  Result<std::size_t> read(std::uint64_t offset, std::span<char> into) override {
    std::size_t done = 0;
    while (done < into.size()) {
      const ssize_t got =
          ::pread(descriptor_.value(), into.data() + done, into.size() - done, static_cast<off_t>(offset + done));
      if (got < 0 && errno == EINTR) {
        continue;
      }
      if (got < 0) {
        return system_failure("read", path_);
      }
      if (got == 0) {
        break;
      }
      done += static_cast<std::size_t>(got);
    }
    return done;
  }

  Result<void> write(std::uint64_t offset, ByteView bytes) override {
    while (!bytes.empty()) {
      const ssize_t put = ::pwrite(descriptor_.value(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (put < 0 && errno == EINTR) {
        continue;
      }
      if (put < 0) {
        return system_failure("write", path_);
      }
      if (put == 0) {
        return failure(ErrorCode::io, fmt::format("cannot write {}: the system took no bytes", path_));
      }
      bytes.remove_prefix(static_cast<std::size_t>(put));
      offset += static_cast<std::uint64_t>(put);
    }
    return {};
  }

  Result<void> sync() override { return synced(::fsync(descriptor_.value())); }
  Result<void> sync_data() override { return synced(::fdatasync(descriptor_.value())); }

  Result<void> truncate(std::uint64_t bytes) override {
    while (::ftruncate(descriptor_.value(), static_cast<off_t>(bytes)) != 0) {
      if (errno != EINTR) {
        return system_failure("truncate", path_);
      }
    }
    return {};
  }

  Result<std::uint64_t> size() override {
    struct stat status{};
    if (::fstat(descriptor_.value(), &status) != 0) {
      return system_failure("inspect", path_);
    }
    return static_cast<std::uint64_t>(status.st_size);
  }

 private:
  // After a failed fsync the kernel calls the pages clean, so a second one would succeed without having written them
  // the first failure is remembered for the life of the file.
  Result<void> synced(int outcome) {
    if (failed_) {
      return failure(ErrorCode::io, fmt::format("cannot sync {}: an earlier sync of it failed", path_));
    }
    if (outcome != 0) {
      failed_ = true;
      auto error = system_failure("sync", path_);
      // A sync that could not find space has lost data like any other failed sync: it is never a soft error.
      return failure(ErrorCode::io, std::move(error).error().message);
    }
    return {};
  }

  Descriptor descriptor_;
  std::string path_;
  bool failed_ = false;
};

Result<Descriptor> open_descriptor(const std::string& path, int flags) {
  int descriptor = -1;
  do {
    descriptor = ::open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);
  } while (descriptor < 0 && errno == EINTR);
  if (descriptor < 0) {
    return system_failure("open", path);
  }
  return Descriptor{descriptor};
}

std::string parent_of(std::string path) {
  while (path.size() > 1 && path.ends_with('/')) {
    path.pop_back();
  }
  const std::size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) {
    return ".";
  }
  return slash == 0 ? "/" : path.substr(0, slash);
}

// Of a directory that was there already: an earlier start may have been killed between making it and this.
Result<void> sync_name_of(const std::string& path) {
  const std::string parent = parent_of(path);
  const Descriptor descriptor{::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (descriptor.value() < 0) {
    return {};  // Where this user may not read, no start of this user has made anything.
  }
  // Nor on a read-only file system, or on one whose directories know no sync.
  if (::fsync(descriptor.value()) != 0 && errno != EROFS && errno != EINVAL) {
    return failure(ErrorCode::io, system_failure("sync directory", parent).error().message);
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<File>> PosixDisk::open(const std::string& path, Open how) {
  int flags = O_RDWR;
  switch (how) {
    case Open::existing:
      break;
    case Open::create_new:
      flags |= O_CREAT | O_EXCL;
      break;
    case Open::create_or_open:
      flags |= O_CREAT;
      break;
  }
  auto descriptor = open_descriptor(path, flags);
  if (!descriptor) {
    return std::unexpected(descriptor.error());
  }
  return std::make_unique<PosixFile>(std::move(*descriptor), path);
}

Result<void> PosixDisk::make_directory(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) == 0) {
    if (!S_ISDIR(status.st_mode)) {
      return failure(ErrorCode::invalid, fmt::format("{} is not a directory", path));
    }
    return sync_name_of(path);
  }
  const std::string parent = parent_of(path);
  if (parent != path) {
    if (auto made = make_directory(parent); !made) {
      return made;
    }
  }
  if (::mkdir(path.c_str(), S_IRWXU) != 0 && errno != EEXIST) {
    return system_failure("make directory", path);
  }
  return sync_directory(parent);  // A directory whose name may be lost holds nothing safely.
}

Result<std::vector<std::string>> PosixDisk::list(const std::string& directory) {
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::opendir(directory.c_str()), &::closedir);
  if (stream == nullptr) {
    return system_failure("list", directory);
  }
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(stream.get());
    if (entry == nullptr) {
      if (errno != 0) {
        return system_failure("list", directory);
      }
      break;
    }
    const std::string_view name{entry->d_name};
    if (name != "." && name != "..") {
      names.emplace_back(name);
    }
  }
  std::ranges::sort(names);
  return names;
}

Result<bool> PosixDisk::exists(const std::string& path) {
  struct stat status{};
  if (::lstat(path.c_str(), &status) == 0) {
    return true;
  }
  if (errno == ENOENT || errno == ENOTDIR) {
    return false;
  }
  return system_failure("inspect", path);
}

Result<void> PosixDisk::rename(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) {
    return system_failure("rename", from);
  }
  return {};
}

Result<void> PosixDisk::remove(const std::string& path) {
  if (::unlink(path.c_str()) != 0) {
    return system_failure("remove", path);
  }
  return {};
}

Result<void> PosixDisk::sync_directory(const std::string& path) {
  // The data directory itself may be a symbolic link that the operator made; only what lies inside it may not.
  const Descriptor descriptor{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (descriptor.value() < 0) {
    return system_failure("open directory", path);
  }
  if (::fsync(descriptor.value()) != 0) {
    // Like a file's failed sync, it is never a soft error, whatever the system calls it.
    return failure(ErrorCode::io, system_failure("sync directory", path).error().message);
  }
  return {};
}

Result<std::uint64_t> PosixDisk::free_bytes(const std::string& path) {
  struct statvfs status{};
  if (::statvfs(path.c_str(), &status) != 0) {
    return system_failure("inspect the file system of", path);
  }
  return std::uint64_t{status.f_bavail} * std::uint64_t{status.f_frsize};
}

bool is_same_directory(const std::string& one, const std::string& other) {
  struct stat first{};
  struct stat second{};
  if (::stat(one.c_str(), &first) == 0 && ::stat(other.c_str(), &second) == 0) {
    return first.st_dev == second.st_dev && first.st_ino == second.st_ino;
  }
  const auto spelled_out = [](const std::string& path) {
    std::error_code trouble;
    // With a slash at the end of all, whoever wrote one and whoever did not are told the same.
    const std::filesystem::path absolute = std::filesystem::absolute(path, trouble) / "";
    const std::filesystem::path whole = trouble ? absolute : std::filesystem::weakly_canonical(absolute, trouble);
    return trouble ? path : whole.string();
  };
  return spelled_out(one) == spelled_out(other);
}

Result<std::unique_ptr<File>> PosixDisk::lock(const std::string& path) {
  auto descriptor = open_descriptor(path, O_RDWR | O_CREAT);
  if (!descriptor) {
    return std::unexpected(descriptor.error());
  }
  // An open file description holds it: a second open in this very process is refused too, and a crash releases it.
  if (::flock(descriptor->value(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) {
      return failure(ErrorCode::busy, fmt::format("{} is locked: another process uses this directory; stop it first, "
                                                  "or give this one a directory of its own",
                                                  path));
    }
    return system_failure("lock", path);
  }
  return std::make_unique<PosixFile>(std::move(*descriptor), path);
}

}  // namespace quorate::storage
