// What recovery refuses, and what it gets along with: data of a newer version, files of somebody else (R-118,
// R-120), files that were shortened or restored, sectors that cannot be read.

#include <functional>
#include <gtest/gtest.h>
#include <map>

#include "sim/testing/storage_life.hpp"
#include "storage/repair.hpp"
#include "storage/verify.hpp"
#include "wire/configuration.hpp"
#include "wire/log_format.hpp"
#include "wire/packing.hpp"

namespace quorate::sim {
namespace {

using storage::Damage;

constexpr storage::WalConfig one_segment{.segment_bytes = 64 * 4096, .recycled_segments_max = 1};
const std::string first_segment = "data/log/00000000000000000001.log";

const storage::SnapshotSink no_sink{.reset = [] {},
                                    .item = [](const tree::SnapshotItem&) -> Result<void> { return {}; }};

Result<storage::Recovery> look(Disk& disk) {
  disk.restart();
  auto directory = storage::DataDirectory::inspect(disk, test_paths);
  EXPECT_TRUE(directory) << directory.error().message;
  return storage::recover(*directory, no_sink, {});
}

const Damage* find(const storage::Recovery& recovery, Damage::Kind kind) {
  const auto at = std::ranges::find(recovery.damage, kind, &Damage::kind);
  return at == recovery.damage.end() ? nullptr : &*at;
}

struct Sample {
  Disk disk;
  Promises promises;

