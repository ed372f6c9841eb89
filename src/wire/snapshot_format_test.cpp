#include "wire/snapshot_format.hpp"

#include <algorithm>
#include <array>
#include <gtest/gtest.h>
#include <string>
#include <variant>
#include <vector>

#include "base/checksum.hpp"
#include "base/prng.hpp"
#include "wire/packing.hpp"
#include "wire/test_support.hpp"

namespace quorate::wire {
namespace {

SnapshotHeader example_header() {
  SnapshotHeader header;
  header.cluster_high = 1;
  header.cluster_low = 2;
  header.point = {.term = Term{3}, .index = Index{400}};
  header.zxid_base = Zxid{-5};
  header.configuration.members = {
      {.id = NodeId{1}, .incarnation_high = 7, .incarnation_low = 8},
      {.id = NodeId{2}, .incarnation_high = 9, .incarnation_low = 10, .role = raft::MemberRole::learner},
  };
  header.configuration_entry = {.term = Term{2}, .index = Index{300}};
  header.streams = {{.stream = {.server = NodeId{1}, .incarnation = 7, .start = 11}, .number = 1200}};
  return header;
}

std::string encoded(const SnapshotHeader& header) {
  std::string out;
  encode_snapshot_header(out, header);
  return out;
}

std::string encoded(const tree::SnapshotItem& item) {
  std::string out;
  encode_item(out, item);
  return out;
}

tree::SnapshotItem decoded(ByteView bytes, std::vector<tree::AclEntry>& scratch) {
  tree::SnapshotItem item;
  const Result<std::size_t> taken = decode_item(bytes, scratch, item);
  EXPECT_TRUE(taken) << (taken ? "" : taken.error().message);
  EXPECT_EQ(taken ? *taken : 0, bytes.size());
  return item;
}

TEST(snapshot_header, looks_like_this_for_ever) {
  const std::string bytes = encoded(example_header());
  EXPECT_EQ(testing::hex(ByteView(bytes).substr(0, 16)),
            "51554f52534e5000"
            "02000000"
            "53000000");
  EXPECT_EQ(testing::hex(ByteView(bytes).substr(24)),
            "0100000000000000"
            "0200000000000000"
            "03"
            "9003"
            "09"
            "01"  //
            "02"
            "ac02"
            "2d"
            "01"
            "00"
            "02"
            "1301070000000000000008000000000000000100"
            "130209000000000000000a000000000000000200"
            "00"
            "00"  //
            "01"
            "01"
            "0700000000000000"
            "0b"
            "b009");
}

std::string with_sum(std::string bytes) {
  put_little(bytes.data() + 12, static_cast<std::uint32_t>(bytes.size() - 24));
  put_little(bytes.data() + 16, checksum(ByteView(bytes).substr(24), get_little<std::uint64_t>(bytes.data() + 8)));
  return bytes;
}

// The first landing's headers listed the members themselves, and are read for ever.
TEST(snapshot_header, version_1_is_read) {
  const std::string bytes = with_sum(testing::unhex("51554f52534e5000"
                                                    "01000000"
                                                    "00000000"
                                                    "0000000000000000") +
                                     testing::unhex("0100000000000000"
                                                    "0200000000000000"
                                                    "03"
                                                    "9003"
                                                    "09"
                                                    "01"  //
                                                    "02"
                                                    "01"
                                                    "0700000000000000"
                                                    "0800000000000000"
                                                    "01"  //
                                                    "02"
                                                    "0900000000000000"
                                                    "0a00000000000000"
                                                    "00"  //
                                                    "00"  //
                                                    "01"
                                                    "01"
                                                    "0700000000000000"
                                                    "0b"
                                                    "b009"));
  const auto back = decode_snapshot_header(bytes);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->second, bytes.size());
  EXPECT_EQ(back->first.version, 1U);
  EXPECT_EQ(back->first.configuration, example_header().configuration);
  EXPECT_EQ(back->first.configuration_entry, raft::LogId{});
  EXPECT_EQ(back->first.point, example_header().point);
  EXPECT_EQ(back->first.streams[0].number, 1200U);
  EXPECT_EQ(decode_snapshot_header(with_sum(bytes + std::string("\x01\0", 2))).error().code, ErrorCode::corrupt)
      << "it has no extensions";
}

// The next snapshot writes what this one held, and an encoder that refuses it would end the server then.
TEST(snapshot_header, version_1_without_a_member_is_damaged) {
  const std::string bytes =
      with_sum(testing::unhex("51554f52534e5000"
                              "01000000"
                              "00000000"
                              "0000000000000000"
                              "0100000000000000"
                              "0200000000000000"
                              "03"
                              "9003"
                              "09"
                              "01"
                              "00"
                              "00"
                              "00"));
  EXPECT_EQ(decode_snapshot_header(bytes).error().code, ErrorCode::corrupt);
}

TEST(snapshot_header, comes_back) {
  const std::string bytes = encoded(example_header());
  const auto back = decode_snapshot_header(bytes + "a block");
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->second, bytes.size());
  EXPECT_EQ(encoded(back->first), bytes);
  EXPECT_EQ(back->first.configuration, example_header().configuration);
  EXPECT_EQ(back->first.configuration_entry, example_header().configuration_entry);
  EXPECT_EQ(back->first.point, example_header().point);
  EXPECT_EQ(back->first.zxid_base, Zxid{-5});
  EXPECT_EQ(back->first.streams[0].stream, example_header().streams[0].stream);
  EXPECT_EQ(back->first.streams[0].number, 1200U);
}

