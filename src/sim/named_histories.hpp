#pragma once

// Small histories with a name: what each consistency model allows and the next stronger one refuses (CONS-04 to
// CONS-07), as tests of the checkers and as examples for a reader. The page docs/simulator.md explains them.

#include <span>
#include <string_view>

namespace quorate::sim {

struct NamedHistory {
  std::string_view name;
  std::string_view says;  // What it shows, in a sentence.
  std::string_view text;  // As parse_history() reads it.
  bool is_linearizable = false;
  bool is_sequential = false;
  bool is_causal = false;
};

std::span<const NamedHistory> named_histories();

}  // namespace quorate::sim
