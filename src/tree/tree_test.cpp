// Operations one by one, against the tables of protocol 3, 4, 5, 8 and 9.

#include "tree/tree.hpp"

#include <algorithm>
#include <cstdint>
#include <gtest/gtest.h>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "tree/digest.hpp"

namespace quorate::tree {
namespace {

const std::vector<AclEntry> open_list{{31, {"world", "anyone"}}};
const std::vector<AclEntry> bobs_list{{31, {"digest", "bob:x"}}};
const std::vector<AclEntry> bad_list{{31, {"world", "nobody"}}};
const std::vector<Identity> bob{{"digest", "bob:x"}};
const std::vector<Identity> super{{"super", ""}};

class TreeTest : public ::testing::Test {
 protected:
  TreeTest() { session = open_session(); }

  SessionId open_session() {
    next();
    return tree.create_session(context(), NodeId{1}, 4000, password).value();
  }
  void next() {
    zxid += 1;
    time += 10;
    tree.advance(Zxid{zxid}, WallTime{time});
  }
  [[nodiscard]] ApplyContext context(CredentialsView credentials = {}) const {
    return {.zxid = Zxid{zxid}, .time = WallTime{time}, .session = session, .credentials = credentials};
  }

  OperationResult create(std::string_view path, CreateMode mode = CreateMode::persistent, AclView acl = open_list,
                         CredentialsView credentials = {}) {
    next();
    return tree.create(context(credentials), {.path = path, .data = "d", .acl = acl, .mode = mode, .ttl = 1000});
  }
  Status remove(std::string_view path, std::int32_t version = -1, CredentialsView credentials = {}) {
    next();
    return tree.remove(context(credentials), {.path = path, .version = version}).status;
  }
  OperationResult set(std::string_view path, std::int32_t version = -1, ByteView data = "xyz",
                      CredentialsView credentials = {}) {
    next();
    return tree.set_data(context(credentials), {.path = path, .data = data, .version = version});
  }
  OperationResult set_acl(std::string_view path, AclView acl, std::int32_t version = -1,
                          CredentialsView credentials = {}) {
    next();
    return tree.set_acl(context(credentials), {.path = path, .acl = acl, .version = version});
  }
  std::vector<OperationResult> multi(const std::vector<Operation>& operations) {
    next();
    std::vector<OperationResult> results;
    tree.multi(context(), operations, results);
    return results;
  }
  [[nodiscard]] Stat stat(std::string_view path) const { return tree.find(path)->stat; }

  // Takes the tree through a snapshot in which one znode was changed, digest included.
  void move_create_counter(std::string_view name, std::int32_t counter) {
    reload(name, [&](ZnodeImage& image) { image.create_counter = counter; });
  }
  void move_version(std::string_view name, std::int32_t version) {
    reload(name, [&](ZnodeImage& image) { image.version = version; });
  }
  template <class Change>
  void reload(std::string_view name, const Change& change) {
    std::vector<SnapshotItem> items;
    tree.begin_snapshot([&](const SnapshotItem& item) { items.push_back(item); });
    while (!tree.step_snapshot(100)) {
    }
    for (SnapshotItem& item : items) {
      if (auto* image = std::get_if<ZnodeImage>(&item); image != nullptr && image->name == name) {
        std::get<StateImage>(items[0]).digest -= term(*image);
        change(*image);
        std::get<StateImage>(items[0]).digest += term(*image);
      }
    }
    Tree loaded = Tree::for_loading();
    for (const SnapshotItem& item : items) {
      ASSERT_TRUE(loaded.load(item));
    }
    ASSERT_TRUE(loaded.finish_loading());
    tree = std::move(loaded);
  }
  [[nodiscard]] std::uint64_t term(const ZnodeImage& image) const {
    return stat_term({.key = image.key,
                      .czxid = image.czxid,
                      .mzxid = image.mzxid,
                      .pzxid = image.pzxid,
                      .ctime = image.ctime,
                      .mtime = image.mtime,
                      .version = image.version,
                      .aversion = image.aversion,
                      .create_counter = image.create_counter,
                      .owner = image.owner,
                      .acl_hash = tree.acls().content_hash(image.acl)});
  }