TEST(snapshot_header, every_flipped_bit_and_every_cut_is_seen) {
  const std::string bytes = encoded(example_header());
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string flipped = bytes;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_FALSE(decode_snapshot_header(flipped)) << bit;
  }
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_FALSE(decode_snapshot_header(bytes.substr(0, length))) << length;
  }
}

TEST(snapshot_header, what_a_newer_version_writes_is_unsupported) {
  const std::string bytes = encoded(example_header());
  const auto error_of = [](const std::string& changed) { return decode_snapshot_header(changed).error().code; };
  const auto with = [&bytes](std::size_t at, char value) {
    std::string changed = bytes;
    changed[at] = value;
    return with_sum(changed);
  };
  EXPECT_EQ(error_of(with(8, 3)), ErrorCode::unsupported) << "version";
  EXPECT_EQ(error_of(with(44, static_cast<char>(known_feature_level + 1))), ErrorCode::unsupported) << "feature level";
  EXPECT_EQ(error_of(with(49, 2)), ErrorCode::unsupported) << "version of the configuration";
  EXPECT_EQ(error_of(with_sum(bytes + std::string("\x01\x02xy", 4))), ErrorCode::unsupported) << "extension";
  EXPECT_EQ(error_of(with_sum(bytes + std::string("\x01\x03xy", 4))), ErrorCode::corrupt) << "half an extension";
  EXPECT_EQ(error_of(with(51, 0)), ErrorCode::corrupt) << "nobody takes part";
}

// --- items ---

tree::ZnodeImage plain_znode() {
  tree::ZnodeImage znode;
  znode.slot = tree::Slot{300};
  znode.parent = tree::Slot{1};
  znode.key = 0x1122334455667788;
  znode.name = "ab";
  znode.data = "xyz";
  znode.czxid = znode.mzxid = znode.pzxid = Zxid{100};
  znode.ctime = znode.mtime = WallTime{1000};
  return znode;
}

TEST(snapshot_items, znodes_look_like_this_for_ever) {
  EXPECT_EQ(testing::hex(encoded(plain_znode())),
            "04"
            "01"
            "ac02"
            "01"
            "8877665544332211"
            "026162"
            "c801"
            "d00f"
            "0378797a");
  tree::ZnodeImage full = plain_znode();
  full.acl = tree::AclId{5};
  full.mzxid = Zxid{103};
  full.mtime = WallTime{999};
  full.pzxid = Zxid{102};
  full.version = 1;
  full.aversion = -1;
  full.create_counter = 2;
  full.owner = 0x0100000000000064;
  EXPECT_EQ(testing::hex(encoded(full)),
            "04"
            "3f"
            "ac02"
            "01"
            "8877665544332211"
            "026162"
            "c801"
            "d00f"
            "0378797a"
            "05"
            "06"
            "01"
            "04"
            "02"
            "01"
            "04"
            "6400000000000001");
}

