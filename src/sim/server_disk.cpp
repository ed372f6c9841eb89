// A server's disk work: flushes, segments, snapshots, and what peers want from the disk. Each takes its time, and any
// of it may be the last thing that the process does.

#include <utility>
#include <vector>

#include "base/ensure.hpp"
#include "sim/server_process.hpp"

namespace quorate::sim {
namespace {

constexpr std::int64_t house_keeping_us = 2'000;
constexpr std::int64_t snapshot_step_us = 3'000;
constexpr std::int64_t read_us = 300;
constexpr std::int64_t retry_us = 1'000'000;  // For space on a full disk.
constexpr std::size_t snapshots_kept = 2;

// Nothing of it, all of it, or as far as one of its first operations.
void run_cut_short(storage::Wal::Flush& flush, Prng& prng, Disk& disk, Counters& counters) {
  const std::uint64_t fate = prng.below(3);
  if (fate == 1) {
    const std::uint64_t operation = 1 + prng.below(6);
    disk.crash_at(operation, prng.chance(1, 2));
    ++counters.torn_flushes;
  }
  if (fate > 0) {
    (void)flush.run();
  }
}

}  // namespace

void Server::Process::begin(storage::Recovery&& recovery) {
  recovered = std::move(recovery.log.recovered);
  recovered.time = store.time();
  keeper.emplace(*directory);
  sender.emplace(*directory);
  receiver.emplace(*directory);
  if (recovery.snapshot) {
    keeper->trust(recovery.snapshot->index);
    snapshot_index = recovery.snapshot->index;
  }
}

void Server::Process::cut_short(Prng& prng, Disk& disk, Counters& counters) {
  if (house) {
    run_cut_short(*house, prng, disk, counters);
  }
  if (flush) {
    run_cut_short(*flush, prng, disk, counters);
  }
  disk.crash_at(1, false);  // A destructor of a process that is killed does not run.
}

std::int64_t Server::draw_flush_us() {
  return prng_.between(around_.knobs.flush_min_us, around_.knobs.flush_max_us) + flush_lag_us_;
}

void Server::begin_flush() {
  Process& process = *process_;
  const bool is_free = !process.flush && !process.install && !process.wal->flush_under_way();
  if (is_free && process.wal->has_staged()) {
    process.flush.emplace(process.wal->take_flush());
    later(draw_flush_us(), &Server::end_flush);
  }
}

void Server::end_flush() {
  Process& process = *process_;
  ++counters_.flushes;
  const Result<void> result = process.flush->run();
  const raft::PersistToken durable = process.wal->finish(std::move(*process.flush));
  process.flush.reset();
  if (!result && result.error().code != ErrorCode::no_space) {
    fail_stop(result.error());
    return;
  }
  if (result) {
    around_.judges.persisted(id_, durable);
    process.pump->persisted(durable);
    around_.trace.durable(id_, process.core->durable_index());
  } else {
    ++counters_.full_disks;
  }
  keep_house();
  if (process.install) {
    install();
  } else {
    turn();
  }
}

void Server::keep_house() {
  Process& process = *process_;
  if (process.house) {
    return;
  }
  if (std::optional<storage::Wal::Flush> job = process.wal->take_spare_job()) {
    process.house.emplace(std::move(*job));
    later(house_keeping_us, &Server::end_house_keeping);
  }
}

void Server::end_house_keeping() {
  Process& process = *process_;
  const Result<void> result = process.house->run();
  (void)process.wal->finish(std::move(*process.house));
  process.house.reset();
  if (result) {
    keep_house();
    turn();
  } else if (result.error().code == ErrorCode::no_space) {
    ++counters_.full_disks;
    later(retry_us, &Server::keep_house);
  } else {
    fail_stop(result.error());
  }
}

void Server::take_snapshot() {
  Process& process = *process_;
  const raft::LogId point = process.store.position();
  if (process.snapshot || point.index <= process.snapshot_index) {
    return;
  }
  const raft::StoredConfiguration& stored = process.core->configuration_at(point.index);
  if (stored.configuration.members.empty()) {
    return;  // Who joined later knows the founders only when a configuration after them is in its log.
  }
  const storage::Identity& identity = process.directory->identity();
  const wire::SnapshotHeader header{.cluster_high = identity.cluster_high,
                                    .cluster_low = identity.cluster_low,
                                    .point = point,
                                    .configuration = stored.configuration,
                                    .configuration_entry = stored.id,
                                    .streams = {}};
  Result<std::unique_ptr<storage::SnapshotWriter>> writer = storage::SnapshotWriter::begin(*process.directory, header);
  process.snapshot_index = point.index;
  if (!writer) {
    tell("snapshot", writer.error().message);
    return;
  }
  process.snapshot.emplace(SnapshotJob{.writer = std::move(*writer), .point = point});
  process.store.write_items([&](const tree::SnapshotItem& item) { process.snapshot->writer->add(item); });
  process.snapshot->writer->end();
  around_.judges.snapshot_saved(point, process.store.digest());
  later(snapshot_step_us, &Server::work_on_snapshot);
}

void Server::work_on_snapshot() {
  Process& process = *process_;
  if (!process.snapshot) {
    return;  // Another one was installed meanwhile.
  }
  tempt_fate();
  const Result<bool> more = process.snapshot->writer->work();
  if (has_met_fate()) {
    return;
  }
  if (!more) {
    const Error& error = more.error();
    process.snapshot.reset();
    if (error.code != ErrorCode::no_space) {
      fail_stop(error);
    }
    return;
  }
  if (*more) {
    later(snapshot_step_us, &Server::work_on_snapshot);
    return;
  }
  const raft::LogId point = process.snapshot->point;
  process.snapshot.reset();
  process.keeper->trust(point.index);
  ++counters_.snapshots_taken;
  tell("snapshot", "at " + std::to_string(raw(point.index)));
  const Result<storage::Purged> purged = process.keeper->purge(snapshots_kept);
  if (!purged) {
    fail_stop(purged.error());
    return;
  }
  process.wal->release(purged->release);
  process.core->compacted(point);
  keep_house();
  turn();
}

// ---- What peers want.

void Server::serve_peers() {
  Process& process = *process_;
  for (const raft::LogRead& wanted : process.output.log_reads) {
    std::optional<storage::Wal::Read> read = process.wal->take_read(wanted.bound, wanted.up_to, {});
    if (!read) {
      process.core->log_unavailable(wanted.peer);
      continue;
    }
    process.log_readings.push_back(Process::LogReading{.peer = wanted.peer, .read = std::move(*read)});
    later(read_us, &Server::end_log_reading);
  }
  for (const raft::SnapshotRead& wanted : process.output.snapshot_reads) {
    process.snapshot_readings.push_back(wanted);
    later(read_us, &Server::end_snapshot_reading);
  }
  for (raft::SnapshotWrite& part : process.output.snapshot_writes) {
    process.snapshot_writings.push_back(std::move(part));
    later(draw_flush_us(), &Server::end_snapshot_writing);
  }
  if (process.output.snapshot_install) {
    process.install = process.output.snapshot_install;
    if (!process.flush) {
      later(draw_flush_us(), &Server::install);
    }
  }
}

void Server::end_log_reading() {
  Process& process = *process_;
  Process::LogReading reading = std::move(process.log_readings.front());
  process.log_readings.pop_front();
  const Result<void> done = reading.read.run();
  if (done) {
    ++counters_.log_reads;
    process.core->log_read(reading.peer, reading.read.before(), reading.read.take_entries());
  } else {
    tell("damage", done.error().message);
    process.core->log_unavailable(reading.peer);
  }
  process.wal->finish(std::move(reading.read));
  turn();
}

void Server::end_snapshot_reading() {
  Process& process = *process_;
  const raft::SnapshotRead wanted = process.snapshot_readings.front();
  process.snapshot_readings.pop_front();
  Result<std::optional<raft::SnapshotChunk>> part = process.sender->read(wanted, around_.knobs.snapshot_part_bytes);
  if (part && *part) {
    process.core->snapshot_chunk(wanted.peer, std::move(**part));
  } else {
    process.core->snapshot_unavailable(wanted.peer);
  }
  turn();
}

void Server::end_snapshot_writing() {
  Process& process = *process_;
  const raft::SnapshotWrite part = std::move(process.snapshot_writings.front());
  process.snapshot_writings.pop_front();
  const Result<std::uint64_t> stored = process.receiver->write(part);
  if (stored) {
    process.core->snapshot_stored(part.id, *stored);
  } else if (stored.error().code == ErrorCode::invalid || stored.error().code == ErrorCode::no_space) {
    process.core->snapshot_failed(part.id);
  } else {
    fail_stop(stored.error());
    return;
  }
  turn();
}

// verified, made durable, and the log begun anew behind it, before the state machine changes.
void Server::install() {
  Process& process = *process_;
  if (process.flush || !process.install) {
    return;
  }
  apply();
  take_snapshot_in_time();
  process.snapshot.reset();
  const raft::SnapshotId id = *std::exchange(process.install, std::nullopt);
  RegisterStore store(around_.knobs.keys + weak_keys);
  const storage::SnapshotSink sink{.reset = [&store] { store.begin_loading(); },
                                   .item = [&store](const tree::SnapshotItem& item) { return store.load(item); },
                                   .finish = [&store] { return store.finish_loading(); }};
  tempt_fate();
  const Result<wire::SnapshotHeader> header = process.receiver->verify(id, sink, {});
  if (!header) {
    if (!has_met_fate()) {
      tell("snapshot", header.error().message);
      process.core->snapshot_failed(id);
      turn();
    }
    return;
  }
  storage::Wal::Flush flush = process.wal->take_install(process.receiver->take_staged(), id.point);
  const Result<void> done = flush.run();
  const raft::PersistToken durable = process.wal->finish(std::move(flush));
  if (has_met_fate()) {
    return;
  }
  if (!done && done.error().code != ErrorCode::no_space) {
    fail_stop(done.error());
    return;
  }
  if (!done) {
    process.core->snapshot_failed(id);
    turn();
    return;
  }
  ++counters_.snapshots_installed;
  tell("install", "snapshot at " + std::to_string(raw(id.point.index)));
  process.store = std::move(store);
  process.store.set_position(id.point);
  process.keeper->trust(id.point.index);
  process.snapshot_index = id.point.index;
  around_.judges.snapshot_installed(id_, id.point, process.store.digest());
  process.core->snapshot_installed(id, header->configuration, process.store.time());
  around_.judges.persisted(id_, durable);
  process.pump->persisted(durable);
  keep_house();
  turn();
}

void Server::tempt_fate() {
  if (!is_spared_ && around_.knobs.fatal_per_mille > 0 && prng_.chance(around_.knobs.fatal_per_mille, 1000)) {
    const std::uint64_t boundary = 1 + prng_.below(12);
    disk_.crash_at(boundary, prng_.chance(1, 2));
  }
}

bool Server::has_met_fate() {
  if (!disk_.has_crashed()) {
    return false;
  }
  ++counters_.cut_short;
  crash(true);
  return true;
}

}  // namespace quorate::sim
