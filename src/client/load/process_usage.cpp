#include "client/load/process_usage.hpp"

#include <array>
#include <ctime>
#include <fcntl.h>
#include <string>
#include <string_view>
#include <unistd.h>

#include "net/descriptor.hpp"

namespace quorate::client::load {

namespace {

// The first bytes of a small file of /proc; empty if it cannot be read.
std::string read_small(const std::string& path) {
  const net::Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 1024> bytes;
  const ssize_t count = file.is_open() ? ::read(file.number(), bytes.data(), bytes.size()) : 0;
  return count > 0 ? std::string(bytes.data(), static_cast<std::size_t>(count)) : std::string();
}

// Field number `wanted` (from 0) of words with spaces between.
std::int64_t number_at(std::string_view text, std::size_t wanted) {
  for (; wanted > 0 && !text.empty(); --wanted) {
    const std::size_t space = text.find(' ');
    text.remove_prefix(space == std::string_view::npos ? text.size() : space + 1);
  }
  std::int64_t value = 0;
  for (const char digit : text) {
    if (digit < '0' || digit > '9') {
      break;
    }
    value = value * 10 + (digit - '0');
  }
  return value;
}

}  // namespace

Result<ProcessUsage> read_usage(const std::vector<int>& pids) {
  const std::int64_t tick_us = 1'000'000 / ::sysconf(_SC_CLK_TCK);
  const std::int64_t page_bytes = ::sysconf(_SC_PAGESIZE);
  ProcessUsage usage;
  for (const int pid : pids) {
    const std::string folder = "/proc/" + std::to_string(pid);
    const std::string stat = read_small(folder + "/stat");
    const std::string statm = read_small(folder + "/statm");
    // The program's name stands in brackets and may hold spaces; what follows it is words (proc(5)).
    const std::size_t name_end = stat.rfind(')');
    if (name_end == std::string::npos || name_end + 2 > stat.size() || statm.empty()) {
      return failure(ErrorCode::not_found, "the process " + std::to_string(pid) + " cannot be read");
    }
    const std::string_view words = std::string_view(stat).substr(name_end + 2);
    usage.cpu_us += (number_at(words, 11) + number_at(words, 12)) * tick_us;
    usage.resident_bytes += number_at(statm, 1) * page_bytes;
  }
  return usage;
}

std::int64_t thread_cpu_us() {
  timespec time{};
  (void)::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::int64_t{time.tv_sec} * 1'000'000 + time.tv_nsec / 1000;
}

}  // namespace quorate::client::load