TEST(snapshot_items, the_others_look_like_this_for_ever) {
  tree::StateImage state;
  state.last_zxid = Zxid{100};
  state.last_time = WallTime{1000};
  state.switches.reconfig_enabled = true;
  state.hash_secret = 1;
  state.digest = 2;
  state.znodes = 300;
  state.sessions = 4;
  EXPECT_EQ(testing::hex(encoded(state)),
            "01"
            "c801"
            "d00f"
            "08"
            "0100000000000000"
            "0200000000000000"
            "ac02"
            "04");
  const std::array<tree::AclEntry, 2> entries = {tree::AclEntry{31, {"world", "anyone"}},
                                                 tree::AclEntry{-1, {"foo", null_bytes}}};
  EXPECT_EQ(testing::hex(encoded(tree::AclImage{.id = tree::AclId{9}, .acl = entries})),
            "02"
            "09"
            "02"
            "3e"
            "06"
            "07616e796f6e65"
            "01"
            "0003666f6f"
            "00");
  tree::SessionImage session;
  session.id = SessionId{0x0100000000000064};
  session.password.fill('p');
  session.timeout_ms = 30000;
  session.owner = NodeId{1};
  session.generation = 2;
  EXPECT_EQ(testing::hex(encoded(session)),
            "03"
            "6400000000000001"
            "70707070707070707070707070707070"
            "e0d403"
            "01"
            "02");
}

tree::ZnodeImage random_znode(Prng& prng, std::string& name, std::string& data) {
  const auto small = [&] { return static_cast<std::int32_t>(testing::random_signed(prng)); };
  name = testing::random_bytes(prng, prng.below(40));
  data = testing::random_bytes(prng, prng.below(200));
  tree::ZnodeImage znode;
  znode.slot = tree::Slot{static_cast<std::uint32_t>(testing::random_number(prng))};
  znode.parent = tree::Slot{static_cast<std::uint32_t>(testing::random_number(prng))};
  znode.key = prng.next_u64();
  znode.name = name;
  znode.data = prng.chance(1, 4) ? null_bytes : ByteView(data);
  znode.acl = tree::AclId{static_cast<std::uint32_t>(prng.chance(1, 2) ? 0 : testing::random_number(prng))};
  znode.czxid = Zxid{testing::random_signed(prng)};
  znode.mzxid = prng.chance(1, 2) ? znode.czxid : Zxid{testing::random_signed(prng)};
  znode.pzxid = prng.chance(1, 2) ? znode.czxid : Zxid{testing::random_signed(prng)};
  znode.ctime = WallTime{testing::random_signed(prng)};
  znode.mtime = prng.chance(1, 2) ? znode.ctime : WallTime{testing::random_signed(prng)};
  znode.version = prng.chance(1, 2) ? 0 : small();
  znode.aversion = prng.chance(1, 2) ? 0 : small();
  znode.create_counter = prng.chance(1, 2) ? 0 : small();
  znode.owner = prng.chance(1, 2) ? 0 : testing::random_signed(prng);
  return znode;
}

bool same(const tree::ZnodeImage& a, const tree::ZnodeImage& b) {
  return a.slot == b.slot && a.parent == b.parent && a.key == b.key && a.name == b.name && a.data == b.data &&
         is_null(a.data) == is_null(b.data) && a.acl == b.acl && a.czxid == b.czxid && a.mzxid == b.mzxid &&
         a.pzxid == b.pzxid && a.ctime == b.ctime && a.mtime == b.mtime && a.version == b.version &&
         a.aversion == b.aversion && a.create_counter == b.create_counter && a.owner == b.owner;
}

TEST(snapshot_items, znodes_come_back_as_they_went) {
  Prng prng(9);
  std::vector<tree::AclEntry> scratch;
  for (int round = 0; round < 20000; ++round) {
    std::string name;
    std::string data;
    const tree::ZnodeImage znode = random_znode(prng, name, data);
    const std::string bytes = encoded(znode);
    const tree::SnapshotItem back = decoded(bytes, scratch);
    ASSERT_TRUE(std::holds_alternative<tree::ZnodeImage>(back));
    EXPECT_TRUE(same(std::get<tree::ZnodeImage>(back), znode));
  }
}

