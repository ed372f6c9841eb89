#include "tree/block_store.hpp"

#include <algorithm>
#include <cstring>
#include <new>

#include "base/ensure.hpp"
#include "tree/memory_advice.hpp"

namespace quorate::tree {

namespace {

// Aligned to its own size, so that the system may back a chunk with one huge page.
constexpr std::align_val_t chunk_alignment{BlockStore::chunk_bytes};

// A free block keeps its link behind its first word: walks read whether a znode lives from elsewhere in the block.
constexpr std::size_t link_offset = 0;

}  // namespace

void BlockStore::FreeChunk::operator()(char* base) const {
  ::operator delete(base, chunk_alignment);
}

std::size_t BlockStore::class_of(std::size_t bytes) {
  ensure(bytes <= block_bytes_max, "larger things have memory of their own");
  if (bytes <= block_bytes_min) {
    return 0;
  }
  if (bytes <= small_max) {
    return (bytes - block_bytes_min + small_step - 1) / small_step;
  }
  return small_classes + (bytes - small_max + large_step - 1) / large_step - 1;
}

std::size_t BlockStore::rounded(std::size_t bytes) {
  const std::size_t size_class = class_of(bytes);
  if (size_class < small_classes) {
    return block_bytes_min + size_class * small_step;
  }
  return small_max + (size_class - small_classes + 1) * large_step;
}

SlotNumber BlockStore::allocate(std::size_t bytes) {
  Class& size_class = classes_[class_of(bytes)];
  live_bytes_ += rounded(bytes);
  if (size_class.first_free != no_slot) {
    const SlotNumber slot = size_class.first_free;
    std::memcpy(&size_class.first_free, address(slot) + link_offset, sizeof(SlotNumber));
    return slot;
  }
  if (size_class.has_open) {
    Chunk& chunk = chunks_[size_class.open_chunk];
    if ((std::size_t{chunk.used} + 1) * chunk.block_bytes <= chunk_bytes) {
      return slot_at(size_class.open_chunk, chunk.used++);
    }
  }
  ensure(chunks_.size() < chunks_max, "256 GiB of znodes: the machine's memory ends before, and the budget (S-206)");
  owned_.emplace_back(static_cast<char*>(::operator new(chunk_bytes, chunk_alignment)));
  if (size_class.has_open) {
    advise_memory(owned_.back().get(),
                  chunk_bytes);  // A class that fills chunks is worth it; a first one may stay small.
  }
  // The very first block of all would be slot 0, which names none.
  const std::uint32_t first = chunks_.empty() ? 1 : 0;
  chunks_.push_back({owned_.back().get(), static_cast<std::uint32_t>(rounded(bytes)), first + 1});
  size_class.open_chunk = static_cast<std::uint32_t>(chunks_.size() - 1);
  size_class.has_open = true;
  return slot_at(size_class.open_chunk, first);
}

void BlockStore::release(SlotNumber slot) {
  ensure(slot != no_slot, "slot 0 names no block");
  Class& size_class = classes_[class_of(block_bytes(slot))];
  live_bytes_ -= block_bytes(slot);
  std::memcpy(address(slot) + link_offset, &size_class.first_free, sizeof(SlotNumber));
  size_class.first_free = slot;
}

std::size_t BlockStore::bytes() const {
  std::size_t total = chunks_.capacity() * (sizeof(Chunk) + sizeof(char*));
  for (const Chunk& chunk : chunks_) {
    total += std::size_t{chunk.used} * chunk.block_bytes;
  }
  return total;
}

}  // namespace quorate::tree
