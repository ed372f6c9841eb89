#include "cli/sim_workers.hpp"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include "base/ensure.hpp"

namespace quorate::cli {

namespace {

using nlohmann::json;

std::string encode(std::uint64_t seed, const sim::Report& report) {
  json line{{"seed", seed},
            {"simulated_us", report.simulated_us},
            {"steps", report.steps},
            {"committed", report.committed},
            {"leaders", report.leaders},
            {"answered", report.answered},
            {"unanswered", report.unanswered},
            {"undecided", report.undecided_histories},
            {"goals", report.goals}};
  if (report.violation) {
    line["invariant"] = report.violation->invariant;
    line["words"] = report.violation->words;
  }
  return line.dump() + "\n";
}

sim::Report decode(const json& line) {
  sim::Report report;
  if (line.contains("invariant")) {
    report.violation = sim::Violation{.invariant = line["invariant"], .words = line["words"]};
  }
  report.simulated_us = line["simulated_us"];
  report.steps = line["steps"];
  report.committed = line["committed"];
  report.leaders = line["leaders"];
  report.answered = line["answered"];
  report.unanswered = line["unanswered"];
  report.undecided_histories = line["undecided"];
  report.goals = line["goals"].get<std::map<std::string, std::uint64_t>>();
  return report;
}

void write_all(int descriptor, const std::string& text) {
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t count = ::write(descriptor, text.data() + done, text.size() - done);
    if (count < 0 && errno != EINTR) {
      std::_Exit(0);  // Nobody listens any more.
    }
    done += count > 0 ? static_cast<std::size_t>(count) : 0;
  }
}

// A child that sends lines.
struct Worker {
  pid_t pid = -1;
  int pipe = -1;
  std::string unread;
  std::optional<std::uint64_t> running;  // The seed that it has begun.
  std::uint64_t next = 0;                // The one after, if it has to be started anew.
};

void close_fd(int& descriptor) {
  if (descriptor >= 0) {
    ::close(descriptor);
    descriptor = -1;
  }
}

class Pool {
 public:
  Pool(SeedRange seeds, unsigned jobs, const std::function<sim::Plan(std::uint64_t)>& plan_of)
      : seeds_(seeds), plan_of_(plan_of), workers_(jobs) {
    for (unsigned i = 0; i < jobs; ++i) {
      workers_[i].next = seeds.first + i;
      start(workers_[i]);
    }
  }
  ~Pool() {
    for (Worker& worker : workers_) {
      if (worker.pid > 0) {
        ::kill(worker.pid, SIGKILL);
        reap(worker);
      }
      close_fd(worker.pipe);
    }
  }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // Lines of all workers, until all are done or `on_line` has enough. A worker that ended inside a run is reported with
  // its seed, and another one goes on behind it.
  void run(const std::function<bool(const json& line)>& on_line, const std::function<bool(std::uint64_t)>& on_death) {
    bool goes_on = true;
    while (goes_on) {
      std::vector<pollfd> waiting;
      std::vector<Worker*> of;
      for (Worker& worker : workers_) {
        if (worker.pipe >= 0) {
          waiting.push_back(pollfd{.fd = worker.pipe, .events = POLLIN, .revents = 0});
          of.push_back(&worker);
        }
      }
      if (waiting.empty()) {
        return;
      }
      if (::poll(waiting.data(), waiting.size(), -1) < 0) {
        ensure(errno == EINTR, "pipes can be waited for");
        continue;
      }
      for (std::size_t i = 0; i < waiting.size() && goes_on; ++i) {
        if (waiting[i].revents != 0) {
          goes_on = read(*of[i], on_line, on_death);
        }
      }
    }
  }

 private:
  void start(Worker& worker) {
    if (worker.next > seeds_.last) {
      return;
    }
    int ends[2] = {-1, -1};
    ensure(::pipe(ends) == 0, "there are descriptors for a pipe");
    worker.pid = ::fork();
    ensure(worker.pid >= 0, "there is room for a process");
    if (worker.pid == 0) {
      ::close(ends[0]);
      work(ends[1], worker.next);
    }
    ::close(ends[1]);
    worker.pipe = ends[0];
    worker.unread.clear();
  }

  [[noreturn]] void work(int out, std::uint64_t first) {
    for (std::uint64_t seed = first; seed <= seeds_.last; seed += workers_.size()) {
      write_all(out, json{{"begin", seed}}.dump() + "\n");
      write_all(out, encode(seed, sim::run(plan_of_(seed))));
    }
    std::_Exit(0);
  }

  static void reap(Worker& worker) {
    int status = 0;
    while (::waitpid(worker.pid, &status, 0) < 0 && errno == EINTR) {
    }
    worker.pid = -1;
  }

  bool read(Worker& worker, const std::function<bool(const json& line)>& on_line,
            const std::function<bool(std::uint64_t)>& on_death) {
    char bytes[65536];
    const ssize_t count = ::read(worker.pipe, bytes, sizeof bytes);
    if (count < 0) {
      return true;
    }
    if (count == 0) {
      return ended(worker, on_death);
    }
    worker.unread.append(bytes, static_cast<std::size_t>(count));
    std::size_t end = 0;
    while ((end = worker.unread.find('\n')) != std::string::npos) {
      const json line = json::parse(worker.unread.substr(0, end));
      worker.unread.erase(0, end + 1);
      if (line.contains("begin")) {
        worker.running = line["begin"].get<std::uint64_t>();
        worker.next = *worker.running + workers_.size();
        continue;
      }
      worker.running.reset();
      if (!on_line(line)) {
        return false;
      }
    }
    return true;
  }

  bool ended(Worker& worker, const std::function<bool(std::uint64_t)>& on_death) {
    close_fd(worker.pipe);
    reap(worker);
    if (!worker.running) {
      return true;
    }
    const std::uint64_t seed = *std::exchange(worker.running, std::nullopt);
    const bool goes_on = on_death(seed);
    if (goes_on) {
      start(worker);
    }
    return goes_on;
  }

  SeedRange seeds_;
  const std::function<sim::Plan(std::uint64_t)>& plan_of_;
  std::vector<Worker> workers_;
};

constexpr const char* assertion = "R-007";

}  // namespace

void run_seeds(SeedRange seeds, unsigned jobs, const std::function<sim::Plan(std::uint64_t)>& plan_of,
               const std::function<bool(const sim::Report&, std::uint64_t seed)>& on_report,
               const std::function<bool(const RunFailure&)>& on_failure) {
  Pool pool(seeds, jobs, plan_of);
  pool.run(
      [&](const json& line) {
        const sim::Report report = decode(line);
        const std::uint64_t seed = line["seed"];
        bool goes_on = on_report(report, seed);
        if (report.violation) {
          goes_on = on_failure(RunFailure{
                        .seed = seed, .invariant = report.violation->invariant, .words = report.violation->words}) &&
                    goes_on;
        }
        return goes_on;
      },
      [&](std::uint64_t seed) {
        return on_failure(RunFailure{.seed = seed, .invariant = assertion, .words = "an assertion failed (see above)"});
      });
}

std::string violated_by(const sim::Plan& plan) {
  std::string invariant;
  run_seeds(
      SeedRange{.first = plan.seed, .last = plan.seed}, 1, [&plan](std::uint64_t) { return plan; },
      [](const sim::Report&, std::uint64_t) { return true; },
      [&invariant](const RunFailure& failure) {
        invariant = failure.invariant;
        return false;
      });
  return invariant;
}

}  // namespace quorate::cli
