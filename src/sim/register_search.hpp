#pragma once

// The search for an order of one register's operations that keeps their real time: see linearizability.hpp.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "sim/history.hpp"
#include "sim/register_steps.hpp"

namespace quorate::sim {

class RegisterSearch {
 public:
  // `positions`: operations of one key, in the order of their calls.
  RegisterSearch(std::span<const Operation> history, std::span<const History::Position> positions);

  Verdict run(const SearchLimits& limits);
  [[nodiscard]] std::uint64_t steps() const { return step_count_; }
  [[nodiscard]] std::size_t seen_bytes() const { return seen_.bytes(); }

 private:
  using Node = std::uint32_t;  // A call or an answer in the list of what is not placed yet; 0 is its end.

  // A configuration on the way from the start to here, and the steps that may come next in it.
  struct Frame {
    ValueId state{};
    std::size_t placed = 0;      // Length of `placed_`.
    std::size_t candidate = 0;   // The next one to try, in `candidates_`; its last is the end of that list
    std::size_t candidates = 0;  // up to here.
  };

  void link_events(std::span<const Operation> history);
  void place(std::uint32_t step);
  void take_back(std::size_t placed);
  void settle();
  [[nodiscard]] bool is_called(std::uint32_t optional_step) const;
  void open_frame();
  void list_candidates();
  void offer(std::uint32_t step);
  bool visit();

  Steps steps_;
  Demand demand_;
  std::vector<Node> next_;
  std::vector<Node> previous_;
  std::vector<std::uint32_t> owner_;  // Of a node: its step.
  std::vector<Node> call_;            // Of a step. An optional step is not in the list; it has the place behind which
  std::vector<Node> answer_;          // it may be placed, and no answer.
  std::vector<std::uint32_t> optional_;  // Optional steps, by call.
  std::vector<bool> is_placed_;          // Of optional steps.
  ValueId state_{};
  Node first_answer_ = 0;            // 0: everything that must be placed is.
  std::vector<std::uint32_t> open_;  // Called before `first_answer_`, not placed.
  std::vector<std::uint32_t> placed_;
  std::vector<std::uint32_t> candidates_;
  std::vector<Frame> frames_;
  std::vector<std::uint32_t> words_;  // A configuration in the making.
  SeenConfigurations seen_;
  std::uint64_t step_count_ = 0;
};

}  // namespace quorate::sim