  // A life in which `act` happens between writes.
  explicit Sample(const std::function<void(Life&)>& act = [](Life&) {}) {
    Life life{disk, promises, one_segment};
    EXPECT_TRUE(life.start() && life.append(3, 50) && life.append(1, 9000)) << life.complaint;
    act(life);
    EXPECT_EQ(life.complaint, "");
  }
  void cut(const std::string& path, std::uint64_t bytes) {
    disk.restart();
    auto file = disk.open(path, storage::Disk::Open::existing);
    ASSERT_TRUE(file && (*file)->truncate(bytes) && (*file)->sync());
  }
};

// --- R-121 ---

TEST(StorageRecovery, an_entry_of_a_newer_version_is_unsupported_wherever_it_stands) {
  std::string term_start;
  wire::encode_term_start(term_start, wire::TermStart{.leader = NodeId{1}, .feature_level = 2, .switches = {}});
  const std::vector<std::pair<raft::EntryKind, std::string>> newer = {
      {raft::EntryKind::noop, term_start},
      {raft::EntryKind::configuration, "\x02"},
      {raft::EntryKind::command, std::string("\x20\0", 2)},
      {raft::EntryKind::command, std::string("\x1f\0", 2)},
      {raft::EntryKind::command, std::string("\x11\x40", 2)},
  };
  for (const auto& [kind, command] : newer) {
    Sample sample([&](Life& life) {
      EXPECT_TRUE(life.append_entry(kind, command, WallTime{100}) && life.append_entry(kind, command, WallTime{100}));
    });
    const auto recovery = look(sample.disk);
    ASSERT_FALSE(recovery);
    EXPECT_EQ(recovery.error().code, ErrorCode::unsupported);
    EXPECT_NE(recovery.error().message.find(first_segment + " at offset 20480: entry 5"), std::string::npos)
        << recovery.error().message;
  }
}

TEST(StorageRecovery, an_entry_that_apply_could_not_decode_is_damage) {
  Sample sample(
      [](Life& life) { EXPECT_TRUE(life.append_entry(raft::EntryKind::noop, "\x01", WallTime{100}) && life.mark()); });
  const auto recovery = look(sample.disk);
  ASSERT_TRUE(recovery) << recovery.error().message;
  EXPECT_FALSE(recovery->may_start());
  const Damage* damage = find(*recovery, Damage::Kind::corrupt_record);
  ASSERT_NE(damage, nullptr);
  EXPECT_EQ(damage->index, Index{5});
}

// As a newer version would have written it: the checksum holds.
void raise_flag_of_record(Disk& disk, std::uint64_t offset) {
  std::string bytes = disk.contents(first_segment);
  const std::uint64_t generation = wire::decode_segment_header(bytes)->generation;
  wire::put_little(bytes.data() + offset + 68, wire::get_little<std::uint32_t>(bytes.data() + offset + 68) | 4U);
  const std::size_t length = wire::record_header_bytes + wire::get_little<std::uint32_t>(bytes.data() + offset + 12);
  const ByteView record = ByteView{bytes}.substr(offset, length);
  wire::put_little(bytes.data() + offset, checksum(record.substr(8), generation));
  disk.overwrite(first_segment, 0, bytes);
}

TEST(StorageRecovery, a_record_with_an_unknown_flag_is_unsupported) {
  Sample sample;
  sample.disk.restart();
  raise_flag_of_record(sample.disk, wire::log_block_bytes);
  const auto recovery = look(sample.disk);
  ASSERT_FALSE(recovery);
  EXPECT_EQ(recovery.error().code, ErrorCode::unsupported);
}

TEST(StorageRecovery, the_feature_level_is_the_highest_of_snapshot_and_log) {
  std::string term_start;
  wire::encode_term_start(term_start, wire::TermStart{.leader = NodeId{1}, .feature_level = 1, .switches = {}});
  Sample in_log([&](Life& life) { EXPECT_TRUE(life.append_entry(raft::EntryKind::noop, term_start, WallTime{100})); });
  EXPECT_EQ(look(in_log.disk)->feature_level, 1U);
  Sample in_snapshot([](Life& life) { EXPECT_TRUE(life.snapshot()); });
  EXPECT_EQ(look(in_snapshot.disk)->feature_level, 1U);
  Sample newer([](Life& life) {
    life.change_header = [](wire::SnapshotHeader& header) { header.feature_level = 2; };
    EXPECT_TRUE(life.snapshot());
  });
  EXPECT_EQ(look(newer.disk).error().code, ErrorCode::unsupported);
}

// --- whose data it is ---

TEST(StorageRecovery, a_foreign_snapshot_is_refused_with_what_where_and_what_to_do) {
  const std::vector<std::pair<std::string, std::function<void(wire::SnapshotHeader&)>>> foreign = {
      {"cluster", [](wire::SnapshotHeader& header) { header.cluster_low = 99; }},
      {"incarnation", [](wire::SnapshotHeader& header) { header.configuration.members[0].incarnation_low = 99; }},
  };
  for (const auto& [what, change] : foreign) {
    Sample sample([&alter = change](Life& life) {
      life.change_header = alter;
      EXPECT_TRUE(life.snapshot());
    });
    const auto recovery = look(sample.disk);
    ASSERT_FALSE(recovery) << what;
    EXPECT_EQ(recovery.error().code, ErrorCode::invalid);
    for (const std::string& part : {what, std::string{"0004.snapshot"}, std::string{"move it out"}}) {
      EXPECT_NE(recovery.error().message.find(part), std::string::npos) << recovery.error().message;
    }
  }
}

// Sent by a peer, of a time at which this id was the only member, as another incarnation.
TEST(StorageRecovery, a_server_with_peers_starts_from_the_state_of_its_former_self) {
  Sample sample([](Life& life) {
    life.change_header = [](wire::SnapshotHeader& header) { header.configuration.members[0].incarnation_low = 99; };
    EXPECT_TRUE(life.snapshot());
  });
  sample.disk.restart();
  auto directory = storage::DataDirectory::inspect(sample.disk, test_paths);
  ASSERT_TRUE(directory);
  const auto recovery = storage::recover(*directory, no_sink, {}, storage::RecoverOptions{.has_peers = true});
  ASSERT_TRUE(recovery) << recovery.error().message;
  EXPECT_TRUE(recovery->snapshot.has_value());
}

TEST(StorageRecovery, a_foreign_snapshot_that_is_not_needed_is_refused_all_the_same) {
  // It would count as the second one that checks, and the log would be released by it.
  Sample sample([](Life& life) {
    life.change_header = [](wire::SnapshotHeader& header) { header.cluster_low = 99; };
    EXPECT_TRUE(life.snapshot() && life.append(1, 10));
    life.change_header = [](wire::SnapshotHeader&) {};
    EXPECT_TRUE(life.snapshot());
  });
  const auto recovery = look(sample.disk);
  ASSERT_FALSE(recovery);
  EXPECT_NE(recovery.error().message.find("0004.snapshot"), std::string::npos) << recovery.error().message;
}

TEST(StorageRecovery, a_snapshot_of_another_history_is_damage_while_the_log_still_tells) {  // R-607, K-81
  Sample sample([](Life& life) {
    life.change_header = [](wire::SnapshotHeader& header) { header.point.term = Term{9}; };
    EXPECT_TRUE(life.snapshot());
  });
  const auto recovery = look(sample.disk);
  ASSERT_TRUE(recovery) << recovery.error().message;
  EXPECT_FALSE(recovery->may_start());
  const Damage* damage = find(*recovery, Damage::Kind::other_history);
  ASSERT_NE(damage, nullptr);
  EXPECT_EQ(damage->offset, 2 * wire::log_block_bytes);
  EXPECT_EQ(damage->index, Index{4});
  ASSERT_TRUE(storage::repair(sample.disk, test_paths, {}, true));
  EXPECT_TRUE(look(sample.disk)->may_start()) << "behind the snapshot, and the log is in the quarantine";
}

// --- what never goes back ---

TEST(StorageRecovery, a_time_that_goes_back_is_damage_and_not_an_abort) {
  const std::string command = encode_request(1, "x");
  Sample sample([&](Life& life) {
    EXPECT_TRUE(life.append_entry(raft::EntryKind::command, command, WallTime{100}) &&
                life.append_entry(raft::EntryKind::command, command, WallTime{99}) && life.mark());
  });
  const auto recovery = look(sample.disk);
  ASSERT_TRUE(recovery) << recovery.error().message;
  EXPECT_FALSE(recovery->may_start());
  const Damage* damage = find(*recovery, Damage::Kind::corrupt_record);
  ASSERT_NE(damage, nullptr);
  EXPECT_EQ(damage->file, first_segment);
  EXPECT_EQ(damage->offset, 6 * wire::log_block_bytes);
  EXPECT_EQ(damage->index, Index{6});
}

TEST(StorageRecovery, an_entry_older_than_the_snapshots_time_is_damage) {
  Sample sample([](Life& life) {
    life.snapshot_time = WallTime{1000};
    EXPECT_TRUE(life.snapshot() && life.append(1, 10));
  });
  const auto recovery = look(sample.disk);
  ASSERT_TRUE(recovery) << recovery.error().message;
  EXPECT_EQ(recovery->log.recovered.time, WallTime{1000});
  EXPECT_FALSE(recovery->may_start());
}

TEST(StorageRecovery, a_term_older_than_the_snapshots_is_damage) {
  // The log begins right behind the snapshot, so no entry of it tells the term there.
  Sample sample([](Life& life) { EXPECT_TRUE(life.snapshot() && life.mark()); });
  {
    sample.disk.restart();
    Life life{sample.disk, sample.promises, one_segment};
    ASSERT_TRUE(life.start() && life.append(1, 10) && life.mark());
    sample.disk.restart();
    ASSERT_TRUE(sample.disk.remove(first_segment) && sample.disk.sync_directory("data/log"));
  }
  const std::string path = "data/snapshots/00000000000000000004.snapshot";
  EXPECT_TRUE(look(sample.disk)->may_start());
  Disk other = Sample([](Life& life) {
                 life.change_header = [](wire::SnapshotHeader& header) { header.point.term = Term{9}; };
                 EXPECT_TRUE(life.snapshot() && life.mark());
               }).disk;
  other.restart();
  sample.disk.overwrite(path, 0, other.contents(path));
  const auto recovery = look(sample.disk);
  ASSERT_TRUE(recovery) << recovery.error().message;
  EXPECT_FALSE(recovery->may_start());
  const Damage* damage = find(*recovery, Damage::Kind::corrupt_record);
  ASSERT_NE(damage, nullptr);
  EXPECT_EQ(damage->index, Index{5});
}

// What a follower's log is told: each call is one flush.
struct Follower {
  Disk& disk;
  storage::WalConfig config = one_segment;
  storage::DataDirectory directory = storage::DataDirectory::open(disk, test_paths, test_identity).value();
  std::unique_ptr<storage::Wal> wal = open();

