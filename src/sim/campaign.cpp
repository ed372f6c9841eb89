#include "sim/campaign.hpp"

#include <algorithm>
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

Plan with_faults(const Plan& plan, const std::vector<std::size_t>& kept) {
  Plan smaller = plan;
  smaller.faults.clear();
  for (const std::size_t position : kept) {
    if (position < plan.faults.size()) {
      smaller.faults.push_back(plan.faults[position]);
    }
  }
  return smaller;
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

}  // namespace quorate::sim
