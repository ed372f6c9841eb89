// The tree against its dumb twin (testing/tree_model.hpp) under long random sequences: same results, stats, events and
// contents (I-302), equal digests (I-301), structure (I-303), and snapshots that are exactly the state at their index
// whatever changes while they are written.

#include "tree/testing/tree_model.hpp"

#include <algorithm>
#include <cstdint>
#include <gtest/gtest.h>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/prng.hpp"
#include "tree/quota.hpp"
#include "tree/tree.hpp"

namespace quorate::tree {
namespace {

using testing::model_acl;
using testing::ModelEvent;
using testing::ModelResult;
using testing::ModelZnode;
using testing::TreeModel;

// Snapshot items with their own memory: the tree's are views.
struct KeptItems {
  struct Znode {
    ZnodeImage image;
    std::string name;
    std::optional<std::string> data;
  };
  struct Acl {
    AclId id{};
    testing::ModelAcl entries;
  };
  std::vector<StateImage> states;
  std::vector<SessionImage> sessions;
  std::vector<Acl> acls;
  std::vector<std::unique_ptr<Znode>> znodes;

  void keep(const SnapshotItem& item) {
    if (const auto* state = std::get_if<StateImage>(&item)) {
      states.push_back(*state);
    } else if (const auto* session = std::get_if<SessionImage>(&item)) {
      sessions.push_back(*session);
    } else if (const auto* acl = std::get_if<AclImage>(&item)) {
      acls.push_back({acl->id, model_acl(acl->acl)});
    } else {
      const auto& image = std::get<ZnodeImage>(item);
      auto kept = std::make_unique<Znode>();
      kept->image = image;
      kept->name = image.name;
      if (!is_null(image.data)) {
        kept->data = image.data;
      }
      znodes.push_back(std::move(kept));
    }
  }

  // Loads everything in a random order.
  [[nodiscard]] Result<Tree> load(Prng& prng) {
    for (std::size_t i = znodes.size(); i > 1; --i) {
      std::swap(znodes[i - 1], znodes[prng.below(i)]);
    }
    Tree tree = Tree::for_loading();
    const bool znodes_first = prng.chance(1, 2);
    for (int round = 0; round < 2; ++round) {
      const bool with_znodes = (round == 0) == znodes_first;
      if (Result<void> result = with_znodes ? load_znodes(tree) : load_rest(tree); !result) {
        return std::unexpected(result.error());
      }
    }
    if (Result<void> result = tree.finish_loading(); !result) {
      return std::unexpected(result.error());
    }
    return tree;
  }

