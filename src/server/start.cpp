#include "server/start.hpp"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <fmt/format.h>
#include <optional>
#include <sys/mman.h>
#include <sys/random.h>
#include <utility>
#include <vector>

#include "base/ensure.hpp"
#include "net/clock.hpp"
#include "server/logging.hpp"
#include "server/worker.hpp"
#include "storage/posix_disk.hpp"
#include "storage/recovery.hpp"
#include "storage/snapshots.hpp"
#include "tree/memory_advice.hpp"
#include "tree/tree.hpp"
#include "wire/configuration.hpp"

namespace quorate::server {

namespace {

std::unexpected<StartFailure> failed(const Error& error) {
  ExitCode code = ExitCode::data_directory;
  if (error.code == ErrorCode::corrupt) {
    code = ExitCode::damaged_data;
  } else if (error.code == ErrorCode::unsupported) {
    code = ExitCode::newer_format;
  }
  return std::unexpected(StartFailure{.code = code, .message = error.message});
}

// A zoo.cfg that served ZooKeeper until now names ZooKeeper's directories. Starting empty there would look like the
// loss of everything, so it has to be said in so many words that nothing of it is read.
std::optional<Error> refuse_zookeepers_directory(const Config& config, storage::Disk& disk) {
  for (const std::string* path : {&config.data_directory, &config.log_directory}) {
    const Result<bool> theirs = disk.exists(*path + "/version-2");
    const Result<bool> ours = disk.exists(config.data_directory + "/identity");
    if (theirs && *theirs && ours && !*ours) {
      return Error{
          ErrorCode::invalid,
          fmt::format("{} holds the data of a ZooKeeper server (version-2), which this Quorate does not import: "
                      "give Quorate a directory of its own with dataDir",
                      *path)};
    }
  }
  return std::nullopt;
}

Started<std::unique_ptr<storage::DataDirectory>> open_directory(const Config& config, storage::Disk& disk) {
  if (!config.create_directories) {
    for (const std::string* path : {&config.data_directory, &config.log_directory}) {
      const Result<bool> exists = disk.exists(*path);
      if (!exists || !*exists) {
        return failed(
            Error{ErrorCode::not_found, "the directory " + *path + " does not exist, and datadir.autocreate is false"});
      }
    }
  }
  if (const std::optional<Error> theirs = refuse_zookeepers_directory(config, disk)) {
    return failed(*theirs);
  }
  // Spelled in two ways it would be locked twice, and the second lock be refused.
  const bool one = storage::is_same_directory(config.data_directory, config.log_directory);
  const storage::Identity fresh{.cluster_high = true_random(),
                                .cluster_low = true_random(),
                                .node = config.node,
                                .incarnation_high = true_random(),
                                .incarnation_low = true_random()};
  Result<storage::DataDirectory> directory = storage::DataDirectory::open(
      disk, storage::Paths{.data = config.data_directory, .log = one ? config.data_directory : config.log_directory},
      fresh);
  if (!directory) {
    return failed(directory.error());
  }
  return std::make_unique<storage::DataDirectory>(std::move(*directory));
}

void report_damage(const storage::Recovery& recovery) {
  for (const storage::Damage& damage : recovery.damage) {
    const std::string line = storage::describe(damage);
    const bool is_loud = damage.stops_start || damage.kind == storage::Damage::Kind::bad_snapshot;
    is_loud ? log_error(line) : log_warning(line);
  }
}

// This version serves alone: a membership of more than this server, now or in an entry to come, is a later version's
//
std::optional<Error> refuse_membership(const storage::Identity& identity, const storage::Recovery& recovery) {
  const auto is_alone = [&identity](const raft::Configuration& configuration) {
    return configuration.members.size() == 1 && configuration.outgoing.empty() &&
           configuration.members.front().id == identity.node &&
           configuration.members.front().role == raft::MemberRole::voter;
  };
  const auto error = [](const std::string& where) {
    return Error{ErrorCode::unsupported,
                 where +
                     " names a cluster of several servers, which this version of quorate does not serve; a newer "
                     "one wrote it"};
  };
  if (recovery.header && !recovery.header->configuration.members.empty() && !is_alone(recovery.header->configuration)) {
    return error(recovery.snapshot->path);
  }
  for (const raft::Entry& entry : recovery.log.recovered.entries) {
    if (entry.kind == raft::EntryKind::configuration) {
      const Result<raft::Configuration> configuration = wire::decode_configuration(entry.command.view());
      if (!configuration || !is_alone(*configuration)) {
        return error(fmt::format("log entry {}", raw(entry.index)));
      }
    }
  }
  return std::nullopt;
}

// Looks for a stop once in a few thousand items, of which there may be millions: a look is a system call. A file's
// items come one at a time, but from any thread, and the log's reader looks at the same time.
class StopWatch {
 public:
  explicit StopWatch(Signals* signals) : signals_(signals) {}
  // Of an item of a snapshot.
  bool is_asked_for() { return ++items_ % 4096 == 0 ? look() : asked_.load(); }
  bool look() {
    if (!asked_ && signals_ != nullptr && signals_->take_stop()) {
      asked_ = true;
    }
    return asked_;
  }
  [[nodiscard]] bool was_asked_for() const { return asked_; }

