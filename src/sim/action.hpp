#pragma once

// Something that will happen once: a callable in a place of fixed size, so that nothing is allocated for it.

#include <array>
#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace quorate::sim {

class Action {
 public:
  Action() = default;
  ~Action() { clear(); }
  Action(const Action&) = delete;
  Action& operator=(const Action&) = delete;

  // In the place of what was there.
  template <class Call>
  void set(Call&& call) {
    using Stored = std::remove_cvref_t<Call>;
    static_assert(sizeof(Stored) <= bytes && alignof(Stored) <= alignof(std::max_align_t));
    clear();
    std::construct_at(static_cast<Stored*>(place()), std::forward<Call>(call));
    act_ = [](void* stored, Do what) {
      auto* held = std::launder(static_cast<Stored*>(stored));
      if (what == Do::run) {
        (*held)();
      }
      std::destroy_at(held);
    };
  }

  // Runs it and forgets it. It may not be set() before it returns.
  void run() {
    act_(place(), Do::run);
    act_ = nullptr;
  }
  void clear() {
    if (act_ != nullptr) {
      std::exchange(act_, nullptr)(place(), Do::destroy);
    }
  }

 private:
  static constexpr std::size_t bytes = 176;  // A message of the core, and who sends it to whom.
  enum class Do : bool { destroy, run };

  void* place() { return bytes_.data(); }

  void (*act_)(void* stored, Do what) = nullptr;
  alignas(std::max_align_t) std::array<std::byte, bytes> bytes_{};
};

}  // namespace quorate::sim
