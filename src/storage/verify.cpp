#include "storage/verify.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace quorate::storage {
namespace {

std::string describe_log(const Recovery& recovery) {
  const raft::Recovered& recovered = recovery.log.recovered;
  std::string text = fmt::format("log: {} segments, {} records in {} bytes read", recovery.log.segments,
                                 recovery.log.records, recovery.log.bytes);
  if (recovered.entries.empty()) {
    return text + fmt::format("; no entries after {}\n", raw(recovered.snapshot.index));
  }
  return text + fmt::format("; entries {} to {} follow the snapshot, {} of them known to be committed\n",
                            raw(recovered.entries.front().index), raw(recovered.entries.back().index),
                            raw(recovered.commit_hint) - raw(recovered.snapshot.index));
}

// What a start would cost now.
std::string describe_loss(const Recovery& recovery) {
  const Index good = recovery.log.position.last_index;
  if (recovery.log.last_seen > good) {
    return fmt::format("everything up to entry {} is good; behind it, up to entry {} can still be seen", raw(good),
                       raw(recovery.log.last_seen));
  }
  return fmt::format("everything up to entry {} is good; how many entries followed cannot be told", raw(good));
}

}  // namespace

Verdict judge(const Recovery& recovery) {
  if (!recovery.may_start()) {
    return Verdict::stops_start;
  }
  const bool sound =
      std::ranges::all_of(recovery.damage, [](const Damage& damage) { return damage.kind == Damage::Kind::torn_tail; });
  return sound ? Verdict::sound : Verdict::damaged_spares;
}

std::string describe(const DataDirectory& directory, const Recovery& recovery) {
  const Identity& identity = directory.identity();
  std::string text =
      fmt::format("data directory {}: server {}, cluster {:016x}{:016x}, started {} times\n", directory.paths().data,
                  raw(identity.node), identity.cluster_high, identity.cluster_low, identity.starts);
  text += recovery.snapshot
              ? fmt::format("snapshots: {}, the newest good one is {} (entry {}, {} bytes)\n", recovery.snapshots,
                            recovery.snapshot->path, raw(recovery.snapshot->index), recovery.snapshot->bytes)
              : fmt::format("snapshots: {}, none of them good\n", recovery.snapshots);
  text += describe_log(recovery);
  for (const Damage& damage : recovery.damage) {
    text += fmt::format("- {}\n", describe(damage));
  }
  switch (judge(recovery)) {
    case Verdict::sound:
      return text + "sound: a server starts from this directory, and nothing that it acknowledged is missing\n";
    case Verdict::damaged_spares:
      return text +
             "damaged, without loss: a server starts from this directory and nothing that it acknowledged is missing, "
             "but what is named above could not replace a copy that fails later; look at the disk, and let the server "
             "take two new snapshots\n";
    case Verdict::stops_start:
      return text + fmt::format(
                        "damaged: acknowledged entries may be missing, so no server starts from this directory "
                        "({})\n",
                        describe_loss(recovery));
  }
  return text;
}

Result<Recovery> recover_everything(DataDirectory& directory, const Executor& executor) {
  const SnapshotSink sink{.reset = [] {}, .item = [](const tree::SnapshotItem&) -> Result<void> { return {}; }};
  return recover(directory, sink, executor, RecoverOptions{.everything = true});
}

Result<VerifyReport> verify(Disk& disk, const Paths& paths, const Executor& executor) {
  auto directory = DataDirectory::inspect(disk, paths);
  if (!directory) {
    return std::unexpected(directory.error());
  }
  const auto recovery = recover_everything(*directory, executor);
  if (!recovery) {
    return std::unexpected(recovery.error());
  }
  return VerifyReport{judge(*recovery), describe(*directory, *recovery)};
}

}  // namespace quorate::storage