TEST(snapshot_items, the_others_come_back_as_they_went) {
  Prng prng(10);
  std::vector<tree::AclEntry> scratch;
  for (int round = 0; round < 2000; ++round) {
    tree::StateImage state;
    state.last_zxid = Zxid{testing::random_signed(prng)};
    state.last_time = WallTime{testing::random_signed(prng)};
    state.switches.skip_acl = prng.chance(1, 2);
    state.switches.enforce_quota = prng.chance(1, 2);
    state.hash_secret = prng.next_u64();
    state.digest = prng.next_u64();
    state.znodes = testing::random_number(prng);
    state.sessions = testing::random_number(prng);
    const std::string state_bytes = encoded(state);
    const auto state_back = std::get<tree::StateImage>(decoded(state_bytes, scratch));
    EXPECT_EQ(encoded(state_back), state_bytes);
    EXPECT_EQ(state_back.switches, state.switches);
    EXPECT_EQ(state_back.digest, state.digest);

    std::vector<tree::AclEntry> entries;
    const std::string id = testing::random_bytes(prng, prng.below(30));
    for (std::uint64_t left = prng.below(5); left > 0; --left) {
      entries.push_back({.permissions = static_cast<std::int32_t>(testing::random_signed(prng)),
                         .identity = {.scheme = prng.chance(1, 2) ? "digest" : "odd",
                                      .id = prng.chance(1, 3) ? null_bytes : ByteView(id)}});
    }
    const std::string acl_bytes = encoded(tree::AclImage{.id = tree::AclId{7}, .acl = entries});
    const auto acl_back = std::get<tree::AclImage>(decoded(acl_bytes, scratch));
    EXPECT_TRUE(std::ranges::equal(acl_back.acl, entries));

    tree::SessionImage session;
    session.id = SessionId{testing::random_signed(prng)};
    std::ranges::copy(testing::random_bytes(prng, session.password.size()), session.password.begin());
    session.timeout_ms = static_cast<std::int32_t>(testing::random_signed(prng));
    session.owner = NodeId{static_cast<std::uint32_t>(prng.below(255))};
    session.generation = static_cast<std::uint32_t>(testing::random_number(prng));
    const std::string session_bytes = encoded(session);
    const auto session_back = std::get<tree::SessionImage>(decoded(session_bytes, scratch));
    EXPECT_EQ(encoded(session_back), session_bytes);
    EXPECT_EQ(session_back.id, session.id);
    EXPECT_EQ(session_back.password, session.password);
    EXPECT_EQ(session_back.timeout_ms, session.timeout_ms);
  }
}

TEST(snapshot_items, every_cut_is_corrupt_and_the_unknown_is_unsupported) {
  std::vector<tree::AclEntry> scratch;
  tree::SnapshotItem item;
  const std::string bytes = encoded(plain_znode());
  const std::vector<tree::AclEntry> world = {{.permissions = 1, .identity = {.scheme = "world", .id = "anyone"}}};
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    const std::vector<char> exact(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(length));
    const auto taken = decode_item({exact.data(), exact.size()}, scratch, item);
    ASSERT_FALSE(taken) << length;
    EXPECT_EQ(taken.error().code, ErrorCode::corrupt);
  }
  EXPECT_EQ(decode_item("\x05xyz", scratch, item).error().code, ErrorCode::unsupported);
  std::string flags = bytes;
  flags[1] = '\x41';
  EXPECT_EQ(decode_item(flags, scratch, item).error().code, ErrorCode::unsupported);
  std::string scheme = encoded(tree::SnapshotItem{tree::AclImage{.id = tree::AclId{1}, .acl = world}});
  scheme[4] = '\x08';
  EXPECT_EQ(decode_item(scheme, scratch, item).error().code, ErrorCode::unsupported);
  std::string switches = encoded(tree::SnapshotItem{tree::StateImage{}});
  switches[3] = '\x10';
  EXPECT_EQ(decode_item(switches, scratch, item).error().code, ErrorCode::unsupported);
}

TEST(snapshot_items, absurd_counts_and_lengths_take_no_memory) {
  std::vector<tree::AclEntry> scratch;
  tree::SnapshotItem item;
  EXPECT_FALSE(decode_item(testing::unhex("0209ffffffffffffffffff01"), scratch, item));
  EXPECT_TRUE(scratch.empty());
  EXPECT_FALSE(decode_item(testing::unhex("040000000000000000000000ffffffffffffffffff01"), scratch, item));
}

// --- blocks ---

std::string block_of(ByteView items) {
  std::string out = "before";
  encode_block(out, items);
  return out.substr(6);
}

TEST(snapshot_blocks, come_back_as_they_went) {
  Prng prng(11);
  for (const std::size_t length : {std::size_t{0}, std::size_t{1}, std::size_t{100}, std::size_t{snapshot_block_bytes},
                                   std::size_t{snapshot_block_bytes * 5}}) {
    for (const bool noise : {false, true}) {
      const std::string items = noise ? testing::random_bytes(prng, length) : std::string(length, 'x');
      const std::string bytes = block_of(items);
      EXPECT_LE(bytes.size(), items.size() + snapshot_block_header_bytes) << "never longer than its contents";
      EXPECT_EQ(peek_block_bytes(ByteView(bytes).substr(0, snapshot_block_header_bytes)).value(), bytes.size());
      const std::string longer = bytes + "behind";
      const Result<BlockFrame> frame = peek_block(longer);
      ASSERT_TRUE(frame) << frame.error().message;
      EXPECT_EQ(frame->bytes, bytes.size());
      EXPECT_EQ(frame->raw_bytes, items.size());
      const Result<std::string> back = open_block(*frame);
      ASSERT_TRUE(back);
      EXPECT_EQ(*back, items);
    }
  }
}

