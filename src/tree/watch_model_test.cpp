#include <algorithm>
#include <cstdint>
#include <gtest/gtest.h>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "base/prng.hpp"
#include "tree/path.hpp"
#include "tree/watch_table.hpp"

// The dumb twin of WatchTable: a set of registrations, searched from end to end, with the words of protocol 7.4.

namespace quorate::tree {
namespace {

constexpr std::uint32_t watchers = 6;

using Delivered = std::tuple<std::uint32_t, EventType, std::string>;

struct Model {
  std::set<std::tuple<std::uint32_t, std::string, WatchKind>> registrations;
  std::map<std::uint32_t, bool> knows_bob;

  static bool is_at_or_below(std::string_view path, std::string_view ancestor) {
    return path == ancestor || ancestor == "/" ||
           (path.starts_with(ancestor) && path.substr(ancestor.size()).starts_with("/"));
  }

  bool may_read(std::uint32_t watcher, bool restricted) const {
    const auto found = knows_bob.find(watcher);
    return !restricted || (found != knows_bob.end() && found->second);
  }

  std::set<std::uint32_t> data(const std::string& path) const {
    std::set<std::uint32_t> found;
    for (const auto& [watcher, at, kind] : registrations) {
      if (((kind == WatchKind::data || kind == WatchKind::persistent) && at == path) ||
          (kind == WatchKind::persistent_recursive && is_at_or_below(path, at))) {
        found.insert(watcher);
      }
    }
    return found;
  }

  std::set<std::uint32_t> child(const std::string& path) const {
    std::set<std::uint32_t> found;
    for (const auto& [watcher, at, kind] : registrations) {
      if ((kind == WatchKind::child || kind == WatchKind::persistent) && at == path) {
        found.insert(watcher);
      }
    }
    return found;
  }

  void consume(const std::string& path, WatchKind kind) {
    std::erase_if(registrations, [&](const auto& one) { return std::get<1>(one) == path && std::get<2>(one) == kind; });
  }

  // The steps in order; within a step the set of those who hear.
  std::vector<std::set<Delivered>> fire(EventType type, const std::string& path, bool restricted,
                                        bool parent_restricted) {
    std::vector<std::set<Delivered>> steps;
    const auto step = [&](const std::set<std::uint32_t>& who, EventType event, const std::string& at, bool filter) {
      std::set<Delivered> delivered;
      for (const std::uint32_t watcher : who) {
        if (may_read(watcher, filter)) {
          delivered.emplace(watcher, event, at);
        }
      }
      steps.push_back(delivered);
    };
    const std::set<std::uint32_t> first = data(path);
    step(first, type, path, restricted);
    consume(path, WatchKind::data);
    if (type == EventType::deleted) {
      std::set<std::uint32_t> rest;
      std::ranges::set_difference(child(path), first, std::inserter(rest, rest.end()));
      step(rest, type, path, restricted);
      consume(path, WatchKind::child);
    }
    if (type != EventType::data_changed) {
      const std::string parent{parent_of(path)};
      step(child(parent), EventType::children_changed, parent, parent_restricted);
      consume(parent, WatchKind::child);
    }
    return steps;
  }

  std::set<std::pair<std::uint32_t, std::string>> pairs(bool data_registry) const {
    std::set<std::pair<std::uint32_t, std::string>> found;
    for (const auto& [watcher, at, kind] : registrations) {
      const bool stands =
          data_registry ? kind != WatchKind::child : kind == WatchKind::child || kind == WatchKind::persistent;
      if (stands) {
        found.emplace(watcher, at);
      }
    }
    return found;
  }
};

constexpr bool is_meant(WatcherType type, WatchKind kind) {
  return type == WatcherType::any || (type == WatcherType::children && kind == WatchKind::child) ||
         (type == WatcherType::data && kind == WatchKind::data) ||
         (type == WatcherType::persistent && kind == WatchKind::persistent) ||
         (type == WatcherType::persistent_recursive && kind == WatchKind::persistent_recursive);
}

class WatchModelTest : public testing::TestWithParam<std::uint64_t> {
 protected:
  Prng prng{GetParam()};
  WatchTable table{GetParam()};
  AclTable acls;
  Model model;
  AclId only_bob = acls.intern(std::vector<AclEntry>{{permission::read, {"digest", "bob:h"}}});

  std::string random_path() {
    std::string path;
    for (std::uint64_t depth = prng.below(4); depth > 0; --depth) {
      path += prng.chance(1, 2) ? "/a" : prng.chance(1, 2) ? "/ab" : "/b";
    }
    return path.empty() ? "/" : path;
  }
  std::uint32_t random_watcher() { return static_cast<std::uint32_t>(prng.below(watchers)); }