 private:
  Result<void> load_znodes(Tree& tree) {
    for (const auto& kept : znodes) {
      ZnodeImage image = kept->image;
      image.name = kept->name;
      image.data = kept->data ? ByteView(*kept->data) : null_bytes;
      if (Result<void> result = tree.load(image); !result) {
        return result;
      }
    }
    return {};
  }
  Result<void> load_rest(Tree& tree) {
    for (const Acl& acl : acls) {
      std::vector<AclEntry> entries;
      for (const testing::ModelAclEntry& entry : acl.entries) {
        entries.push_back({entry.permissions, {entry.scheme, entry.id}});
      }
      if (Result<void> result = tree.load(AclImage{.id = acl.id, .acl = entries}); !result) {
        return result;
      }
    }
    for (const SessionImage& session : sessions) {
      if (Result<void> result = tree.load(session); !result) {
        return result;
      }
    }
    for (const StateImage& state : states) {
      if (Result<void> result = tree.load(state); !result) {
        return result;
      }
    }
    return {};
  }
};

void expect_same_znode(const Tree& tree, const TreeModel& model, const std::string& path, const ModelZnode& expected) {
  const auto view = tree.find(path);
  ASSERT_TRUE(view) << path;
  EXPECT_EQ(is_null(view->data), !expected.data.has_value()) << path;
  EXPECT_EQ(view->data, expected.data.value_or("")) << path;
  EXPECT_EQ(view->stat, model.stat(path)) << path;
  EXPECT_EQ(model_acl(tree.acls().entries(view->acl)), expected.acl) << path;
  std::vector<std::string> names;
  EXPECT_EQ(tree.for_each_child(path, [&](std::string_view name) { names.emplace_back(name); }),
            model.children(path).size());
  std::ranges::sort(names);
  std::vector<std::string> wanted = model.children(path);
  std::ranges::sort(wanted);
  EXPECT_EQ(names, wanted) << path;
  const auto below =
      std::ranges::count_if(model.znodes, [&](const auto& other) { return TreeModel::is_below(other.first, path); });
  EXPECT_EQ(tree.count_descendants(path), below) << path;
}

void expect_same(const Tree& tree, const TreeModel& model) {
  std::int64_t size = 0;
  std::size_t ephemerals = 0;
  for (const auto& [path, znode] : model.znodes) {
    expect_same_znode(tree, model, path, znode);
    size += static_cast<std::int64_t>(path.size() + znode.data.value_or("").size());
    ephemerals += znode.kind == ModelZnode::Kind::ephemeral ? 1 : 0;
  }
  EXPECT_EQ(tree.znode_count(), model.znodes.size());
  EXPECT_EQ(tree.approximate_data_size(), size);
  EXPECT_EQ(tree.ephemeral_count(), ephemerals);
  EXPECT_EQ(tree.sessions().size(), model.sessions.size());
  for (const auto& [id, expected] : model.sessions) {
    const Session* session = tree.sessions().find(SessionId{id});
    ASSERT_NE(session, nullptr);
    EXPECT_EQ(session->generation, expected.generation);
    EXPECT_EQ(session->timeout_ms, expected.timeout_ms);
    EXPECT_EQ(session->password, expected.password);
    EXPECT_EQ(session->owner, expected.owner);
    std::vector<std::string> paths;
    tree.for_each_ephemeral(SessionId{id}, [&](std::string_view path) {
      paths.emplace_back(path);
      return true;
    });
    std::ranges::sort(paths);
    EXPECT_EQ(paths, model.ephemerals(SessionId{id}));
  }
  EXPECT_EQ(tree.switches(), model.switches);
  EXPECT_EQ(tree.digest(), tree.recompute_digest());
}

// Both sides, driven by the same random requests.
class Twins {
 public:
  explicit Twins(std::uint64_t seed) : prng_(seed), tree_(seed * 31 + 7), table_(seed) {
    tree_.attach(table_);
    for (std::uint32_t watcher = 0; watcher < 3; ++watcher) {
      const std::vector<Identity> credentials = random_credentials();
      table_.set_credentials(WatcherId{watcher}, credentials);
      for (const Identity& one : credentials) {
        model_.credentials[watcher].push_back({0, std::string(one.scheme), std::string(one.id)});
      }
    }
    open_session();
    set_switches({.enforce_quota = true, .extended_types = true});
    add_quota("/zookeeper/quota/a", "count=-1,bytes=-1=;byteHardLimit=900;countHardLimit=12");
    add_quota("/zookeeper/quota/a/b", "countHardLimit=4");
  }
  ~Twins() { tree_.detach(table_); }
  Twins(const Twins&) = delete;
  Twins& operator=(const Twins&) = delete;

  void run(int steps) {
    for (int i = 0; i < steps && !::testing::Test::HasFailure(); ++i) {
      advance();
      step();
      compare_events();
      if (prng_.chance(1, 16)) {
        EXPECT_EQ(tree_.digest(), tree_.recompute_digest());
      }
      if (prng_.chance(1, 64)) {
        expect_same(tree_, model_);
      }
      step_snapshot();
    }
    expect_same(tree_, model_);
  }

  int successes = 0;
  int failures = 0;
  int snapshots = 0;
  int rolled_back = 0;
  int events = 0;
  int quota_refusals = 0;

