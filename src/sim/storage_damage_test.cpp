// Damage is told from a torn write, reported with its place, and never cut in silence (R-115 to R-117, I-107; F-301,
// F-304, F-305).

#include <gtest/gtest.h>
#include <numeric>

#include "sim/testing/storage_life.hpp"
#include "wire/log_format.hpp"

namespace quorate::sim {
namespace {

using storage::Damage;

constexpr storage::WalConfig small_segments{.segment_bytes = 12 * 4096, .recycled_segments_max = 1};
constexpr storage::WalConfig large_segments{.segment_bytes = 16 * 4096, .recycled_segments_max = 1};
const std::string first_segment = "data/log/00000000000000000001.log";

// What a start would find, without changing anything.
storage::Recovery look(Disk& disk, bool everything = false) {
  disk.restart();
  auto directory = storage::DataDirectory::inspect(disk, test_paths);
  EXPECT_TRUE(directory) << directory.error().message;
  const storage::SnapshotSink sink{.reset = [] {},
                                   .item = [](const tree::SnapshotItem&) -> Result<void> { return {}; }};
  const storage::RecoverOptions options{.everything = everything};
  auto recovery = storage::recover(*directory, sink, {}, options);
  EXPECT_TRUE(recovery) << recovery.error().message;
  // The log was read before it was known which snapshot would load: that changes nothing.
  const auto again = storage::recover(*directory, sink, backwards, options);
  EXPECT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->damage, recovery->damage);
  EXPECT_EQ(again->snapshot, recovery->snapshot);
  EXPECT_EQ(again->log.last_seen, recovery->log.last_seen);
  EXPECT_EQ(again->log.recovered.entries.size(), recovery->log.recovered.entries.size());
  EXPECT_EQ(again->log.recovered.time, recovery->log.recovered.time);
  return std::move(*recovery);
}

std::vector<std::string> names_in(Disk& disk, const std::string& directory) {
  auto names = disk.list(directory);
  EXPECT_TRUE(names);
  return std::move(*names);
}

Index last_of(const storage::Recovery& recovery) {
  const auto& recovered = recovery.log.recovered;
  return recovered.entries.empty() ? recovered.snapshot.index : recovered.entries.back().index;
}

bool reports(const storage::Recovery& recovery, Damage::Kind kind) {
  return std::ranges::any_of(recovery.damage, [kind](const Damage& damage) { return damage.kind == kind; });
}

std::string all_of(const storage::Recovery& recovery) {
  std::string text;
  for (const Damage& damage : recovery.damage) {
    text += describe(damage) + "\n";
  }
  return text;
}

// A log of one segment with a few records, the last one proven by a marker if asked for.
struct Sample {
  Disk disk;
  Promises promises;
  std::uint64_t end = 0;  // Where the last record that has entries ends.

