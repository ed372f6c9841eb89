#include "tree/memory_advice.hpp"

namespace quorate::tree {

namespace {

MemoryAdvice current_advice = nullptr;

}  // namespace

void set_memory_advice(MemoryAdvice advice) {
  current_advice = advice;
}

void advise_memory(void* start, std::size_t bytes) {
  if (current_advice != nullptr) {
    current_advice(start, bytes);
  }
}

}  // namespace quorate::tree
