#pragma once

// A thread that runs tasks one after the other. A task hands its outcome back by posting another task to its loop's
// inbox, so that what a loop owns is touched by the loop alone.

#include <functional>
#include <thread>
#include <vector>

#include "net/mailbox.hpp"

namespace quorate::server {

using Task = std::move_only_function<void()>;

// The tasks that a loop runs at the start of its turn.
using Inbox = net::Mailbox<Task>;

class Worker {
 public:
  enum class Priority { normal, background };

  // `name` is what tools like top show, at most 15 characters.
  Worker(const char* name, Priority priority);
  // Runs what is queued, then ends the thread.
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void post(Task task) { tasks_.post(std::move(task)); }

 private:
  void work();

  net::Mailbox<Task> tasks_;
  std::thread thread_;
};

// Runs all tasks on as many threads as there are cores, and returns when all are done. For loading at start.
void run_in_parallel(std::vector<std::function<void()>>& tasks);

}  // namespace quorate::server