 private:
  void set_switches(const Switches& switches) {
    model_.switches = switches;
    tree_.set_switches(switches);
  }

  void add_quota(const std::string& path, std::string_view limits) {
    static const std::vector<AclEntry> open{{31, {"world", "anyone"}}};
    context_.session = random_session();
    for (const auto& [name, data] : std::vector<std::pair<std::string, std::string_view>>{
             {"", ""}, {"/zookeeper_limits", limits}, {"/zookeeper_stats", ""}}) {
      advance();
      const std::string full = path + name;
      const Operation operation = Create{.path = full, .data = data, .acl = open};
      const OperationResult actual = apply(operation);
      expect_equal(actual, model_.apply(context_, operation));
    }
  }

  void advance() {
    context_.zxid = Zxid{raw(context_.zxid) + 1};
    context_.time = WallTime{raw(context_.time) + prng_.between(0, 50)};
    tree_.advance(context_.zxid, context_.time);
  }

  template <class T>
  const T& pick(const std::vector<T>& from) {
    return from[prng_.below(from.size())];
  }

  std::string_view keep(std::string text) {
    texts_.push_back(std::make_unique<std::string>(std::move(text)));
    return *texts_.back();
  }

  std::string_view random_path() {
    static const std::vector<std::string> names{"a", "b", "c", "n", "a0", "zookeeper_stats", "zookeeper_limits"};
    static const std::vector<std::string> odd{"",
                                              "/",
                                              "a",
                                              "/a/",
                                              "//a",
                                              "/a//b",
                                              "/zookeeper",
                                              "a/b",
                                              "/a/..",
                                              "/\x01",
                                              "/b/",
                                              "/zookeeper/config/x",
                                              "/zookeeper/quota"};
    static const std::vector<std::string> quotas{"/zookeeper/quota/a",
                                                 "/zookeeper/quota/a/zookeeper_limits",
                                                 "/zookeeper/quota/a/zookeeper_stats",
                                                 "/zookeeper/quota/a/b",
                                                 "/zookeeper/quota/a/b/zookeeper_limits",
                                                 "/zookeeper/quota/a/b/zookeeper_stats",
                                                 "/zookeeper/quota/zookeeper_stats",
                                                 "/zookeeper/quota/zookeeper_limits"};
    if (prng_.chance(1, 40)) {
      return prng_.chance(1, 4) ? std::string_view{} : keep(pick(odd));
    }
    if (prng_.chance(1, 40)) {
      return keep(std::string("/a\0b", 4));
    }
    if (prng_.chance(1, 16)) {
      return keep(pick(quotas));
    }
    if (prng_.chance(1, 2)) {  // Something that exists, or a child of it.
      auto at = model_.znodes.begin();
      std::advance(at, prng_.below(model_.znodes.size()));
      return keep(prng_.chance(1, 2) ? at->first : (at->first == "/" ? "" : at->first) + "/" + pick(names));
    }
    std::string path;
    for (std::uint64_t depth = 1 + prng_.below(4); depth > 0; --depth) {
      path += "/" + names[prng_.below(5)];
    }
    return keep(path);
  }

  ByteView random_data() {
    static const std::vector<std::string> quota_texts{
        "count=5,bytes=20", "count=-1,bytes=-1=;byteHardLimit=40;countHardLimit=6",
        "countHardLimit=4", "byteHardLimit=10,count=",
        "garbage",          "count=x,bytes=9=;z=1"};
    if (prng_.chance(1, 8)) {
      return prng_.chance(1, 2) ? null_bytes : empty_bytes;
    }
    if (prng_.chance(1, 4)) {
      return keep(pick(quota_texts));
    }
    // Mostly small, sometimes beyond what stands in a znode's block, or in any block.
    const std::size_t size = prng_.chance(1, 10) ? prng_.below(5000) : prng_.below(150);
    return keep(std::string(size, static_cast<char>('a' + prng_.below(26))));
  }

