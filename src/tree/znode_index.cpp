#include "tree/znode_index.hpp"

#include <bit>
#include <new>
#include <type_traits>
#include <utility>

#include "base/ensure.hpp"
#include "tree/memory_advice.hpp"

namespace quorate::tree {

namespace {

constexpr std::align_val_t slab_alignment{std::size_t{2} << 20};

}  // namespace

void ZnodeIndex::FreeSlab::operator()(char* base) const {
  ::operator delete(base, slab_alignment);
}

ZnodeIndex::ZnodeIndex() {
  Segment* only = new_segment();
  only->depth = 0;  // Both halves of the directory share the one segment of an empty index.
  directory_.assign(2, only);
}

ZnodeIndex::Segment* ZnodeIndex::new_segment() {
  static_assert(std::is_trivially_destructible_v<Segment>);
  const std::size_t place = segments_used_ % segments_a_slab;
  if (place == 0) {
    slabs_.emplace_back(static_cast<char*>(::operator new(slab_bytes, slab_alignment)));
    if (slabs_.size() > 1) {
      advise_memory(slabs_.back().get(), slab_bytes);
    }
  }
  segments_used_ += 1;
  return new (slabs_.back().get() + place * sizeof(Segment)) Segment{};
}

void ZnodeIndex::place(Segment& segment, Entry entry) {
  std::uint32_t position = home_of(entry.tag);
  while (segment.entries[position].slot != no_slot) {
    position = (position + 1) % segment_entries;
  }
  segment.entries[position] = entry;
  segment.count += 1;
}

void ZnodeIndex::insert(std::uint64_t key, SlotNumber slot) {
  ensure(slot != no_slot, "an entry names a znode");
  const std::uint32_t tag = tag_of(key);
  while (directory_[tag >> (32 - depth_)]->count >= segment_entries_full) {
    split(tag);
  }
  place(*directory_[tag >> (32 - depth_)], {tag, slot});
  size_ += 1;
}

// Linear probing without tombstones: entries behind the gap move up as long as that brings them no farther than home.
void ZnodeIndex::erase(std::uint64_t key, SlotNumber slot) {
  const std::uint32_t tag = tag_of(key);
  Segment& segment = *directory_[tag >> (32 - depth_)];
  std::uint32_t gap = home_of(tag);
  while (segment.entries[gap].slot != slot) {
    ensure(segment.entries[gap].slot != no_slot, "what is erased was inserted under this key");
    gap = (gap + 1) % segment_entries;
  }
  for (std::uint32_t next = (gap + 1) % segment_entries; segment.entries[next].slot != no_slot;
       next = (next + 1) % segment_entries) {
    const std::uint32_t home = home_of(segment.entries[next].tag);
    const std::uint32_t from_home = (next + segment_entries - home) % segment_entries;
    const std::uint32_t from_gap = (next + segment_entries - gap) % segment_entries;
    if (from_home >= from_gap) {
      segment.entries[gap] = segment.entries[next];
      gap = next;
    }
  }
  segment.entries[gap] = {};
  segment.count -= 1;
  size_ -= 1;
}

void ZnodeIndex::double_directory() {
  ensure(depth_ < depth_max, "a keyed hash spreads: no segment fills with one prefix of 28 bits");
  std::vector<Segment*> doubled;
  doubled.reserve(directory_.size() * 2);
  for (Segment* segment : directory_) {
    doubled.push_back(segment);
    doubled.push_back(segment);
  }
  directory_ = std::move(doubled);
  depth_ += 1;
}

void ZnodeIndex::split(std::uint32_t tag) {
  if (directory_[tag >> (32 - depth_)]->depth == depth_) {
    double_directory();
  }
  Segment& low = *directory_[tag >> (32 - depth_)];
  Segment& high = *new_segment();
  low.depth += 1;
  high.depth = low.depth;
  const std::uint32_t bit = 1U << (32 - low.depth);
  const std::array<Entry, segment_entries> entries = low.entries;
  low.entries.fill({});
  low.count = 0;
  for (const Entry& entry : entries) {
    if (entry.slot != no_slot) {
      place((entry.tag & bit) != 0 ? high : low, entry);
    }
  }
  // All directory entries of the old prefix: the upper half of them now names the new segment.
  const std::size_t span = std::size_t{1} << (depth_ - low.depth);
  const std::size_t first = ((tag & ~(bit - 1)) | bit) >> (32 - depth_);
  for (std::size_t i = 0; i < span; ++i) {
    directory_[first + i] = &high;
  }
}

void ZnodeIndex::reserve(std::size_t count) {
  ensure(size_ == 0, "room is made before anything is inserted");
  // Half full on average: random fillings of 512 then stay below the splitting point.
  const std::size_t wanted = std::bit_ceil(count / (segment_entries / 2) + 1);
  if (wanted < 2) {
    return;
  }
  depth_ = static_cast<std::uint32_t>(std::bit_width(wanted) - 1);
  ensure(depth_ < depth_max, "the directory stays small beside its segments");
  slabs_.clear();
  segments_used_ = 0;
  directory_.clear();
  for (std::size_t i = 0; i < wanted; ++i) {
    directory_.push_back(new_segment());
    directory_.back()->depth = depth_;
  }
}

std::size_t ZnodeIndex::bytes() const {
  return segments_used_ * sizeof(Segment) + directory_.capacity() * sizeof(Segment*);
}

}  // namespace quorate::tree
