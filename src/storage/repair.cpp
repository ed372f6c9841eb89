#include "storage/repair.hpp"

#include <algorithm>
#include <fmt/format.h>

#include "storage/segment.hpp"
#include "storage/verify.hpp"
#include "storage/wal.hpp"

namespace quorate::storage {
namespace {

constexpr std::size_t copy_bytes = 1U << 20;

// Terms that were used may stand only in what is lost, and an entry written anew must not have a log id of before: the
// next term lies beyond all of them. Each term was begun by a record of its own, and no disk held as many.
constexpr std::uint64_t terms_skipped = std::uint64_t{1} << 32;

std::string name_of_path(const std::string& path) {
  return path.substr(path.find_last_of('/') + 1);
}

class Repair {
 public:
  Repair(DataDirectory& directory, const Recovery& recovery) : directory_(directory), recovery_(recovery) {}

  Result<void> plan();
  Result<void> act();
  [[nodiscard]] std::string describe() const;
  [[nodiscard]] const std::string& quarantine() const { return quarantine_; }

 private:
  Result<void> copy(const std::string& path);
  Result<void> move(const std::string& path);
  Result<void> move_all(const std::vector<std::string>& paths);

  DataDirectory& directory_;
  const Recovery& recovery_;
  std::string quarantine_;
  std::vector<std::string> snapshots_;  // That do not check: moved.
  std::vector<std::string> segments_;   // Behind the damage: moved, newest first.
  std::string cut_;                     // The segment that is cut: copied. Empty: none.
  bool begins_anew_ = false;            // Nothing of the log is used.
};

Result<void> Repair::plan() {
  const LogContents& log = recovery_.log;
  for (const Damage& damage : recovery_.damage) {
    if (damage.kind == Damage::Kind::bad_snapshot) {
      snapshots_.push_back(damage.file);
    }
  }
  if (recovery_.may_start()) {
    if (snapshots_.empty()) {
      return failure(ErrorCode::refused,
                     "nothing is wrong that a repair would mend: a server starts from this directory");
    }
  } else {
    if (!recovery_.snapshot && raw(log.position.last_index) == 0) {
      return failure(ErrorCode::refused,
                     "nothing usable is left: no snapshot checks, and the log has no good part that begins with the "
                     "first entry; "
                     "restore a backup, or move the directory away and start empty");
    }
    for (const std::uint64_t sequence : log.cut_off) {
      segments_.insert(segments_.begin(), segment_path(directory_, sequence));
    }
    begins_anew_ = log.position.segments.empty() && !log.position.replace_newest;
    if (!begins_anew_) {
      cut_ = segment_path(directory_, log.position.sequence);
    }
  }
  for (int number = 1;; ++number) {
    quarantine_ = fmt::format("{}/quarantine-{}", directory_.paths().data, number);
    const auto taken = directory_.disk().exists(quarantine_);
    if (!taken) {
      return std::unexpected(taken.error());
    }
    if (!*taken) {
      return {};
    }
  }
}

std::string Repair::describe() const {
  std::string text;
  for (const std::string& path : snapshots_) {
    text += fmt::format("moved to {}: {}, which does not check\n", quarantine_, path);
  }
  for (const std::string& path : segments_) {
    text += fmt::format("moved to {}: {}, which cannot be reached any more\n", quarantine_, path);
  }
  if (!cut_.empty()) {
    text += fmt::format("copied to {}: {}, then cut behind entry {}\n", quarantine_, cut_,
                        raw(recovery_.log.position.last_index));
  }
  if (recovery_.may_start()) {
    return text + "lost: nothing\n";
  }
  const Index good = recovery_.log.position.last_index;
  text += fmt::format("kept: everything up to entry {}\n", raw(good));
  if (recovery_.log.last_seen > good) {
    text += fmt::format("lost: entries {} to {} at least, acknowledged writes among them\n", raw(good) + 1,
                        raw(recovery_.log.last_seen));
  } else {
    text += fmt::format("lost: whatever followed entry {}; how much cannot be told\n", raw(good));
  }
  return text +
         "clients that have seen what is lost must start new sessions; files in the quarantine are never read again\n";
}

Result<void> Repair::copy(const std::string& path) {
  Disk& disk = directory_.disk();
  auto from = disk.open(path, Disk::Open::existing);
  if (!from) {
    return std::unexpected(from.error());
  }
  auto to = disk.open(quarantine_ + "/" + name_of_path(path), Disk::Open::create_new);
  if (!to) {
    return std::unexpected(to.error());
  }
  std::string buffer(copy_bytes, '\0');
  for (std::uint64_t offset = 0;;) {
    const auto got = (*from)->read(offset, buffer);
    if (!got) {
      return std::unexpected(got.error());
    }
    if (*got == 0) {
      break;
    }
    if (auto written = (*to)->write(offset, ByteView{buffer}.substr(0, *got)); !written) {
      return written;
    }
    offset += *got;
  }
  if (auto synced = (*to)->sync(); !synced) {
    return synced;
  }
  return disk.sync_directory(quarantine_);
}

// Another name is enough, also for what cannot be read any more. Only where the quarantine is on another file system
// than the file, it is copied and then removed.
Result<void> Repair::move(const std::string& path) {
  Disk& disk = directory_.disk();
  const std::string directory = path.substr(0, path.find_last_of('/'));
  if (disk.rename(path, quarantine_ + "/" + name_of_path(path))) {
    // In this order: at no time does neither directory name it.
    const auto synced = disk.sync_directory(quarantine_);
    return synced ? disk.sync_directory(directory) : synced;
  }
  if (auto copied = copy(path); !copied) {
    return copied;
  }
  if (auto removed = disk.remove(path); !removed) {
    return removed;
  }
  return disk.sync_directory(directory);
}

Result<void> Repair::move_all(const std::vector<std::string>& paths) {
  for (const std::string& path : paths) {
    if (auto moved = move(path); !moved) {
      return moved;
    }
  }
  return {};
}

Result<void> Repair::act() {
  if (auto made = directory_.disk().make_directory(quarantine_); !made) {
    return made;
  }
  if (auto begun = directory_.begin_start(recovery_.starts); !begun) {
    return begun;
  }
  // Snapshots last: until the log is whole again, they are the evidence that it is not.
  if (!recovery_.may_start()) {
    // Segments behind the damage go first, the newest one first, so that the new one finds its number free. Where the
    // log begins anew, the new segment comes first and makes the old ones needless.
    if (!begins_anew_) {
      if (auto copied = copy(cut_); !copied) {
        return copied;
      }
      if (auto moved = move_all(segments_); !moved) {
        return moved;
      }
    }
    // The same act as at every start: a new segment that continues where the good part ends.
    Wal::Position position = recovery_.log.position;
    position.hard_state =
        raft::HardState{.term = Term{raw(position.hard_state.term) + terms_skipped}, .vote = NodeId{}};
    auto wal = Wal::open(directory_, WalConfig{}, position);
    if (!wal) {
      return std::unexpected(wal.error());
    }
    if (begins_anew_) {
      if (auto moved = move_all(segments_); !moved) {
        return moved;
      }
    }
  }
  return move_all(snapshots_);
}

}  // namespace

Result<RepairReport> repair(Disk& disk, const Paths& paths, const Executor& executor, bool act) {
  auto directory = DataDirectory::inspect(disk, paths);
  if (!directory) {
    return std::unexpected(directory.error());
  }
  const auto recovery = recover_everything(*directory, executor);
  if (!recovery) {
    return std::unexpected(recovery.error());
  }
  Repair repair{*directory, *recovery};
  if (auto planned = repair.plan(); !planned) {
    return std::unexpected(planned.error());
  }
  RepairReport report{
      .done = act, .quarantine = repair.quarantine(), .text = describe(*directory, *recovery) + repair.describe()};
  if (!act) {
    return report;
  }
  if (auto done = repair.act(); !done) {
    return std::unexpected(done.error());
  }
  const auto after = recover_everything(*directory, executor);
  if (!after) {
    return std::unexpected(after.error());
  }
  if (!after->may_start()) {
    return failure(ErrorCode::corrupt, fmt::format("the repair did not succeed; what was cut is in {}:\n{}",
                                                   repair.quarantine(), describe(*directory, *after)));
  }
  return report;
}

}  // namespace quorate::storage
