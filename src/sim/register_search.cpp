#include "sim/register_search.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/ensure.hpp"

namespace quorate::sim {

RegisterSearch::RegisterSearch(std::span<const Operation> history, std::span<const History::Position> positions)
    : steps_(make_steps(history, positions)), demand_(steps_), is_placed_(steps_.list.size()) {
  ensure(steps_.places <= 1, "one search, one register");
  link_events(history);
}

// Nodes are numbered by time, calls before answers at equal times (I-503): whoever is called at the moment of an answer
// is concurrent with it.
void RegisterSearch::link_events(std::span<const Operation> history) {
  const auto count = static_cast<std::uint32_t>(steps_.list.size());
  call_.resize(count);
  answer_.resize(count);
  std::vector<std::uint32_t> answers;
  for (std::uint32_t step = 0; step < count; ++step) {
    if (steps_.list[step].is_optional) {
      optional_.push_back(step);
    } else {
      answers.push_back(step);
    }
  }
  const auto time = [&](std::uint32_t step) { return history[steps_.list[step].position].returned; };
  std::ranges::sort(answers, {}, [&time](std::uint32_t step) { return std::pair(time(step), step); });
  owner_.push_back(0);
  std::size_t answer = 0;
  const auto append = [this](std::uint32_t step) {
    owner_.push_back(step);
    return static_cast<Node>(owner_.size() - 1);
  };
  for (std::uint32_t step = 0; step < count; ++step) {
    const std::int64_t invoked = history[steps_.list[step].position].invoked;
    for (; answer < answers.size() && time(answers[answer]) < invoked; ++answer) {
      answer_[answers[answer]] = append(answers[answer]);
    }
    call_[step] = steps_.list[step].is_optional ? static_cast<Node>(owner_.size() - 1) : append(step);
  }
  for (; answer < answers.size(); ++answer) {
    answer_[answers[answer]] = append(answers[answer]);
  }
  const std::size_t nodes = owner_.size();
  next_.resize(nodes);
  previous_.resize(nodes);
  for (Node node = 0; node < nodes; ++node) {
    next_[node] = node + 1 == nodes ? 0 : node + 1;
    previous_[next_[node]] = node;
  }
}

void RegisterSearch::place(std::uint32_t step) {
  const Step& placed = steps_.list[step];
  if (placed.is_optional) {
    is_placed_[step] = true;
  } else {
    // The answer first: a walk that stands on the call goes on from there.
    for (const Node node : {answer_[step], call_[step]}) {
      next_[previous_[node]] = next_[node];
      previous_[next_[node]] = previous_[node];
    }
  }
  demand_.remove(placed);
  if (!placed.sets_nothing()) {
    state_ = placed.sets;
  }
  placed_.push_back(step);
}

void RegisterSearch::take_back(std::size_t placed) {
  for (; placed_.size() > placed; placed_.pop_back()) {
    const std::uint32_t step = placed_.back();
    demand_.add(steps_.list[step]);
    if (steps_.list[step].is_optional) {
      is_placed_[step] = false;
      continue;
    }
    for (const Node node : {call_[step], answer_[step]}) {
      next_[previous_[node]] = node;
      previous_[next_[node]] = node;
    }
  }
}

// Places whatever fits and changes nothing, and finds what is open at the first answer that remains.
void RegisterSearch::settle() {
  open_.clear();
  for (Node node = next_[0]; node != 0; node = next_[node]) {
    const std::uint32_t step = owner_[node];
    if (node == answer_[step]) {
      first_answer_ = node;
      return;
    }
    if (steps_.list[step].sets_nothing() && steps_.list[step].fits(state_)) {
      place(step);
    } else {
      open_.push_back(step);
    }
  }
  first_answer_ = 0;
}

bool RegisterSearch::is_called(std::uint32_t optional_step) const {
  return call_[optional_step] < first_answer_;
}

// False: this configuration was visited before, and led nowhere. Optional steps that nobody will see are left out, for
// whether they were placed makes no difference any more.
bool RegisterSearch::visit() {
  words_.assign({std::to_underlying(state_), first_answer_});
  words_.insert(words_.end(), open_.begin(), open_.end());
  for (const std::uint32_t step : optional_) {
    if (!is_called(step)) {
      break;
    }
    if (!is_placed_[step] && demand_.is_wanted(steps_.list[step])) {
      words_.push_back(step);
    }
  }
  return seen_.insert(words_);
}

void RegisterSearch::offer(std::uint32_t step) {
  const Step& offered = steps_.list[step];
  if (offered.fits(state_) && !offered.sets_nothing() && !demand_.would_strand(offered, state_)) {
    candidates_.push_back(step);
  }
}

// In the order in which they are tried: first what the next answer waits for, then by call, optional steps last.
void RegisterSearch::list_candidates() {
  const std::size_t begin = candidates_.size();
  const std::uint32_t due = owner_[first_answer_];
  if (demand_.is_lost(steps_.list[due], state_)) {
    return;
  }
  for (const std::uint32_t step : open_) {
    if (!steps_.list[step].sets_nothing() && demand_.is_free(steps_.list[step], state_)) {
      candidates_.push_back(step);
      return;
    }
  }
  std::ranges::for_each(open_, [this](std::uint32_t step) { offer(step); });
  for (const std::uint32_t step : optional_) {
    if (!is_called(step)) {
      break;
    }
    if (!is_placed_[step] && demand_.is_wanted(steps_.list[step])) {
      offer(step);
    }
  }
  const ValueId awaited = steps_.list[due].needs;
  const auto rank = [&](std::uint32_t step) {
    const bool is_awaited = step == due || (awaited != no_value && steps_.list[step].sets == awaited);
    return std::tuple(!is_awaited, steps_.list[step].is_optional, step);
  };
  std::ranges::sort(candidates_.begin() + static_cast<std::ptrdiff_t>(begin), candidates_.end(), {}, rank);
}

void RegisterSearch::open_frame() {
  Frame frame{.state = state_, .placed = placed_.size(), .candidate = candidates_.size()};
  list_candidates();
  frame.candidates = candidates_.size();
  frames_.push_back(frame);
}

Verdict RegisterSearch::run(const SearchLimits& limits) {
  settle();
  if (first_answer_ == 0) {
    return Verdict::holds;
  }
  open_frame();
  while (!frames_.empty()) {
    Frame& frame = frames_.back();
    take_back(frame.placed);
    state_ = frame.state;
    candidates_.resize(frame.candidates);
    if (frame.candidate == frame.candidates) {
      frames_.pop_back();
      continue;
    }
    if (++step_count_ > limits.steps || seen_.bytes() > limits.seen_bytes) {
      return Verdict::gave_up;
    }
    place(candidates_[frame.candidate++]);
    settle();
    if (first_answer_ == 0) {
      return Verdict::holds;
    }
    if (visit()) {
      open_frame();
    }
  }
  return Verdict::broken;
}

}  // namespace quorate::sim