 private:
  Signals* signals_;
  std::uint64_t items_ = 0;
  std::atomic<bool> asked_ = false;
};

replica::Restored assemble(const storage::DataDirectory& directory, storage::Recovery& recovery, tree::Tree&& tree) {
  const storage::Identity& identity = directory.identity();
  recovery.log.recovered.time = tree.last_time();
  replica::Restored restored{.log = std::move(recovery.log.recovered),
                             .tree = std::move(tree),
                             .streams = {},
                             .cluster_high = identity.cluster_high,
                             .cluster_low = identity.cluster_low};
  if (recovery.header) {
    restored.zxid_base = recovery.header->zxid_base;
    restored.streams = recovery.header->streams;
    restored.feature_level = recovery.header->feature_level;
  }
  if (restored.log.configuration.members.empty()) {
    restored.log.configuration.members.push_back(raft::Member{.id = identity.node,
                                                              .incarnation_high = identity.incarnation_high,
                                                              .incarnation_low = identity.incarnation_low});
  }
  return restored;
}

std::uint64_t microseconds(MonoTime from, MonoTime to) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(0, elapsed_us(from, to)));
}

StartFigures figures_of(const storage::Recovery& recovery, MonoTime start, MonoTime snapshot_read) {
  const MonoTime now = net::monotonic_now();
  StartFigures figures{.snapshot_us = std::nullopt,
                       .log_us = microseconds(snapshot_read, now),
                       .entries = recovery.log.recovered.entries.size(),
                       .whole_us = microseconds(start, now)};
  if (recovery.snapshot) {
    figures.snapshot_us = microseconds(start, snapshot_read);
  }
  return figures;
}

// Snapshot into `tree`, and the log behind it. `snapshot_read`: when the snapshot was through, if there is one.
Started<storage::Recovery> read_data(storage::DataDirectory& directory, tree::Tree& tree, MonoTime& snapshot_read,
                                     Signals* signals) {
  StopWatch stop(signals);
  const storage::SnapshotSink sink{.reset = [&tree] { tree = tree::Tree::for_loading(); },
                                   .item = [&tree, &stop](const tree::SnapshotItem& item) -> Result<void> {
                                     if (stop.is_asked_for()) {
                                       return failure(ErrorCode::refused, "a stop was asked for");
                                     }
                                     return tree.load(item);
                                   },
                                   .finish =
                                       [&tree, &snapshot_read] {
                                         auto finished = tree.finish_loading();
                                         snapshot_read = net::monotonic_now();
                                         return finished;
                                       }};
  Result<storage::Recovery> recovery = storage::recover(
      directory, sink, run_in_parallel, storage::RecoverOptions{.should_stop = [&stop] { return stop.look(); }});
  // Before damage is judged: a snapshot that was left off is none.
  if (stop.was_asked_for()) {
    return std::unexpected(StartFailure{.code = ExitCode::stopped, .message = "stopped while the data was read"});
  }
  if (!recovery) {
    return failed(recovery.error());
  }
  return std::move(*recovery);
}

// A refusal costs speed, nothing else.
void advise_huge_pages(void* start, std::size_t bytes) {
  (void)::madvise(start, bytes, MADV_HUGEPAGE);
}

}  // namespace

std::uint64_t true_random() {
  std::uint64_t value = 0;
  ensure(::getrandom(&value, sizeof(value), 0) == static_cast<ssize_t>(sizeof(value)),
         "the operating system has chance to give");
  return value;
}

Started<OpenedData> open_data(const Config& config, storage::Disk& disk, Signals* signals) {
  const MonoTime start = net::monotonic_now();
  Started<std::unique_ptr<storage::DataDirectory>> directory = open_directory(config, disk);
  if (!directory) {
    return std::unexpected(directory.error());
  }
  tree::set_memory_advice(advise_huge_pages);
  tree::Tree tree = tree::Tree::for_loading();
  MonoTime snapshot_read = start;
  Started<storage::Recovery> recovery = read_data(**directory, tree, snapshot_read, signals);
  if (!recovery) {
    return std::unexpected(recovery.error());
  }
  report_damage(*recovery);
  if (!recovery->may_start()) {
    return failed(Error{ErrorCode::corrupt,
                        fmt::format("the data in {} is damaged (see above), and acknowledged writes may be missing; "
                                    "restore a backup, or see what would be lost with: quorate verify {}",
                                    config.data_directory, config.data_directory)});
  }
  if (const std::optional<Error> newer = refuse_membership((*directory)->identity(), *recovery)) {
    return failed(*newer);
  }
  // The first write: what is here is known to be this version's to continue.
  if (const Result<void> begun = (*directory)->begin_start(recovery->starts); !begun) {
    return failed(begun.error());
  }
  if (!recovery->header) {
    tree = tree::Tree(0);  // The log's first entry brings the secret.
  }
  const storage::WalConfig wal_config{.segment_bytes = config.segment_bytes, .force_sync = config.force_sync};
  Result<std::unique_ptr<storage::Wal>> wal = storage::Wal::open(**directory, wal_config, recovery->log.position);
  if (!wal) {
    return failed(wal.error());
  }
  log_info(fmt::format("data in {}: {} znodes from {}, then {} log entries, read in {} ms", config.data_directory,
                       tree.znode_count(), recovery->snapshot ? recovery->snapshot->path : "no snapshot",
                       recovery->log.recovered.entries.size(), elapsed_us(start, net::monotonic_now()) / 1000));
  const StartFigures figures = figures_of(*recovery, start, snapshot_read);
  KnownSnapshots snapshots;
  if (recovery->snapshot) {
    snapshots.loaded = recovery->snapshot->index;
  }
  for (const storage::Damage& damage : recovery->damage) {
    if (damage.kind == storage::Damage::Kind::bad_snapshot) {
      snapshots.damaged.push_back(damage.index);
    }
  }
  replica::Restored restored = assemble(**directory, *recovery, std::move(tree));
  return OpenedData{.directory = std::move(*directory),
                    .wal = std::move(*wal),
                    .restored = std::move(restored),
                    .snapshots = std::move(snapshots),
                    .figures = figures};
}

}  // namespace quorate::server