  Tree tree{7};
  Password password{'s', 'e', 'c', 'r', 'e', 't'};
  SessionId session{};
  std::int64_t zxid = 0;
  std::int64_t time = 1000;
};

struct FreshCase {
  std::string_view path;
  std::int32_t cversion, aversion, children;
  std::int64_t descendants;
};

TEST_F(TreeTest, a_fresh_store_looks_like_zookeepers) {                      // Protocol 4.1, 3.19.
  for (const FreshCase& fresh : {FreshCase{"/", -1, 0, 1, 3},                //
                                 FreshCase{"/zookeeper", -2, 0, 2, 2},       //
                                 FreshCase{"/zookeeper/quota", 0, 0, 0, 0},  //
                                 FreshCase{"/zookeeper/config", 0, -1, 0, 0}}) {
    SCOPED_TRACE(fresh.path);
    const auto view = tree.find(fresh.path);
    ASSERT_TRUE(view);
    EXPECT_EQ(view->stat,
              (Stat{.cversion = fresh.cversion, .aversion = fresh.aversion, .num_children = fresh.children}));
    EXPECT_FALSE(is_null(view->data));
    EXPECT_TRUE(view->data.empty());
    EXPECT_EQ(tree.count_descendants(fresh.path), fresh.descendants);
  }
  EXPECT_EQ(tree.znode_count(), 4U);
  const AclView config = tree.acls().entries(tree.find("/zookeeper/config")->acl);
  ASSERT_EQ(config.size(), 1U);
  EXPECT_EQ(config[0], (AclEntry{1, {"world", "anyone"}}));
  EXPECT_EQ(set("/zookeeper/config").status, Status::no_auth);             // 5.2
  EXPECT_EQ(create("/zookeeper/config/x").status, Status::no_auth);        // 5.2
  EXPECT_EQ(set("/zookeeper/config", -1, "s", super).status, Status::ok);  // 5.2
}

struct PathCase {
  std::string_view path;
  CreateMode mode;
  Status status;
  std::string_view final_path;
};

TEST_F(TreeTest, create_judges_paths_in_zookeepers_order) {  // Protocol 3.1, "Consequences worth testing".
  ASSERT_EQ(create("/x").status, Status::ok);
  constexpr auto plain = CreateMode::persistent;
  constexpr auto sequential = CreateMode::persistent_sequential;
  for (const PathCase& one : {
           PathCase{{}, plain, Status::marshalling_error, {}},
           PathCase{"", plain, Status::bad_arguments, {}},
           PathCase{"a", plain, Status::bad_arguments, {}},
           PathCase{std::string_view("/a\0", 3), plain, Status::bad_arguments, {}},
           PathCase{"a/b", plain, Status::no_node, {}},  // The parent "a" is looked up as it is written.
           PathCase{"/", plain, Status::node_exists, {}},
           PathCase{"/x", plain, Status::node_exists, {}},
           PathCase{"/x/", plain, Status::bad_arguments, {}},
           PathCase{"/missing/", plain, Status::no_node, {}},
           PathCase{"/missing/\x01", plain, Status::no_node, {}},  // A bad character is reported last.
           PathCase{"/x/\x01", plain, Status::bad_arguments, {}},
           PathCase{"//y", plain, Status::bad_arguments, {}},
           PathCase{"/x//y", plain, Status::no_node, {}},
           PathCase{"/x/..", plain, Status::bad_arguments, {}},
           PathCase{"/x/", sequential, Status::ok, "/x/0000000000"},
           PathCase{"/x/.", sequential, Status::ok, "/x/.0000000001"},
           PathCase{"/", sequential, Status::ok, "/0000000001"},
           PathCase{"/s", sequential, Status::ok, "/s0000000002"},
           PathCase{"/zookeeper", plain, Status::node_exists, {}},
           PathCase{"/zookeeper/quota/a", plain, Status::ok, "/zookeeper/quota/a"},
       }) {
    SCOPED_TRACE(one.path);
    const OperationResult result = create(one.path, one.mode);
    EXPECT_EQ(result.status, one.status);
    EXPECT_EQ(result.path, one.final_path);
  }
}

TEST_F(TreeTest, create_checks_in_the_order_of_the_table) {  // Protocol 3.1.
  ASSERT_EQ(create("/ephemeral", CreateMode::ephemeral).status, Status::ok);
  ASSERT_EQ(create("/bobs", CreateMode::persistent, bobs_list).status, Status::ok);
  const auto run = [&](Create operation, SessionId owner) {
    next();
    ApplyContext one = context();
    one.session = owner;
    return tree.create(one, operation).status;
  };
  const SessionId unknown{12345};
  // Each row fails at one more check than the row above it.
  Create operation{.path = "/bobs/x\x01", .data = {}, .acl = bad_list, .mode = static_cast<CreateMode>(8), .ttl = 0};
  EXPECT_EQ(run(operation, unknown), Status::bad_arguments);
  operation.mode = CreateMode::persistent_ttl;
  EXPECT_EQ(run(operation, unknown), Status::unimplemented);  // Before the range check.
  tree.set_switches({.extended_types = true});
  EXPECT_EQ(run(operation, unknown), Status::bad_arguments);
  operation.ttl = std::int64_t{1} << 40;
  EXPECT_EQ(run(operation, unknown), Status::bad_arguments);
  operation.ttl -= 1;
  EXPECT_EQ(run(operation, unknown), Status::session_expired);
  EXPECT_EQ(run(operation, session), Status::invalid_acl);  // Beats everything about the path's znodes.
  operation.acl = open_list;
  EXPECT_EQ(run(operation, session), Status::no_auth);
  EXPECT_EQ(set_acl("/bobs", open_list, -1, bob).status, Status::ok);
  EXPECT_EQ(run(operation, session), Status::bad_arguments);  // The character.
  operation.path = "/bobs";
  EXPECT_EQ(run(operation, session), Status::node_exists);
  operation.path = "/ephemeral/x";
  EXPECT_EQ(run(operation, session), Status::no_children_for_ephemerals);
  operation.path = "/bobs/x";
  EXPECT_EQ(run(operation, session), Status::ok);
}

TEST_F(TreeTest, create_sets_the_stat_and_touches_the_parents) {  // Protocol 3.1, 4.1, 4.2.
  ASSERT_EQ(create("/a").status, Status::ok);
  const std::int64_t a_zxid = zxid;
  const std::int64_t a_time = time;
  const OperationResult result = create("/a/e", CreateMode::ephemeral);
  EXPECT_EQ(result.stat, (Stat{.czxid = Zxid{zxid},
                               .mzxid = Zxid{zxid},
                               .ctime = WallTime{time},
                               .mtime = WallTime{time},
                               .ephemeral_owner = raw(session),
                               .data_length = 1,
                               .pzxid = Zxid{zxid}}));
  EXPECT_EQ(stat("/a/e"), result.stat);
  EXPECT_EQ(stat("/a"), (Stat{.czxid = Zxid{a_zxid},
                              .mzxid = Zxid{a_zxid},
                              .ctime = WallTime{a_time},
                              .mtime = WallTime{a_time},
                              .cversion = 1,
                              .data_length = 1,
                              .num_children = 1,
                              .pzxid = Zxid{zxid}}));
  ASSERT_EQ(remove("/a/e"), Status::ok);
  EXPECT_EQ(stat("/a").cversion, 2);  // A deletion counts too.
  EXPECT_EQ(stat("/a").pzxid, Zxid{zxid});
  EXPECT_EQ(stat("/").cversion, 0);  // One creation more than the fresh -1.
}

TEST_F(TreeTest, null_data_stays_null_and_empty_data_empty) {  // Protocol 3.1, 3.5.
  next();
  ASSERT_EQ(tree.create(context(), {.path = "/n", .data = null_bytes, .acl = open_list}).status, Status::ok);
  EXPECT_TRUE(is_null(tree.find("/n")->data));
  ASSERT_EQ(set("/n", -1, empty_bytes).status, Status::ok);
  EXPECT_FALSE(is_null(tree.find("/n")->data));
  EXPECT_NE(data_term(1, null_bytes), data_term(1, empty_bytes));  // Replicas that disagree about it must notice.
  ASSERT_EQ(set("/n", -1, null_bytes).status, Status::ok);
  EXPECT_TRUE(is_null(tree.find("/n")->data));
}

TEST_F(TreeTest, sequence_numbers_count_every_creation_and_wrap_to_negative) {  // Protocol 4.3, I-304.
  ASSERT_EQ(create("/s").status, Status::ok);
  EXPECT_EQ(create("/s/n", CreateMode::persistent_sequential).path, "/s/n0000000000");
  EXPECT_EQ(create("/s/plain").status, Status::ok);
  ASSERT_EQ(remove("/s/plain"), Status::ok);
  EXPECT_EQ(create("/s/n", CreateMode::ephemeral_sequential).path, "/s/n0000000002");
  move_create_counter("s", std::numeric_limits<std::int32_t>::max() - 1);
  EXPECT_EQ(create("/s/n", CreateMode::persistent_sequential).path, "/s/n2147483646");
  EXPECT_EQ(create("/s/n", CreateMode::persistent_sequential).path, "/s/n2147483647");
  EXPECT_EQ(create("/s/n", CreateMode::persistent_sequential).path, "/s/n-2147483648");
  EXPECT_EQ(create("/s/n", CreateMode::persistent_sequential).path, "/s/n-2147483647");
  move_create_counter("s", -7);
  EXPECT_EQ(create("/s/n", CreateMode::persistent_sequential).path, "/s/n-000000007");  // %010d counts the sign.
}

TEST_F(TreeTest, versions_wrap_and_never_become_any) {  // Protocol 4.4.
  ASSERT_EQ(create("/v").status, Status::ok);
  std::vector<std::pair<std::int32_t, std::int32_t>> steps{
      {0, 1}, {std::numeric_limits<std::int32_t>::max(), std::numeric_limits<std::int32_t>::min()}, {-3, -2}, {-2, 0}};
  for (const auto& [from, to] : steps) {
    move_version("v", from);
    EXPECT_EQ(set("/v", from).stat.version, to);
  }
}

TEST_F(TreeTest, delete_checks_in_the_order_of_the_table) {  // Protocol 3.2, 5.2.
  ASSERT_EQ(create("/x").status, Status::ok);
  ASSERT_EQ(create("/x/y").status, Status::ok);
  ASSERT_EQ(create("/bobs", CreateMode::persistent, bobs_list).status, Status::ok);
  ASSERT_EQ(create("/bobs/y", CreateMode::persistent, open_list, bob).status, Status::ok);
  EXPECT_EQ(remove({}), Status::marshalling_error);
  for (const std::string_view path : {"", "x", "/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config"}) {
    EXPECT_EQ(remove(path, -1, super), Status::bad_arguments) << path;
  }
  for (const std::string_view path : {"/x/", "x/y", "//x", "/missing", "/missing/y", "/x//y"}) {
    EXPECT_EQ(remove(path), Status::no_node) << path;
  }
  EXPECT_EQ(remove("/bobs/y"), Status::no_auth);
  EXPECT_EQ(remove("/bobs/missing"), Status::no_auth);  // The parent's permission comes before existence.
  EXPECT_EQ(remove("/bobs/missing", -1, bob), Status::no_node);
  EXPECT_EQ(remove("/x", 1), Status::bad_version);  // Before the children.
  EXPECT_EQ(remove("/x", -2), Status::bad_version);
  EXPECT_EQ(remove("/x", 0), Status::not_empty);
  EXPECT_EQ(remove("/x/y", 0), Status::ok);
  EXPECT_EQ(remove("/x"), Status::ok);
  EXPECT_FALSE(tree.find("/x"));
  session = SessionId{4711};
  EXPECT_EQ(remove({}), Status::session_expired);
}

class TreeLists : public TreeTest {
 protected:
  void fill(std::string_view names) {  // With blanks between.
    while (!names.empty()) {
      const std::size_t end = std::min(names.find(' '), names.size());
      EXPECT_EQ(create("/p/" + std::string(names.substr(0, end))).status, Status::ok);
      names.remove_prefix(std::min(end + 1, names.size()));
    }
  }
  [[nodiscard]] std::string children(std::string_view path = "/p") const {
    std::string names;
    EXPECT_TRUE(tree.for_each_child(path,
                                    [&](std::string_view name) {
                                      names += names.empty() ? "" : " ";
                                      names += name;
                                    })
                    .has_value());
    return names;
  }
};

// The lists are what Java's HashSet<String>(8) gave for these names, added in this order.
TEST_F(TreeLists, short_child_lists_have_the_order_that_zookeeper_gives_them) {  // Protocol 3.4.
  ASSERT_EQ(create("/p").status, Status::ok);
  fill("foo bar baz qux quux corge grault");
  EXPECT_EQ(children(), "grault bar quux corge qux foo baz");
  for (const std::string_view path : {"/p/grault", "/p/baz", "/p/corge"}) {  // The first, the last, one between.
    EXPECT_EQ(remove(path), Status::ok);
  }
  EXPECT_EQ(children(), "bar quux qux foo");
  for (const std::string_view path : {"/p/foo", "/p/bar", "/p/qux", "/p/quux"}) {
    EXPECT_EQ(remove(path), Status::ok);
  }
  EXPECT_EQ(children(), "");
  fill(
      "node-1 node-2 node-10 node-11 node-3 lock-0000000000 lock-0000000001 lock-0000000010 \u00e9 \u00fc "
      "\u65e5\u672c");
  EXPECT_EQ(children(),
            "node-1 node-2 node-3 lock-0000000001 lock-0000000000 \u00e9 lock-0000000010 \u65e5\u672c "
            "node-11 \u00fc node-10");
  ASSERT_EQ(create("/_net_zookeeper_test").status, Status::ok);
  EXPECT_EQ(children("/"), "p _net_zookeeper_test zookeeper");
}

TEST_F(TreeLists, long_child_lists_have_the_order_of_creation) {  // Protocol 3.4.
  ASSERT_EQ(create("/p").status, Status::ok);
  std::string names = "0";
  for (int number = 1; number < 18; ++number) {
    names += ' ' + std::to_string(number);
  }
  fill(names);
  EXPECT_EQ(children(), names);
  EXPECT_EQ(remove("/p/17"), Status::ok);
  EXPECT_EQ(children(), names.substr(0, names.rfind(' ')));
  EXPECT_EQ(remove("/p/0"), Status::ok);  // 16 are left: a short list.
  EXPECT_NE(children(), names.substr(2, names.rfind(' ') - 2));
}

TEST_F(TreeTest, set_data_checks_in_the_order_of_the_table) {  // Protocol 3.5.
  ASSERT_EQ(create("/bobs", CreateMode::persistent, bobs_list).status, Status::ok);
  EXPECT_EQ(set({}).status, Status::bad_arguments);  // Null too: validation runs first.
  EXPECT_EQ(set("bobs").status, Status::bad_arguments);
  EXPECT_EQ(set("/bobs/").status, Status::bad_arguments);
  EXPECT_EQ(set("/missing").status, Status::no_node);
  EXPECT_EQ(set("/bobs", 5).status, Status::no_auth);
  EXPECT_EQ(set("/bobs", 5, "v", bob).status, Status::bad_version);
  const OperationResult result = set("/bobs", 0, "value", bob);
  EXPECT_EQ(result.status, Status::ok);
  EXPECT_EQ(result.stat.version, 1);
  EXPECT_EQ(result.stat.mzxid, Zxid{zxid});
  EXPECT_EQ(result.stat.mtime, WallTime{time});
  EXPECT_EQ(result.stat.data_length, 5);
  EXPECT_LT(result.stat.czxid, result.stat.mzxid);
  EXPECT_EQ(result.stat.pzxid, result.stat.czxid);
  EXPECT_EQ(set("/").status, Status::ok);  // The root is writable like any.
  session = SessionId{4711};
  EXPECT_EQ(set({}).status, Status::session_expired);
}

TEST_F(TreeTest, set_acl_changes_the_list_and_aversion_alone) {  // Protocol 3.7.
  ASSERT_EQ(create("/x").status, Status::ok);
  const Stat before = stat("/x");
  EXPECT_EQ(set_acl("/x/", open_list).status, Status::bad_arguments);
  EXPECT_EQ(set_acl("/missing", bad_list).status, Status::invalid_acl);
  EXPECT_EQ(set_acl("/missing", {}).status, Status::invalid_acl);
  EXPECT_EQ(set_acl("/missing", open_list).status, Status::no_node);
  EXPECT_EQ(set_acl("/x", bobs_list, 3).status, Status::bad_version);
  const OperationResult result = set_acl("/x", bobs_list, 0);
  Stat expected = before;
  expected.aversion = 1;
  EXPECT_EQ(result.stat, expected);
  EXPECT_EQ(set_acl("/x", open_list).status, Status::no_auth);
  EXPECT_EQ(tree.find("/x")->acl == open_acl, false);
  tree.set_switches({.skip_acl = true});
  EXPECT_EQ(set_acl("/x", bad_list).status, Status::invalid_acl);  // 14.10: -114 remains.
  EXPECT_EQ(set_acl("/x", open_list).status, Status::ok);
}

TEST_F(TreeTest, auth_in_an_acl_becomes_the_callers_credentials) {  // Protocol 6.4.
  const std::vector<AclEntry> auth{{31, {"auth", ""}}};
  EXPECT_EQ(create("/x", CreateMode::persistent, auth).status, Status::invalid_acl);
  ASSERT_EQ(create("/x", CreateMode::persistent, auth, bob).status, Status::ok);
  EXPECT_EQ(tree.acls().entries(tree.find("/x")->acl)[0], bobs_list[0]);
}

TEST_F(TreeTest, reads_take_the_empty_path_for_the_root_and_no_malformed_one) {  // Protocol 3.3.
  ASSERT_EQ(create("/a").status, Status::ok);
  ASSERT_EQ(create("/a/b").status, Status::ok);
  EXPECT_EQ(tree.find("")->stat, tree.find("/")->stat);
  EXPECT_EQ(tree.count_descendants(""), 5);
  for (const std::string_view path : {"a", "a/b", "/a/", "//a", "/a//b", "//", "/a/b/c", "/b"}) {
    EXPECT_FALSE(tree.find(path)) << path;
    EXPECT_FALSE(tree.for_each_child(path, [](std::string_view) {})) << path;
    EXPECT_FALSE(tree.count_descendants(path)) << path;
  }
}

// The index keeps 32 bits of a path's hash: names are found here that share them.
TEST_F(TreeTest, equal_hashes_never_give_a_wrong_answer) {  // Design chapter 7, S-205.
  const auto tag_of = [](std::uint64_t parent, std::string_view name) { return child_key(parent, name) >> 32; };
  const std::uint64_t root = root_key(7);
  ASSERT_EQ(create("/p").status, Status::ok);
  std::map<std::uint64_t, std::string> seen;
  int pairs = 0;
  for (int i = 0; i < 200'000; ++i) {
    // Half of them directly under the root, half under /p.
    const std::string name = "n" + std::to_string(i);
    const std::string path = (i % 2 == 0 ? "/" : "/p/") + name;
    const auto [first, fresh] = seen.emplace(tag_of(i % 2 == 0 ? root : child_key(root, "p"), name), path);
    if (fresh) {
      continue;
    }
    pairs += 1;
    ASSERT_EQ(create(first->second).status, Status::ok);
    EXPECT_FALSE(tree.find(path));
    EXPECT_EQ(remove(path), Status::no_node);
    ASSERT_EQ(create(path).status, Status::ok);
    ASSERT_EQ(set(path, -1, "other").status, Status::ok);
    EXPECT_EQ(tree.find(first->second)->data, "d");
    ASSERT_EQ(remove(first->second), Status::ok);
    EXPECT_EQ(tree.find(path)->data, "other");
  }
  EXPECT_GT(pairs, 0);
}

TEST_F(TreeTest, multi_shows_each_operation_what_the_earlier_ones_did) {  // Protocol 3.14.
  const std::vector<OperationResult> results = multi({
      Create{.path = "/m", .data = "1", .acl = open_list},
      Create{.path = "/m/s", .data = "1", .acl = open_list, .mode = CreateMode::persistent_sequential},
      Create{.path = "/m/s", .data = "1", .acl = open_list, .mode = CreateMode::persistent_sequential},
      SetData{.path = "/m", .data = "22", .version = 0},
      Check{.path = "/m", .version = 1},
      SetData{.path = "/m", .data = "333", .version = 1},
      Delete{.path = "/m/s0000000000", .version = 0},
  });
  ASSERT_EQ(results.size(), 7U);
  for (const OperationResult& result : results) {
    EXPECT_EQ(result.status, Status::ok);
  }
  EXPECT_EQ(results[1].path, "/m/s0000000000");
  EXPECT_EQ(results[2].path, "/m/s0000000001");
  EXPECT_EQ(results[3].stat.data_length, 2);  // As of right after that operation.
  EXPECT_EQ(results[3].stat.num_children, 2);
  EXPECT_EQ(results[5].stat.version, 2);
  EXPECT_EQ(stat("/m").num_children, 1);
  EXPECT_EQ(stat("/m").pzxid, Zxid{zxid});
  EXPECT_TRUE(multi({}).empty());
}

TEST_F(TreeTest, a_failed_multi_leaves_nothing) {  // Protocol 3.14, Appendix B, I-305.
  ASSERT_EQ(create("/m").status, Status::ok);
  ASSERT_EQ(create("/m/old").status, Status::ok);
  WatchTable table;
  tree.attach(table);
  table.add(WatcherId{1}, "/", WatchKind::persistent_recursive);
  next();
  const std::uint64_t before = tree.digest();
  const Stat parent = stat("/m");
  std::vector<OperationResult> results;
  const std::vector<Operation> operations{
      Create{.path = "/m/s", .data = "1", .acl = bobs_list, .mode = CreateMode::ephemeral_sequential},
      SetData{.path = "/m", .data = std::string_view("0123456789"), .version = -1},
      Delete{.path = "/m/old", .version = -1},
      Create{.path = "/m/old", .data = "again", .acl = open_list},
      SetAcl{.path = "/m", .acl = bobs_list, .version = -1},
      Check{.path = "/m", .version = 17},
      Delete{.path = "/m/old", .version = -1},
  };
  tree.multi(context(bob), operations, results);
  const std::vector<Status> expected{
      Status::ok, Status::ok, Status::ok, Status::ok, Status::ok, Status::bad_version, Status::runtime_inconsistency};
  ASSERT_EQ(results.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(results[i].status, expected[i]) << i;
  }
  EXPECT_EQ(tree.digest(), before);
  EXPECT_EQ(tree.recompute_digest(), before);
  EXPECT_EQ(stat("/m"), parent);
  EXPECT_EQ(tree.ephemeral_count(), 0U);
  EXPECT_FALSE(table.has_events());
  EXPECT_EQ(create("/m/s", CreateMode::persistent_sequential).path, "/m/s0000000001");  // The counter came back too.
  tree.detach(table);
}

TEST_F(TreeTest, sessions_resume_with_their_password_alone) {
  EXPECT_EQ(raw(session) >> 56, 1);
  EXPECT_EQ(tree.sessions().find(session)->generation, 1U);
  Password wrong = password;
  wrong[15] = 'x';
  EXPECT_EQ(tree.resume_session(context(), session, wrong, NodeId{2}, 9000), Status::session_expired);
  EXPECT_EQ(tree.sessions().find(session)->owner, NodeId{1});
  EXPECT_EQ(tree.resume_session(context(), session, password, NodeId{2}, 9000), Status::ok);
  EXPECT_EQ(*tree.sessions().find(session),
            (Session{.id = session, .password = password, .timeout_ms = 9000, .owner = NodeId{2}, .generation = 2}));
  EXPECT_EQ(tree.resume_session(context(), SessionId{5}, password, NodeId{2}, 9000), Status::session_expired);
  EXPECT_EQ(tree.digest(), tree.recompute_digest());
  // The same zxid again (an import could have taken it): no second session under one id.
  EXPECT_FALSE(
      tree.create_session({.zxid = Zxid{1}, .time = {}, .session = {}, .credentials = {}}, NodeId{1}, 1, password));
}

TEST_F(TreeTest, closing_a_session_takes_its_ephemerals_under_one_zxid) {  // Protocol 8.5.
  ASSERT_EQ(create("/p").status, Status::ok);
  const SessionId mine = session;
  for (const std::string_view path : {"/p/c", "/p/a", "/p/b"}) {
    ASSERT_EQ(create(path, CreateMode::ephemeral).status, Status::ok);
  }
  const SessionId other = open_session();
  session = other;
  ASSERT_EQ(create("/p/other", CreateMode::ephemeral).status, Status::ok);
  WatchTable table;
  tree.attach(table);
  table.add(WatcherId{1}, "/p", WatchKind::persistent_recursive);
  next();
  EXPECT_EQ(tree.close_session(context(), mine), Status::ok);
  WatchEvents events;
  table.take_events(events);
  std::vector<std::string_view> paths;
  for (const WatchEvents::Event& event : events.events) {
    EXPECT_EQ(event.zxid, Zxid{zxid});
    paths.push_back(events.path_of(event));
  }
  EXPECT_EQ(paths, (std::vector<std::string_view>{"/p/a", "/p/b", "/p/c"}));  // The same order on every replica.
  EXPECT_EQ(stat("/p").num_children, 1);
  EXPECT_EQ(stat("/p").pzxid, Zxid{zxid});
  EXPECT_EQ(tree.close_session(context(), mine), Status::session_expired);
  session = mine;
  EXPECT_EQ(create("/late").status, Status::session_expired);
  tree.detach(table);
}

TEST_F(TreeTest, containers_and_ttl_znodes_go_when_their_time_is_over) {  // Protocol 9, 3.17.
  tree.set_switches({.extended_types = true});
  ASSERT_EQ(create("/c", CreateMode::container).stat.ephemeral_owner, 0);
  ASSERT_EQ(create("/t", CreateMode::persistent_ttl).stat.ephemeral_owner, 0);  // 1000 ms.
  const auto find_at = [&](std::int64_t now, std::int64_t never_used_ms) {
    std::vector<std::string> paths;
    tree.find_expired(WallTime{now}, never_used_ms, 10, paths);
    std::ranges::sort(paths);
    return paths;
  };
  using Paths = std::vector<std::string>;
  EXPECT_EQ(find_at(time + 1000, 0), Paths{});
  EXPECT_EQ(find_at(time + 1001, 0), Paths{"/t"});
  EXPECT_EQ(find_at(time + 1001, 500), (Paths{"/c", "/t"}));  // Never used, and old.
  ASSERT_EQ(create("/c/x", CreateMode::ephemeral).status, Status::ok);
  ASSERT_EQ(create("/t/x").status, Status::ok);
  EXPECT_EQ(find_at(time + 5000, 500), Paths{});  // Children keep both.
  EXPECT_EQ(tree.delete_container(context(), "/c"), Status::not_empty);
  ASSERT_EQ(remove("/c/x"), Status::ok);
  ASSERT_EQ(remove("/t/x"), Status::ok);
  EXPECT_EQ(find_at(time, 0), Paths{"/c"});
  next();
  EXPECT_EQ(tree.delete_container(context(), "/c"), Status::ok);
  EXPECT_EQ(tree.delete_container(context(), "/c"), Status::no_node);
  time += 1000;
  ASSERT_EQ(set("/t").status, Status::ok);
  EXPECT_EQ(tree.delete_container(context(), "/t"), Status::bad_version);  // setData renewed it meanwhile.
  time += 1000;
  next();
  EXPECT_EQ(tree.delete_container(context(), "/t"), Status::ok);
  ASSERT_EQ(create("/plain").status, Status::ok);
  EXPECT_EQ(tree.delete_container(context(), "/plain"), Status::bad_version);  // Appendix B.
  EXPECT_EQ(tree.delete_container(context(), "/zookeeper"), Status::bad_arguments);
}

TEST_F(TreeTest, a_walk_for_expired_znodes_resumes_where_it_stopped) {
  tree.set_switches({.extended_types = true});
  for (int i = 0; i < 25; ++i) {
    ASSERT_EQ(create("/t" + std::to_string(i), CreateMode::persistent_ttl).status, Status::ok);
  }
  std::vector<std::string> seen;
  for (int call = 0; call < 3; ++call) {
    std::vector<std::string> paths;
    tree.find_expired(WallTime{time + 10'000}, 0, 10, paths);
    EXPECT_EQ(paths.size(), call < 2 ? 10U : 5U);
    for (const std::string& path : paths) {
      next();
      tree.delete_container({.zxid = Zxid{zxid}, .time = WallTime{time + 10'000}, .session = {}, .credentials = {}},
                            path);
    }
    seen.insert(seen.end(), paths.begin(), paths.end());
  }
  std::ranges::sort(seen);
  EXPECT_EQ(std::ranges::unique(seen).size(), 0U);
  EXPECT_EQ(seen.size(), 25U);
}

}  // namespace
}  // namespace quorate::tree