  std::vector<Identity> random_credentials() {
    std::vector<Identity> credentials{{"ip", "127.0.0.1"}};
    if (prng_.chance(1, 2)) {
      credentials.push_back({"digest", prng_.chance(1, 2) ? "bob:x" : "eve:y"});
    }
    if (prng_.chance(1, 10)) {
      credentials.push_back({"super", ""});
    }
    return credentials;
  }

  AclView random_acl() {
    static const std::vector<std::vector<AclEntry>> acls{
        {{31, {"world", "anyone"}}},
        {{31, {"world", "anyone"}}},
        {{31, {"world", "anyone"}}},
        {{31, {"digest", "bob:x"}}, {1, {"world", "anyone"}}},
        {{31, {"digest", "eve:y"}}, {6, {"digest", "bob:x"}}},
        {{31, {"auth", ""}}},
        {{13, {"world", "anyone"}}},
        {{31, {"world", "nobody"}}},
        {},
    };
    return pick(acls);
  }

  std::int32_t random_version(std::string_view path) {
    const auto found = model_.znodes.find(path);
    if (found == model_.znodes.end() || prng_.chance(1, 2)) {
      return -1;
    }
    return prng_.chance(1, 4) ? static_cast<std::int32_t>(prng_.between(-3, 5)) : found->second.version;
  }

  Operation random_operation() {
    const std::uint64_t kind = prng_.below(20);
    const std::string_view path = random_path();
    if (kind < 9) {
      return Create{.path = path,
                    .data = random_data(),
                    .acl = random_acl(),
                    .mode = static_cast<CreateMode>(prng_.below(8)),
                    .ttl = prng_.chance(1, 8) ? prng_.between(-1, 0) : prng_.between(1, 400)};
    }
    if (kind < 13) {
      return Delete{.path = path, .version = random_version(path)};
    }
    if (kind < 17) {
      return SetData{.path = path, .data = random_data(), .version = random_version(path)};
    }
    if (kind < 19) {
      return Check{.path = path, .version = random_version(path)};
    }
    const auto found = model_.znodes.find(path);
    const std::int32_t aversion = found == model_.znodes.end() ? -1 : found->second.aversion;
    return SetAcl{.path = path, .acl = random_acl(), .version = prng_.chance(1, 2) ? -1 : aversion};
  }

  OperationResult apply(const Operation& operation) {
    if (const auto* create = std::get_if<Create>(&operation)) {
      return tree_.create(context_, *create);
    }
    if (const auto* remove = std::get_if<Delete>(&operation)) {
      return tree_.remove(context_, *remove);
    }
    if (const auto* set = std::get_if<SetData>(&operation)) {
      return tree_.set_data(context_, *set);
    }
    return tree_.set_acl(context_, std::get<SetAcl>(operation));
  }

  void expect_equal(const OperationResult& actual, const ModelResult& expected) {
    EXPECT_EQ(actual.status, expected.status) << "at zxid " << raw(context_.zxid);
    EXPECT_EQ(actual.path, expected.path);
    EXPECT_EQ(actual.stat, expected.stat) << "at zxid " << raw(context_.zxid);
    (expected.status == Status::ok ? successes : failures) += 1;
    quota_refusals += expected.status == Status::quota_exceeded ? 1 : 0;
  }

  void step() {
    texts_.clear();
    credentials_ = random_credentials();
    context_.credentials = credentials_;
    context_.session = prng_.chance(1, 50) ? SessionId{99} : random_session();
    const std::uint64_t kind = prng_.below(100);
    if (kind < 60) {
      Operation operation = random_operation();
      while (std::holds_alternative<Check>(operation)) {
        operation = random_operation();
      }
      const OperationResult actual = apply(operation);
      expect_equal(actual, model_.apply(context_, operation));
    } else if (kind < 78) {
      run_multi();
    } else if (kind < 90) {
      add_watch();
    } else if (kind < 95) {
      run_session();
    } else if (kind < 97) {
      clean_up();
    } else if (kind < 99) {
      add_quota("/zookeeper/quota/a", "count=-1,bytes=-1=;byteHardLimit=300;countHardLimit=5");
      add_quota("/zookeeper/quota/a/b", "countHardLimit=2");
    } else {
      set_switches({.skip_acl = prng_.chance(1, 4),
                    .enforce_quota = prng_.chance(3, 4),
                    .extended_types = prng_.chance(3, 4),
                    .reconfig_enabled = prng_.chance(1, 2)});
    }
  }

