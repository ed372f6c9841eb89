#pragma once

// From a path's keyed hash to the slots that may hold it. Extendible hashing: a directory by the hash's top bits points
// to small segments; a full segment splits in two, so growth costs one small segment at a time and never stalls on a
// big rehash (design chapter 7). An entry keeps 32 bits of the hash, which is all that a split needs: znodes are not
// touched. Equal hashes may coexist; who looks up verifies.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "tree/block_store.hpp"

namespace quorate::tree {

class ZnodeIndex {
 public:
  ZnodeIndex();

  // The first slot of this hash for which `accept(slot)` holds, or no_slot.
  template <class Accept>
  [[nodiscard]] SlotNumber find(std::uint64_t key, const Accept& accept) const {
    const std::uint32_t tag = tag_of(key);
    const Segment& segment = *directory_[tag >> (32 - depth_)];
    for (std::uint32_t position = home_of(tag);; position = (position + 1) % segment_entries) {
      const Entry& entry = segment.entries[position];
      if (entry.slot == no_slot) {
        return no_slot;
      }
      if (entry.tag == tag && accept(entry.slot)) {
        return entry.slot;
      }
    }
  }

  void insert(std::uint64_t key, SlotNumber slot);
  // The pair must be there.
  void erase(std::uint64_t key, SlotNumber slot);

  // Makes room for so many at once, so that loading splits nothing. Only while empty.
  void reserve(std::size_t count);

  // Starts loading the memory that find(key) would read.
  void prefetch(std::uint64_t key) const {
    const std::uint32_t tag = tag_of(key);
    __builtin_prefetch(&directory_[tag >> (32 - depth_)]->entries[home_of(tag)]);
  }

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::size_t bytes() const;

 private:
  struct Entry {
    std::uint32_t tag = 0;
    SlotNumber slot = no_slot;
  };
  static constexpr std::uint32_t segment_entries = 512;
  static constexpr std::uint32_t segment_entries_full = 410;  // 80 per cent: then it splits.
  static constexpr std::uint32_t depth_max = 28;
  struct Segment {
    std::array<Entry, segment_entries> entries{};
    std::uint32_t count = 0;
    std::uint32_t depth = 1;  // How many of the tag's top bits all its entries share.
  };

  // The tag's top bits choose the segment, its low bits the place in it.
  static std::uint32_t tag_of(std::uint64_t key) { return static_cast<std::uint32_t>(key >> 32); }
  static std::uint32_t home_of(std::uint32_t tag) { return tag % segment_entries; }

  static void place(Segment& segment, Entry entry);
  Segment* new_segment();
  void split(std::uint32_t tag);
  void double_directory();

  std::vector<Segment*> directory_;  // Two to the power of depth_.
  // Segments live in slabs; the first is small, so that a small index is.
  struct FreeSlab {
    void operator()(char* base) const;
  };
  static constexpr std::size_t slab_bytes = std::size_t{2} << 20;
  static constexpr std::size_t segments_a_slab = slab_bytes / sizeof(Segment);
  std::vector<std::unique_ptr<char, FreeSlab>> slabs_;
  std::size_t segments_used_ = 0;
  std::uint32_t depth_ = 1;
  std::size_t size_ = 0;
};

}  // namespace quorate::tree
