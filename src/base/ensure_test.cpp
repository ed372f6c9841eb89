#include "base/ensure.hpp"

#include <gtest/gtest.h>
#include <string>

namespace quorate {
namespace {

TEST(ensure, what_holds_costs_nothing) {
  ensure(true, "never printed");
  static_assert([] {
    ensure(2 > 1);
    return true;
  }());  // Usable where the compiler computes, too.
}

TEST(ensure_death, what_does_not_hold_stops_the_process_with_reason_and_place) {
  EXPECT_DEATH(ensure(1 > 2, "one is not more than two"),
               "assertion failed: one is not more than two\n.*ensure_test.cpp:[0-9]+ in ");
  EXPECT_DEATH(ensure(false), "assertion failed: \n");
}

TEST(ensure_death, the_simulator_adds_its_seed_and_tick) {
  EXPECT_DEATH(
      {
        set_failure_context([]() -> std::string { return "seed 7 tick 9\n"; });
        fail("broken");
      },
      "assertion failed: broken\n(.|\n)*seed 7 tick 9");
}

}  // namespace
}  // namespace quorate
