#include "cli/sim_workers.hpp"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include "base/ensure.hpp"

namespace quorate::cli {

namespace {

using nlohmann::json;

constexpr std::size_t said_max = 16384;
// What a line on a worker's pipe is, by its first letter.
constexpr char begin_tag = 'B';   // A seed follows: its run begins.
constexpr char line_tag = 'T';    // Of its trace.
constexpr char report_tag = 'R';  // It has ended.

std::string encode(std::uint64_t seed, const sim::Report& report) {
  json line{{"seed", seed},
            {"simulated_us", report.simulated_us},
            {"steps", report.steps},
            {"committed", report.committed},
            {"leaders", report.leaders},
            {"answered", report.answered},
            {"unanswered", report.unanswered},
            {"undecided", report.undecided_histories},
            {"digest", report.digest},
            {"goals", report.goals}};
  if (report.violation) {
    line["invariant"] = report.violation->invariant;
    line["words"] = report.violation->words;
  }
  return report_tag + line.dump() + "\n";
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
  report.digest = line["digest"];
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

// From now on this process may use so much more of the processor; then it ends by SIGXCPU. A machine that is busy with
// something else does not make a run endless.
void limit_processor(std::int64_t seconds) {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  rlimit limit{};
  ::getrlimit(RLIMIT_CPU, &limit);
  limit.rlim_cur = static_cast<rlim_t>(used.ru_utime.tv_sec + used.ru_stime.tv_sec + 1 + seconds);
  ::setrlimit(RLIMIT_CPU, &limit);
}

// A child that sends lines.
struct Worker {
  pid_t pid = -1;
  int pipe = -1;
  int errors = -1;  // Its stderr.
  std::string unread;
  std::string said;
  std::optional<std::uint64_t> running;  // The seed that it has begun.
  std::optional<std::uint64_t> next;     // The one after, if it has to be started anew.
};

void close_fd(int& descriptor) {
  if (descriptor >= 0) {
    ::close(descriptor);
    descriptor = -1;
  }
}

std::int64_t limit_of(const sim::Plan& plan, std::int64_t limit_s) {
  return limit_s + plan.safety_us / 1'000'000;
}

// What is known of a run whose process has ended in the midst of it.
RunFailure failure_by_death(std::uint64_t seed, int status, const std::string& said) {
  RunFailure failure{.seed = seed, .invariant = assertion, .words = {}, .said = said};
  constexpr std::string_view mark = "assertion failed: ";
  const std::size_t at = said.rfind(mark);
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU) {
    failure.invariant = endless;
    failure.words = "the run does not end within --run-limit";
  } else if (at != std::string::npos) {  // See base/ensure.cpp.
    const std::size_t end = said.find('\n', at);
    failure.words = said.substr(at, end - at);
    const std::size_t place = said.find(" at ", end);
    if (place != std::string::npos) {
      failure.words += " (" + said.substr(place + 4, said.find(" in ", place) - place - 4) + ")";
    }
  } else if (WIFSIGNALED(status)) {
    failure.words = fmt::format("its process ended by signal {}, {}", WTERMSIG(status), ::strsignal(WTERMSIG(status)));
  } else {
    failure.words = fmt::format("its process ended with exit code {}", WEXITSTATUS(status));
  }
  return failure;
}

class Pool {
 public:
  Pool(const Runs& runs, const RunEvents& events) : runs_(runs), events_(events), workers_(runs.jobs) {
    for (unsigned i = 0; i < runs.jobs; ++i) {
      if (runs.seeds.last - runs.seeds.first >= i) {
        workers_[i].next = runs.seeds.first + i;
        start(workers_[i]);
      }
    }
  }
  ~Pool() {
    for (Worker& worker : workers_) {
      if (worker.pid > 0) {
        ::kill(worker.pid, SIGKILL);
        (void)reap(worker);
      }
      close_fd(worker.pipe);
      close_fd(worker.errors);
    }
  }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // Until all workers are done or somebody has enough. A worker that ended inside a run is reported with its seed, and
  // another one goes on behind it.
  void run() {
    bool goes_on = true;
    while (goes_on) {
      std::vector<pollfd> waiting;
      std::vector<Worker*> of;
      for (Worker& worker : workers_) {
        for (const int descriptor : {worker.errors, worker.pipe}) {
          if (descriptor >= 0) {
            waiting.push_back(pollfd{.fd = descriptor, .events = POLLIN, .revents = 0});
            of.push_back(&worker);
          }
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
        if (waiting[i].revents == 0) {
          continue;
        }
        if (waiting[i].fd == of[i]->errors) {
          (void)hear(*of[i]);
        } else if (waiting[i].fd == of[i]->pipe) {
          goes_on = read(*of[i]);
        }
      }
    }
  }

 private:
  void start(Worker& worker) {
    if (!worker.next) {
      return;
    }
    int lines[2] = {-1, -1};
    int errors[2] = {-1, -1};
    ensure(::pipe(lines) == 0 && ::pipe(errors) == 0, "there are descriptors for two pipes");
    worker.pid = ::fork();
    ensure(worker.pid >= 0, "there is room for a process");
    if (worker.pid == 0) {
      ::close(lines[0]);
      ::close(errors[0]);
      ::dup2(errors[1], STDERR_FILENO);
      ::close(errors[1]);
      work(lines[1], *worker.next);
    }
    ::close(lines[1]);
    ::close(errors[1]);
    worker.pipe = lines[0];
    worker.errors = errors[0];
    worker.unread.clear();
    worker.said.clear();
  }

  [[noreturn]] void work(int out, std::uint64_t first) {
    std::optional<std::uint64_t> seed = first;
    sim::Trace::Sink sink;
    if (events_.on_line) {  // Each line at once: what is unsent when an assertion fails is lost.
      sink = [out](std::string_view line) { write_all(out, fmt::format("{}{}\n", line_tag, line)); };
    }
    while (seed) {
      write_all(out, fmt::format("{}{}\n", begin_tag, *seed));
      const sim::Plan plan = runs_.plan_of(*seed);
      limit_processor(limit_of(plan, runs_.limit_s));
      write_all(out, encode(*seed, runs_.run(plan, sink)));
      seed = after(*seed);
    }
    std::_Exit(0);
  }

  // The next one of the same worker.
  [[nodiscard]] std::optional<std::uint64_t> after(std::uint64_t seed) const {
    return runs_.seeds.last - seed >= workers_.size() ? std::optional(seed + workers_.size()) : std::nullopt;
  }

  static int reap(Worker& worker) {
    int status = 0;
    while (::waitpid(worker.pid, &status, 0) < 0 && errno == EINTR) {
    }
    worker.pid = -1;
    return status;
  }

  // What it says on stderr; whether there may be more.
  static bool hear(Worker& worker) {
    char bytes[4096];
    const ssize_t count = ::read(worker.errors, bytes, sizeof bytes);
    if (count < 0 && errno == EINTR) {
      return true;
    }
    if (count <= 0) {
      close_fd(worker.errors);
      return false;
    }
    worker.said.append(bytes, static_cast<std::size_t>(count));
    if (worker.said.size() > said_max) {
      worker.said.erase(0, worker.said.size() - said_max);
    }
    return true;
  }

  bool read(Worker& worker) {
    char bytes[65536];
    const ssize_t count = ::read(worker.pipe, bytes, sizeof bytes);
    if (count < 0) {
      return true;
    }
    if (count == 0) {
      return ended(worker);
    }
    worker.unread.append(bytes, static_cast<std::size_t>(count));
    std::size_t at = 0;
    bool goes_on = true;
    for (std::size_t end = 0; goes_on && (end = worker.unread.find('\n', at)) != std::string::npos; at = end + 1) {
      goes_on = take(worker, std::string_view(worker.unread).substr(at, end - at));
    }
    worker.unread.erase(0, at);
    return goes_on;
  }

  bool take(Worker& worker, std::string_view line) {
    const char tag = line.front();
    line.remove_prefix(1);
    if (tag == line_tag) {
      events_.on_line(line);
      return true;
    }
    if (tag == begin_tag) {
      worker.running = std::stoull(std::string(line));
      worker.next = after(*worker.running);
      return true;
    }
    const std::uint64_t seed = *std::exchange(worker.running, std::nullopt);
    const sim::Report report = decode(json::parse(line));
    bool goes_on = events_.on_report(seed, report);
    if (report.violation) {
      goes_on =
          events_.on_failure(RunFailure{
              .seed = seed, .invariant = report.violation->invariant, .words = report.violation->words, .said = {}}) &&
          goes_on;
    }
    return goes_on;
  }

  bool ended(Worker& worker) {
    while (worker.errors >= 0 && hear(worker)) {
    }
    close_fd(worker.errors);
    close_fd(worker.pipe);
    const int status = reap(worker);
    if (!worker.running) {
      std::fputs(worker.said.c_str(), stderr);  // What did not stop it: a sanitizer's words.
      return true;
    }
    const std::uint64_t seed = *std::exchange(worker.running, std::nullopt);
    const bool goes_on = events_.on_failure(failure_by_death(seed, status, worker.said));
    if (goes_on) {
      start(worker);
    }
    return goes_on;
  }

  const Runs& runs_;
  const RunEvents& events_;
  std::vector<Worker> workers_;
};

}  // namespace

bool is_same(const RunFailure& one, const RunFailure& other) {
  return one.invariant == other.invariant && (one.invariant != assertion || one.words == other.words);
}

void run_seeds(const Runs& runs, const RunEvents& events) {
  Pool pool(runs, events);
  pool.run();
}

std::optional<RunFailure> failure_of(const sim::Plan& plan, std::int64_t limit_s) {
  std::optional<RunFailure> found;
  run_seeds(Runs{.seeds = SeedRange{.first = plan.seed, .last = plan.seed},
                 .plan_of = [&plan](std::uint64_t) { return plan; },
                 .limit_s = limit_s},
            RunEvents{.on_report = [](std::uint64_t, const sim::Report&) { return true; },
                      .on_failure =
                          [&found](const RunFailure& failure) {
                            found = failure;
                            return false;
                          },
                      .on_line = nullptr});
  return found;
}

}  // namespace quorate::cli
