#include "storage/recovery.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <functional>
#include <iterator>
#include <optional>
#include <variant>
#include <vector>

#include "base/ensure.hpp"
#include "storage/install.hpp"
#include "storage/log_reader.hpp"

namespace quorate::storage {

std::string_view name_of(Damage::Kind kind) {
  switch (kind) {
    case Damage::Kind::torn_tail:
      return "torn tail";
    case Damage::Kind::corrupt_record:
      return "corrupt record";
    case Damage::Kind::missing_segment:
      return "missing segment";
    case Damage::Kind::gap:
      return "gap";
    case Damage::Kind::bad_header:
      return "bad segment header";
    case Damage::Kind::bad_snapshot:
      return "bad snapshot";
    case Damage::Kind::beyond_log:
      return "commit beyond the log";
    case Damage::Kind::cut_segment:
      return "shortened segment";
    case Damage::Kind::other_history:
      return "another history";
  }
  fail("every kind of damage has a name");
}

std::string describe(const Damage& damage) {
  return fmt::format("{}: {} at offset {}, entry {}: {}", name_of(damage.kind), damage.file, damage.offset,
                     raw(damage.index), damage.explanation);
}

bool Recovery::may_start() const {
  return std::ranges::none_of(damage, &Damage::stops_start);
}

namespace {

// A snapshot of another cluster, or of a data directory that this server had before, is not this server's state,
// however whole it is. Where there are other members, or were, it may be: who joins anew under an old id
// is sent the state of a time at which the one before was still a member.
Result<void> refuse_foreign(const DataDirectory& directory, const SnapshotFile& file,
                            const wire::SnapshotHeader& header, const RecoverOptions& options) {
  constexpr std::string_view advice =
      "it was copied into this directory; move it out (to restore a backup, restore the whole directory, identity and "
      "log included)";
  const Identity& identity = directory.identity();
  const bool other_cluster =
      (header.cluster_high != 0 || header.cluster_low != 0) &&
      (identity.cluster_high != 0 || identity.cluster_low != 0) &&
      (header.cluster_high != identity.cluster_high || header.cluster_low != identity.cluster_low);
  if (other_cluster) {
    return failure(
        ErrorCode::invalid,
        fmt::format("{}: the snapshot belongs to cluster {:016x}{:016x}, and {} to cluster {:016x}{:016x}: {}",
                    file.path, header.cluster_high, header.cluster_low, directory.paths().data, identity.cluster_high,
                    identity.cluster_low, advice));
  }
  const auto& members = header.configuration.members;
  const auto self = std::ranges::find(members, identity.node, &raft::Member::id);
  if (!options.has_peers && members.size() == 1 && self != members.end() &&
      (self->incarnation_high != identity.incarnation_high || self->incarnation_low != identity.incarnation_low)) {
    return failure(
        ErrorCode::invalid,
        fmt::format("{}: in the snapshot server {} has the incarnation {:016x}{:016x}, and {} is {:016x}{:016x}: {}",
                    file.path, raw(identity.node), self->incarnation_high, self->incarnation_low,
                    directory.paths().data, identity.incarnation_high, identity.incarnation_low, advice));
  }
  return {};
}

// A snapshot that a start does not need is still one that it may need later, and one that the log is released by: only
// its damage is not looked for now.
Result<void> look_at_spare(DataDirectory& directory, const SnapshotFile& file, const RecoverOptions& options) {
  const auto header = read_snapshot_header(directory, file);
  if (!header) {
    return header.error().code == ErrorCode::unsupported ? Result<void>{std::unexpected(header.error())}
                                                         : Result<void>{};
  }
  return refuse_foreign(directory, file, *header, options);
}

// The streams of this very directory tell how often it was started when the snapshot was taken.
std::uint64_t starts_in(const wire::SnapshotHeader& header, const Identity& identity) {
  std::uint64_t starts = 0;
  for (const wire::StreamPosition& position : header.streams) {
    if (position.stream.server == identity.node && position.stream.incarnation == identity.incarnation_high) {
      starts = std::max(starts, position.stream.start);
    }
  }
  return starts;
}

// What keeps a snapshot from being used, but not the start: the older one and the log may have everything.
bool is_damage(const Error& error) {
  return error.code == ErrorCode::corrupt || error.code == ErrorCode::invalid || error.code == ErrorCode::io;
}

// All that could be loaded, newest first; of the same index the installed one stands before the finished one.
Result<std::vector<SnapshotFile>> list_loadable(DataDirectory& directory) {
  const auto installs = list_installs(directory);
  const auto finished = list_snapshots(directory);
  if (!installs || !finished) {
    return std::unexpected(installs ? finished.error() : installs.error());
  }
  std::vector<SnapshotFile> files;
  std::ranges::merge(*installs, *finished, std::back_inserter(files), std::ranges::greater{}, &SnapshotFile::index,
                     &SnapshotFile::index);
  return files;
}

// Newest valid snapshot; if damaged or not readable, the older one.
Result<void> load_newest(DataDirectory& directory, const std::vector<SnapshotFile>& files, const SnapshotSink& sink,
                         const Executor& executor, const RecoverOptions& options, Recovery& recovery) {
  WallTime time{};
  SnapshotSink watched = sink;
  watched.item = [&sink, &time](const tree::SnapshotItem& item) {
    if (const auto* state = std::get_if<tree::StateImage>(&item)) {
      time = state->last_time;
    }
    return sink.item(item);
  };
  recovery.snapshots = files.size();
  bool delivered = false;
  for (const SnapshotFile& file : files) {
    if (recovery.snapshot && !options.everything) {
      if (auto own = look_at_spare(directory, file, options); !own) {
        return own;
      }
      continue;
    }
    auto header =
        recovery.snapshot ? verify_snapshot(directory, file) : load_snapshot(directory, file, watched, executor);
    if (!header && !is_damage(header.error())) {
      return std::unexpected(header.error());
    }
    if (!header) {
      delivered = delivered || !recovery.snapshot;
      recovery.damage.push_back(Damage{
          .kind = Damage::Kind::bad_snapshot,
          .stops_start = false,
          .file = file.path,
          .offset = 0,
          .index = file.index,
          .explanation = fmt::format("the snapshot {} ({}); an older one and the log after it are used in its place",
                                     header.error().code == ErrorCode::io ? "cannot be read" : "does not check",
                                     header.error().message)});
      continue;
    }
    if (auto own = refuse_foreign(directory, file, *header, options); !own) {
      return own;
    }
    recovery.starts = std::max(recovery.starts, starts_in(*header, directory.identity()));
    if (!recovery.snapshot) {
      recovery.log.recovered.time = time;
      recovery.feature_level = header->feature_level;
      recovery.snapshot = file;
      recovery.header = std::move(*header);
    }
  }
  if (!recovery.snapshot && delivered) {
    sink.reset();
  }
  return {};
}

bool is_installing(const DataDirectory& directory, const SnapshotFile& file) {
  return file.path != snapshot_path(directory, file.index);
}

// Where the state will stand if the newest snapshot loads. Nothing: its beginning tells already that it will not.
std::optional<SnapshotPoint> expected_point(DataDirectory& directory, const std::vector<SnapshotFile>& files) {
  if (files.empty()) {
    return std::nullopt;
  }
  const auto beginning = read_snapshot_beginning(directory, files.front());
  if (!beginning) {
    return std::nullopt;
  }
  return SnapshotPoint{
      .id = beginning->header.point, .time = beginning->time, .is_installing = is_installing(directory, files.front())};
}

SnapshotPoint point_of(const DataDirectory& directory, const Recovery& recovery) {
  SnapshotPoint point;
  if (recovery.snapshot) {
    point.id = recovery.header->point;
    point.time = recovery.log.recovered.time;
    point.is_installing = is_installing(directory, *recovery.snapshot);
  }
  return point;
}

// The snapshot into `sink`, and the log behind it. With an executor the log is read beside the snapshot, as if that
// loaded; if another one did, or none, it is read again.
Result<LogContents> read_both(DataDirectory& directory, const SnapshotSink& sink, const Executor& executor,
                              const RecoverOptions& options, Recovery& recovery) {
  const auto files = list_loadable(directory);
  if (!files) {
    return std::unexpected(files.error());
  }
  const std::optional<SnapshotPoint> expected = executor ? expected_point(directory, *files) : std::nullopt;
  Result<void> loaded;
  std::optional<Result<LogContents>> log;
  std::vector<std::function<void()>> tasks;
  tasks.emplace_back([&] { loaded = load_newest(directory, *files, sink, executor, options, recovery); });
  if (expected) {
    tasks.emplace_back([&] { log.emplace(read_log(directory, *expected, options)); });
  }
  run_tasks(executor, tasks);
  if (!loaded) {
    return std::unexpected(loaded.error());
  }
  const SnapshotPoint point = point_of(directory, recovery);
  if (log && point == *expected) {
    return std::move(*log);
  }
  log.reset();  // One log in memory at a time.
  return read_log(directory, point, options);
}

}  // namespace

Result<Recovery> recover(DataDirectory& directory, const SnapshotSink& sink, const Executor& executor,
                         const RecoverOptions& options) {
  Recovery recovery;
  auto log = read_both(directory, sink, executor, options, recovery);
  if (!log) {
    return std::unexpected(log.error());
  }
  const SnapshotPoint point = point_of(directory, recovery);
  if (point.is_installing) {
    log->position.install = point.id.index;
  }
  recovery.log = std::move(*log);
  recovery.log.recovered.time = point.time;
  if (recovery.header) {
    recovery.log.recovered.configuration = recovery.header->configuration;
    recovery.log.recovered.configuration_entry = recovery.header->configuration_entry;
  }
  recovery.starts = std::max(recovery.starts, recovery.log.starts);
  recovery.feature_level = std::max(recovery.feature_level, recovery.log.feature_level);
  recovery.damage.insert(recovery.damage.end(), recovery.log.damage.begin(), recovery.log.damage.end());
  return recovery;
}

}  // namespace quorate::storage