  // Entries [first, last] of a term, and what the cluster has committed; false: the disk stopped.
  bool flush(std::uint64_t term, std::uint64_t first, std::uint64_t last, Index committed, std::size_t bytes = 1) {
    std::vector<raft::Entry> entries;
    for (std::uint64_t index = first; index <= last; ++index) {
      entries.push_back({.term = Term{term},
                         .index = Index{index},
                         .time = WallTime{static_cast<std::int64_t>(term)},
                         .kind = raft::EntryKind::command,
                         .command = Blob::copy(encode_request(1, std::string(bytes, 'x')))});
    }
    wal->stage(raft::HardState{.term = Term{term}, .vote = NodeId{1}}, entries, committed, raft::PersistToken{term});
    return write();
  }
  // What was written is proven durable.
  bool mark() { return wal->stage_marker() && write(); }
  void snapshot(raft::LogId point) {
    wire::SnapshotHeader header{
        .point = point,
        .configuration = {.members = {raft::Member{.id = NodeId{1}, .incarnation_high = 42, .incarnation_low = 43}}},
        .streams = {}};
    auto writer = storage::SnapshotWriter::begin(directory, header);
    ASSERT_TRUE(writer);
    (*writer)->add(tree::StateImage{});
    (*writer)->end();
    while (*(*writer)->work()) {
    }
  }

