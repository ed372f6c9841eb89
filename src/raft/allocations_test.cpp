// In the steady state the core allocates nothing but the entries themselves. This file replaces the test binary's
// operator new with one that counts.

#include <cstddef>
#include <cstdlib>
#include <gtest/gtest.h>
#include <new>
#include <vector>

#include "raft/testing/trio.hpp"

namespace {

std::size_t allocations = 0;

void* allocate(std::size_t bytes) {
  ++allocations;
  void* const memory = std::malloc(bytes);
  if (memory == nullptr) {
    std::abort();
  }
  return memory;
}

}  // namespace

void* operator new(std::size_t bytes) {
  return allocate(bytes);
}
void* operator new[](std::size_t bytes) {
  return allocate(bytes);
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete[](void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace quorate::raft {
namespace {

// From the proposals to the third server's state machine: a row and its count, made by the leader. The log, the writes,
// the messages and what is applied share it.
class Allocations : public ::testing::TestWithParam<std::size_t> {};

TEST_P(Allocations, a_turn_makes_the_row_of_its_entries_and_nothing_else) {
  constexpr std::size_t turns = 2000;
  testing::Trio trio;
  std::vector<Blob> commands;
  testing::fill(commands, GetParam());
  std::size_t before = 0;
  for (std::size_t turn = 0; turn < 2 * turns; ++turn) {
    if (turn == turns) {
      before = allocations;  // The buffers have their size by now.
    }
    ASSERT_TRUE(trio.leader().propose(commands, WallTime{}));
    trio.settle();
  }
  EXPECT_EQ(allocations - before, 2 * turns);
  for (const Core& core : trio.cores()) {
    EXPECT_EQ(core.applied_index(), Index{2 * turns * commands.size() + 1});
  }
}
INSTANTIATE_TEST_SUITE_P(Of, Allocations, ::testing::Values(1, 16, 256));

}  // namespace
}  // namespace quorate::raft
