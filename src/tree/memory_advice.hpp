#pragma once

// What a process may do with the tree's large stretches of memory: this room knows no operating system, but a tree of
// many znodes is walked at random, and backing it with huge pages saves the page walks (docs/performance.md).

#include <cstddef>

namespace quorate::tree {

// Told of each stretch when it is taken, before it is touched: aligned to its size, a power of two of at least 2 MiB.
// A small tree has none, so huge pages never make an idle server big.
using MemoryAdvice = void (*)(void* start, std::size_t bytes);

// For the whole process, before the first tree is made. Null, the default: nobody is told.
void set_memory_advice(MemoryAdvice advice);

// This room's side.
void advise_memory(void* start, std::size_t bytes);

}  // namespace quorate::tree
