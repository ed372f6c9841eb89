#include "sim/explore.hpp"

#include <algorithm>
#include <utility>

#include "base/ensure.hpp"
#include "sim/search/world.hpp"

namespace quorate::sim {
namespace {

using search::Action;
using search::State;

// A search in progress.
class Search {
 public:
  Search(const Scope& scope, const SearchBounds& bounds) : bounds_(bounds), world_(scope) {}

  SearchReport run();
  // The steps to the state that is being left, and the step that is being tried.
  [[nodiscard]] std::string current_path();

 private:
  // How a state was first reached.
  struct Origin {
    std::uint32_t parent = 0;
    std::uint32_t action = 0;
  };

  void expand(std::uint32_t number, const State& state);
  void arrive(std::uint32_t parent, const Action& action, const State& state);
  void accuse(std::uint32_t parent, const Action& action, std::string invariant);
  void push(std::uint32_t number, const State& state);
  std::size_t pop(std::size_t at, std::uint32_t& number, State& state) const;
  [[nodiscard]] std::vector<Action> actions_to(std::uint32_t number) const;
  [[nodiscard]] std::vector<std::string> path_in_words(std::span<const Action> actions);
  [[nodiscard]] static search::Key key_of(const State& state);

  SearchBounds bounds_;
  search::World world_;
  search::KeyIndex seen_;
  std::vector<Origin> origins_;
  std::vector<std::uint32_t> frontier_;  // States one after the other, as push() writes them.
  std::vector<std::uint32_t> next_;
  std::vector<Action> actions_;
  State successor_;
  std::uint32_t expanding_ = 0;
  Action trying_;
  SearchReport report_;
};

Search* running = nullptr;

void Search::push(std::uint32_t number, const State& state) {
  next_.push_back(number);
  next_.insert(next_.end(), state.servers.begin(), state.servers.end());
  next_.push_back(state.memory);
  next_.push_back(state.budget.packed());
  next_.push_back(static_cast<std::uint32_t>(state.messages.size()));
  next_.insert(next_.end(), state.messages.begin(), state.messages.end());
}

std::size_t Search::pop(std::size_t at, std::uint32_t& number, State& state) const {
  number = frontier_[at++];
  for (std::uint32_t& server : state.servers) {
    server = frontier_[at++];
  }
  state.memory = frontier_[at++];
  state.budget = search::Budget::unpacked(frontier_[at++]);
  const std::size_t count = frontier_[at++];
  const auto first = frontier_.begin() + static_cast<std::ptrdiff_t>(at);
  state.messages.assign(first, first + static_cast<std::ptrdiff_t>(count));
  return at + count;
}

search::Key Search::key_of(const State& state) {
  std::string bytes;
  const auto put = [&bytes](std::uint32_t word) {
    for (unsigned shift = 0; shift < 32; shift += 8) {
      bytes += static_cast<char>(word >> shift);
    }
  };
  bytes.reserve(4 * (state.servers.size() + 2 + state.messages.size()));
  std::ranges::for_each(state.servers, put);
  put(state.memory);
  put(state.budget.packed());
  std::ranges::for_each(state.messages, put);
  return search::key_of(bytes);
}

SearchReport Search::run() {
  seen_.insert(key_of(world_.start()));
  origins_.push_back(Origin{});
  push(0, world_.start());
  while (!next_.empty() && !report_.broken && seen_.size() < bounds_.states_max) {
    frontier_.swap(next_);
    next_.clear();
    State state;
    std::size_t at = 0;
    while (at < frontier_.size() && !report_.broken && seen_.size() < bounds_.states_max) {
      at = pop(at, expanding_, state);
      expand(expanding_, state);
    }
    report_.is_exhausted = next_.empty() && at == frontier_.size() && !report_.broken;
    report_.depth += next_.empty() ? 0U : 1U;
    if (bounds_.progress) {
      bounds_.progress(seen_.size(), report_.depth);
    }
  }
  report_.states = seen_.size();
  report_.server_states = world_.server_states();
  report_.messages = world_.messages();
  return std::move(report_);
}

void Search::expand(std::uint32_t number, const State& state) {
  world_.list_actions(state, actions_);
  for (const Action& action : actions_) {
    trying_ = action;
    if (!world_.step(state, action, successor_)) {
      continue;
    }
    ++report_.steps;
    if (world_.broken()) {
      accuse(number, action, *world_.broken());
      return;
    }
    arrive(number, action, successor_);
    if (report_.broken || seen_.size() >= bounds_.states_max) {
      return;
    }
  }
}

void Search::arrive(std::uint32_t parent, const Action& action, const State& state) {
  const auto [number, is_new] = seen_.insert(key_of(state));
  if (!is_new) {
    return;
  }
  origins_.push_back(Origin{.parent = parent, .action = action.packed()});
  if (auto broken = world_.judge(state)) {
    accuse(parent, action, std::move(*broken));
    return;
  }
  const auto leads = [this](std::uint32_t server) { return world_.view(server).role == raft::Role::leader; };
  report_.leaders += std::ranges::any_of(state.servers, leads) ? 1U : 0U;
  report_.committed = std::max(report_.committed, world_.memory(state.memory).committed.size());
  push(number, state);
  if (bounds_.replay_every != 0 && number % bounds_.replay_every == 0) {
    ++report_.replayed;
    if (!world_.replays_to(actions_to(number), state)) {
      accuse(parent, action, "the search's own: with real cores all the way, this path ends elsewhere");
    }
  }
}

void Search::accuse(std::uint32_t parent, const Action& action, std::string invariant) {
  std::vector<Action> actions = actions_to(parent);
  actions.push_back(action);
  report_.broken = Counterexample{.invariant = std::move(invariant), .path = path_in_words(actions)};
}

std::vector<Action> Search::actions_to(std::uint32_t number) const {
  std::vector<Action> actions;
  for (; number != 0; number = origins_[number].parent) {
    actions.push_back(Action::unpacked(origins_[number].action));
  }
  std::ranges::reverse(actions);
  return actions;
}

std::vector<std::string> Search::path_in_words(std::span<const Action> actions) {
  std::vector<std::string> lines;
  State before = world_.start();
  State after;
  for (const Action& action : actions) {
    world_.step(before, action, after);
    lines.push_back(world_.describe(before, action, after));
    before = after;
  }
  return lines;
}

std::string Search::current_path() {
  std::string text = "on the way to a new state of the search:\n";
  for (const std::string& line : path_in_words(actions_to(expanding_))) {
    text += "  " + line + "\n";
  }
  return text + "  then " + world_.announce(trying_) + "\n";
}

}  // namespace

SearchReport explore(const Scope& scope, const SearchBounds& bounds) {
  Search search(scope, bounds);
  running = &search;
  set_failure_context(
      [] { return running == nullptr ? std::string() : std::exchange(running, nullptr)->current_path(); });
  SearchReport report = search.run();
  running = nullptr;
  set_failure_context(nullptr);
  return report;
}

}  // namespace quorate::sim
