#pragma once

// Blocks of memory by size class, named by 32-bit slots that never move. A slot is a chunk's number and a position in
// it, so no table of slots is needed: a chunk holds blocks of one size, and its base and size are all that turns a slot
// into an address. Freed blocks are reused by their own class.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace quorate::tree {

// 0 names no block.
using SlotNumber = std::uint32_t;
inline constexpr SlotNumber no_slot = 0;

class BlockStore {
 public:
  static constexpr std::size_t chunk_bytes = std::size_t{2} << 20;
  static constexpr std::size_t block_bytes_min = 64;
  static constexpr std::size_t block_bytes_max = 2048;
  static constexpr unsigned position_bits = 15;
  static_assert(chunk_bytes / block_bytes_min <= (std::size_t{1} << position_bits), "every position has a number");

  // What a block of at least `bytes` really holds; at most block_bytes_max may be asked for.
  [[nodiscard]] static std::size_t rounded(std::size_t bytes);

  // A block of at least `bytes`; its contents are whatever was there.
  SlotNumber allocate(std::size_t bytes);
  void release(SlotNumber slot);

  [[nodiscard]] char* address(SlotNumber slot) {
    const Chunk& chunk = chunks_[slot >> position_bits];
    return chunk.base + std::size_t{slot & position_mask} * chunk.block_bytes;
  }
  [[nodiscard]] const char* address(SlotNumber slot) const {
    const Chunk& chunk = chunks_[slot >> position_bits];
    return chunk.base + std::size_t{slot & position_mask} * chunk.block_bytes;
  }
  [[nodiscard]] std::size_t block_bytes(SlotNumber slot) const { return chunks_[slot >> position_bits].block_bytes; }

  // For walks over everything: chunks are only ever added at the end; blocks below `used` were handed out at least
  // once, and the caller knows from their contents which of them are free.
  [[nodiscard]] std::size_t chunk_count() const { return chunks_.size(); }
  [[nodiscard]] std::uint32_t used(std::size_t chunk) const { return chunks_[chunk].used; }
  [[nodiscard]] static SlotNumber slot_at(std::size_t chunk, std::uint32_t position) {
    return static_cast<SlotNumber>(chunk << position_bits) | position;
  }
  [[nodiscard]] static bool is_slot(std::size_t chunk, std::uint32_t position) { return chunk != 0 || position != 0; }

  [[nodiscard]] std::size_t bytes() const;                              // Memory touched: handed out at least once.
  [[nodiscard]] std::size_t live_bytes() const { return live_bytes_; }  // Of blocks handed out and not released.

 private:
  static constexpr SlotNumber position_mask = (SlotNumber{1} << position_bits) - 1;
  static constexpr std::size_t chunks_max = std::size_t{1} << (32 - position_bits);
  static constexpr std::size_t small_step = 8;
  static constexpr std::size_t small_max = 1024;
  static constexpr std::size_t large_step = 64;
  static constexpr std::size_t small_classes = (small_max - block_bytes_min) / small_step + 1;
  static constexpr std::size_t class_count = small_classes + (block_bytes_max - small_max) / large_step;

  // Not touched until used, so that a chunk costs only what was handed out of it.
  struct FreeChunk {
    void operator()(char* base) const;
  };
  struct Chunk {
    char* base = nullptr;
    std::uint32_t block_bytes = 0;
    std::uint32_t used = 0;
  };
  struct Class {
    std::uint32_t open_chunk = 0;  // Where fresh blocks come from; 0 with `has_open` false: none yet.
    bool has_open = false;
    SlotNumber first_free = no_slot;  // Free blocks, linked through their first bytes.
  };

  static std::size_t class_of(std::size_t bytes);

  std::vector<Chunk> chunks_;
  std::vector<std::unique_ptr<char, FreeChunk>> owned_;
  std::array<Class, class_count> classes_{};
  std::size_t live_bytes_ = 0;
};

}  // namespace quorate::tree
