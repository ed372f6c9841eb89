#include "tree/watch_table.hpp"

#include <cstdint>
#include <gtest/gtest.h>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tree/path.hpp"

namespace quorate::tree {
namespace {

constexpr std::string_view name_of_type(EventType type) {
  switch (type) {
    case EventType::created:
      return "created";
    case EventType::deleted:
      return "deleted";
    case EventType::data_changed:
      return "changed";
    case EventType::children_changed:
      return "children";
  }
  return "?";
}

// Watchers by number, changes by path; what fired comes back as text: "<watcher>:<type> <path>".
class WatchTableTest : public testing::Test {
 protected:
  WatchTable table;
  AclTable acls;
  bool skip_acl = false;
  std::int64_t zxid = 0;

  void add(std::uint32_t watcher, std::string_view path, WatchKind kind) { table.add(WatcherId{watcher}, path, kind); }
  bool has(std::uint32_t watcher, std::string_view path, WatcherType type) {
    return table.has(WatcherId{watcher}, path, type);
  }
  bool remove(std::uint32_t watcher, std::string_view path, WatcherType type) {
    return table.remove(WatcherId{watcher}, path, type);
  }
  using Strings = std::vector<std::string>;
  Strings create(std::string_view path) { return fire(EventType::created, path); }
  Strings remove_znode(std::string_view path) { return fire(EventType::deleted, path); }
  Strings set(std::string_view path) { return fire(EventType::data_changed, path); }
  Strings fire(EventType type, std::string_view path, AclId acl = open_acl, AclId parent_acl = open_acl) {
    ++zxid;
    const bool has_parent = type != EventType::data_changed;
    table.fire({.type = type,
                .path = path,
                .parent = has_parent ? parent_of(path) : std::string_view{},
                .acl = acl,
                .parent_acl = parent_acl,
                .zxid = Zxid{zxid}},
               acls, skip_acl);
    return take();
  }
  Strings take() {
    Strings fired;
    WatchEvents events;
    table.take_events(events);
    for (const WatchEvents::Event& event : events.events) {
      EXPECT_EQ(event.zxid, Zxid{zxid});
      for (const WatcherId watcher : events.watchers_of(event)) {
        fired.push_back(std::to_string(std::to_underlying(watcher)) + ":" + std::string{name_of_type(event.type)} +
                        " " + std::string{events.path_of(event)});
      }
    }
    return fired;
  }
};

using Strings = std::vector<std::string>;

TEST_F(WatchTableTest, an_empty_table_fires_nothing) {
  EXPECT_TRUE(table.empty());
  EXPECT_EQ(create("/a"), Strings{});
  EXPECT_FALSE(table.has_events());
}

TEST_F(WatchTableTest, exists_on_a_missing_znode_reports_its_creation_once) {  // V36
  add(1, "/a", WatchKind::data);
  EXPECT_FALSE(table.empty());
  EXPECT_EQ(create("/a"), (Strings{"1:created /a"}));
  EXPECT_TRUE(table.empty());
  EXPECT_EQ(set("/a"), Strings{});
}

TEST_F(WatchTableTest, a_data_watch_is_consumed_by_created_changed_or_deleted) {
  add(1, "/a", WatchKind::data);
  EXPECT_EQ(set("/a"), (Strings{"1:changed /a"}));
  EXPECT_EQ(set("/a"), Strings{});
  add(1, "/a", WatchKind::data);
  EXPECT_EQ(remove_znode("/a"), (Strings{"1:deleted /a"}));
  EXPECT_EQ(create("/a"), Strings{});
}

TEST_F(WatchTableTest, a_child_watch_is_consumed_by_children_or_deletion_and_by_nothing_else) {
  add(1, "/a", WatchKind::child);
  EXPECT_EQ(set("/a"), Strings{});
  EXPECT_EQ(create("/a/b"), (Strings{"1:children /a"}));
  EXPECT_EQ(create("/a/c"), Strings{});
  add(1, "/a", WatchKind::child);
  EXPECT_EQ(remove_znode("/a/b"), (Strings{"1:children /a"}));
  add(1, "/a", WatchKind::child);
  EXPECT_EQ(remove_znode("/a"), (Strings{"1:deleted /a"}));  // V39
  EXPECT_TRUE(table.empty());
}

TEST_F(WatchTableTest, a_child_watch_hears_of_children_and_not_of_grandchildren) {
  add(1, "/a", WatchKind::child);
  EXPECT_EQ(create("/a/b/c"), Strings{});
  EXPECT_EQ(create("/ab"), Strings{});
  EXPECT_EQ(create("/a/b"), (Strings{"1:children /a"}));
}

TEST_F(WatchTableTest, the_root_is_the_parent_of_top_level_znodes) {
  add(1, "/", WatchKind::child);
  EXPECT_EQ(create("/a"), (Strings{"1:children /"}));
}

TEST_F(WatchTableTest, deletion_is_told_once_then_the_parent_s_children_change) {  // V38
  add(1, "/a/b", WatchKind::data);
  add(1, "/a/b", WatchKind::child);
  add(1, "/a", WatchKind::child);
  EXPECT_EQ(remove_znode("/a/b"), (Strings{"1:deleted /a/b", "1:children /a"}));
  EXPECT_TRUE(table.empty());
}

TEST_F(WatchTableTest, deletion_goes_to_data_watchers_then_to_child_watchers_then_to_the_parent_s) {
  add(5, "/a", WatchKind::child);
  add(4, "/a/b", WatchKind::child);
  add(3, "/a/b", WatchKind::data);
  add(4, "/a/b", WatchKind::data);
  add(2, "/a/b", WatchKind::child);
  EXPECT_EQ(remove_znode("/a/b"), (Strings{"3:deleted /a/b", "4:deleted /a/b", "2:deleted /a/b", "5:children /a"}));
}

TEST_F(WatchTableTest, creation_is_told_before_the_parent_s_children_change) {
  add(1, "/a", WatchKind::child);
  add(1, "/a/b", WatchKind::data);
  EXPECT_EQ(create("/a/b"), (Strings{"1:created /a/b", "1:children /a"}));
}

TEST_F(WatchTableTest, watches_are_bounded_and_what_stands_already_fits) {  // S-202
  table.set_limits({.registrations_max = 2, .path_bytes_max = 10, .all_path_bytes_max = 29});
  const auto fits = [this](std::uint32_t watcher, std::string_view path, WatchKind kind = WatchKind::data) {
    return table.add(WatcherId{watcher}, path, kind);
  };
  EXPECT_TRUE(fits(1, "/a"));
  EXPECT_TRUE(fits(1, "/a", WatchKind::child));
  EXPECT_FALSE(fits(1, "/b"));
  EXPECT_FALSE(fits(1, "/a", WatchKind::persistent));
  EXPECT_TRUE(fits(1, "/a"));
  EXPECT_EQ(table.watch_count(WatcherId{1}), 2U);
  remove(1, "/a", WatcherType::data);
  EXPECT_FALSE(fits(1, "/2345678901"));
  EXPECT_TRUE(fits(1, "/2345678"));  // 10 bytes now.
  EXPECT_TRUE(fits(2, "/34567890"));
  EXPECT_FALSE(fits(3, "/3456789"));  // All together.
  EXPECT_FALSE(has(3, "/3456789", WatcherType::any));
  table.drop(WatcherId{1});
  EXPECT_TRUE(fits(3, "/3456789"));
  EXPECT_TRUE(fits(1, "/a"));
}

TEST_F(WatchTableTest, setting_the_same_watch_twice_keeps_one) {
  for (int count = 0; count < 3; ++count) {
    add(1, "/a", WatchKind::data);
    add(1, "/a", WatchKind::persistent);
    add(1, "/a", WatchKind::persistent_recursive);
  }
  EXPECT_EQ(table.watch_count(WatcherId{1}), 3U);
  EXPECT_EQ(set("/a"), (Strings{"1:changed /a"}));
}

TEST_F(WatchTableTest, persistent_watches_rearm_through_deletion_and_creation) {  // V43
  add(1, "/p", WatchKind::persistent);
  EXPECT_EQ(create("/p"), (Strings{"1:created /p"}));
  EXPECT_EQ(set("/p"), (Strings{"1:changed /p"}));
  EXPECT_EQ(create("/p/c"), (Strings{"1:children /p"}));
  EXPECT_EQ(set("/p/c"), Strings{});
  EXPECT_EQ(create("/p/c/d"), Strings{});
  EXPECT_EQ(remove_znode("/p/c/d"), Strings{});
  EXPECT_EQ(remove_znode("/p/c"), (Strings{"1:children /p"}));
  EXPECT_EQ(remove_znode("/p"), (Strings{"1:deleted /p"}));
  EXPECT_EQ(create("/p"), (Strings{"1:created /p"}));
}

TEST_F(WatchTableTest, recursive_watches_cover_descendants_and_never_tell_of_children) {  // V44
  add(1, "/r", WatchKind::persistent_recursive);
  EXPECT_EQ(create("/r"), (Strings{"1:created /r"}));
  EXPECT_EQ(create("/r/a"), (Strings{"1:created /r/a"}));
  EXPECT_EQ(create("/r/a/b"), (Strings{"1:created /r/a/b"}));
  EXPECT_EQ(set("/r/a/b"), (Strings{"1:changed /r/a/b"}));
  EXPECT_EQ(remove_znode("/r/a/b"), (Strings{"1:deleted /r/a/b"}));
  EXPECT_EQ(create("/rx"), Strings{});  // By component, not by letters (7.5).
  EXPECT_EQ(create("/"), Strings{});
}

TEST_F(WatchTableTest, a_recursive_watch_on_the_root_sees_everything_once) {
  add(1, "/", WatchKind::persistent_recursive);
  EXPECT_EQ(set("/"), (Strings{"1:changed /"}));
  EXPECT_EQ(create("/a"), (Strings{"1:created /a"}));
  EXPECT_EQ(set("/a/b/c/d"), (Strings{"1:changed /a/b/c/d"}));
}

TEST_F(WatchTableTest, one_event_a_step_however_many_registrations_match) {
  add(1, "/", WatchKind::persistent_recursive);
  add(1, "/a", WatchKind::persistent_recursive);
  add(1, "/a/b", WatchKind::persistent_recursive);
  add(1, "/a/b", WatchKind::persistent);
  add(1, "/a/b", WatchKind::data);
  add(1, "/a/b", WatchKind::child);
  EXPECT_EQ(set("/a/b"), (Strings{"1:changed /a/b"}));
  EXPECT_FALSE(has(1, "/a/b", WatcherType::data));  // Consumed, although others fired for it as well.
  EXPECT_TRUE(has(1, "/a/b", WatcherType::children));
  EXPECT_EQ(remove_znode("/a/b"), (Strings{"1:deleted /a/b"}));
  EXPECT_FALSE(has(1, "/a/b", WatcherType::children));
  EXPECT_TRUE(has(1, "/a/b", WatcherType::persistent));
}

TEST_F(WatchTableTest, modes_coexist_and_firing_removes_only_the_one_shot) {  // 3.9, protocol 7.1
  add(1, "/a", WatchKind::persistent_recursive);
  add(1, "/a", WatchKind::persistent);
  add(1, "/a", WatchKind::data);
  add(1, "/a", WatchKind::child);
  EXPECT_EQ(set("/a"), (Strings{"1:changed /a"}));
  EXPECT_EQ(set("/a"), (Strings{"1:changed /a"}));
  EXPECT_EQ(create("/a/b"), (Strings{"1:created /a/b", "1:children /a"}));
  EXPECT_EQ(create("/a/c"), (Strings{"1:created /a/c", "1:children /a"}));
  EXPECT_FALSE(has(1, "/a", WatcherType::data));
  EXPECT_FALSE(has(1, "/a", WatcherType::children));
  EXPECT_TRUE(has(1, "/a", WatcherType::persistent));
  EXPECT_TRUE(has(1, "/a", WatcherType::persistent_recursive));
}

TEST_F(WatchTableTest, watchers_are_served_in_the_order_of_their_registrations) {
  add(9, "/a", WatchKind::data);
  add(3, "/a", WatchKind::data);
  add(7, "/a", WatchKind::persistent);
  add(5, "/a", WatchKind::data);
  add(2, "/a", WatchKind::persistent_recursive);
  add(1, "/", WatchKind::persistent_recursive);
  EXPECT_EQ(set("/a"),
            (Strings{"9:changed /a", "3:changed /a", "5:changed /a", "7:changed /a", "1:changed /a", "2:changed /a"}));
}

struct TypeCase {
  WatchKind kind;
  WatcherType type;
  bool found;
};

TEST_F(WatchTableTest, check_and_remove_take_the_registration_of_their_type) {  // Protocol 3.11, V46
  using enum WatcherType;
  const std::vector<TypeCase> cases = {
      {WatchKind::data, data, true},
      {WatchKind::data, children, false},
      {WatchKind::data, persistent, false},
      {WatchKind::data, persistent_recursive, false},
      {WatchKind::data, any, true},
      {WatchKind::child, data, false},
      {WatchKind::child, children, true},
      {WatchKind::child, persistent, false},
      {WatchKind::child, persistent_recursive, false},
      {WatchKind::child, any, true},
      {WatchKind::persistent, data, false},
      {WatchKind::persistent, children, false},
      {WatchKind::persistent, persistent, true},
      {WatchKind::persistent, persistent_recursive, false},
      {WatchKind::persistent, any, true},
      {WatchKind::persistent_recursive, data, false},
      {WatchKind::persistent_recursive, children, false},
      {WatchKind::persistent_recursive, persistent, false},
      {WatchKind::persistent_recursive, persistent_recursive, true},
      {WatchKind::persistent_recursive, any, true},
  };
  for (const TypeCase& one : cases) {
    add(1, "/a", one.kind);
    add(2, "/a", one.kind);
    EXPECT_EQ(has(1, "/a", one.type), one.found);
    EXPECT_FALSE(has(1, "/a/b", one.type));
    EXPECT_FALSE(has(1, "/", one.type));
    EXPECT_FALSE(has(3, "/a", one.type));  // Appendix B: another connection's watch does not count.
    EXPECT_FALSE(remove(3, "/a", one.type));
    EXPECT_EQ(remove(1, "/a", one.type), one.found);
    EXPECT_FALSE(remove(1, "/a", one.type));
    EXPECT_EQ(table.watch_count(WatcherId{1}), one.found ? 0U : 1U);
    EXPECT_EQ(table.watch_count(WatcherId{2}), 1U);
    table.drop(WatcherId{1});
    table.drop(WatcherId{2});
  }
}

TEST_F(WatchTableTest, removing_any_removes_every_kind) {
  for (const WatchKind kind :
       {WatchKind::data, WatchKind::child, WatchKind::persistent, WatchKind::persistent_recursive}) {
    add(1, "/a", kind);
  }
  EXPECT_TRUE(remove(1, "/a", WatcherType::any));
  EXPECT_TRUE(table.empty());
  EXPECT_EQ(create("/a/b"), Strings{});
}

TEST_F(WatchTableTest, paths_are_taken_literally) {
  add(1, "/a/", WatchKind::data);
  add(1, "", WatchKind::data);
  add(1, "x//y", WatchKind::persistent_recursive);
  EXPECT_TRUE(has(1, "/a/", WatcherType::data));
  EXPECT_FALSE(has(1, "/a", WatcherType::data));
  EXPECT_TRUE(has(1, "", WatcherType::data));
  EXPECT_FALSE(has(1, "/", WatcherType::data));
  EXPECT_TRUE(has(1, "x//y", WatcherType::persistent_recursive));
  EXPECT_EQ(set("/a"), Strings{});
}

TEST_F(WatchTableTest, only_those_who_may_read_hear_of_it) {  // Protocol 7.4, permission filter
  const AclId only_bob = acls.intern(std::vector<AclEntry>{{permission::read, {"digest", "bob:h"}}});
  const std::vector<Identity> bob = {{.scheme = "ip", .id = "1.2.3.4"}, {.scheme = "digest", .id = "bob:h"}};
  table.set_credentials(WatcherId{1}, bob);
  table.set_credentials(WatcherId{2}, std::vector<Identity>{{.scheme = "ip", .id = "1.2.3.4"}});
  for (const std::uint32_t watcher : {1U, 2U, 3U}) {
    add(watcher, "/a", WatchKind::data);
    add(watcher, "/a", WatchKind::persistent);
  }
  EXPECT_EQ(fire(EventType::data_changed, "/a", only_bob), (Strings{"1:changed /a"}));
  for (const std::uint32_t watcher : {1U, 2U, 3U}) {
    EXPECT_FALSE(has(watcher, "/a", WatcherType::data)) << "a filtered one-shot watch is consumed all the same";
    EXPECT_TRUE(has(watcher, "/a", WatcherType::persistent));
  }
}

TEST_F(WatchTableTest, each_event_is_filtered_by_its_own_znode_s_acl) {
  const AclId closed = acls.intern(std::vector<AclEntry>{{permission::write, {"world", "anyone"}}});
  const AclId super_only = acls.intern(std::vector<AclEntry>{{permission::all, {"digest", "x:y"}}});
  add(1, "/a", WatchKind::child);
  add(1, "/a/b", WatchKind::data);
  EXPECT_EQ(fire(EventType::created, "/a/b", closed, open_acl), (Strings{"1:children /a"}));
  add(1, "/a", WatchKind::child);
  add(1, "/a/b", WatchKind::data);
  add(1, "/a/b", WatchKind::child);
  EXPECT_EQ(fire(EventType::deleted, "/a/b", open_acl, closed), (Strings{"1:deleted /a/b"}));
  EXPECT_TRUE(table.empty());

  add(1, "/a", WatchKind::persistent);
  table.set_credentials(WatcherId{1}, std::vector<Identity>{{.scheme = "super", .id = ""}});
  EXPECT_EQ(fire(EventType::data_changed, "/a", super_only), (Strings{"1:changed /a"}));
  table.set_credentials(WatcherId{1}, {});
  EXPECT_EQ(fire(EventType::data_changed, "/a", super_only), Strings{});
  skip_acl = true;
  EXPECT_EQ(fire(EventType::data_changed, "/a", super_only), (Strings{"1:changed /a"}));
}

TEST_F(WatchTableTest, a_dropped_watcher_hears_nothing_and_leaves_nothing) {
  const std::vector<Identity> super = {{.scheme = "super", .id = ""}};
  const AclId closed = acls.intern(std::vector<AclEntry>{{0, {"world", "anyone"}}});
  table.set_credentials(WatcherId{1}, super);
  for (const WatchKind kind :
       {WatchKind::data, WatchKind::child, WatchKind::persistent, WatchKind::persistent_recursive}) {
    add(1, "/a", kind);
    add(1, "/b", kind);
    add(2, "/b", kind);
  }
  table.drop(WatcherId{1});
  EXPECT_EQ(set("/a"), Strings{});
  EXPECT_EQ(set("/b"), (Strings{"2:changed /b"}));
  table.drop(WatcherId{2});
  table.drop(WatcherId{2});
  table.drop(WatcherId{77});
  EXPECT_TRUE(table.empty());
  EXPECT_EQ(table.watch_count(), 0U);
  EXPECT_EQ(table.data_watcher_count(), 0U);
  // Whoever gets the number next starts without the credentials of the one before.
  add(1, "/a", WatchKind::data);
  EXPECT_EQ(fire(EventType::data_changed, "/a", closed), Strings{});
}

TEST_F(WatchTableTest, events_that_wait_do_not_reach_the_successor_of_a_dropped_watcher) {
  add(1, "/a", WatchKind::data);
  add(2, "/a", WatchKind::data);
  table.fire({.type = EventType::data_changed, .path = "/a", .parent = {}}, acls, false);
  EXPECT_TRUE(table.has_events());
  table.drop(WatcherId{1});
  EXPECT_EQ(take(), (Strings{"2:changed /a"}));
}

TEST_F(WatchTableTest, events_of_several_changes_keep_their_order) {  // V52
  add(1, "/m", WatchKind::persistent_recursive);
  add(2, "/m", WatchKind::persistent);
  const std::vector<Change> changes = {
      {.type = EventType::created, .path = "/m/a", .parent = "/m"},
      {.type = EventType::data_changed, .path = "/m/a", .parent = {}},
      {.type = EventType::deleted, .path = "/m/a", .parent = "/m"},
  };
  for (const Change& change : changes) {
    table.fire(change, acls, false);
  }
  EXPECT_EQ(take(), (Strings{"1:created /m/a", "2:children /m", "1:changed /m/a", "1:deleted /m/a", "2:children /m"}));
}

TEST_F(WatchTableTest, an_event_with_many_watchers_is_one_event) {
  for (std::uint32_t watcher = 0; watcher < 1000; ++watcher) {
    add(watcher, "/a", WatchKind::data);
  }
  table.fire({.type = EventType::data_changed, .path = "/a", .parent = {}}, acls, false);
  WatchEvents events;
  table.take_events(events);
  ASSERT_EQ(events.events.size(), 1U);
  EXPECT_EQ(events.watchers_of(events.events[0]).size(), 1000U);
  EXPECT_EQ(events.path_of(events.events[0]), "/a");
}

TEST_F(WatchTableTest, counts_are_those_of_operations_2_8) {
  add(1, "/a", WatchKind::data);
  EXPECT_EQ(table.watch_count(), 1U);
  add(1, "/a", WatchKind::persistent);  // Both registries, but /a of 1 stands in data already.
  EXPECT_EQ(table.watch_count(), 2U);
  EXPECT_EQ(table.data_watch_count(), 1U);
  add(1, "/a", WatchKind::child);
  EXPECT_EQ(table.watch_count(), 2U);
  add(2, "/a", WatchKind::child);
  EXPECT_EQ(table.watch_count(), 3U);
  EXPECT_EQ(table.data_watcher_count(), 1U);
  add(2, "/b", WatchKind::persistent_recursive);
  EXPECT_EQ(table.watch_count(), 4U);
  EXPECT_EQ(table.data_watch_count(), 2U);
  EXPECT_EQ(table.data_path_count(), 2U);
  EXPECT_EQ(table.data_watcher_count(), 2U);
}

TEST_F(WatchTableTest, walking_in_slices_visits_each_data_watch_once) {
  for (std::uint32_t path = 0; path < 100; ++path) {
    const std::string name = "/p" + std::to_string(path);
    add(1, name, WatchKind::data);
    add(1, name, WatchKind::persistent);
    add(2, name, WatchKind::persistent_recursive);
    add(3, name, WatchKind::child);
    if (path % 3 == 0) {
      table.remove(WatcherId{1}, name, WatcherType::any);
    }
  }
  Strings whole;
  table.for_each_data_watch([&](std::string_view path, WatcherId watcher) {
    whole.push_back(std::string{path} + " " + std::to_string(std::to_underlying(watcher)));
  });
  EXPECT_EQ(whole.size(), table.data_watch_count());
  Strings sliced;
  int slices = 0;
  std::uint32_t cursor = 0;
  do {
    const std::size_t before = sliced.size();
    cursor = table.walk_data_watches(cursor, 10, [&](std::string_view path, WatcherId watcher) {
      sliced.push_back(std::string{path} + " " + std::to_string(std::to_underlying(watcher)));
    });
    EXPECT_LE(sliced.size() - before, 12U);
    ++slices;
  } while (cursor != 0);
  EXPECT_EQ(sliced, whole);
  EXPECT_GT(slices, 10);

  Strings of_one;
  table.for_each_data_path(WatcherId{1}, [&](std::string_view path) { of_one.emplace_back(path); });
  EXPECT_EQ(of_one.size(), 66U);
}

TEST_F(WatchTableTest, a_hundred_thousand_watches_take_little_memory) {
  for (std::uint32_t path = 0; path < 100'000; ++path) {
    add(path % 100, "/services/some-service/instances/" + std::to_string(path), WatchKind::data);
  }
  EXPECT_LT(table.bytes(), 100'000U * 180);
  const std::size_t one_path_each = table.bytes();
  for (std::uint32_t watcher = 0; watcher < 100'000; ++watcher) {
    add(watcher % 1000, "/services/some-service/instances/" + std::to_string(watcher % 997), WatchKind::child);
  }
  EXPECT_LT(table.bytes() - one_path_each, 100'000U * 60);
  for (std::uint32_t watcher = 0; watcher < 1000; ++watcher) {
    table.drop(WatcherId{watcher});
  }
  EXPECT_TRUE(table.empty());
}

}  // namespace
}  // namespace quorate::tree