  void run_multi() {
    std::vector<Operation> operations;
    for (std::uint64_t count = prng_.below(5); count > 0; --count) {
      operations.push_back(random_operation());
    }
    const std::uint64_t before = tree_.digest();
    std::vector<OperationResult> results;
    tree_.multi(context_, operations, results);
    const std::vector<ModelResult> expected = model_.multi(context_, operations);
    ASSERT_EQ(results.size(), expected.size());
    for (std::size_t i = 0; i < results.size(); ++i) {
      expect_equal(results[i], expected[i]);
    }
    if (!results.empty() && results.back().status != Status::ok) {
      EXPECT_EQ(tree_.digest(), before);
      EXPECT_EQ(tree_.recompute_digest(), before);
      rolled_back += 1;
    }
  }

  void add_watch() {
    const auto watcher = static_cast<std::uint32_t>(prng_.below(3));
    const auto kind = static_cast<WatchKind>(prng_.below(prng_.chance(1, 10) ? 4 : 2));
    auto at = model_.znodes.begin();
    std::advance(at, prng_.below(model_.znodes.size()));
    const std::string path = prng_.chance(1, 2) ? at->first : "/a/b";
    table_.add(WatcherId{watcher}, path, kind);
    model_.watches.insert({watcher, path, kind});
  }

  SessionId random_session() {
    auto at = model_.sessions.begin();
    std::advance(at, prng_.below(model_.sessions.size()));
    return SessionId{at->first};
  }

  void open_session() {
    advance();
    Password password{};
    for (char& one : password) {
      one = static_cast<char>(prng_.below(256));
    }
    const NodeId server{static_cast<std::uint32_t>(prng_.between(1, 254))};
    const auto id = tree_.create_session(context_, server, 4000, password);
    ASSERT_TRUE(id);
    model_.sessions[raw(*id)] = {.password = password, .timeout_ms = 4000, .owner = server};
  }

  void run_session() {
    const SessionId id = prng_.chance(1, 20) ? SessionId{99} : random_session();
    if (model_.sessions.size() < 4) {
      open_session();
    } else if (prng_.chance(1, 2)) {
      EXPECT_EQ(tree_.close_session(context_, id), model_.close_session(context_, id));
    } else {
      const auto found = model_.sessions.find(raw(id));
      Password password = found == model_.sessions.end() ? Password{} : found->second.password;
      const bool right = found != model_.sessions.end() && prng_.chance(3, 4);
      password[prng_.below(16)] ^= static_cast<char>(right ? 0 : 1);
      EXPECT_EQ(tree_.resume_session(context_, id, password, NodeId{3}, 9000),
                right ? Status::ok : Status::session_expired);
      if (right) {
        found->second.generation += 1;
        found->second.timeout_ms = 9000;
        found->second.owner = NodeId{3};
      }
    }
  }

  void clean_up() {
    const std::int64_t never_used_ms = prng_.chance(1, 2) ? 0 : 500;
    std::vector<std::string> paths;
    tree_.find_expired(context_.time, never_used_ms, 100, paths);
    EXPECT_EQ(std::set(paths.begin(), paths.end()), model_.expired(context_.time, never_used_ms));
    if (prng_.chance(1, 4)) {
      paths.emplace_back(random_path());
    }
    for (const std::string& path : paths) {
      EXPECT_EQ(tree_.delete_container(context_, path), model_.delete_container(context_, path)) << path;
    }
  }

