// Quota texts and their effect on the tree (protocol 11).

#include "tree/quota.hpp"

#include <cstdint>
#include <gtest/gtest.h>
#include <string>
#include <string_view>
#include <vector>

#include "tree/tree.hpp"

namespace quorate::tree {
namespace {

struct TextCase {
  std::string_view text;
  std::int64_t count, bytes, count_hard, bytes_hard;
  std::string_view written;
};

TEST(QuotaText, reads_what_zookeeper_writes_and_tolerates_the_rest) {  // Protocol 11, Appendix B.
  for (const TextCase& one : {
           TextCase{"count=5,bytes=10", 5, 10, -1, -1, "count=5,bytes=10"},
           TextCase{"count=5,bytes=10=;byteHardLimit=7;countHardLimit=3", 5, 10, 3, 7,
                    "count=5,bytes=10=;byteHardLimit=7;countHardLimit=3"},
           TextCase{"countHardLimit=3", -1, -1, 3, -1, "count=-1,bytes=-1=;countHardLimit=3"},
           TextCase{"z=1;;,a=2", -1, -1, -1, -1, "count=-1,bytes=-1=;a=2;z=1"},
           TextCase{"count=,bytes=4", -1, 4, -1, -1, "count=-1,bytes=4"},
           TextCase{"", -1, -1, -1, -1, "count=-1,bytes=-1"},
           TextCase{"garbage", -1, -1, -1, -1, "count=-1,bytes=-1"},
           TextCase{"count=x,bytes=3", -1, 3, -1, -1, "count=-1,bytes=3"},
           TextCase{"count=99999999999999999999,=4,bytes=+3", -1, 3, -1, -1, "count=-1,bytes=3"},
       }) {
    SCOPED_TRACE(one.text);
    const QuotaText text(one.text);
    EXPECT_EQ(text.count(), one.count);
    EXPECT_EQ(text.bytes(), one.bytes);
    EXPECT_EQ(text.count_hard_limit(), one.count_hard);
    EXPECT_EQ(text.byte_hard_limit(), one.bytes_hard);
    EXPECT_EQ(text.text(), one.written);
  }
}

TEST(QuotaText, counts_with_wrap_as_java_does) {
  QuotaText text("count=9223372036854775807,bytes=1");
  text.add(1, -3);
  EXPECT_EQ(text.text(), "count=-9223372036854775808,bytes=-2");
}

struct SubjectCase {
  std::string_view parent, subject;
  bool inside;
};

TEST(QuotaText, subjects_lie_inside_the_quota_tree) {
  for (const SubjectCase& one :
       {SubjectCase{"/zookeeper/quota/a/b", "/a/b", true}, SubjectCase{"/zookeeper/quota", "/", true},
        SubjectCase{"/zookeeper/quotas/a", "", false}, SubjectCase{"/a", "", false}}) {
    EXPECT_EQ(quota_subject(one.parent), one.subject) << one.parent;
    EXPECT_EQ(!is_null(quota_subject(one.parent)), one.inside) << one.parent;
  }
}

class QuotaTest : public ::testing::Test {
 protected:
  QuotaTest() {
    session = *tree.create_session(next(), NodeId{1}, 4000, {});
    for (const std::string_view path : {"/a", "/a/b", "/zookeeper/quota/a"}) {
      create(path, "12345");
    }
  }
  ApplyContext next() {
    zxid += 1;
    tree.advance(Zxid{zxid}, WallTime{zxid});
    return {.zxid = Zxid{zxid}, .time = WallTime{zxid}, .session = session, .credentials = {}};
  }
  Status create(std::string_view path, ByteView data) {
    return tree.create(next(), {.path = path, .data = data, .acl = open_list}).status;
  }
  Status set(std::string_view path, ByteView data, std::int32_t version = -1) {
    return tree.set_data(next(), {.path = path, .data = data, .version = version}).status;
  }
  Status remove(std::string_view path) { return tree.remove(next(), {.path = path, .version = -1}).status; }
  void limit(std::string_view text) {
    ASSERT_EQ(create("/zookeeper/quota/a/zookeeper_limits", text), Status::ok);
    ASSERT_EQ(create("/zookeeper/quota/a/zookeeper_stats", "count=0,bytes=0"), Status::ok);
  }
  [[nodiscard]] std::string usage() const { return std::string(tree.find("/zookeeper/quota/a/zookeeper_stats")->data); }

