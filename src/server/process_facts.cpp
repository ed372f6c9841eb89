#include "server/process_facts.hpp"

#include <array>
#include <cstdio>
#include <dirent.h>
#include <memory>
#include <pwd.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

namespace quorate::server {

std::uint64_t resident_bytes() {
  const auto close = [](std::FILE* file) { (void)std::fclose(file); };
  const std::unique_ptr<std::FILE, decltype(close)> file(std::fopen("/proc/self/statm", "re"), close);
  unsigned long long total = 0;
  unsigned long long resident = 0;
  if (!file || std::fscanf(file.get(), "%llu %llu", &total, &resident) != 2) {
    return 0;
  }
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::uint64_t open_descriptors() {
  const auto close = [](DIR* directory) { (void)::closedir(directory); };
  const std::unique_ptr<DIR, decltype(close)> directory(::opendir("/proc/self/fd"), close);
  std::uint64_t count = 0;
  while (directory && ::readdir(directory.get()) != nullptr) {
    ++count;
  }
  return count > 3 ? count - 3 : 0;  // Not counted: the two dots, and the directory itself.
}

admin::EnvironmentStatus environment() {
  admin::EnvironmentStatus status;
  utsname name{};
  if (::uname(&name) == 0) {
    status.host_name = name.nodename;
    status.os_name = name.sysname;
    status.os_arch = name.machine;
    status.os_version = name.release;
  }
  if (const passwd* user = ::getpwuid(::getuid()); user != nullptr) {
    status.user_name = user->pw_name;
    status.user_home = user->pw_dir;
  }
  std::array<char, 4096> path{};
  if (::getcwd(path.data(), path.size()) != nullptr) {
    status.user_directory = path.data();
  }
  struct sysinfo memory{};
  if (::sysinfo(&memory) == 0) {
    status.memory_free_bytes = static_cast<std::uint64_t>(memory.freeram) * memory.mem_unit;
    status.memory_max_bytes = static_cast<std::uint64_t>(memory.totalram) * memory.mem_unit;
    status.memory_total_bytes = status.memory_max_bytes;
  }
  return status;
}

}  // namespace quorate::server
