// A server whose disk fails or fills up.

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <gtest/gtest.h>
#include <memory>
#include <span>
#include <string>
#include <string_view>
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
  std::atomic<const char*> file_not_synced{nullptr};       // Whose path contains this.
  std::atomic<const char*> directory_not_synced{nullptr};  // Whose path ends with this.
  std::atomic<bool> full{false};
  std::atomic<bool> log_full{false};  // As if dataLogDir were a disk of its own.

  [[nodiscard]] bool has_no_space_for(const std::string& path) const {
    return full || (log_full && path.find("/log/") != std::string::npos);
  }
};

class FaultyFile final : public storage::File {
 public:
  FaultyFile(std::unique_ptr<storage::File> file, std::string path, Faults& faults, bool is_old)
      : file_(std::move(file)), path_(std::move(path)), faults_(faults), is_old_(is_old) {}

  Result<std::size_t> read(std::uint64_t offset, std::span<char> into) override { return file_->read(offset, into); }
  Result<void> write(std::uint64_t offset, ByteView bytes) override {
    // What was written before the disk filled up has its room; only new files find none.
    if (faults_.has_no_space_for(path_) && !is_old_) {
      return failure(ErrorCode::no_space, "the test's disk is full");
    }
    return file_->write(offset, bytes);
  }
  Result<void> sync() override { return may_sync() ? file_->sync() : failing(); }
  Result<void> sync_data() override { return may_sync() ? file_->sync_data() : failing(); }
  Result<void> truncate(std::uint64_t bytes) override { return file_->truncate(bytes); }
  [[nodiscard]] Result<std::uint64_t> size() override { return file_->size(); }

 private:
  [[nodiscard]] bool may_sync() const {
    const char* failing = faults_.file_not_synced;
    return !faults_.syncs_fail && (failing == nullptr || path_.find(failing) == std::string::npos);
  }
  static Result<void> failing() { return failure(ErrorCode::io, "the test's disk fails"); }

  std::unique_ptr<storage::File> file_;
  std::string path_;
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
    return std::make_unique<FaultyFile>(std::move(*file), path, faults_,
                                        how == Open::existing || !faults_.has_no_space_for(path));
  }
  Result<void> make_directory(const std::string& path) override { return disk_.make_directory(path); }
  Result<std::vector<std::string>> list(const std::string& path) override { return disk_.list(path); }
  Result<bool> exists(const std::string& path) override { return disk_.exists(path); }
  Result<void> rename(const std::string& from, const std::string& to) override { return disk_.rename(from, to); }
  Result<void> remove(const std::string& path) override { return disk_.remove(path); }
  Result<void> sync_directory(const std::string& path) override {
    const char* failing = faults_.directory_not_synced;
    return failing != nullptr && path.ends_with(failing) ? failure(ErrorCode::io, "the test's disk fails")
                                                         : disk_.sync_directory(path);
  }
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

// Waits until the spare and the reserve lie ready beside the segment that is written.
void wait_for_ready_files(const Running& running) {
  const MonoTime end = after_ms(net::monotonic_now(), patience_ms);
  bool spare = false;
  bool reserve = false;
  while (!(spare && reserve) && net::monotonic_now() < end) {
    for (const auto& file : std::filesystem::directory_iterator(running.config().data_directory + "/log")) {
      const std::string name = file.path().filename();
      spare = spare || (name.starts_with("spare-") && !name.ends_with(".tmp"));
      reserve = reserve || name == "reserve";
    }
  }
  EXPECT_TRUE(spare && reserve);
}

// Writes until one is refused or the server ends by itself: its paths, and the error, which then is -1000.
std::int32_t write_until_refused(const Running& running, Client& client, std::string_view prefix, std::size_t bytes,
                                 std::vector<std::string>& acknowledged) {
  std::int32_t error = 0;
  for (std::int32_t count = 0; count < 3000 && error == 0; ++count) {
    const std::string path = std::string(prefix) + std::to_string(count);
    client.send(create_request(count + 1, path, std::string(bytes, 'x')));
    while (!client.hears_within(20)) {
      if (running.has_ended()) {
        return -1000;
      }
    }
    error = client.error();
    if (error == 0) {
      acknowledged.push_back(path);
    }
  }
  return error;
}

void expect_all(const Running& running, const std::vector<std::string>& acknowledged) {
  Client reader(running.port());
  ASSERT_NE(reader.handshake(), 0);
  std::int32_t xid = 0;
  for (const std::string& path : acknowledged) {
    reader.send(get_request(++xid, path));
    ASSERT_EQ(reader.error(), 0) << path;
  }
}

