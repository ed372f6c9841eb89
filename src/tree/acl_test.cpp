#include "tree/acl.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <gtest/gtest.h>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/prng.hpp"

namespace quorate::tree {
namespace {

constexpr std::string_view null{};

AclEntry entry(std::int32_t permissions, std::string_view scheme, std::string_view id) {
  return {.permissions = permissions, .identity = {.scheme = scheme, .id = id}};
}

const std::vector<Identity> nobody = {{.scheme = "ip", .id = "127.0.0.1"}};
const std::vector<Identity> bob = {{.scheme = "ip", .id = "127.0.0.1"}, {.scheme = "digest", .id = "bob:hash"}};
const std::vector<Identity> bob_and_ann = {{.scheme = "digest", .id = "bob:hash"},
                                           {.scheme = "super", .id = ""},
                                           {.scheme = "sasl", .id = "ann"},
                                           {.scheme = "ip", .id = "10.0.0.1"}};

struct IdCase {
  std::string_view scheme;
  std::string_view id;
  bool valid;
};

TEST(acl, ids_are_judged_by_their_scheme_as_6_3_says) {
  for (const IdCase& one : std::to_array<IdCase>({
           {"world", "anyone", true},    {"world", "anybody", false},
           {"world", "", false},         {"auth", "whatever", true},
           {"auth", "", true},           {"digest", "u:h", true},
           {"digest", ":h", true},       {"digest", "u:h:", true},  // Trailing empty parts are dropped.
           {"digest", "u:h::", true},    {"digest", ":h:", true},
           {"digest", "u", false},       {"digest", "u:", false},
           {"digest", "u::", false},     {"digest", "a:b:c", false},
           {"digest", "a::c", false},    {"digest", "::c", false},
           {"digest", ":", false},       {"digest", "::", false},
           {"digest", "", false},        {"ip", "127.0.0.1", true},
           {"ip", "127.0.0.1/16", true}, {"ip", "127.0.0.1/33", false},
           {"ip", "::1", true},          {"ip", "::1/128", true},
           {"ip", "::1/129", false},     {"ip", "host", false},
           {"sasl", "ann", false},       {"x509", "CN=ann", false},
           {"super", "", false},         {"super", "x", false},
           {"foo", "bar", false},        {"", "anyone", false},
       })) {
    EXPECT_EQ(is_valid_acl_id(one.scheme, one.id), one.valid) << one.scheme << " " << one.id;
  }
}

struct MatchCase {
  Identity acl;
  Identity credential;
  bool matched;
};

TEST(acl, credentials_match_by_the_rule_of_their_scheme) {
  for (const MatchCase& one : std::to_array<MatchCase>({
           {{"digest", "bob:h"}, {"digest", "bob:h"}, true},
           {{"digest", "bob:h"}, {"digest", "bob:H"}, false},
           {{"digest", "bob:h"}, {"sasl", "bob:h"}, false},
           {{"ip", "10.0.0.0/8"}, {"ip", "10.9.9.9"}, true},
           {{"ip", "10.0.0.0/8"}, {"ip", "11.9.9.9"}, false},
           {{"ip", "10.9.9.9"}, {"ip", "10.9.9.9"}, true},
           {{"ip", "::1"}, {"ip", "127.0.0.1"}, false},
           {{"ip", "garbage"}, {"ip", "garbage"}, false},
           {{"sasl", "ann"}, {"sasl", "ann"}, true},
           {{"sasl", "ann"}, {"sasl", "super"}, true},
           {{"sasl", "super"}, {"sasl", "ann"}, false},
           {{"x509", "CN=a"}, {"x509", "CN=a"}, true},
           {{"x509", "CN=a"}, {"x509", "CN=b"}, false},
           {{"foo", "a"}, {"foo", "a"}, false},  // No provider.
       })) {
    EXPECT_EQ(matches(one.acl, one.credential), one.matched) << one.acl.id << " " << one.credential.id;
  }
}

struct NormaliseCase {
  std::vector<AclEntry> acl;
  std::vector<Identity> credentials;
  Status status;
  std::vector<AclEntry> expected;
};

TEST(acl, lists_are_normalised_as_6_4_says) {
  const std::vector<NormaliseCase> cases = {
      {{}, bob, Status::invalid_acl, {}},
      {{entry(31, "world", "anyone")}, {}, Status::ok, {entry(31, "world", "anyone")}},
      // Permissions are stored verbatim, whatever they are.
      {{entry(0, "world", "anyone"), entry(-1, "world", "anyone"), entry(1 << 20, "digest", "a:b")},
       {},
       Status::ok,
       {entry(0, "world", "anyone"), entry(-1, "world", "anyone"), entry(1 << 20, "digest", "a:b")}},
      // Exact duplicates go, the first stays where it was; the same id with other permissions is no duplicate.
      {{entry(1, "digest", "a:b"), entry(2, "digest", "a:b"), entry(1, "digest", "a:b"), entry(1, "ip", "1.2.3.4")},
       {},
       Status::ok,
       {entry(1, "digest", "a:b"), entry(2, "digest", "a:b"), entry(1, "ip", "1.2.3.4")}},
      // auth: one entry for each proven credential, in order; ip and super do not count.
      {{entry(5, "auth", null)}, bob, Status::ok, {entry(5, "digest", "bob:hash")}},
      {{entry(5, "auth", ""), entry(1, "world", "anyone")},
       bob_and_ann,
       Status::ok,
       {entry(5, "digest", "bob:hash"), entry(5, "sasl", "ann"), entry(1, "world", "anyone")}},
      {{entry(5, "auth", "")}, nobody, Status::invalid_acl, {}},
      {{entry(5, "auth", "")}, {{.scheme = "super", .id = ""}}, Status::invalid_acl, {}},
      {{entry(31, "auth", "")}, {{.scheme = "x509", .id = "CN=a"}}, Status::ok, {entry(31, "x509", "CN=a")}},
      // Duplicates that expansion makes are kept: auth null and auth "" are two entries.
      {{entry(1, "auth", null), entry(1, "auth", ""), entry(1, "digest", "bob:hash")},
       bob,
       Status::ok,
       {entry(1, "digest", "bob:hash"), entry(1, "digest", "bob:hash"), entry(1, "digest", "bob:hash")}},
      {{entry(1, null, "x")}, bob, Status::invalid_acl, {}},
      {{entry(1, null, null)}, bob, Status::invalid_acl, {}},
      {{entry(1, "world", null)}, bob, Status::marshalling_error, {}},
      {{entry(1, "digest", null)}, bob, Status::marshalling_error, {}},
      {{entry(1, "ip", null)}, bob, Status::marshalling_error, {}},
      {{entry(1, "foo", null)}, bob, Status::invalid_acl, {}},
      {{entry(1, "world", "x")}, bob, Status::invalid_acl, {}},
      {{entry(1, "sasl", "ann")}, bob_and_ann, Status::invalid_acl, {}},
      {{entry(1, "super", "")}, bob_and_ann, Status::invalid_acl, {}},
      // The first entry that fails decides.
      {{entry(1, "world", "anyone"), entry(1, "foo", "x"), entry(1, "digest", null)}, bob, Status::invalid_acl, {}},
      {{entry(1, "world", "anyone"), entry(1, "digest", null), entry(1, "foo", "x")},
       bob,
       Status::marshalling_error,
       {}},
  };
  std::vector<AclEntry> result;
  for (std::size_t index = 0; index < cases.size(); ++index) {
    const NormaliseCase& one = cases[index];
    EXPECT_EQ(AclTable::normalise(one.acl, one.credentials, result), one.status) << "case " << index;
    if (one.status == Status::ok) {
      EXPECT_EQ(result, one.expected) << "case " << index;
    }
  }
}

TEST(acl, long_lists_lose_their_duplicates_too) {
  std::vector<AclEntry> acl;
  for (std::int32_t round = 0; round < 3; ++round) {
    for (std::int32_t permissions = 0; permissions < 20'000; ++permissions) {
      acl.push_back(entry(permissions, "world", "anyone"));
    }
  }
  std::vector<AclEntry> result;
  ASSERT_EQ(AclTable::normalise(acl, nobody, result), Status::ok);
  acl.resize(20'000);
  EXPECT_EQ(result, acl);
}

TEST(acl, expansion_cannot_fill_the_memory) {  // S-204
  std::vector<AclEntry> acl;
  std::vector<Identity> credentials;
  for (std::int32_t permissions = 0; permissions < 10'000; ++permissions) {
    acl.push_back(entry(permissions, "auth", ""));
    credentials.push_back({.scheme = "digest", .id = "some:body"});
  }
  std::vector<AclEntry> result;
  EXPECT_EQ(AclTable::normalise(acl, credentials, result), Status::invalid_acl);
  EXPECT_LT(result.size(), 100'000U);
}

struct AllowCase {
  std::vector<AclEntry> acl;
  std::int32_t wanted;
  std::vector<Identity> credentials;
  bool allowed;
};

TEST(acl, permission_is_evaluated_as_6_2_says) {
  const std::vector<Identity> super = {{.scheme = "super", .id = ""}};
  const std::vector<AllowCase> cases = {
      {{entry(1, "world", "anyone")}, permission::read, {}, true},
      {{entry(1, "world", "anyone")}, permission::write, bob, false},
      {{entry(1, "world", "anyone")}, permission::write, super, true},
      {{entry(1, "world", "anyone")}, permission::read | permission::admin, {}, true},  // At least one of them.
      {{entry(0, "world", "anyone")}, permission::read, bob, false},
      {{entry(-1, "world", "anyone")}, permission::admin, {}, true},
      {{entry(1, "world", "anyone"), entry(2, "world", "anyone")}, permission::write, {}, true},
      {{entry(31, "digest", "bob:hash")}, permission::write, bob, true},
      {{entry(31, "digest", "bob:hash")}, permission::write, nobody, false},
      {{entry(31, "digest", "bob:hash")}, permission::write, {}, false},
      {{entry(1, "digest", "bob:hash")}, permission::write, bob, false},
      {{entry(1, "digest", "bob:hash"), entry(2, "ip", "127.0.0.0/8")}, permission::write, bob, true},
      {{entry(1, "digest", "bob:hash"), entry(2, "ip", "128.0.0.0/8")}, permission::write, bob, false},
      {{entry(16, "sasl", "ann")}, permission::admin, bob_and_ann, true},
  };
  AclTable table;
  for (std::size_t index = 0; index < cases.size(); ++index) {
    const AllowCase& one = cases[index];
    EXPECT_EQ(table.allows(table.intern(one.acl), one.wanted, one.credentials), one.allowed) << "case " << index;
  }
  EXPECT_TRUE(table.allows(open_acl, permission::admin, {}));
}

TEST(acl, the_open_list_is_always_there_and_has_one_id) {
  AclTable table;
  const std::vector<AclEntry> open = {entry(31, "world", "anyone")};
  EXPECT_EQ(table.intern(open), open_acl);
  for (int count = 0; count < 10; ++count) {
    table.release(open_acl);
  }
  EXPECT_EQ(table.entries(open_acl).size(), 1U);
  EXPECT_EQ(table.entries(open_acl)[0], open[0]);
  EXPECT_EQ(table.size(), 1U);
}

TEST(acl, equal_lists_share_an_id_and_different_ones_do_not) {
  AclTable table;
  const std::vector<AclEntry> first = {entry(1, "digest", "a:b"), entry(2, "ip", "1.2.3.4")};
  const std::vector<AclEntry> swapped = {first[1], first[0]};
  const std::vector<AclEntry> doubled = {first[0], first[1], first[1]};
  const std::vector<AclEntry> shifted = {entry(1, "digesta", ":b"), entry(2, "ip", "1.2.3.4")};
  const AclId id = table.intern(first);
  EXPECT_EQ(table.intern(first), id);
  EXPECT_NE(table.intern(swapped), id);
  EXPECT_NE(table.intern(doubled), id);
  EXPECT_NE(table.intern(shifted), id);
  EXPECT_EQ(table.size(), 5U);
}

TEST(acl, a_list_outlives_the_buffers_it_came_from) {
  AclTable table;
  AclId id{};
  {
    std::string text = "digestbob:hash";
    const std::string_view view = text;
    id = table.intern(std::vector{entry(7, view.substr(0, 6), view.substr(6))});
    std::ranges::fill(text, '?');
  }
  for (int other = 0; other < 1000; ++other) {
    table.intern(std::vector{entry(other, "ip", "1.2.3.4")});
  }
  ASSERT_EQ(table.entries(id).size(), 1U);
  EXPECT_EQ(table.entries(id)[0], entry(7, "digest", "bob:hash"));
}

TEST(acl, ids_are_reused_when_the_last_user_has_gone) {
  AclTable table;
  const std::vector<AclEntry> first = {entry(1, "digest", "a:b")};
  const std::vector<AclEntry> second = {entry(2, "digest", "a:b")};
  const AclId id = table.intern(first);
  table.retain(id);
  table.release(id);
  EXPECT_TRUE(table.contains(id));
  table.release(id);
  EXPECT_FALSE(table.contains(id));
  EXPECT_EQ(table.intern(second), id);
  EXPECT_EQ(table.entries(id)[0], second[0]);
  EXPECT_NE(table.intern(first), id);
}

TEST(acl, a_frozen_table_keeps_what_falls_out_of_use) {  // design 7
  AclTable table;
  const std::vector<AclEntry> first = {entry(1, "digest", "a:b")};
  const std::vector<AclEntry> second = {entry(2, "digest", "a:b")};
  const AclId id = table.intern(first);
  table.freeze();
  table.release(id);
  EXPECT_EQ(table.entries(id)[0], first[0]);
  EXPECT_NE(table.intern(second), id);  // The snapshot may still name it.
  table.thaw();
  EXPECT_FALSE(table.contains(id));
  EXPECT_EQ(table.intern(first), id);
}

TEST(acl, a_list_that_finds_users_again_while_frozen_survives_the_thaw) {
  AclTable table;
  const std::vector<AclEntry> first = {entry(1, "digest", "a:b")};
  const AclId id = table.intern(first);
  table.freeze();
  table.release(id);
  EXPECT_EQ(table.intern(first), id);
  table.release(id);
  EXPECT_EQ(table.intern(first), id);
  table.thaw();
  EXPECT_EQ(table.entries(id)[0], first[0]);
  table.release(id);
  EXPECT_FALSE(table.contains(id));

  // Given up twice while frozen: freed once.
  const AclId again = table.intern(first);
  table.freeze();
  table.release(again);
  table.intern(first);
  table.release(again);
  table.thaw();
  const AclId one = table.intern(first);
  const AclId two = table.intern(std::vector{entry(9, "digest", "a:b")});
  EXPECT_NE(one, two);
}

TEST(acl, content_hashes_depend_on_the_contents_alone) {
  AclTable first;
  AclTable second;
  const std::vector<AclEntry> list = {entry(1, "digest", "a:b")};
  const std::vector<AclEntry> other = {entry(1, "digest", "a:c")};
  second.intern(other);
  const AclId in_first = first.intern(list);
  const AclId in_second = second.intern(list);
  EXPECT_NE(in_first, in_second);
  EXPECT_EQ(first.content_hash(in_first), second.content_hash(in_second));
  EXPECT_NE(first.content_hash(in_first), second.content_hash(second.intern(other)));
  EXPECT_EQ(first.content_hash(open_acl), second.content_hash(open_acl));
}

TEST(acl, a_restored_table_is_the_one_that_was_written) {
  AclTable table;
  std::vector<AclId> ids;
  for (std::int32_t permissions = 0; permissions < 50; ++permissions) {
    ids.push_back(table.intern(std::vector{entry(permissions, "digest", "a:b"), entry(1, "ip", "1.2.3.4")}));
  }
  for (std::size_t index = 0; index < ids.size(); index += 2) {
    table.release(ids[index]);
  }
  AclTable loaded;
  table.for_each([&](AclId id, AclView acl) { EXPECT_TRUE(loaded.restore(id, acl)); });
  for (std::size_t index = 1; index < ids.size(); index += 2) {
    EXPECT_TRUE(std::ranges::equal(loaded.entries(ids[index]), table.entries(ids[index])));
    EXPECT_EQ(loaded.content_hash(ids[index]), table.content_hash(ids[index]));
    if (index != 7) {
      loaded.retain(ids[index]);
    }
  }
  loaded.finish_restore();
  EXPECT_FALSE(loaded.contains(ids[7]));  // Nobody uses it.
  EXPECT_EQ(loaded.size(), 25U);          // 24 and the open one.
  std::map<AclId, int> fresh;
  for (std::int32_t permissions = 100; permissions < 200; ++permissions) {
    const AclId id = loaded.intern(std::vector{entry(permissions, "digest", "a:b")});
    EXPECT_EQ(++fresh[id], 1);
  }
}

TEST(acl, a_snapshot_that_contradicts_itself_is_refused) {
  const std::vector<AclEntry> open = {entry(31, "world", "anyone")};
  const std::vector<AclEntry> list = {entry(1, "digest", "a:b")};
  const std::vector<AclEntry> other = {entry(2, "digest", "a:b")};
  AclTable table;
  EXPECT_TRUE(table.restore(open_acl, open));
  EXPECT_FALSE(table.restore(open_acl, list));
  EXPECT_FALSE(table.restore(AclId{3}, open));
  EXPECT_FALSE(table.restore(AclId{3}, {}));
  EXPECT_TRUE(table.restore(AclId{3}, list));
  EXPECT_FALSE(table.restore(AclId{3}, other));
  EXPECT_FALSE(table.restore(AclId{4}, list));
  EXPECT_FALSE(table.restore(AclId{0xFFFFFFFF}, other));
}

// The dumb twin: a count for each list.
TEST(acl, users_are_counted_right_under_random_use) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Prng prng{seed};
    AclTable table;
    std::map<std::int32_t, int> users;  // By permissions, which stand for the list.
    std::map<std::int32_t, AclId> ids;
    bool frozen = false;
    for (int step = 0; step < 2000; ++step) {
      const auto which = static_cast<std::int32_t>(prng.below(12));
      const std::vector<AclEntry> list = {entry(which, "digest", "a:b")};
      if (prng.chance(1, 20)) {
        frozen ? table.thaw() : table.freeze();
        frozen = !frozen;
      } else if (users[which] > 0 && prng.chance(1, 2)) {
        table.release(ids[which]);
        --users[which];
      } else {
        const AclId id = table.intern(list);
        EXPECT_TRUE(users[which] == 0 || id == ids[which]);
        ids[which] = id;
        ++users[which];
      }
      std::size_t used = 1;
      for (const auto& [one, count] : users) {
        if (count > 0) {
          ++used;
          ASSERT_EQ(table.entries(ids[one])[0].permissions, one) << "seed " << seed << " step " << step;
        }
      }
      ASSERT_TRUE(frozen ? table.size() >= used : table.size() == used) << "seed " << seed << " step " << step;
    }
    EXPECT_GT(table.bytes(), 0U);
  }
}

TEST(acl_death, an_id_without_a_list_is_our_own_mistake) {
  AclTable table;
  EXPECT_DEATH((void)table.entries(AclId{7}), "an id names a list");
  EXPECT_DEATH(table.release(AclId{7}), "only an ACL that exists");
}

}  // namespace
}  // namespace quorate::tree
