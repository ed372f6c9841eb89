#include "wire/batch.hpp"

#include <array>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "base/checksum.hpp"
#include "base/prng.hpp"
#include "wire/packing.hpp"
#include "wire/test_support.hpp"

namespace quorate::wire {
namespace {

raft::Entry entry(std::uint64_t index, std::string command, std::uint64_t term = 3, std::int64_t time = 1000) {
  return {.term = Term{term},
          .index = Index{index},
          .time = WallTime{time},
          .kind = raft::EntryKind::command,
          .command = Blob::adopt(std::move(command))};
}

std::string encoded(std::span<const raft::Entry> entries) {
  std::string out;
  encode_batch(out, entries);
  return out;
}

std::vector<raft::Entry> random_run(Prng& prng) {
  std::vector<raft::Entry> entries;
  const std::uint64_t term = testing::random_number(prng);
  const std::uint64_t first = (testing::random_number(prng) >> 1) + 1;
  const std::int64_t time = testing::random_signed(prng);
  const std::uint64_t count = prng.below(20) + 1;
  for (std::uint64_t i = 0; i < count; ++i) {
    entries.push_back(entry(first + i, testing::random_bytes(prng, prng.below(200)), term, time));
    entries.back().kind = static_cast<raft::EntryKind>(prng.below(3));
  }
  return entries;
}

// Sums a batch that a test has changed, as its writer would have.
std::string summed(std::string batch) {
  put_little(batch.data() + 8, checksum(ByteView(batch).substr(16), get_little<std::uint64_t>(batch.data())));
  return batch;
}

ErrorCode error_of(const std::string& bytes) {
  std::vector<raft::Entry> entries = {entry(1, "kept")};
  const Result<std::size_t> taken = decode_batch(Blob::copy(bytes), entries);
  EXPECT_FALSE(taken);
  EXPECT_EQ(entries.size(), 1U) << "nothing is left behind by a failure";
  return taken ? ErrorCode::io : taken.error().code;
}

// The form is final: it is on disk (docs/formats/log.md).
TEST(batch, looks_like_this_for_ever) {
  const std::array<raft::Entry, 2> entries = {entry(5, "ab"), entry(6, "")};
  const std::string bytes = encoded(entries);
  const std::string sum = testing::hex(ByteView(bytes).substr(8, 8));
  EXPECT_EQ(testing::hex(bytes),
            "51425401"
            "06000000" +
                sum +
                "0300000000000000"
                "0500000000000000"
                "e803000000000000"
                "02000000"
                "02016162"
                "0001");
  EXPECT_EQ(summed(bytes), bytes);
}

TEST(batch, runs_come_back_as_they_went) {
  Prng prng(3);
  for (int round = 0; round < 5000; ++round) {
    const std::vector<raft::Entry> entries = random_run(prng);
    const std::string bytes = encoded(entries);
    std::vector<raft::Entry> back;
    const Result<std::size_t> taken = decode_batch(Blob::copy(bytes + "next"), back);
    ASSERT_TRUE(taken) << taken.error().message;
    EXPECT_EQ(*taken, bytes.size());
    EXPECT_EQ(back, entries);
  }
}

TEST(batch, commands_are_slices_of_what_was_read) {
  const std::array<raft::Entry, 1> entries = {entry(5, "command")};
  const Blob bytes = Blob::adopt(encoded(entries));
  std::vector<raft::Entry> back;
  ASSERT_TRUE(decode_batch(bytes, back));
  EXPECT_EQ(back[0].command.view().data(), bytes.view().data() + bytes.size() - 7);
}

TEST(batch, every_cut_is_seen) {
  Prng prng(4);
  const std::string bytes = encoded(random_run(prng));
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_EQ(error_of(bytes.substr(0, length)), ErrorCode::corrupt) << length;
  }
}

TEST(batch, every_flipped_bit_is_seen) {
  Prng prng(5);
  const std::string bytes = encoded(random_run(prng));
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string flipped = bytes;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_EQ(error_of(flipped), ErrorCode::corrupt) << bit;
  }
}