// whatever it is that is synced, the first failure ends the process, and what was acknowledged is there.
TEST(server_faults, a_failed_sync_of_anything_stops_the_server) {
  struct Case {
    const char* name;
    const char* file;
    const char* directory;
    std::uint64_t snapshot_entries = 100'000;
  };
  // A segment keeps the name under which it was opened, a spare's.
  for (const Case& sample :
       {Case{"a segment", "/log/spare-", nullptr}, Case{"a spare that is made", ".tmp", nullptr},
        Case{"the identity", "/identity", nullptr}, Case{"the log's directory", nullptr, "/log"},
        Case{"a snapshot", ".snapshot", nullptr, 50}, Case{"the snapshots' directory", nullptr, "/snapshots", 50}}) {
    SCOPED_TRACE(sample.name);
    Faults faults;
    FaultyDisk disk(faults);
    Config config;
    config.snapshot_entries = sample.snapshot_entries;
    Running running(config, &disk);
    std::vector<std::string> acknowledged;
    {
      Client client(running.port());
      ASSERT_NE(client.handshake(), 0);
      client.send(create_request(1, "/first", "x"));
      ASSERT_EQ(client.error(), 0);
      acknowledged.emplace_back("/first");
      wait_for_ready_files(running);
      faults.file_not_synced = sample.file;
      faults.directory_not_synced = sample.directory;
      EXPECT_EQ(write_until_refused(running, client, "/n", 16 << 10, acknowledged), -1000);
    }
    EXPECT_EQ(HasFailure() ? running.stop() : running.wait(), ExitCode::disk_failed);
    faults.file_not_synced = nullptr;
    faults.directory_not_synced = nullptr;
    running.start();
    expect_all(running, acknowledged);
  }
}

// a burst that is larger than the spare, which lies ready all the while: nothing is left to be prepared when
// there is space again, so nothing but the burst itself can end the refusals.
TEST(server_faults, a_burst_that_found_no_space_is_written_and_ends_the_refusals) {
  Faults faults;
  FaultyDisk disk(faults);
  Running running(Config{}, &disk);
  Client writer(running.port());
  Client other(running.port());
  ASSERT_NE(writer.handshake(), 0);
  ASSERT_NE(other.handshake(), 0);
  wait_for_ready_files(running);
  faults.full = true;
  std::string burst;
  constexpr std::int32_t writes = 120;
  for (std::int32_t count = 0; count < writes; ++count) {
    burst += create_request(count + 1, "/b" + std::to_string(count), std::string(60 << 10, 'x'));
  }
  writer.send(burst);
  std::int32_t xid = 0;
  std::int32_t error = 0;
  const MonoTime end = after_ms(net::monotonic_now(), patience_ms);
  do {
    ++xid;
    other.send(create_request(xid, "/refused" + std::to_string(xid), "x"));
    error = other.hears_within(3000) ? other.error() : -7;
  } while (error == 0 && net::monotonic_now() < end);
  EXPECT_EQ(error, -7);
  faults.full = false;
  std::vector<std::string> acknowledged;
  for (std::int32_t count = 0; count < writes; ++count) {
    error = writer.error();
    ASSERT_TRUE(error == 0 || error == -7) << error;
    if (error == 0) {
      acknowledged.push_back("/b" + std::to_string(count));
    }
  }
  Client late(running.port());
  do {
    late.send(frame_of_connect());
    if (late.frame().has_value()) {
      break;
    }
    late = Client(running.port());
  } while (net::monotonic_now() < end);
  late.send(create_request(1, "/again", "x"));
  EXPECT_EQ(late.error(), 0);
  running.stop();
  running.start();
  expect_all(running, acknowledged);
}

// snapshots let segments go while the log finds no space and writes are refused, so that none is due.
TEST(server_faults, snapshots_relieve_a_full_log) {
  Faults faults;
  FaultyDisk disk(faults);
  Running running(Config{}, &disk);
  Client writer(running.port());
  Client first(running.port());
  Client second(running.port());
  ASSERT_NE(writer.handshake(), 0);
  ASSERT_NE(first.handshake(), 0);
  ASSERT_NE(second.handshake(), 0);
  std::vector<std::string> acknowledged;
  wait_for_ready_files(running);
  faults.log_full = true;
  ASSERT_EQ(write_until_refused(running, writer, "/n", 30 << 10, acknowledged), -7);
  const auto snapshots = [&running] {
    std::size_t count = 0;
    for (const auto& file : std::filesystem::directory_iterator(running.config().data_directory + "/snapshots")) {
      count += file.path().extension() == ".snapshot" ? 1U : 0U;
    }
    return count;
  };
  const MonoTime end = after_ms(net::monotonic_now(), patience_ms);
  while (snapshots() < 1 && net::monotonic_now() < end) {
  }
  // The end of a session goes on, and is an entry that the next snapshot has and the first has not.
  first.send(frame(int32(1) + int32(-11)));
  EXPECT_EQ(first.error(), 0);
  std::int32_t error = 0;
  std::int32_t xid = 0;
  do {
    ++xid;
    second.send(create_request(xid, "/again" + std::to_string(xid), "x"));
    error = second.error();
  } while (error == -7 && net::monotonic_now() < end);
  EXPECT_EQ(error, 0);
  EXPECT_EQ(snapshots(), 2U);
  running.stop();
  faults.log_full = false;
  running.start();
  expect_all(running, acknowledged);
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
