// A server whose disk fails or fills up.

#include <atomic>
#include <cstdint>
#include <gtest/gtest.h>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "server/server.hpp"
#include "server/testing/raw_client.hpp"
#include "storage/posix_disk.hpp"

namespace quorate::server {
namespace {

using namespace testing;

// What the disk does wrong from now on; set by the test, obeyed on the server's threads.
struct Faults {
  std::atomic<bool> syncs_fail{false};
  std::atomic<bool> full{false};
};

class FaultyFile final : public storage::File {
 public:
  FaultyFile(std::unique_ptr<storage::File> file, Faults& faults, bool is_old)
      : file_(std::move(file)), faults_(faults), is_old_(is_old) {}

  Result<std::size_t> read(std::uint64_t offset, std::span<char> into) override { return file_->read(offset, into); }
  Result<void> write(std::uint64_t offset, ByteView bytes) override {
    // What was written before the disk filled up has its room; only new files find none.
    if (faults_.full && !is_old_) {
      return failure(ErrorCode::no_space, "the test's disk is full");
    }
    return file_->write(offset, bytes);
  }
  Result<void> sync() override { return may_sync() ? file_->sync() : failing(); }
  Result<void> sync_data() override { return may_sync() ? file_->sync_data() : failing(); }
  Result<void> truncate(std::uint64_t bytes) override { return file_->truncate(bytes); }
  [[nodiscard]] Result<std::uint64_t> size() override { return file_->size(); }

 private:
  [[nodiscard]] bool may_sync() const { return !faults_.syncs_fail; }
  static Result<void> failing() { return failure(ErrorCode::io, "the test's disk fails"); }

  std::unique_ptr<storage::File> file_;
  Faults& faults_;
  bool is_old_;
};

class FaultyDisk final : public storage::Disk {
 public:
  explicit FaultyDisk(Faults& faults) : faults_(faults) {}

  Result<std::unique_ptr<storage::File>> open(const std::string& path, Open how) override {
    Result<std::unique_ptr<storage::File>> file = disk_.open(path, how);
    if (!file) {
      return file;
    }
    return std::make_unique<FaultyFile>(std::move(*file), faults_, how == Open::existing || !faults_.full);
  }
  Result<void> make_directory(const std::string& path) override { return disk_.make_directory(path); }
  Result<std::vector<std::string>> list(const std::string& path) override { return disk_.list(path); }
  Result<bool> exists(const std::string& path) override { return disk_.exists(path); }
  Result<void> rename(const std::string& from, const std::string& to) override { return disk_.rename(from, to); }
  Result<void> remove(const std::string& path) override { return disk_.remove(path); }
  Result<void> sync_directory(const std::string& path) override { return disk_.sync_directory(path); }
  Result<std::uint64_t> free_bytes(const std::string& path) override { return disk_.free_bytes(path); }
  Result<std::unique_ptr<storage::File>> lock(const std::string& path) override { return disk_.lock(path); }

 private:
  storage::PosixDisk disk_;
  Faults& faults_;
};

// after a failed sync nothing is acknowledged any more, and the process ends with a code of its own.
TEST(server_faults, a_failed_sync_stops_the_server_without_an_acknowledgement) {
  Faults faults;
  FaultyDisk disk(faults);
  Running running(Config{}, &disk);
  Client client(running.port());
  ASSERT_NE(client.handshake(), 0);
  client.send(create_request(1, "/a", "x"));
  ASSERT_EQ(client.error(), 0);
  faults.syncs_fail = true;
  client.send(create_request(2, "/b", "x"));
  EXPECT_EQ(running.wait(), ExitCode::disk_failed);
  EXPECT_EQ(client.frame(), std::nullopt);
  faults.syncs_fail = false;
  running.start();
  Client later(running.port());
  ASSERT_NE(later.handshake(), 0);
  later.send(get_request(1, "/a"));
  EXPECT_EQ(later.error(), 0);
}

// reads go on, writes get -7, nothing acknowledged is lost, and service comes back by itself. A write that had
// its number when the disk filled up is answered when there is space.
TEST(server_faults, a_full_disk_refuses_writes_until_there_is_space) {
  Faults faults;
  FaultyDisk disk(faults);
  Running running(Config{}, &disk);
  Client writer(running.port());
  Client other(running.port());
  ASSERT_NE(writer.handshake(), 0);
  ASSERT_NE(other.handshake(), 0);
  faults.full = true;
  std::vector<std::string> acknowledged;
  std::int32_t error = 0;
  bool waits = false;
  // Segments of 1 MiB, a handful of them prepared: 64 KiB a write fill them soon.
  for (std::int32_t count = 0; count < 1000 && error == 0 && !waits; ++count) {
    const std::string path = "/n" + std::to_string(count);
    writer.send(create_request(count + 1, path, std::string(64 << 10, 'x')));
    waits = !writer.hears_within(3000);
    error = waits ? 0 : writer.error();
    if (error == 0) {
      acknowledged.push_back(path);
    }
  }
  EXPECT_TRUE(waits || error == -7) << error;
  std::int32_t xid = 0;
  other.send(create_request(++xid, "/refused", "x"));
  EXPECT_EQ(other.error(), -7);
  other.send(get_request(++xid, "/n0"));
  EXPECT_EQ(other.error(), 0);
  faults.full = false;
  const MonoTime end = after_ms(net::monotonic_now(), patience_ms);
  do {
    other.send(create_request(++xid, "/again", "x"));
    error = other.error();
  } while (error == -7 && net::monotonic_now() < end);
  EXPECT_EQ(error, 0);
  if (waits) {
    EXPECT_EQ(writer.error(), 0);
  }
  running.stop();
  running.start();
  Client later(running.port());
  ASSERT_NE(later.handshake(), 0);
  for (const std::string& path : acknowledged) {
    later.send(get_request(++xid, path));
    ASSERT_EQ(later.error(), 0) << path;
  }
}

}  // namespace
}  // namespace quorate::server
