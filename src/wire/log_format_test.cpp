#include "wire/log_format.hpp"

#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "base/checksum.hpp"
#include "base/prng.hpp"
#include "wire/packing.hpp"
#include "wire/test_support.hpp"

namespace quorate::wire {
namespace {

constexpr std::uint64_t generation = 0x0123456789abcdef;

SegmentHeader segment() {
  return {.cluster = 0x1111111111111111,
          .incarnation = 0x2222222222222222,
          .sequence = 3,
          .generation = generation,
          .chain = 0x4444444444444444,
          .first_index = Index{55},
          .hard_state = {.term = Term{6}, .vote = NodeId{7}},
          .file_bytes = 0x8888888888888888,
          .starts = 9};
}

std::string encoded(const SegmentHeader& header) {
  std::string out;
  encode_segment_header(out, header);
  return out;
}

RecordHeader record_header() {
  return {.position = 8192,
          .chain = 0x5555555555555555,
          .synced_through = 0x0000000300001000,
          .commit_hint = Index{54},
          .hard_state = raft::HardState{.term = Term{6}, .vote = NodeId{7}}};
}

std::string encoded(const RecordHeader& header, ByteView payload) {
  std::string out;
  encode_record(out, header, payload, generation);
  return out;
}

bool same(const RecordHeader& a, const RecordHeader& b) {
  return a.position == b.position && a.chain == b.chain && a.synced_through == b.synced_through &&
         a.commit_hint == b.commit_hint && a.hard_state == b.hard_state;
}

TEST(segment_header, looks_like_this_for_ever) {
  const std::string block = encoded(segment());
  ASSERT_EQ(block.size(), log_block_bytes);
  EXPECT_EQ(testing::hex(ByteView(block).substr(0, 104)),
            "51554f524c4f4700"
            "01000000"
            "00000000"
            "1111111111111111"
            "2222222222222222"
            "0300000000000000"
            "efcdab8967452301"
            "4444444444444444"
            "3700000000000000"
            "0600000000000000"
            "07000000"
            "00000000"
            "8888888888888888"
            "0900000000000000"
            "0000000000000000");
  EXPECT_EQ(get_little<std::uint64_t>(block.data() + 4088), checksum(ByteView(block).substr(0, 4088)));
}

TEST(segment_header, comes_back) {
  const std::string block = encoded(segment());
  const Result<SegmentHeader> back = decode_segment_header(block);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(encoded(*back), block);
  EXPECT_EQ(back->sequence, 3U);
  EXPECT_EQ(back->generation, generation);
  EXPECT_EQ(back->first_index, Index{55});
  EXPECT_EQ(back->hard_state, segment().hard_state);
  EXPECT_EQ(back->file_bytes, 0x8888888888888888);
  EXPECT_EQ(back->starts, 9U);
}

TEST(segment_header, every_flipped_bit_and_every_cut_is_seen) {
  const std::string block = encoded(segment());
  for (std::size_t bit = 0; bit < block.size() * 8; ++bit) {
    std::string flipped = block;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    const auto back = decode_segment_header(flipped);
    ASSERT_FALSE(back) << bit;
    EXPECT_EQ(back.error().code, ErrorCode::corrupt);
  }
  for (const std::size_t length : {std::size_t{0}, std::size_t{7}, std::size_t{88}, log_block_bytes - 1}) {
    EXPECT_FALSE(decode_segment_header(ByteView(block).substr(0, length)));
  }
  EXPECT_FALSE(decode_segment_header(std::string(log_block_bytes, '\0'))) << "a prewritten block";
}

TEST(segment_header, a_newer_version_or_field_is_unsupported) {
  for (const std::size_t at : {std::size_t{8}, std::size_t{12}, std::size_t{76}, std::size_t{96}, std::size_t{4087}}) {
    std::string block = encoded(segment());
    block[at] = 2;
    put_little(block.data() + 4088, checksum(ByteView(block).substr(0, 4088)));
    EXPECT_EQ(decode_segment_header(block).error().code, ErrorCode::unsupported) << at;
  }
}

TEST(record, an_unknown_flag_is_told_by_a_record_that_checks) {
  std::string record = encoded(record_header(), "payload");
  EXPECT_FALSE(decode_record(record, generation)->has_unknown_flags);
  put_little(record.data() + 68, std::uint32_t{3});
  EXPECT_FALSE(decode_record(record, generation));
  put_little(record.data(), checksum(ByteView(record).substr(8, record_header_bytes - 8 + 7), generation));
  const auto decoded = decode_record(record, generation);
  ASSERT_TRUE(decoded);
  EXPECT_TRUE(decoded->has_unknown_flags);
}

TEST(record, looks_like_this_for_ever) {
  std::string record;
  const std::uint64_t sum = encode_record(record, record_header(), "payload", generation);
  EXPECT_EQ(record.size(), log_block_bytes);
  EXPECT_EQ(testing::hex(ByteView(record).substr(8, 72)),
            "51524543"
            "07000000"
            "0020000000000000"
            "5555555555555555"
            "0010000003000000"
            "3600000000000000"
            "efcdab8967452301"
            "0600000000000000"
            "07000000"
            "01000000"
            "7061796c6f616400");
  EXPECT_EQ(get_little<std::uint64_t>(record.data()), sum);
  EXPECT_EQ(sum, checksum(ByteView(record).substr(8, 72 - 8 + 7), generation));
}

TEST(record, fills_whole_blocks) {
  for (const std::size_t payload : {std::size_t{0}, std::size_t{1}, log_block_bytes - record_header_bytes,
                                    log_block_bytes - record_header_bytes + 1, 3 * log_block_bytes}) {
    const std::string record = encoded(record_header(), std::string(payload, 'p'));
    EXPECT_EQ(record.size(), record_bytes(payload));
    EXPECT_EQ(record.size() % log_block_bytes, 0U);
    EXPECT_LT(record.size() - record_header_bytes - payload, log_block_bytes);
    const auto back = decode_record(record, generation);
    ASSERT_TRUE(back);
    EXPECT_EQ(back->payload.size(), payload);
    EXPECT_EQ(back->bytes, record.size());
    EXPECT_EQ(record.find_first_not_of('\0', record_header_bytes + payload), std::string::npos);
  }
}

TEST(record, comes_back_as_it_went) {
  Prng prng(6);
  for (int round = 0; round < 2000; ++round) {
    RecordHeader header;
    header.position = testing::random_number(prng) / log_block_bytes * log_block_bytes;
    header.chain = prng.next_u64();
    header.synced_through = prng.next_u64();
    header.commit_hint = Index{testing::random_number(prng)};
    if (prng.chance(1, 2)) {
      header.hard_state = raft::HardState{.term = Term{testing::random_number(prng)},
                                          .vote = NodeId{static_cast<std::uint32_t>(prng.below(255))}};
    }
    const std::string payload = testing::random_bytes(prng, prng.below(9000));
    std::string log = "before";
    const std::uint64_t sum = encode_record(log, header, payload, generation);
    const std::string behind = log.substr(6) + "behind";
    const auto back = decode_record(behind, generation);
    ASSERT_TRUE(back);
    EXPECT_TRUE(same(back->header, header));
    EXPECT_EQ(back->header.payload_bytes, payload.size());
    EXPECT_EQ(back->payload, payload);
    EXPECT_EQ(back->checksum, sum);
    EXPECT_EQ(back->bytes, log.size() - 6);
  }
}

TEST(record, built_in_place_is_the_same) {
  std::string built;
  const std::size_t start = begin_record(built);
  built += "pay";
  built += "load";
  const std::uint64_t sum = finish_record(built, start, record_header(), generation);
  std::string whole;
  EXPECT_EQ(encode_record(whole, record_header(), "payload", generation), sum);
  EXPECT_EQ(built, whole);
}

TEST(record, every_flipped_bit_but_in_the_padding_is_seen) {
  Prng prng(7);
  const std::string payload = testing::random_bytes(prng, 300);
  const std::string record = encoded(record_header(), payload);
  for (std::size_t bit = 0; bit < record.size() * 8; ++bit) {
    std::string flipped = record;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    const bool is_padding = bit / 8 >= record_header_bytes + payload.size();
    EXPECT_EQ(decode_record(flipped, generation).has_value(), is_padding) << bit;
  }
}

TEST(record, every_cut_is_seen) {
  const std::string record = encoded(record_header(), std::string(5000, 'p'));
  for (std::size_t length = 0; length < record.size(); ++length) {
    const std::vector<char> exact(record.begin(), record.begin() + static_cast<std::ptrdiff_t>(length));
    EXPECT_FALSE(decode_record({exact.data(), exact.size()}, generation)) << length;
  }
}

// A record that crossed a block border and lost any of its blocks: the torn tail of R-115.
TEST(record, a_block_that_was_never_written_is_seen) {
  const std::string record = encoded(record_header(), std::string(4 * log_block_bytes, 'p'));
  for (std::size_t block = 0; block < record.size(); block += log_block_bytes) {
    std::string torn = record;
    torn.replace(block, log_block_bytes, std::string(log_block_bytes, '\0'));
    EXPECT_FALSE(decode_record(torn, generation)) << block;
  }
}

// Architecture 8: a recycled segment's former life never verifies, even where its generation is forged in the clear.
TEST(record, a_former_life_never_verifies) {
  std::string record = encoded(record_header(), "payload");
  EXPECT_TRUE(decode_record(record, generation));
  EXPECT_FALSE(decode_record(record, generation + 1));
  put_little(record.data() + 48, generation + 1);
  EXPECT_FALSE(decode_record(record, generation + 1));
}

TEST(record, zeros_and_noise_are_no_records) {
  EXPECT_FALSE(decode_record(std::string(2 * log_block_bytes, '\0'), 0));
  Prng prng(8);
  for (int round = 0; round < 1000; ++round) {
    EXPECT_FALSE(decode_record(testing::random_bytes(prng, 2 * log_block_bytes), generation));
  }
}

}  // namespace
}  // namespace quorate::wire