  explicit Sample(bool marked, storage::WalConfig config = large_segments) {
    Life life{disk, promises, config};
    EXPECT_TRUE(life.start() && life.append(1, 10) && life.append(3, 50) && life.append(1, 9000) &&
                life.append(2, 700));
    EXPECT_TRUE(!marked || life.mark());
    EXPECT_EQ(life.complaint, "");
    // The header, and records of 1, 1, 3 and 1 blocks.
    end = std::uint64_t{7} * wire::log_block_bytes;
  }
};

TEST(StorageDamage, an_undamaged_log_is_silent) {
  Sample sample{true};
  const auto recovery = look(sample.disk);
  EXPECT_TRUE(recovery.damage.empty()) << all_of(recovery);
  EXPECT_EQ(last_of(recovery), Index{7});
}

TEST(StorageDamage, a_last_write_torn_at_any_byte_is_cut_and_nothing_else_is) {  // F-301, R-115
  Disk before;
  Promises promises;
  {
    Life life{before, promises, large_segments};
    ASSERT_TRUE(life.start() && life.append(1, 10) && life.append(2, 100));
  }
  before.restart();
  const std::string old_bytes = before.contents(first_segment);
  // The next flush, as it would stand there whole.
  Disk after = before;
  Promises more = promises;
  std::string segment;
  {
    Life life{after, more, large_segments};
    ASSERT_TRUE(life.start() && life.append(2, 2500));
    segment = "data/log/00000000000000000002.log";
  }
  after.restart();
  const std::string whole = after.contents(segment);
  const std::size_t start =
      std::size_t{3} * wire::log_block_bytes;  // Behind the header, the copied tail and its marker.
  const std::size_t length = wire::record_bytes(5200);
  for (std::size_t cut = 0; cut <= length; ++cut) {
    Disk torn = after;
    torn.overwrite(segment, start + cut, std::string(length - cut, '\0'));
    const auto recovery = look(torn);
    ASSERT_TRUE(recovery.may_start()) << "torn after " << cut << " bytes: " << all_of(recovery);
    const Index last = last_of(recovery);
    ASSERT_TRUE(last == promises.last() || last == more.last()) << "torn after " << cut << " bytes: " << raw(last);
    ASSERT_GE(cut, last == more.last() ? std::size_t{5000} : std::size_t{0});
  }
}

TEST(StorageDamage, whatever_sectors_of_the_last_write_arrive_nothing_before_it_suffers) {  // F-301
  Disk before;
  Promises promises;
  Life life{before, promises, large_segments};
  ASSERT_TRUE(life.start() && life.append(1, 10) && life.append(2, 100));
  life.stage(1, 3000);
  // The write takes place, its sync does not: the whole record of eight sectors is unsynced.
  before.crash_at(2, false);
  ASSERT_FALSE(life.flush());
  for (std::uint32_t fates = 0; fates < 6561; ++fates) {  // 3^8
    Disk disk = before;
    std::uint32_t rest = fates;
    disk.lose_power([&rest] { return static_cast<Disk::Fate>(std::exchange(rest, rest / 3) % 3); });
    const auto recovery = look(disk);
    ASSERT_TRUE(recovery.may_start()) << "fates " << fates << ": " << all_of(recovery);
    ASSERT_GE(last_of(recovery), promises.last()) << "fates " << fates;
  }
}

TEST(StorageDamage, a_flipped_bit_in_what_was_synced_is_never_cut_in_silence) {  // F-304, I-107
  const Sample sample{true};
  std::size_t stopped = 0;
  for (std::uint64_t offset = 0; offset < sample.end; ++offset) {
    Disk disk = sample.disk;
    disk.corrupt(first_segment, offset, static_cast<std::uint8_t>(1U << offset % 8));
    const auto recovery = look(disk);
    if (recovery.may_start()) {
      // Padding belongs to no record; everything that counts must be there.
      ASSERT_EQ(last_of(recovery), sample.promises.last()) << "offset " << offset;
      continue;
    }
    ++stopped;
    const Damage& damage = recovery.damage.front();
    ASSERT_EQ(damage.file, first_segment);
    ASSERT_LE(damage.offset, offset);
    ASSERT_GT(damage.offset + std::uint64_t{3} * wire::log_block_bytes, offset) << describe(damage);
    ASSERT_GE(raw(damage.index), 1U);
  }
  EXPECT_GT(stopped, std::size_t{9000 + 1400 + 4096});
}

TEST(StorageDamage, the_very_last_record_is_protected_by_the_idle_marker) {
  for (const bool marked : {false, true}) {
    Sample sample{marked};
    sample.disk.corrupt(first_segment, sample.end - wire::log_block_bytes + 200, 0x10);
    const auto recovery = look(sample.disk);
    // Without a successor nothing tells it from a torn write that nobody was told about.
    EXPECT_EQ(recovery.may_start(), !marked) << all_of(recovery);
    EXPECT_TRUE(reports(recovery, marked ? Damage::Kind::corrupt_record : Damage::Kind::torn_tail));
    EXPECT_EQ(last_of(recovery), Index{5});
  }
}

TEST(StorageDamage, a_misdirected_or_stale_block_is_found) {  // F-305
  const Sample sample{true};
  const std::string bytes = sample.disk.contents(first_segment);
  const auto block = [&bytes](std::size_t number) {
    return bytes.substr(number * wire::log_block_bytes, wire::log_block_bytes);
  };
  struct Case {
    std::string_view name;
    std::size_t at;
    std::string bytes;
  };
  const std::vector<Case> cases = {{"the first record, written over the second", 2, block(1)},
                                   {"the second record, written over the first", 1, block(2)},
                                   {"a record's old zeros", 2, std::string(wire::log_block_bytes, '\0')},
                                   {"a block inside a record, stale", 4, std::string(wire::log_block_bytes, '\0')},
                                   {"a header over a record", 1, block(0)},
                                   {"a record over the header", 0, block(1)}};
  for (const Case& one : cases) {
    Disk disk = sample.disk;
    disk.overwrite(first_segment, one.at * wire::log_block_bytes, one.bytes);
    const auto recovery = look(disk);
    EXPECT_FALSE(recovery.may_start()) << one.name;
  }
}

TEST(StorageDamage, a_commit_hint_turns_a_torn_tail_into_damage) {
  Sample sample{false};
  Promises promises = sample.promises;
  sample.disk.restart();
  // Two records of one flush whose first one does not check: the second one's hint says what was committed.
  const std::string bytes = sample.disk.contents(first_segment);
  const auto header = wire::decode_segment_header(ByteView{bytes}.substr(0, wire::log_block_bytes));
  ASSERT_TRUE(header);
  for (const std::uint64_t hint : {std::uint64_t{0}, std::uint64_t{8}}) {
    std::string record;
    wire::encode_record(record,
                        wire::RecordHeader{.position = sample.end + wire::log_block_bytes,
                                           .chain = 1,
                                           .synced_through = 0,
                                           .commit_hint = Index{hint},
                                           .hard_state = {}},
                        {}, header->generation);
    Disk disk = sample.disk;
    disk.overwrite(first_segment, sample.end + wire::log_block_bytes, record);
    const auto recovery = look(disk);
    EXPECT_EQ(recovery.may_start(), hint == 0) << all_of(recovery);
  }
}

// A log of several segments and two snapshots, purged up to the older one.
struct Grown {
  Disk disk;
  Promises promises;