  void add() {
    const std::uint32_t watcher = random_watcher();
    const std::string path = random_path();
    const auto kind = static_cast<WatchKind>(prng.below(4));
    table.add(WatcherId{watcher}, path, kind);
    model.registrations.emplace(watcher, path, kind);
  }

  void remove() {
    const std::uint32_t watcher = random_watcher();
    const std::string path = random_path();
    const auto type = static_cast<WatcherType>(prng.between(1, 5));
    const auto meant = [&](const auto& one) {
      return std::get<0>(one) == watcher && std::get<1>(one) == path && is_meant(type, std::get<2>(one));
    };
    const bool expected = std::ranges::any_of(model.registrations, meant);
    ASSERT_EQ(table.has(WatcherId{watcher}, path, type), expected);
    ASSERT_EQ(table.remove(WatcherId{watcher}, path, type), expected);
    std::erase_if(model.registrations, meant);
  }

  void drop() {
    const std::uint32_t watcher = random_watcher();
    table.drop(WatcherId{watcher});
    std::erase_if(model.registrations, [&](const auto& one) { return std::get<0>(one) == watcher; });
    model.knows_bob.erase(watcher);
  }

  void authenticate() {
    const std::uint32_t watcher = random_watcher();
    table.set_credentials(WatcherId{watcher}, std::vector<Identity>{{.scheme = "digest", .id = "bob:h"}});
    model.knows_bob[watcher] = true;
  }

  void fire() {
    const auto type = static_cast<EventType>(prng.between(1, 3));
    std::string path = random_path();
    if (path == "/" && type != EventType::data_changed) {
      path = "/a";  // The root comes and goes with nobody.
    }
    const bool restricted = prng.chance(1, 3);
    const bool parent_restricted = prng.chance(1, 3);
    table.fire({.type = type,
                .path = path,
                .parent = type == EventType::data_changed ? std::string_view{} : parent_of(path),
                .acl = restricted ? only_bob : open_acl,
                .parent_acl = parent_restricted ? only_bob : open_acl,
                .zxid = Zxid{1}},
               acls, false);
    WatchEvents events;
    table.take_events(events);
    std::vector<Delivered> delivered;
    for (const WatchEvents::Event& event : events.events) {
      for (const WatcherId watcher : events.watchers_of(event)) {
        delivered.emplace_back(std::to_underlying(watcher), event.type, std::string{events.path_of(event)});
      }
    }
    auto next = delivered.begin();
    for (const std::set<Delivered>& step : model.fire(type, path, restricted, parent_restricted)) {
      ASSERT_GE(delivered.end() - next, static_cast<std::ptrdiff_t>(step.size()));
      const std::set<Delivered> actual(next, next + static_cast<std::ptrdiff_t>(step.size()));
      ASSERT_EQ(actual, step);
      next += static_cast<std::ptrdiff_t>(step.size());
    }
    ASSERT_EQ(next, delivered.end());
  }

  void compare_counts() {
    const auto data = model.pairs(true);
    std::set<std::string> paths;
    std::set<std::uint32_t> who;
    for (const auto& [watcher, path] : data) {
      paths.insert(path);
      who.insert(watcher);
    }
    ASSERT_EQ(table.data_watch_count(), data.size());
    ASSERT_EQ(table.data_path_count(), paths.size());
    ASSERT_EQ(table.data_watcher_count(), who.size());
    ASSERT_EQ(table.watch_count(), data.size() + model.pairs(false).size());
    ASSERT_EQ(table.empty(), model.registrations.empty());
    std::set<std::pair<std::uint32_t, std::string>> walked;
    table.for_each_data_watch([&](std::string_view path, WatcherId watcher) {
      EXPECT_TRUE(walked.emplace(std::to_underlying(watcher), path).second);
    });
    ASSERT_EQ(walked, data);
  }
};

TEST_P(WatchModelTest, table_and_model_agree_on_every_event_and_count) {
  for (int step = 0; step < 3000 && !HasFatalFailure(); ++step) {
    switch (prng.below(16)) {
      case 0:
        drop();
        break;
      case 1:
        authenticate();
        break;
      case 2:
      case 3:
        remove();
        break;
      case 4:
      case 5:
      case 6:
      case 7:
      case 8:
        fire();
        break;
      default:
        add();
    }
    compare_counts();
  }
}

INSTANTIATE_TEST_SUITE_P(seeds, WatchModelTest, testing::Range<std::uint64_t>(0, 20));

}  // namespace
}  // namespace quorate::tree
