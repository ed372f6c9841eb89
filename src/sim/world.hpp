#pragma once

// One simulated run: servers, clients, faults, judges, from a plan to a verdict. First a phase with faults, in which
// nothing bad may happen, then one without, in which something good must (F-003, RAFT-39).

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "raft/configuration.hpp"
#include "sim/clients.hpp"
#include "sim/faults.hpp"
#include "sim/judges.hpp"
#include "sim/network.hpp"
#include "sim/scheduler.hpp"
#include "sim/server.hpp"
#include "sim/trace.hpp"

namespace quorate::sim {

class Nemesis;

// What a run was like.
struct Report {
  std::optional<Violation> violation;
  std::int64_t simulated_us = 0;
  std::uint64_t steps = 0;
  std::uint64_t committed = 0;
  std::uint64_t leaders = 0;
  std::uint64_t answered = 0;
  std::uint64_t unanswered = 0;
  std::uint64_t digest = 0;                    // Of the committed log; equal seeds have equal ones.
  std::uint64_t undecided_histories = 0;       // Too hard within their bounds.
  std::map<std::string, std::uint64_t> goals;  // Rare states, and how often they were reached (I-505).
};

class World {
 public:
  explicit World(const Plan& plan, Trace::Sink sink = nullptr);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  Report run();

 private:
  void schedule_faults();
  void run_until(MonoTime end);
  void heal();
  [[nodiscard]] bool has_converged() const;
  [[nodiscard]] std::string why_not_converged() const;
  void judge_end();
  void judge_answers();
  void judge_quiet();
  void judge_history(const char* invariant, Verdict verdict, const std::string& words);
  [[nodiscard]] std::size_t waiting() const;
  Report report();

  const Plan plan_;
  Scheduler scheduler_;
  Judges judges_;
  Trace trace_;
  Network network_;
  Surroundings around_;
  raft::Configuration founding_;
  std::vector<std::unique_ptr<Server>> servers_;
  std::unique_ptr<Nemesis> nemesis_;
  std::vector<std::unique_ptr<Clients>> clients_;  // By read level.
  std::uint64_t steps_max_ = UINT64_MAX;
  std::uint64_t undecided_histories_ = 0;
};

// Runs a plan from its beginning to its end.
[[nodiscard]] Report run(const Plan& plan, Trace::Sink sink = nullptr);

}  // namespace quorate::sim