  explicit Grown(bool purge) {
    Life life{disk, promises, small_segments};
    EXPECT_TRUE(life.start() && life.keep_house());
    for (int round = 0; round < 3; ++round) {
      EXPECT_TRUE(life.append(4, 6000) && life.append(1, 12000) && life.snapshot() && (!purge || life.purge()) &&
                  life.append(2, 9000) && life.append(3, 5000));
    }
    EXPECT_TRUE(life.mark());
    EXPECT_EQ(life.complaint, "");
  }

  [[nodiscard]] std::vector<std::string> segments() {
    disk.restart();
    auto names = names_in(disk, "data/log");
    std::erase_if(names, [](const std::string& name) { return !name.ends_with(".log"); });
    return names;
  }
  void lose(const std::string& path) {
    EXPECT_TRUE(disk.remove(path));
    EXPECT_TRUE(disk.sync_directory(path.substr(0, path.find_last_of('/'))));
  }
};

TEST(StorageDamage, a_segment_that_is_needed_and_missing_stops_the_start) {
  Grown sample{true};
  const auto names = sample.segments();
  ASSERT_GE(names.size(), 3U);
  const auto whole = look(sample.disk);
  ASSERT_TRUE(whole.may_start()) << all_of(whole);
  for (std::size_t i = 0; i < names.size(); ++i) {
    Grown damaged = sample;
    damaged.lose("data/log/" + names[i]);
    const auto recovery = look(damaged.disk);
    const bool last = i + 1 == names.size();
    if (recovery.may_start()) {
      EXPECT_EQ(last_of(recovery), sample.promises.last()) << names[i] << " is not needed";
      EXPECT_FALSE(last);
    } else {
      EXPECT_TRUE(reports(recovery, Damage::Kind::missing_segment) || reports(recovery, Damage::Kind::gap));
    }
  }
}

TEST(StorageDamage, a_log_whose_end_is_gone_stops_the_start) {  // though nothing that is left says so.
  Grown sample{true};
  const auto names = sample.segments();
  sample.lose("data/log/" + names.back());
  const auto recovery = look(sample.disk);
  EXPECT_FALSE(recovery.may_start());
  EXPECT_TRUE(reports(recovery, Damage::Kind::missing_segment)) << all_of(recovery);
}

TEST(StorageDamage, an_empty_log_directory_is_not_a_new_server) {  // K-104, R-119
  Grown sample{true};
  for (const std::string& name : sample.segments()) {
    sample.lose("data/log/" + name);
  }
  EXPECT_FALSE(look(sample.disk).may_start());
  Life life{sample.disk, sample.promises, small_segments};
  sample.disk.restart();
  EXPECT_FALSE(life.start());
}

TEST(StorageDamage, lost_snapshots_are_a_gap_and_not_an_empty_state) {  // K-104
  Grown sample{true};
  sample.disk.restart();
  for (const std::string& name : names_in(sample.disk, "data/snapshots")) {
    sample.lose("data/snapshots/" + name);
  }
  const auto recovery = look(sample.disk);
  EXPECT_FALSE(recovery.may_start());
  EXPECT_TRUE(reports(recovery, Damage::Kind::gap)) << all_of(recovery);
}

TEST(StorageDamage, a_damaged_snapshot_is_replaced_by_the_older_one_and_the_log) {  // R-611, K-105
  Grown sample{true};
  sample.disk.restart();
  const auto names = names_in(sample.disk, "data/snapshots");
  ASSERT_EQ(names.size(), 2U);
  const std::string newest = "data/snapshots/" + names.back();
  for (std::uint64_t offset = 0; offset < sample.disk.contents(newest).size(); ++offset) {
    Disk disk = sample.disk;
    Promises promises = sample.promises;
    disk.corrupt(newest, offset, 0x04);
    Life life{disk, promises, small_segments};
    life.expect_damage = true;
    ASSERT_TRUE(life.start()) << "offset " << offset << ": " << life.complaint;  // Checks the state that results.
    ASSERT_EQ(life.complaint, "") << "offset " << offset;
    ASSERT_TRUE(reports(life.recovery(), Damage::Kind::bad_snapshot)) << "offset " << offset;
    ASSERT_EQ(life.recovery().snapshot->path, "data/snapshots/" + names.front());
  }
}

TEST(StorageDamage, a_snapshot_that_its_reader_refuses_is_a_damaged_one) {
  Grown sample{true};
  sample.disk.restart();
  auto directory = storage::DataDirectory::inspect(sample.disk, test_paths);
  ASSERT_TRUE(directory);
  for (const storage::Executor& executor : {storage::Executor{}, backwards}) {
    int finished = 0;
    const storage::SnapshotSink sink{.reset = [] {},
                                     .item = [](const tree::SnapshotItem&) -> Result<void> { return {}; },
                                     .finish = [&finished]() -> Result<void> {
                                       return ++finished == 1 ? Result<void>{failure(ErrorCode::invalid, "no root")}
                                                              : Result<void>{};
                                     }};
    const auto recovery = storage::recover(*directory, sink, executor);
    ASSERT_TRUE(recovery);
    EXPECT_EQ(finished, 2);
    EXPECT_TRUE(reports(*recovery, Damage::Kind::bad_snapshot));
    EXPECT_EQ(last_of(*recovery), sample.promises.last());
    // The log is the one behind the older snapshot, also where it was read for the newest.
    ASSERT_FALSE(recovery->log.recovered.entries.empty());
    EXPECT_EQ(recovery->log.recovered.entries.front().index, next(recovery->snapshot->index));
  }
}

TEST(StorageDamage, purging_counts_only_snapshots_that_check) {  // K-105
  Grown sample{true};
  sample.disk.restart();
  const auto names = names_in(sample.disk, "data/snapshots");
  sample.disk.corrupt("data/snapshots/" + names.back(), 60, 0x20);
  Life life{sample.disk, sample.promises, small_segments};
  life.expect_damage = true;
  ASSERT_TRUE(life.start() && life.append(1, 10) && life.snapshot() && life.purge()) << life.complaint;
  EXPECT_TRUE(sample.disk.exists("data/snapshots/" + names.front()).value()) << "it is the second one that checks";
  ASSERT_TRUE(life.append(1, 10) && life.snapshot() && life.purge());
  EXPECT_FALSE(sample.disk.exists("data/snapshots/" + names.front()).value());
  EXPECT_FALSE(sample.disk.exists("data/snapshots/" + names.back()).value()) << "the damaged one went with it";
}

TEST(StorageDamage, with_the_whole_log_no_snapshot_is_needed) {
  Grown sample{false};
  sample.disk.restart();
  for (const std::string& name : names_in(sample.disk, "data/snapshots")) {
    sample.disk.corrupt("data/snapshots/" + name, 50, 0x01);
  }
  Life life{sample.disk, sample.promises, small_segments};
  life.expect_damage = true;
  EXPECT_TRUE(life.start()) << life.complaint;
  EXPECT_EQ(life.complaint, "");
  EXPECT_FALSE(life.recovery().snapshot.has_value());
}

TEST(StorageDamage, any_damage_to_an_older_segment_stops_or_costs_nothing) {
  Grown sample{false};
  const auto names = sample.segments();
  ASSERT_GE(names.size(), 6U);
  for (const std::string& name : names) {
    const std::string path = "data/log/" + name;
    const std::uint64_t bytes = sample.disk.contents(path).size();
    for (std::uint64_t offset = name == names.front() ? 0 : 13; offset < bytes; offset += 97) {
      Disk disk = sample.disk;
      disk.corrupt(path, offset, 0x80);
      const auto recovery = look(disk);
      if (recovery.may_start()) {
        ASSERT_EQ(last_of(recovery), sample.promises.last()) << path << " at " << offset;
      }
      const auto everything = look(disk, true);
      ASSERT_EQ(everything.may_start(), recovery.may_start());
      ASSERT_EQ(last_of(everything), last_of(recovery));
    }
  }
}

TEST(StorageDamage, verify_sees_damage_that_a_start_does_not_need_to_see) {  // S-603
  Grown sample{false};
  const auto names = sample.segments();
  sample.disk.corrupt("data/log/" + names.front(), wire::log_block_bytes + 100, 0x40);
  EXPECT_TRUE(look(sample.disk).damage.empty());
  const auto everything = look(sample.disk, true);
  EXPECT_TRUE(everything.may_start());
  EXPECT_TRUE(reports(everything, Damage::Kind::corrupt_record)) << all_of(everything);
}

TEST(StorageDamage, another_servers_segment_is_refused) {  // F-305, R-120
  Sample sample{true};
  Disk other;
  {
    storage::Identity identity = test_identity;
    identity.incarnation_high = 77;
    auto directory = storage::DataDirectory::open(other, test_paths, identity);
    ASSERT_TRUE(directory && directory->begin_start(0) &&
                storage::Wal::open(*directory, large_segments, storage::Wal::Position{}));
  }
  other.restart();
  sample.disk.overwrite(first_segment, 0, other.contents(first_segment));
  const auto recovery = look(sample.disk);
  EXPECT_TRUE(reports(recovery, Damage::Kind::gap)) << all_of(recovery);
  EXPECT_FALSE(recovery.may_start());
}

TEST(StorageDamage, the_message_names_file_offset_index_and_what_to_do) {
  Sample sample{true};
  sample.disk.corrupt(first_segment, wire::log_block_bytes * 3 + 5000, 0x01);
  const auto recovery = look(sample.disk);
  ASSERT_EQ(recovery.damage.size(), 1U);
  const std::string text = describe(recovery.damage.front());
  EXPECT_NE(text.find(first_segment), std::string::npos) << text;
  EXPECT_NE(text.find("offset 12288"), std::string::npos) << text;
  EXPECT_NE(text.find("entry 5"), std::string::npos) << text;
  EXPECT_NE(text.find("quorate repair"), std::string::npos) << text;
}

}  // namespace
}  // namespace quorate::sim
