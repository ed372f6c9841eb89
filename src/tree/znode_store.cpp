#include "tree/znode_store.hpp"

#include <algorithm>
#include <cstring>
#include <new>

#include "base/ensure.hpp"
#include "base/limits.hpp"

namespace quorate::tree {

// A name or data is a part of one entry; both lengths must fit beside their flags. A sequence number adds 11 bytes.
static_assert(limits::entry_bytes_max + 11 < (std::size_t{1} << 27));

std::size_t ZnodeStore::data_offset(const Znode& znode) {
  const bool outside = (znode.name_and_flags & name_outside_flag) != 0;
  return sizeof(Znode) + (outside ? sizeof(Outside) : std::size_t{znode.name_and_flags & name_length_mask});
}

SlotNumber ZnodeStore::allocate(std::string_view name, ByteView data) {
  ensure(name.size() <= name_length_mask && data.size() <= data_length_mask, "an entry's parts fit in an entry");
  const bool name_outside = name.size() > name_inside_max;
  const bool data_outside = data.size() > data_inside_max;
  const std::size_t name_bytes = name_outside ? sizeof(Outside) : name.size();
  // Data may outgrow the block later: then a reference must fit where data began.
  const std::size_t data_bytes = data_outside ? sizeof(Outside) : std::max(data.size(), sizeof(Outside));
  const SlotNumber slot = blocks_.allocate(sizeof(Znode) + name_bytes + data_bytes);
  Znode& znode = *new (blocks_.address(slot)) Znode{};
  znode.name_and_flags = static_cast<std::uint32_t>(name.size()) | live_flag;
  if (name_outside) {
    znode.name_and_flags |= name_outside_flag;
    store_outside(slot, sizeof(Znode), put_outside(name));
  } else if (!name.empty()) {
    std::memcpy(blocks_.address(slot) + sizeof(Znode), name.data(), name.size());
  }
  set_data(slot, data);
  return slot;
}

void ZnodeStore::release(SlotNumber slot) {
  Znode& znode = at(slot);
  ensure((znode.name_and_flags & live_flag) != 0, "a znode is released once");
  if ((znode.name_and_flags & name_outside_flag) != 0) {
    release_outside(load_outside(slot, sizeof(Znode)));
  }
  if ((znode.name_and_flags & data_outside_flag) != 0) {
    release_outside(load_outside(slot, data_offset(znode)));
  }
  if (znode.extra != 0) {
    Extra& freed = extras_[znode.extra / extras_a_page][znode.extra % extras_a_page];
    freed = Extra{};
    freed.list_next = extras_free_;
    extras_free_ = znode.extra;
    --extras_live_;
  }
  znode.name_and_flags = 0;
  blocks_.release(slot);
}

std::string_view ZnodeStore::name(SlotNumber slot) const {
  const Znode& znode = at(slot);
  const std::size_t length = znode.name_and_flags & name_length_mask;
  if ((znode.name_and_flags & name_outside_flag) != 0) {
    return {outside_bytes(load_outside(slot, sizeof(Znode))), length};
  }
  return {reinterpret_cast<const char*>(&znode) + sizeof(Znode), length};
}

ByteView ZnodeStore::data(SlotNumber slot) const {
  const Znode& znode = at(slot);
  if ((znode.name_and_flags & null_flag) != 0) {
    return null_bytes;
  }
  const std::size_t length = znode.data_and_epoch & data_length_mask;
  if ((znode.name_and_flags & data_outside_flag) != 0) {
    return {outside_bytes(load_outside(slot, data_offset(znode))), length};
  }
  return {reinterpret_cast<const char*>(&znode) + data_offset(znode), length};
}

void ZnodeStore::set_data(SlotNumber slot, ByteView data) {
  Znode& znode = at(slot);
  const std::size_t offset = data_offset(znode);
  const std::size_t inside = blocks_.block_bytes(slot) - offset;
  const bool fits = data.size() <= inside;
  if ((znode.name_and_flags & data_outside_flag) != 0) {
    const Outside outside = load_outside(slot, offset);
    // Memory of the right size is written again; anything else is given back.
    if (!fits && data.size() <= outside.capacity && data.size() * 2 >= outside.capacity) {
      std::memcpy(outside_bytes(outside), data.data(), data.size());
    } else {
      release_outside(outside);
      znode.name_and_flags &= ~data_outside_flag;
    }
  }
  if (fits && !data.empty()) {
    std::memcpy(blocks_.address(slot) + offset, data.data(), data.size());
  } else if (!fits && (znode.name_and_flags & data_outside_flag) == 0) {
    store_outside(slot, offset, put_outside(data));
    znode.name_and_flags |= data_outside_flag;
  }
  znode.name_and_flags = (znode.name_and_flags & ~null_flag) | (is_null(data) ? null_flag : 0);
  znode.data_and_epoch = (znode.data_and_epoch & ~data_length_mask) | static_cast<std::uint32_t>(data.size());
}

Extra& ZnodeStore::extra(SlotNumber slot) {
  Znode& znode = at(slot);
  if (znode.extra == 0) {
    ++extras_live_;
    if (extras_free_ != 0) {
      znode.extra = extras_free_;
      extras_free_ = extras_[znode.extra / extras_a_page][znode.extra % extras_a_page].list_next;
    } else {
      if (extras_used_ / extras_a_page == extras_.size()) {
        extras_.push_back(std::make_unique<Extra[]>(extras_a_page));
      }
      znode.extra = extras_used_++;
    }
    Extra& fresh = extras_[znode.extra / extras_a_page][znode.extra % extras_a_page];
    fresh = Extra{};
    fresh.pzxid = znode.czxid;
  }
  return extras_[znode.extra / extras_a_page][znode.extra % extras_a_page];
}

SlotNumber ZnodeStore::live_at(std::size_t chunk, std::uint32_t position) const {
  if (!BlockStore::is_slot(chunk, position)) {
    return no_slot;
  }
  const SlotNumber slot = BlockStore::slot_at(chunk, position);
  return (at(slot).name_and_flags & live_flag) != 0 ? slot : no_slot;
}

ZnodeStore::Outside ZnodeStore::put_outside(ByteView bytes) {
  Outside outside;
  if (bytes.size() <= BlockStore::block_bytes_max) {
    outside.number = outside_.allocate(bytes.size());
    outside.capacity = static_cast<std::uint32_t>(outside_.block_bytes(outside.number));
  } else {
    if (large_free_.empty()) {
      large_free_.push_back(static_cast<std::uint32_t>(large_.size()));
      large_.emplace_back();
    }
    outside.number = large_free_.back();
    large_free_.pop_back();
    outside.capacity = static_cast<std::uint32_t>(bytes.size());
    large_[outside.number] = std::make_unique_for_overwrite<char[]>(bytes.size());
    large_bytes_ += bytes.size();
  }
  std::memcpy(outside_bytes(outside), bytes.data(), bytes.size());
  return outside;
}

void ZnodeStore::release_outside(const Outside& outside) {
  if (outside.capacity <= BlockStore::block_bytes_max) {
    outside_.release(outside.number);
  } else {
    large_bytes_ -= outside.capacity;
    large_[outside.number].reset();
    large_free_.push_back(outside.number);
  }
}

char* ZnodeStore::outside_bytes(const Outside& outside) {
  return outside.capacity <= BlockStore::block_bytes_max ? outside_.address(outside.number)
                                                         : large_[outside.number].get();
}

const char* ZnodeStore::outside_bytes(const Outside& outside) const {
  return outside.capacity <= BlockStore::block_bytes_max ? outside_.address(outside.number)
                                                         : large_[outside.number].get();
}

// References stand behind a name of any length, so they are copied, never pointed at.
ZnodeStore::Outside ZnodeStore::load_outside(SlotNumber slot, std::size_t offset) const {
  Outside outside;
  std::memcpy(&outside, blocks_.address(slot) + offset, sizeof(Outside));
  return outside;
}

void ZnodeStore::store_outside(SlotNumber slot, std::size_t offset, const Outside& outside) {
  std::memcpy(blocks_.address(slot) + offset, &outside, sizeof(Outside));
}

std::size_t ZnodeStore::bytes() const {
  return blocks_.bytes() + outside_.bytes() + large_bytes_ + extras_.size() * sizeof(Extra) * extras_a_page;
}

std::size_t ZnodeStore::live_bytes() const {
  return blocks_.live_bytes() + outside_.live_bytes() + large_bytes_ + extras_live_ * sizeof(Extra);
}

}  // namespace quorate::tree