 private:
  bool write() {
    auto job = wal->take_flush();
    const bool done = job.run().has_value();
    wal->finish(std::move(job));
    return done;
  }
  std::unique_ptr<storage::Wal> open() {
    const auto recovery = storage::recover(directory, no_sink, {});
    EXPECT_TRUE(recovery && recovery->may_start() && directory.begin_start(recovery->starts));
    return storage::Wal::open(directory, config, recovery->log.position).value();
  }
};

TEST(StorageRecovery, an_entry_that_was_replaced_before_the_snapshot_is_no_damage) {
  Disk disk;
  {
    Follower follower{disk};
    ASSERT_TRUE(follower.flush(1, 1, 4, Index{}) && follower.flush(3, 3, 3, Index{}));
    follower.snapshot({.term = Term{3}, .index = Index{3}});
  }
  const auto recovery = look(disk);
  ASSERT_TRUE(recovery) << recovery.error().message;
  EXPECT_TRUE(recovery->may_start()) << describe(recovery->damage.front());
}

// A follower learns with the entries that replace others that those are committed. Of a torn flush only the first
// records may be there: they end before the commit index, and that costs nothing that anybody was told of.
TEST(StorageRecovery, a_torn_replacement_of_what_was_never_committed_is_no_damage) {
  const std::string second_segment = "data/log/00000000000000000002.log";
  Disk disk;
  {
    Follower follower{disk};
    ASSERT_TRUE(follower.flush(1, 1, 3, Index{1}) && follower.flush(2, 2, 3, Index{3}, limits::batch_bytes_soft));
  }
  // It had a segment of its own, and two records.
  const std::string bytes = disk.contents(second_segment);
  const ByteView segment{bytes};
  const std::uint64_t generation = wire::decode_segment_header(segment)->generation;
  const auto first = wire::decode_record(segment.substr(4096), generation);
  ASSERT_TRUE(first && wire::decode_record(segment.substr(4096 + first->bytes), generation));
  // As if power had gone before the second one was on the disk, and nobody had been told of it.
  disk.overwrite(second_segment, 4096 + first->bytes, std::string(4096, '\0'));
  const auto recovery = look(disk);
  ASSERT_TRUE(recovery) << recovery.error().message;
  ASSERT_TRUE(recovery->may_start()) << describe(recovery->damage.front());
  EXPECT_EQ(recovery->log.position.last_index, Index{2});
  EXPECT_EQ(recovery->log.recovered.entries.back().term, Term{2});
  EXPECT_EQ(recovery->log.recovered.commit_hint, Index{1});
}

// A start copies a tail of which a part was replaced, and a snapshot says that the replacement was committed: the copy
// of what was replaced must not say so of itself, or the next start takes the replacement for damage.
TEST(StorageRecovery, the_copy_of_a_replaced_tail_is_no_damage) {
  Disk disk;
  {
    // No later record proves an earlier one.
    Follower follower{disk, storage::WalConfig{.segment_bytes = 64 * 4096, .force_sync = false}};
    ASSERT_TRUE(follower.flush(1, 1, 4, Index{}) && follower.flush(3, 3, 4, Index{}));
    follower.snapshot({.term = Term{3}, .index = Index{4}});
  }
  disk.restart();
  {
    const Follower copies{disk};
  }
  const auto recovery = look(disk);
  ASSERT_TRUE(recovery) << recovery.error().message;
  EXPECT_TRUE(recovery->may_start()) << describe(recovery->damage.front());
}

// A snapshot that is being installed ends with an entry that the log has otherwise, at the end of a segment: what a
// start needs of the log stands in the next one, and what it must know in the one before (K-83: with the snapshot lost,
// an older one must not lead into another history).
TEST(StorageRecovery, a_log_of_another_history_is_void_wherever_its_segments_end) {
  for (const std::uint64_t last : {3U, 5U}) {
    Disk disk;
    {
      Follower follower{disk};
      ASSERT_TRUE(follower.flush(1, 1, 3, Index{}) && follower.mark());
    }
    disk.restart();
    {
      Follower follower{disk};
      ASSERT_TRUE(last == 3 || follower.flush(1, 4, last, Index{}));
      follower.snapshot({.term = Term{2}, .index = Index{3}});
    }
    disk.restart();
    ASSERT_TRUE(
        disk.rename("data/snapshots/00000000000000000003.snapshot", "data/snapshots/00000000000000000003.install") &&
        disk.sync_directory("data/snapshots"));
    const auto recovery = look(disk);
    ASSERT_TRUE(recovery) << recovery.error().message;
    ASSERT_TRUE(recovery->may_start()) << describe(recovery->damage.front());
    EXPECT_EQ(recovery->log.position.chain, 0U) << "it begins anew";
    EXPECT_EQ(recovery->log.position.first_index, Index{4});
    EXPECT_EQ(recovery->log.position.voided.size(), 2U);
    EXPECT_TRUE(recovery->log.recovered.entries.empty());
  }
}

// --- files that were shortened or restored ---

TEST(StorageRecovery, a_newest_segment_that_was_cut_shorter_is_damage) {
  Sample sample;
  const std::uint64_t bytes = sample.disk.contents(first_segment).size();
  // Wherever it is cut: behind everything, between records, or inside one.
  for (const std::uint64_t left : {bytes - 1, std::uint64_t{5} * 4096, std::uint64_t{2} * 4096, std::uint64_t{4096}}) {
    Sample damaged = sample;
    damaged.cut(first_segment, left);
    const auto recovery = look(damaged.disk);
    ASSERT_TRUE(recovery) << recovery.error().message;
    EXPECT_FALSE(recovery->may_start()) << left;
    const Damage* damage = find(*recovery, Damage::Kind::cut_segment);
    ASSERT_NE(damage, nullptr) << left;
    EXPECT_EQ(damage->offset, left);
  }
}

TEST(StorageRecovery, an_identity_of_an_older_copy_repeats_no_start_counter) {
  Disk disk;
  Promises promises;
  std::string old_identity;
  for (int start = 1; start <= 5; ++start) {
    Life life{disk, promises, one_segment};
    ASSERT_TRUE(life.start() && life.append(1, 10) && (start != 5 || life.snapshot())) << life.complaint;
    disk.restart();
    if (start == 2) {
      old_identity = disk.contents("data/identity");
    }
  }
  disk.overwrite("data/identity", 0, old_identity);
  {
    auto directory = storage::DataDirectory::inspect(disk, test_paths);
    ASSERT_TRUE(directory);
    ASSERT_EQ(directory->identity().starts, 2U);
    const auto recovery = storage::recover(*directory, no_sink, {});
    ASSERT_TRUE(recovery);
    EXPECT_EQ(recovery->starts, 5U);
  }
  disk.restart();
  Life life{disk, promises, one_segment};
  ASSERT_TRUE(life.start()) << life.complaint;
  EXPECT_EQ(life.complaint, "") << "a start counter was used twice";
  EXPECT_EQ(life.directory().identity().starts, 6U);
}

TEST(StorageRecovery,
     commands_and_snapshots_show_the_start_counter_too) {  // segments of the first landing do not.
  Sample in_entry([](Life& life) {
    EXPECT_TRUE(life.append_entry(raft::EntryKind::command, encode_request(70, "x"), WallTime{100}));
  });
  EXPECT_EQ(look(in_entry.disk)->starts, 70U);
  Sample in_snapshot([](Life& life) {
    life.change_header = [](wire::SnapshotHeader& header) {
      header.streams = {{.stream = {.server = NodeId{1}, .incarnation = 42, .start = 80}, .number = 1},
                        {.stream = {.server = NodeId{2}, .incarnation = 42, .start = 90}, .number = 1},
                        {.stream = {.server = NodeId{3}, .incarnation = 9, .start = 91}, .number = 1}};
    };
    EXPECT_TRUE(life.snapshot());
  });
  EXPECT_EQ(look(in_snapshot.disk)->starts, 80U);
}

std::map<std::string, std::string> files_of(Disk& disk) {
  std::map<std::string, std::string> files{{"data/identity", disk.contents("data/identity")}};
  for (const std::string directory : {"data/log", "data/snapshots"}) {
    const std::vector<std::string> names = disk.list(directory).value();
    for (const std::string& name : names) {
      files[directory + "/" + name] = disk.contents(directory + "/" + name);
    }
  }
  return files;
}

TEST(StorageRecovery, opening_a_directory_changes_nothing_in_it) {  // it may turn out to be a newer version's.
  Sample sample;
  sample.disk.restart();
  const auto before = files_of(sample.disk);
  auto directory = storage::DataDirectory::open(sample.disk, test_paths, test_identity);
  ASSERT_TRUE(directory && storage::recover(*directory, no_sink, {}));
  EXPECT_TRUE(files_of(sample.disk) == before);
  ASSERT_TRUE(directory->begin_start(1));
  EXPECT_FALSE(files_of(sample.disk) == before) << "this is the first write";
}

// --- sectors that cannot be read ---

TEST(StorageRecovery, a_snapshot_that_cannot_be_read_is_replaced_by_the_older_one) {
  Sample sample([](Life& life) { EXPECT_TRUE(life.snapshot() && life.append(2, 10) && life.snapshot()); });
  sample.disk.restart();
  const std::string newest = "data/snapshots/00000000000000000006.snapshot";
  for (const std::uint64_t offset : {std::uint64_t{0}, std::uint64_t{100}}) {
    Disk disk = sample.disk;
    disk.fail_reads(newest, offset);
    const auto recovery = look(disk);
    ASSERT_TRUE(recovery) << recovery.error().message;
    EXPECT_TRUE(recovery->may_start());
    EXPECT_EQ(recovery->snapshot->index, Index{4});
    const Damage* damage = find(*recovery, Damage::Kind::bad_snapshot);
    ASSERT_NE(damage, nullptr);
    EXPECT_EQ(damage->file, newest);
    EXPECT_NE(damage->explanation.find("cannot be read"), std::string::npos) << damage->explanation;
  }
}

TEST(StorageRecovery, a_snapshot_that_cannot_be_opened_is_replaced_by_the_older_one) {
  Sample sample([](Life& life) { EXPECT_TRUE(life.snapshot() && life.append(2, 10) && life.snapshot()); });
  sample.disk.restart();
  const std::string newest = "data/snapshots/00000000000000000006.snapshot";
  const std::string older = "data/snapshots/00000000000000000004.snapshot";
  for (const Disk::Access access : {Disk::Access::open, Disk::Access::size}) {
    Disk disk = sample.disk;
    disk.fail(newest, access);
    const auto recovery = look(disk);
    ASSERT_TRUE(recovery) << recovery.error().message;
    EXPECT_TRUE(recovery->may_start());
    EXPECT_EQ(recovery->snapshot->index, Index{4});
    const Damage* damage = find(*recovery, Damage::Kind::bad_snapshot);
    ASSERT_NE(damage, nullptr);
    EXPECT_EQ(damage->file, newest);
    EXPECT_NE(damage->explanation.find("cannot be read"), std::string::npos) << damage->explanation;
    // A spare one that fails is no reason to stop either.
    disk = sample.disk;
    disk.fail(older, access);
    const auto spare = look(disk);
    ASSERT_TRUE(spare) << spare.error().message;
    EXPECT_TRUE(spare->may_start());
    EXPECT_EQ(spare->snapshot->index, Index{6});
  }
}

TEST(StorageRecovery, a_log_that_cannot_be_read_names_file_and_offset) {
  Sample sample([](Life& life) { EXPECT_TRUE(life.append(1, 1 << 20)); });
  sample.disk.restart();
  ASSERT_TRUE(sample.disk.exists("data/log/00000000000000000002.log").value());
  sample.disk.fail_reads("data/log/00000000000000000002.log", (1U << 20) + 10);
  const auto recovery = look(sample.disk);
  ASSERT_FALSE(recovery);
  EXPECT_EQ(recovery.error().code, ErrorCode::io);
  EXPECT_NE(recovery.error().message.find("0002.log cannot be read at offset 1048576"), std::string::npos)
      << recovery.error().message;
}

// --- repair ---

TEST(StorageRecovery, a_repair_reuses_no_term_that_may_have_been_used) {
  Disk disk;
  Promises promises;
  for (int start = 1; start <= 4; ++start) {
    disk.restart();
    Life life{disk, promises, one_segment};
    ASSERT_TRUE(life.start() && life.append(1, 9000) && life.append(1, 9000) && life.mark());
  }
  disk.restart();
  const auto before = look(disk);
  ASSERT_TRUE(before && before->may_start());
  EXPECT_EQ(before->log.recovered.hard_state.term, Term{4});
  const std::string newest = "data/log/00000000000000000004.log";
  disk.corrupt(newest, wire::log_block_bytes + 300, 0x10);
  const auto damaged = look(disk);
  ASSERT_TRUE(damaged);
  ASSERT_FALSE(damaged->may_start());
  EXPECT_EQ(damaged->log.recovered.hard_state.term, Term{4}) << "what is read behind the damage tells its term";
  const auto report = storage::repair(disk, test_paths, {}, true);
  ASSERT_TRUE(report) << report.error().message;
  const auto after = look(disk);
  ASSERT_TRUE(after && after->may_start());
  EXPECT_GE(raw(after->log.recovered.hard_state.term), std::uint64_t{1} << 32);
  EXPECT_EQ(after->log.recovered.hard_state.vote, NodeId{});
}

}  // namespace
}  // namespace quorate::sim