TEST(batch, what_a_newer_version_writes_is_unsupported) {
  const std::array<raft::Entry, 1> entries = {entry(5, "ab")};
  std::string newer = encoded(entries);
  newer[3] = 2;
  EXPECT_EQ(error_of(summed(newer)), ErrorCode::unsupported);
  std::string kind = encoded(entries);
  kind[batch_header_bytes + 1] = 3;
  EXPECT_EQ(error_of(summed(kind)), ErrorCode::unsupported);
}

// A checksum says that the bytes are those that were written, not that who wrote them meant well (S-601).
TEST(batch, impossible_counts_are_refused_though_the_checksum_holds) {
  const std::array<raft::Entry, 2> entries = {entry(5, "ab"), entry(6, "cd")};
  const std::string good = encoded(entries);
  const auto with = [&](std::size_t at, std::uint64_t value, std::size_t bytes) {
    std::string changed = good;
    for (std::size_t i = 0; i < bytes; ++i) {
      changed[at + i] = static_cast<char>(value >> (8 * i));
    }
    return summed(changed);
  };
  EXPECT_EQ(error_of(with(40, 0, 4)), ErrorCode::corrupt);           // No entries,
  EXPECT_EQ(error_of(with(40, 1, 4)), ErrorCode::corrupt);           // fewer than there are,
  EXPECT_EQ(error_of(with(40, 3, 4)), ErrorCode::corrupt);           // more,
  EXPECT_EQ(error_of(with(40, 0xFFFFFFFF, 4)), ErrorCode::corrupt);  // and absurdly many.
  EXPECT_EQ(error_of(with(24, 0, 8)), ErrorCode::corrupt);           // There is no index 0,
  EXPECT_EQ(error_of(with(24, UINT64_MAX, 8)), ErrorCode::corrupt);  // and none behind the last.
  EXPECT_EQ(error_of(with(44, 0x7F, 1)), ErrorCode::corrupt);        // An entry beyond the end.
  EXPECT_EQ(error_of(with(4, 0xFFFFFFFF, 4)), ErrorCode::corrupt);
}

TEST(batch, a_run_ends_where_term_time_or_index_break) {
  const auto length_of = [](const raft::Entry& second) {
    const std::array<raft::Entry, 3> entries = {entry(5, "a"), second, entry(7, "c")};
    return batch_length(entries);
  };
  EXPECT_EQ(length_of(entry(6, "b")), 3U);
  EXPECT_EQ(length_of(entry(6, "b", 4)), 1U);
  EXPECT_EQ(length_of(entry(6, "b", 3, 1001)), 1U);
  EXPECT_EQ(length_of(entry(8, "b")), 1U);
  EXPECT_EQ(batch_length({}), 0U);
}

TEST(batch, a_run_ends_at_the_limits) {
  std::vector<raft::Entry> many;
  for (std::uint64_t i = 0; i < limits::batch_entries_max + 10; ++i) {
    many.push_back(entry(i + 1, ""));
  }
  EXPECT_EQ(batch_length(many), limits::batch_entries_max);
  std::vector<raft::Entry> large;
  for (std::uint64_t i = 0; i < 10; ++i) {
    large.push_back(entry(i + 1, std::string(limits::batch_bytes_soft / 4, 'x')));
  }
  EXPECT_EQ(batch_length(large), 4U);  // The fourth reaches the soft limit: it still belongs to it, the fifth does not.
  std::vector<raft::Entry> back;
  ASSERT_TRUE(decode_batch(Blob::adopt(encoded(std::span(large).first(4))), back));
  EXPECT_EQ(back.size(), 4U);
}

TEST(batch, the_largest_batch_comes_back) {
  std::vector<raft::Entry> entries = {entry(1, std::string(limits::batch_bytes_soft - 6, 'x')),
                                      entry(2, std::string(limits::entry_bytes_max, 'y'))};
  ASSERT_EQ(batch_length(entries), 2U);
  const std::string bytes = encoded(entries);
  EXPECT_LE(bytes.size(), batch_encoded_bytes_max);
  std::vector<raft::Entry> back;
  ASSERT_TRUE(decode_batch(Blob::copy(bytes), back));
  EXPECT_EQ(back, entries);
}

}  // namespace
}  // namespace quorate::wire