TEST(snapshot_blocks, every_flipped_bit_and_every_cut_is_seen) {
  for (const std::string& bytes : {block_of(std::string(3000, 'x')), block_of("short, stored")}) {
    for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
      std::string flipped = bytes;
      flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
      EXPECT_FALSE(peek_block(flipped)) << bit;
    }
    for (std::size_t length = 0; length < bytes.size(); ++length) {
      EXPECT_FALSE(peek_block(bytes.substr(0, length))) << length;
    }
  }
}

std::string summed_block(std::string block) {
  put_little(block.data(), checksum(ByteView(block).substr(8)));
  return block;
}

// S-601: what a hostile writer may declare, with a checksum that holds.
TEST(snapshot_blocks, declared_sizes_are_not_believed) {
  const std::string bytes = block_of(std::string(3000, 'x'));
  const auto with = [&](std::size_t at, std::uint32_t value) {
    std::string changed = bytes;
    put_little(changed.data() + at, value);
    return summed_block(changed);
  };
  EXPECT_FALSE(peek_block(with(12, static_cast<std::uint32_t>(snapshot_block_raw_bytes_max + 1))));
  EXPECT_FALSE(peek_block(with(16, 0xFFFFFFFF)));
  EXPECT_FALSE(peek_block(with(20, 0))) << "stored, but not of its raw size";
  EXPECT_EQ(peek_block(with(20, 2)).error().code, ErrorCode::unsupported);
  for (const std::uint32_t raw : {2999U, 3001U, 100000000U}) {
    const std::string lying = with(12, raw);
    const Result<BlockFrame> frame = peek_block(lying);
    ASSERT_TRUE(frame);
    EXPECT_FALSE(open_block(*frame)) << raw;
  }
  std::string torn = bytes;
  torn.back() = static_cast<char>(torn.back() ^ 1);
  torn[snapshot_block_header_bytes + 6] = static_cast<char>(torn[snapshot_block_header_bytes + 6] ^ 0x55);
  const std::string summed = summed_block(torn);
  const Result<BlockFrame> frame = peek_block(summed);
  ASSERT_TRUE(frame);
  const Result<std::string> opened = open_block(*frame);
  EXPECT_TRUE(!opened || opened->size() == 3000U);
}

TEST(snapshot_blocks, the_digest_sees_exchanged_missing_and_foreign_blocks) {
  const std::string a = block_of("a");
  const std::string b = block_of("b");
  const auto digest = [](std::initializer_list<ByteView> parts) {
    std::uint64_t value = 0;
    for (const ByteView part : parts) {
      value = extend_digest(value, part);
    }
    return value;
  };
  EXPECT_EQ(digest({a, b}), digest({a, b}));
  EXPECT_NE(digest({a, b}), digest({b, a}));
  EXPECT_NE(digest({a, b}), digest({a}));
  EXPECT_NE(digest({a, b}), digest({a, a}));
}

TEST(snapshot_footer, comes_back_and_shows_damage) {
  const SnapshotFooter footer{.blocks = 1, .items = 2, .file_bytes = 3, .digest = 4};
  std::string bytes = "the file";
  encode_snapshot_footer(bytes, footer);
  ASSERT_EQ(bytes.size(), 8 + snapshot_footer_bytes);
  EXPECT_EQ(testing::hex(ByteView(bytes).substr(8, 40)),
            "51554f52454e4400"
            "0100000000000000"
            "0200000000000000"
            "0300000000000000"
            "0400000000000000");
  const auto back = decode_snapshot_footer(bytes);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->blocks, 1U);
  EXPECT_EQ(back->items, 2U);
  EXPECT_EQ(back->file_bytes, 3U);
  EXPECT_EQ(back->digest, 4U);
  for (std::size_t bit = 8 * 8; bit < bytes.size() * 8; ++bit) {
    std::string flipped = bytes;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_FALSE(decode_snapshot_footer(flipped)) << bit;
  }
  EXPECT_FALSE(decode_snapshot_footer(bytes.substr(9)));
  EXPECT_FALSE(decode_snapshot_footer(bytes.substr(0, bytes.size() - 1)));
}

}  // namespace
}  // namespace quorate::wire
