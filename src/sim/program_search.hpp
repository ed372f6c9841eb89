#pragma once

// The search for an order of all registers' operations that keeps each client's program: see sequential.hpp.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "sim/history.hpp"
#include "sim/register_steps.hpp"

namespace quorate::sim {

class ProgramSearch {
 public:
  ProgramSearch(std::span<const Operation> history, std::span<const History::Position> positions);

  Verdict run(const SearchLimits& limits);
  [[nodiscard]] std::uint64_t steps() const { return step_count_; }
  [[nodiscard]] std::size_t seen_bytes() const { return seen_.bytes(); }

 private:
  struct Program {
    std::vector<std::uint32_t> steps;  // What must be placed, in the client's order.
    std::size_t next = 0;
  };
  // A step that may be left out, and what must be placed before it: so much of its client's program.
  struct Optional {
    std::uint32_t step = 0;
    std::uint32_t program = 0;
    std::size_t after = 0;
    bool is_placed = false;
  };
  // What a step did, so that it can be taken back. An optional one has its number behind the programs'.
  struct Placed {
    std::uint32_t who = 0;
    ValueId before{};
  };
  // A configuration on the way from the start to here, and who may come next in it.
  struct Frame {
    std::size_t placed = 0;
    std::size_t candidate = 0;
    std::size_t candidates = 0;
  };

  // A value that a client waits for.
  struct Awaited {
    ValueId value{};
    std::int64_t since = 0;  // The time of that client's answer.
  };

  void split(std::span<const Operation> history);
  [[nodiscard]] bool is_optional(std::uint32_t who) const { return who >= programs_.size(); }
  [[nodiscard]] std::uint32_t index_of(std::uint32_t who) const;
  [[nodiscard]] const Step& step_of(std::uint32_t who) const { return steps_.list[index_of(who)]; }
  [[nodiscard]] bool has_step(std::uint32_t who) const;
  void place(std::uint32_t who);
  void take_back(std::size_t placed);
  void settle();
  bool visit();
  void open_frame();
  bool offer_steps();
  [[nodiscard]] std::int64_t due_time(std::uint32_t who) const;
  void list_candidates();

  Steps steps_;
  Demand demand_;
  std::vector<std::int64_t> answered_;  // Of a step: when, as a hint of the order to try.
  std::vector<Program> programs_;
  std::vector<Optional> optional_;
  std::size_t remaining_ = 0;  // Steps that must still be placed.
  std::vector<ValueId> state_;
  std::vector<Placed> placed_;
  std::vector<std::uint32_t> candidates_;
  std::vector<Awaited> awaited_;
  std::vector<Frame> frames_;
  std::vector<std::uint32_t> words_;  // A configuration in the making.
  SeenConfigurations seen_;
  std::uint64_t step_count_ = 0;
};

}  // namespace quorate::sim
