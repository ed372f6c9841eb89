#include "server/worker.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <pthread.h>
#include <string>
#include <sys/resource.h>
#include <unistd.h>
#include <utility>

namespace quorate::server {

namespace {

constexpr int background_niceness = 10;

}  // namespace

Worker::Worker(const char* name, Priority priority)
    : thread_([this, name = std::string(name), priority] {
        (void)::pthread_setname_np(::pthread_self(), name.c_str());
        if (priority == Priority::background) {
          // On Linux this concerns the calling thread alone.
          (void)::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), background_niceness);
        }
        work();
      }) {}

Worker::~Worker() {
  post(Task{});  // An empty task ends the work.
  thread_.join();
}

void Worker::work() {
  std::vector<Task> batch;
  for (;;) {
    tasks_.take_all(batch);
    for (Task& task : batch) {
      if (!task) {
        return;
      }
      task();
      task = Task{};  // What it owned is given up now, not when the next batch comes.
    }
    if (batch.empty()) {
      tasks_.waker().wait();
    }
  }
}

void run_in_parallel(std::vector<std::function<void()>>& tasks) {
  std::atomic<std::size_t> next{0};
  const auto work = [&tasks, &next] {
    for (std::size_t mine = next++; mine < tasks.size(); mine = next++) {
      tasks[mine]();
    }
  };
  const std::size_t wanted = std::min<std::size_t>(std::max(1U, std::thread::hardware_concurrency()), tasks.size());
  std::vector<std::thread> threads;
  for (std::size_t count = 1; count < wanted; ++count) {
    threads.emplace_back(work);
  }
  work();
  for (std::thread& thread : threads) {
    thread.join();
  }
}

}  // namespace quorate::server
