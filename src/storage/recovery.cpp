#include "storage/recovery.hpp"

#include <algorithm>
#include <fmt/format.h>

#include "base/ensure.hpp"
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

// Newest valid snapshot; if damaged, the older one.
Result<void> load_newest(DataDirectory& directory, const SnapshotSink& sink, const Executor& executor,
                         const RecoverOptions& options, Recovery& recovery) {
  const auto files = list_snapshots(directory);
  if (!files) {
    return std::unexpected(files.error());
  }
  recovery.snapshots = files->size();
  bool delivered = false;
  for (const SnapshotFile& file : *files) {
    if (recovery.snapshot && !options.everything) {
      break;
    }
    auto header = recovery.snapshot ? verify_snapshot(directory, file) : load_snapshot(directory, file, sink, executor);
    if (!header && header.error().code != ErrorCode::corrupt && header.error().code != ErrorCode::invalid) {
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
          .explanation = fmt::format("the snapshot does not check ({}); an older one and the log after it are used "
                                     "in its place",
                                     header.error().message)});
      continue;
    }
    if (!recovery.snapshot) {
      recovery.snapshot = file;
      recovery.header = std::move(*header);
    }
  }
  if (!recovery.snapshot && delivered) {
    sink.reset();
  }
  return {};
}

}  // namespace

Result<Recovery> recover(DataDirectory& directory, const SnapshotSink& sink, const Executor& executor,
                         const RecoverOptions& options) {
  Recovery recovery;
  if (auto loaded = load_newest(directory, sink, executor, options, recovery); !loaded) {
    return std::unexpected(loaded.error());
  }
  auto log = read_log(directory, recovery.header ? recovery.header->point : raft::LogId{}, options.everything);
  if (!log) {
    return std::unexpected(log.error());
  }
  recovery.log = std::move(*log);
  if (recovery.header) {
    recovery.log.recovered.configuration = recovery.header->configuration;
  }
  recovery.damage.insert(recovery.damage.end(), recovery.log.damage.begin(), recovery.log.damage.end());
  return recovery;
}

}  // namespace quorate::storage