  void compare_events() {
    WatchEvents fired;
    table_.take_events(fired);
    // Per watcher: who hears a step first is nobody's promise.
    std::map<std::uint32_t, std::vector<ModelEvent>> actual;
    for (const WatchEvents::Event& event : fired.events) {
      for (const WatcherId watcher : fired.watchers_of(event)) {
        const std::uint32_t number = std::to_underlying(watcher);
        actual[number].push_back({number, event.type, std::string(fired.path_of(event)), event.zxid});
        events += 1;
      }
    }
    std::map<std::uint32_t, std::vector<ModelEvent>> expected;
    for (const ModelEvent& event : model_.events) {
      expected[event.watcher].push_back(event);
    }
    EXPECT_EQ(actual, expected) << "at zxid " << raw(context_.zxid);
    model_.events.clear();
  }

  void step_snapshot() {
    if (!tree_.snapshot_running()) {
      if (prng_.chance(1, 30)) {
        kept_ = {};
        at_begin_ = model_;
        digest_at_begin_ = tree_.digest();
        tree_.begin_snapshot([this](const SnapshotItem& item) { kept_.keep(item); });
      }
      return;
    }
    if (prng_.chance(1, 100)) {
      tree_.abandon_snapshot();
      return;
    }
    if (!tree_.step_snapshot(1 + prng_.below(4))) {
      return;
    }
    snapshots += 1;
    ASSERT_EQ(kept_.states.size(), 1U);
    EXPECT_EQ(kept_.states[0].digest, digest_at_begin_);
    Result<Tree> loaded = kept_.load(prng_);
    ASSERT_TRUE(loaded) << loaded.error().message;
    EXPECT_EQ(loaded->digest(), digest_at_begin_);
    expect_same(*loaded, at_begin_);
    if (tree_.digest() == digest_at_begin_ || prng_.chance(1, 3)) {
      go_on_with_a_loaded_one();
    }
  }

  // A tree that was loaded goes on exactly like the one it was taken from.
  void go_on_with_a_loaded_one() {
    KeptItems kept;
    tree_.begin_snapshot([&](const SnapshotItem& item) { kept.keep(item); });
    while (!tree_.step_snapshot(7)) {
    }
    Result<Tree> loaded = kept.load(prng_);
    ASSERT_TRUE(loaded) << loaded.error().message;
    tree_.detach(table_);
    tree_ = std::move(*loaded);
    tree_.attach(table_);
  }

  Prng prng_;
  Tree tree_;
  WatchTable table_;
  TreeModel model_;
  ApplyContext context_{.zxid = Zxid{100}, .time = WallTime{1'000'000}, .session = {}, .credentials = {}};
  std::vector<Identity> credentials_;
  std::vector<std::unique_ptr<std::string>> texts_;
  KeptItems kept_;
  TreeModel at_begin_;
  std::uint64_t digest_at_begin_ = 0;
};

TEST(TreeModelTest,
     equals_its_dumb_twin_in_every_result_stat_event_and_snapshot) {  // I-301, I-302, I-303, I-305, R-601
  int successes = 0;
  int failures = 0;
  int snapshots = 0;
  int rolled_back = 0;
  int events = 0;
  int quota_refusals = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Twins twins(seed);
    twins.run(4000);
    if (HasFailure()) {
      return;
    }
    successes += twins.successes;
    failures += twins.failures;
    snapshots += twins.snapshots;
    rolled_back += twins.rolled_back;
    events += twins.events;
    quota_refusals += twins.quota_refusals;
  }
  // The sequences must have been about something.
  EXPECT_GT(successes, 5000);
  EXPECT_GT(failures, 5000);
  EXPECT_GT(snapshots, 100);
  EXPECT_GT(rolled_back, 500);
  EXPECT_GT(events, 1000);
  EXPECT_GT(quota_refusals, 20);
}

}  // namespace
}  // namespace quorate::tree
