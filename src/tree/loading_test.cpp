// What loading refuses (I-303), and what snapshots leave out and keep.

#include <cstdint>
#include <functional>
#include <gtest/gtest.h>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "tree/tree.hpp"

namespace quorate::tree {
namespace {

const std::vector<AclEntry> open_list{{31, {"world", "anyone"}}};
const std::vector<AclEntry> read_list{{1, {"world", "anyone"}}};

class LoadingTest : public ::testing::Test {
 protected:
  LoadingTest() {
    session = *tree.create_session(next(), NodeId{1}, 4000, {});
    create("/a");
    create("/a/b");
    create("/a/b/c");
    create("/a/e", CreateMode::ephemeral);
    create("/r", CreateMode::persistent, read_list);
  }
  ApplyContext next() {
    zxid += 1;
    tree.advance(Zxid{zxid}, WallTime{zxid});
    return {.zxid = Zxid{zxid}, .time = WallTime{zxid}, .session = session, .credentials = {}};
  }
  Status create(std::string_view path, CreateMode mode = CreateMode::persistent, AclView acl = open_list) {
    return tree.create(next(), {.path = path, .data = "data", .acl = acl, .mode = mode}).status;
  }
  // A whole snapshot at once; the views in it live until the next change.
  std::vector<SnapshotItem> take() {
    std::vector<SnapshotItem> items;
    tree.begin_snapshot([&](const SnapshotItem& item) { items.push_back(item); });
    while (!tree.step_snapshot(3)) {
    }
    return items;
  }
  static Result<Tree> load(const std::vector<SnapshotItem>& items) {
    Tree loaded = Tree::for_loading();
    for (const SnapshotItem& item : items) {
      if (Result<void> result = loaded.load(item); !result) {
        return std::unexpected(result.error());
      }
    }
    if (Result<void> result = loaded.finish_loading(); !result) {
      return std::unexpected(result.error());
    }
    return loaded;
  }
  static ZnodeImage& image(std::vector<SnapshotItem>& items, std::string_view name) {
    for (SnapshotItem& item : items) {
      if (auto* found = std::get_if<ZnodeImage>(&item); found != nullptr && found->name == name) {
        return *found;
      }
    }
    ADD_FAILURE() << "no image of " << name;
    return std::get<ZnodeImage>(items.front());
  }
  static void erase(std::vector<SnapshotItem>& items, const std::function<bool(const SnapshotItem&)>& which) {
    std::erase_if(items, which);
  }