  const std::vector<AclEntry> open_list{{31, {"world", "anyone"}}};
  Tree tree{3};
  SessionId session{};
  std::int64_t zxid = 0;
};

TEST_F(QuotaTest, stats_are_counted_at_creation_and_kept_in_place) {
  limit("count=-1,bytes=-1");
  EXPECT_EQ(usage(), "count=2,bytes=10");  // /a itself counts.
  const Stat before = tree.find("/zookeeper/quota/a/zookeeper_stats")->stat;
  ASSERT_EQ(create("/a/c", "123"), Status::ok);
  EXPECT_EQ(usage(), "count=3,bytes=13");
  ASSERT_EQ(set("/a/b", "1"), Status::ok);
  EXPECT_EQ(usage(), "count=3,bytes=9");
  ASSERT_EQ(set("/a", null_bytes), Status::ok);
  EXPECT_EQ(usage(), "count=3,bytes=4");
  ASSERT_EQ(remove("/a/c"), Status::ok);
  EXPECT_EQ(usage(), "count=2,bytes=1");
  ASSERT_EQ(create("/ab", "123"), Status::ok);  // A neighbour whose name begins alike.
  EXPECT_EQ(usage(), "count=2,bytes=1");
  Stat expected = before;
  expected.data_length = static_cast<std::int32_t>(usage().size());
  EXPECT_EQ(tree.find("/zookeeper/quota/a/zookeeper_stats")->stat, expected);
  EXPECT_EQ(tree.digest(), tree.recompute_digest());
}

TEST_F(QuotaTest, stats_freeze_when_the_limits_go) {
  limit("count=-1,bytes=-1");
  ASSERT_EQ(remove("/zookeeper/quota/a/zookeeper_limits"), Status::ok);
  ASSERT_EQ(create("/a/c", "123"), Status::ok);
  EXPECT_EQ(usage(), "count=2,bytes=10");
}

// Soft limits, and hard ones that are not enforced, refuse nothing: they are told (protocol 11).
TEST_F(QuotaTest, a_write_beyond_a_limit_that_refuses_nothing_is_noted) {
  limit("count=3,bytes=20=;byteHardLimit=30;countHardLimit=4");
  ASSERT_EQ(create("/a/c", ""), Status::ok);
  EXPECT_EQ(tree.quota_excess().count, 0U);  // At the limit, not beyond it.
  ASSERT_EQ(create("/a/d", ""), Status::ok);
  EXPECT_EQ(tree.quota_excess().count, 1U);
  EXPECT_EQ(tree.quota_excess().path, "/a");
  EXPECT_EQ(tree.quota_excess().used, 4);
  EXPECT_EQ(tree.quota_excess().limit, 3);
  EXPECT_FALSE(tree.quota_excess().is_of_bytes || tree.quota_excess().is_hard);
  ASSERT_EQ(set("/a", std::string(16, 'x')), Status::ok);  // 21 bytes; the number of znodes is not its doing.
  EXPECT_EQ(tree.quota_excess().count, 2U);
  EXPECT_TRUE(tree.quota_excess().is_of_bytes);
  EXPECT_EQ(tree.quota_excess().used, 21);
  ASSERT_EQ(set("/a", std::string(30, 'x')), Status::ok);
  EXPECT_TRUE(tree.quota_excess().is_hard);
  EXPECT_EQ(tree.quota_excess().limit, 30);
  ASSERT_EQ(set("/a", "x"), Status::ok);  // Shrinking is no offence.
  ASSERT_EQ(remove("/a/c"), Status::ok);
  EXPECT_EQ(tree.quota_excess().count, 3U);
}

TEST_F(QuotaTest, the_deepest_root_counts) {
  limit("count=-1,bytes=-1");
  ASSERT_EQ(create("/zookeeper/quota/a/b", ""), Status::ok);
  ASSERT_EQ(create("/zookeeper/quota/a/b/zookeeper_limits", ""), Status::ok);
  ASSERT_EQ(create("/zookeeper/quota/a/b/zookeeper_stats", ""), Status::ok);
  ASSERT_EQ(create("/a/b/c", "123"), Status::ok);
  EXPECT_EQ(usage(), "count=2,bytes=10");
  EXPECT_EQ(tree.find("/zookeeper/quota/a/b/zookeeper_stats")->data, "count=2,bytes=8");
}

TEST_F(QuotaTest, hard_limits_bind_only_when_enforced) {
  limit("count=1,bytes=1=;byteHardLimit=12;countHardLimit=3");
  ASSERT_EQ(set("/a/b", "123456789"), Status::ok);  // 14 bytes: not enforced.
  ASSERT_EQ(set("/a/b", "12345"), Status::ok);
  tree.set_switches({.enforce_quota = true});
  EXPECT_EQ(create("/a/c", "123"), Status::quota_exceeded);
  EXPECT_EQ(create("/a/c", "12"), Status::ok);  // Soft limits never refuse.
  EXPECT_EQ(create("/a/d", ""), Status::quota_exceeded);
  EXPECT_EQ(set("/a/c", "123", 7), Status::quota_exceeded);  // Before the version check.
  EXPECT_EQ(set("/a/c", "21", 7), Status::bad_version);      // No difference in bytes, no check.
  EXPECT_EQ(set("/a/c", "", 0), Status::ok);
  EXPECT_EQ(create("/other", "123"), Status::ok);
  ASSERT_EQ(remove("/zookeeper/quota/a/zookeeper_stats"), Status::ok);
  EXPECT_EQ(create("/a/d", "12345"), Status::ok);  // Without stats nothing is enforced.
}

TEST_F(QuotaTest, garbage_in_quota_znodes_stops_nobody) {  // Appendix B.
  limit("garbage;countHardLimit=many");
  tree.set_switches({.enforce_quota = true});
  ASSERT_EQ(set("/zookeeper/quota/a/zookeeper_stats", "\x01,=,;count=q"), Status::ok);
  EXPECT_EQ(create("/a/c", "123"), Status::ok);
  EXPECT_EQ(usage(), "count=0,bytes=2");  // Unparsable counts as -1, as absent does.
}

TEST_F(QuotaTest, a_quota_on_the_root_is_ignored) {
  ASSERT_EQ(create("/zookeeper/quota/zookeeper_limits", "countHardLimit=1"), Status::ok);
  ASSERT_EQ(create("/zookeeper/quota/zookeeper_stats", ""), Status::ok);
  tree.set_switches({.enforce_quota = true});
  const std::string before(tree.find("/zookeeper/quota/zookeeper_stats")->data);
  EXPECT_EQ(create("/z", ""), Status::ok);
  EXPECT_EQ(tree.find("/zookeeper/quota/zookeeper_stats")->data, before);
}

}  // namespace
}  // namespace quorate::tree
