#include "server/worker.hpp"

#include <atomic>
#include <functional>
#include <gtest/gtest.h>
#include <memory>
#include <vector>

namespace quorate::server {
namespace {

TEST(worker, runs_tasks_in_order_and_all_of_them_before_it_ends) {
  std::vector<int> order;
  {
    Worker worker("test", Worker::Priority::background);
    for (int number = 0; number < 1000; ++number) {
      worker.post([&order, number] { order.push_back(number); });
    }
  }
  ASSERT_EQ(order.size(), 1000U);
  for (int number = 0; number < 1000; ++number) {
    ASSERT_EQ(order[static_cast<std::size_t>(number)], number);
  }
}

TEST(worker, a_task_gives_up_what_it_owns_when_it_is_done) {
  Worker worker("test", Worker::Priority::normal);
  auto owned = std::make_shared<int>(7);
  const std::weak_ptr<int> watched = owned;
  Inbox inbox;
  worker.post([owned = std::move(owned)] {});
  worker.post([&inbox] { inbox.post([] {}); });
  inbox.waker().wait();
  EXPECT_TRUE(watched.expired());
}

TEST(worker, parallel_tasks_all_run_once) {
  std::vector<std::atomic<int>> runs(100);
  std::vector<std::function<void()>> tasks;
  for (std::atomic<int>& each : runs) {
    tasks.emplace_back([&each] { ++each; });
  }
  run_in_parallel(tasks);
  for (const std::atomic<int>& each : runs) {
    EXPECT_EQ(each, 1);
  }
  tasks.clear();
  run_in_parallel(tasks);
}

}  // namespace
}  // namespace quorate::server