  Tree tree{9};
  SessionId session{};
  std::int64_t zxid = 0;
};

struct Damage {
  std::string_view complaint;
  std::function<void(std::vector<SnapshotItem>&)> inflict;
};

TEST_F(LoadingTest, refuses_what_does_not_hold_together) {  // I-303.
  const std::vector<Damage> damages{
      {"no state record", [](auto& items) { items.erase(items.begin()); }},
      {"two state records", [](auto& items) { items.push_back(items.front()); }},
      {"as many znodes", [](auto& items) { items.pop_back(); }},
      {"as many znodes", [](auto& items) { std::get<StateImage>(items[0]).znodes += 1; }},
      {"ACL 1 is doubled", [](auto& items) { items.push_back(AclImage{.id = AclId{1}, .acl = read_list}); }},
      {"unknown ACL", [](auto& items) { image(items, "b").acl = AclId{77}; }},
      {"no parent", [](auto& items) { image(items, "c").parent = Slot{999'999}; }},
      {"wrong key", [](auto& items) { image(items, "c").key += 1; }},
      {"wrong key", [](auto& items) { image(items, "c").name = "d"; }},
      {"wrong key", [](auto& items) { image(items, "c").parent = image(items, "a").slot; }},
      {"wrong key", [](auto& items) { image(items, "").key += 1; }},
      {"wrong key", [](auto& items) { std::get<StateImage>(items[0]).hash_secret += 1; }},
      {"one slot", [](auto& items) { image(items, "c").slot = image(items, "r").slot; }},
      {"two roots",
       [](auto& items) {
         items.push_back(image(items, ""));
         std::get<ZnodeImage>(items.back()).slot = Slot{900};
         std::get<ZnodeImage>(items.back()).parent = Slot{900};
         std::get<StateImage>(items[0]).znodes += 1;
       }},
      {"impossible name", [](auto& items) { image(items, "c").name = "c/d"; }},
      {"impossible name", [](auto& items) { image(items, "c").name = ""; }},
      {"one name",
       [](auto& items) {
         items.push_back(image(items, "c"));
         std::get<ZnodeImage>(items.back()).slot = Slot{900};
         std::get<StateImage>(items[0]).znodes += 1;
       }},
      {"newer than", [](auto& items) { image(items, "c").mzxid = Zxid{1000}; }},
      {"newer than", [](auto& items) { image(items, "c").czxid = Zxid{20}; }},
      {"no session", [](auto& items) { image(items, "e").owner += 1; }},
      {"ephemeral has children", [this](auto& items) { image(items, "b").owner = raw(session); }},
      {"session",
       [](auto& items) {
         for (std::size_t i = 0; i < items.size(); ++i) {
           if (std::holds_alternative<SessionImage>(items[i])) {
             items.push_back(items[i]);
             return;
           }
         }
       }},
      {"digest", [](auto& items) { image(items, "c").data = "dato"; }},
      {"digest", [](auto& items) { image(items, "c").version += 1; }},
      {"digest", [](auto& items) { image(items, "c").acl = image(items, "r").acl; }},
      {"digest", [](auto& items) { std::get<StateImage>(items[0]).last_time = WallTime{5}; }},
      {"digest", [](auto& items) { std::get<StateImage>(items[0]).switches.skip_acl = true; }},
  };
  const std::vector<SnapshotItem> whole = take();
  ASSERT_TRUE(load(whole));
  for (const Damage& damage : damages) {
    SCOPED_TRACE(damage.complaint);
    std::vector<SnapshotItem> items = whole;
    damage.inflict(items);
    const Result<Tree> loaded = load(items);
    ASSERT_FALSE(loaded);
    EXPECT_EQ(loaded.error().code, ErrorCode::corrupt);
    EXPECT_NE(loaded.error().message.find(damage.complaint), std::string::npos) << loaded.error().message;
  }
}

TEST_F(LoadingTest, a_loaded_tree_knows_its_quota_roots) {
  for (const std::string_view path :
       {"/zookeeper/quota/a", "/zookeeper/quota/a/zookeeper_limits", "/zookeeper/quota/a/zookeeper_stats"}) {
    ASSERT_EQ(create(path), Status::ok);
  }
  Result<Tree> loaded = load(take());
  ASSERT_TRUE(loaded);
  tree = std::move(*loaded);
  ASSERT_EQ(create("/a/x"), Status::ok);
  EXPECT_EQ(tree.find("/zookeeper/quota/a/zookeeper_stats")->data, "count=5,bytes=20");
}

TEST_F(LoadingTest, what_goes_or_changes_first_is_written_first) {  // Design chapter 7.
  std::vector<std::string> names;
  std::string data_of_b;
  std::size_t sessions = 0;
  const auto write = [&](const SnapshotItem& item) {
    if (const auto* znode = std::get_if<ZnodeImage>(&item)) {
      names.emplace_back(znode->name);
      data_of_b = znode->name == "b" ? std::string(znode->data) : data_of_b;
    } else if (const auto* one = std::get_if<SessionImage>(&item)) {
      sessions += 1;
      EXPECT_EQ(one->generation, 1U);
    }
  };
  tree.begin_snapshot(write);
  EXPECT_TRUE(names.empty());
  ASSERT_EQ(tree.set_data(next(), {.path = "/a/b", .data = "changed", .version = -1}).status, Status::ok);
  EXPECT_EQ(names, (std::vector<std::string>{"b"}));
  EXPECT_EQ(data_of_b, "data");
  ASSERT_EQ(tree.resume_session(next(), session, {}, NodeId{2}, 5000), Status::ok);
  EXPECT_EQ(sessions, 1U);
  ASSERT_EQ(tree.close_session(next(), session), Status::ok);  // Takes /a/e with it, which touches /a.
  EXPECT_EQ(names, (std::vector<std::string>{"b", "e", "a"}));
  EXPECT_EQ(sessions, 1U);
  ASSERT_TRUE(tree.create_session(next(), NodeId{1}, 4000, {}));
  while (!tree.step_snapshot(1)) {
  }
  EXPECT_EQ(sessions, 1U);
  EXPECT_EQ(names.size(), 9U);  // Each once: four of a fresh store, four persistent ones, the ephemeral.
  EXPECT_FALSE(tree.snapshot_running());
}

TEST_F(LoadingTest, marks_of_abandoned_snapshots_never_hide_a_znode) {
  for (int round = 0; round < 40; ++round) {
    tree.begin_snapshot([](const SnapshotItem&) {});
    ASSERT_EQ(tree.set_data(next(), {.path = "/a/b/c", .data = "changed", .version = -1}).status, Status::ok);
    tree.abandon_snapshot();
    if (round % 3 == 0) {
      continue;
    }
    tree.begin_snapshot([](const SnapshotItem&) {});
    (void)tree.step_snapshot(2);
    tree.abandon_snapshot();
  }
  const Result<Tree> loaded = load(take());
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(loaded->digest(), tree.digest());
}

TEST_F(LoadingTest, no_number_of_abandoned_snapshots_brings_an_old_mark_back) {
  for (int abandons = 1; abandons <= 33; ++abandons) {
    tree.begin_snapshot([](const SnapshotItem&) {});
    ASSERT_EQ(tree.set_data(next(), {.path = "/a/b/c", .data = "changed", .version = -1}).status, Status::ok);
    for (int i = 0; i < abandons; ++i) {
      tree.abandon_snapshot();
      tree.begin_snapshot([](const SnapshotItem&) {});
    }
    tree.abandon_snapshot();
    const Result<Tree> loaded = load(take());
    ASSERT_TRUE(loaded) << abandons << ": " << loaded.error().message;
  }
}

TEST_F(LoadingTest, long_names_and_deep_paths_survive) {
  const std::string name(5000, 'n');
  ASSERT_EQ(create("/" + name), Status::ok);
  ASSERT_EQ(create("/" + name + "/child"), Status::ok);
  std::string deep;
  for (int i = 0; i < 2000; ++i) {
    deep += "/d";
    ASSERT_EQ(create(deep), Status::ok);
  }
  EXPECT_EQ(tree.count_descendants("/d"), 1999);
  EXPECT_EQ(tree.digest(), tree.recompute_digest());
  const Result<Tree> loaded = load(take());
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(loaded->count_descendants("/d"), 1999);
  EXPECT_EQ(loaded->find("/" + name + "/child")->stat, tree.find("/" + name + "/child")->stat);
  EXPECT_EQ(loaded->approximate_data_size(), tree.approximate_data_size());
}

}  // namespace
}  // namespace quorate::tree
