#include "sim/program_search.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "base/ensure.hpp"

namespace quorate::sim {

ProgramSearch::ProgramSearch(std::span<const Operation> history, std::span<const History::Position> positions)
    : steps_(make_steps(history, positions)), demand_(steps_), state_(steps_.places) {
  for (std::uint32_t place = 0; place < steps_.places; ++place) {
    state_[place] = ValueId{place};
  }
  split(history);
}

// `steps_` is in the order of calls, so each program is too.
void ProgramSearch::split(std::span<const Operation> history) {
  std::map<ClientId, std::uint32_t> known;
  for (std::uint32_t index = 0; index < steps_.list.size(); ++index) {
    const Operation& operation = history[steps_.list[index].position];
    answered_.push_back(operation.returned);
    const auto [client, is_new] = known.emplace(operation.client, static_cast<std::uint32_t>(programs_.size()));
    if (is_new) {
      programs_.emplace_back();
    }
    std::vector<std::uint32_t>& program = programs_[client->second].steps;
    if (steps_.list[index].is_optional) {
      optional_.push_back({.step = index, .program = client->second, .after = program.size()});
    } else {
      program.push_back(index);
      ++remaining_;
    }
  }
}

std::uint32_t ProgramSearch::index_of(std::uint32_t who) const {
  return is_optional(who) ? optional_[who - programs_.size()].step : programs_[who].steps[programs_[who].next];
}

bool ProgramSearch::has_step(std::uint32_t who) const {
  if (is_optional(who)) {
    const Optional& optional = optional_[who - programs_.size()];
    return !optional.is_placed && programs_[optional.program].next >= optional.after &&
           demand_.is_wanted(steps_.list[optional.step]);
  }
  return programs_[who].next < programs_[who].steps.size();
}

void ProgramSearch::place(std::uint32_t who) {
  const Step& step = step_of(who);
  placed_.push_back({.who = who, .before = state_[step.place]});
  demand_.remove(step);
  if (!step.sets_nothing()) {
    state_[step.place] = step.sets;
  }
  if (is_optional(who)) {
    optional_[who - programs_.size()].is_placed = true;
  } else {
    ++programs_[who].next;
    ensure(remaining_ > 0, "each step is placed once");
    --remaining_;
  }
}

void ProgramSearch::take_back(std::size_t placed) {
  for (; placed_.size() > placed; placed_.pop_back()) {
    const auto [who, before] = placed_.back();
    if (is_optional(who)) {
      optional_[who - programs_.size()].is_placed = false;
    } else {
      --programs_[who].next;
      ++remaining_;
    }
    const Step& step = step_of(who);
    demand_.add(step);
    state_[step.place] = before;
  }
}

// Places whatever fits and changes nothing.
void ProgramSearch::settle() {
  for (std::uint32_t who = 0; who < programs_.size(); ++who) {
    while (has_step(who) && step_of(who).sets_nothing() && step_of(who).fits(state_[step_of(who).place])) {
      place(who);
    }
  }
}

// False: this configuration was visited before, and led nowhere. A register's value that nobody asks for is left out,
// and so are optional steps that nobody would see.
bool ProgramSearch::visit() {
  words_.clear();
  for (const Program& program : programs_) {
    words_.push_back(static_cast<std::uint32_t>(program.next));
  }
  for (std::uint32_t place = 0; place < state_.size(); ++place) {
    words_.push_back(std::to_underlying(demand_.is_asked_for(place, state_[place]) ? state_[place] : no_value));
  }
  for (std::uint32_t optional = 0; optional < optional_.size(); ++optional) {
    if (!optional_[optional].is_placed && demand_.is_wanted(steps_.list[optional_[optional].step])) {
      words_.push_back(optional);
    }
  }
  return seen_.insert(words_);
}

// Collects the steps that may come next; false if one can never be placed any more.
bool ProgramSearch::offer_steps() {
  awaited_.clear();
  for (std::uint32_t who = 0; who < programs_.size() + optional_.size(); ++who) {
    if (!has_step(who)) {
      continue;
    }
    const Step& step = step_of(who);
    const ValueId state = state_[step.place];
    if (!is_optional(who) && step.needs != no_value && step.needs != state) {
      if (demand_.is_lost(step, state)) {
        return false;
      }
      awaited_.push_back({.value = step.needs, .since = answered_[index_of(who)]});
    }
    if (!step.sets_nothing() && step.fits(state) && !demand_.would_strand(step, state)) {
      candidates_.push_back(who);
    }
  }
  return true;
}

// The time of the first answer that shows that the step was placed: its own, or of one that waits for its value.
std::int64_t ProgramSearch::due_time(std::uint32_t who) const {
  std::int64_t due = answered_[index_of(who)];
  for (const auto& [value, since] : awaited_) {
    due = value == step_of(who).sets ? std::min(due, since) : due;
  }
  return due;
}

// In the order in which they are tried: what shows first comes first, for weak reads are late but writes seldom are.
void ProgramSearch::list_candidates() {
  const std::size_t begin = candidates_.size();
  if (!offer_steps()) {
    candidates_.resize(begin);
    return;
  }
  const auto is_free = [this](std::uint32_t who) {
    return !is_optional(who) && demand_.is_free(step_of(who), state_[step_of(who).place]);
  };
  const auto first = candidates_.begin() + static_cast<std::ptrdiff_t>(begin);
  const auto free = std::find_if(first, candidates_.end(), is_free);
  if (free != candidates_.end()) {
    *first = *free;
    candidates_.resize(begin + 1);
    return;
  }
  std::ranges::sort(first, candidates_.end(), {}, [this](std::uint32_t who) { return std::pair(due_time(who), who); });
}

void ProgramSearch::open_frame() {
  Frame frame{.placed = placed_.size(), .candidate = candidates_.size()};
  list_candidates();
  frame.candidates = candidates_.size();
  frames_.push_back(frame);
}

Verdict ProgramSearch::run(const SearchLimits& limits) {
  settle();
  if (remaining_ == 0) {
    return Verdict::holds;
  }
  open_frame();
  while (!frames_.empty()) {
    Frame& frame = frames_.back();
    take_back(frame.placed);
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
    if (remaining_ == 0) {
      return Verdict::holds;
    }
    if (visit()) {
      open_frame();
    }
  }
  return Verdict::broken;
}

}  // namespace quorate::sim
