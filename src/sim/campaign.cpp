#include "sim/campaign.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <numeric>

namespace quorate::sim {

void Tally::add(const Report& report) {
  ++runs;
  simulated_us += report.simulated_us;
  steps += report.steps;
  committed += report.committed;
  answered += report.answered;
  unanswered += report.unanswered;
  undecided_histories += report.undecided_histories;
  for (const auto& [goal, times] : report.goals) {
    goals[goal] += times;
  }
}

std::vector<std::string> Tally::missed() const {
  std::vector<std::string> list;
  for (const auto& [goal, times] : goals) {
    if (times == 0) {
      list.push_back(goal);
    }
  }
  return list;
}

std::vector<std::string> Tally::shortfalls(bool judges_goals) const {
  std::vector<std::string> lines;
  if (undecided_histories > 0) {
    lines.push_back(fmt::format("I-503: {} histories were too hard to judge", undecided_histories));
  }
  if (judges_goals) {
    for (const std::string& goal : missed()) {
      lines.push_back(fmt::format("I-505: no run reached: {}", goal));
    }
  }
  return lines;
}

namespace {

class Shrinker {
 public:
  Shrinker(const Plan& plan, const std::function<bool(const Plan&)>& fails, std::size_t trials)
      : fails_(fails), trials_max_(trials), original_(plan) {
    kept_.resize(plan.faults.size());
    std::iota(kept_.begin(), kept_.end(), std::size_t{0});
  }

  Shrunk run() {
    leave_out();
    shorten();
    return Shrunk{.plan = with_faults(original_, kept_), .kept = kept_, .trials = trials_};
  }

 private:
  bool still_fails(const std::vector<std::size_t>& kept) {
    if (trials_ == trials_max_) {
      return false;
    }
    ++trials_;
    return fails_(with_faults(original_, kept));
  }

  void leave_out() {
    std::size_t part = std::max<std::size_t>(kept_.size() / 2, 1);
    while (!kept_.empty() && trials_ < trials_max_) {
      bool has_shrunk = false;
      for (std::size_t at = 0; at < kept_.size() && trials_ < trials_max_;) {
        std::vector<std::size_t> fewer = kept_;
        const std::size_t end = std::min(at + part, fewer.size());
        fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(at), fewer.begin() + static_cast<std::ptrdiff_t>(end));
        if (still_fails(fewer)) {
          kept_ = std::move(fewer);
          has_shrunk = true;
        } else {
          at += part;
        }
      }
      if (part == 1 && !has_shrunk) {
        return;
      }
      part = std::max<std::size_t>(part / 2, 1);
    }
  }

  // The phase with faults ends earlier.
  void shorten() {
    while (original_.safety_us > 2'000'000 && trials_ < trials_max_) {
      const std::int64_t before = original_.safety_us;
      original_.safety_us = before / 2;
      if (!still_fails(kept_)) {
        original_.safety_us = before;
        return;
      }
    }
  }

  const std::function<bool(const Plan&)>& fails_;
  std::size_t trials_max_;
  Plan original_;
  std::vector<std::size_t> kept_;
  std::size_t trials_ = 0;
};

}  // namespace

Shrunk shrink(const Plan& plan, const std::function<bool(const Plan&)>& fails, std::size_t trials) {
  return Shrinker(plan, fails, trials).run();
}

PlanOptions options_of(const Shrunk& shrunk, const PlanOptions& options) {
  PlanOptions smaller = options;
  smaller.profile = shrunk.plan.profile;
  smaller.until_us = shrunk.plan.safety_us;
  smaller.only_faults = shrunk.kept;
  if (options.only_faults) {  // Positions among those that were left.
    for (std::size_t& position : *smaller.only_faults) {
      position = (*options.only_faults)[position];
    }
  }
  return smaller;
}

std::string replay_arguments(std::uint64_t seed, const PlanOptions& options) {
  std::string text = fmt::format("--seed {} --profile {} --seconds {}", seed, options.profile, options.seconds);
  if (options.servers != 0) {
    text += fmt::format(" --servers {}", options.servers);
  }
  if (options.steps_max != 0) {
    text += fmt::format(" --steps {}", options.steps_max);
  }
  if (options.until_us != 0 && options.until_us != options.seconds * 1'000'000) {
    text += fmt::format(" --until-us {}", options.until_us);
  }
  if (options.only_faults) {
    text += " --only-faults ";
    text += options.only_faults->empty() ? "none" : fmt::format("{}", fmt::join(*options.only_faults, ","));
  }
  return text;
}

}  // namespace quorate::sim
