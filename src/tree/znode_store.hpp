#pragma once

// The memory of znodes. Header, name and small data are one block that never moves; data that outgrows it gets memory
// of its own; what only some znodes have (children, an owner, a changed ACL) stands apart (design chapter 7).

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "tree/block_store.hpp"
#include "tree/types.hpp"

namespace quorate::tree {

struct Znode {
  Zxid czxid{};
  Zxid mzxid{};
  WallTime ctime{};
  WallTime mtime{};
  std::int32_t version = 0;
  AclId acl{};
  SlotNumber parent = no_slot;    // The root's is itself.
  SlotNumber previous = no_slot;  // Siblings in the order of their creation, and in a snapshot's after it was loaded;
  SlotNumber next = no_slot;      // the first one's previous is the last.
  std::uint32_t extra = 0;        // Number of the Extra, 0: none.
  std::uint32_t data_and_epoch = 0;  // 28 bits of data length, then the snapshot epoch.
  std::uint32_t name_and_flags = 0;  // 27 bits of name length, then flags.
};
static_assert(sizeof(Znode) == 64, "a header is one cache line's worth");

// What only some znodes have. A znode without it has pzxid = czxid and zeros.
struct Extra {
  Zxid pzxid{};
  std::int64_t owner = 0;  // Session, or the marker of a container or TTL node (protocol 9).
  SlotNumber first_child = no_slot;
  std::uint32_t child_count = 0;
  std::int32_t create_counter = 0;  // Protocol 4.2.
  std::int32_t aversion = 0;
  std::uint32_t descendants = 0;       // At any depth.
  std::int64_t below_bytes = 0;        // Their data, for quotas (protocol 11).
  SlotNumber list_previous = no_slot;  // Of the owner's ephemerals, or of what may expire.
  SlotNumber list_next = no_slot;
};

class ZnodeStore {
 public:
  // A live block with name and data; every other field is as in a fresh Znode.
  SlotNumber allocate(std::string_view name, ByteView data);
  void release(SlotNumber slot);

  [[nodiscard]] Znode& at(SlotNumber slot) { return *reinterpret_cast<Znode*>(blocks_.address(slot)); }
  [[nodiscard]] const Znode& at(SlotNumber slot) const {
    return *reinterpret_cast<const Znode*>(blocks_.address(slot));
  }
  [[nodiscard]] std::string_view name(SlotNumber slot) const;
  [[nodiscard]] ByteView data(SlotNumber slot) const;
  [[nodiscard]] std::int32_t data_length(SlotNumber slot) const {
    return static_cast<std::int32_t>(at(slot).data_and_epoch & data_length_mask);
  }
  // `data` must not view this znode's own.
  void set_data(SlotNumber slot, ByteView data);

  [[nodiscard]] const Extra* find_extra(SlotNumber slot) const {
    const std::uint32_t number = at(slot).extra;
    return number == 0 ? nullptr : &extras_[number / extras_a_page][number % extras_a_page];
  }
  // The znode's Extra, made if it has none.
  [[nodiscard]] Extra& extra(SlotNumber slot);

  [[nodiscard]] std::uint32_t epoch(SlotNumber slot) const { return at(slot).data_and_epoch >> data_length_bits; }
  void set_epoch(SlotNumber slot, std::uint32_t epoch) {
    Znode& znode = at(slot);
    znode.data_and_epoch = (znode.data_and_epoch & data_length_mask) | (epoch << data_length_bits);
  }

  // Walks: positions run over all chunks; some hold no znode.
  [[nodiscard]] std::size_t chunk_count() const { return blocks_.chunk_count(); }
  [[nodiscard]] std::uint32_t used(std::size_t chunk) const { return blocks_.used(chunk); }
  // no_slot if nothing lives there.
  [[nodiscard]] SlotNumber live_at(std::size_t chunk, std::uint32_t position) const;

  void prefetch(SlotNumber slot) const {
    const char* address = blocks_.address(slot);
    __builtin_prefetch(address);
    __builtin_prefetch(address + 64);
    __builtin_prefetch(address + 128);
  }

  [[nodiscard]] std::size_t bytes() const;
  [[nodiscard]] std::size_t live_bytes() const;  // Without what was released and waits for its reuse.

 private:
  static constexpr unsigned data_length_bits = 28;
  static constexpr std::uint32_t data_length_mask = (1U << data_length_bits) - 1;
  static constexpr std::uint32_t name_length_mask = (1U << 27) - 1;
  static constexpr std::uint32_t live_flag = 1U << 27;
  static constexpr std::uint32_t null_flag = 1U << 28;
  static constexpr std::uint32_t data_outside_flag = 1U << 29;
  static constexpr std::uint32_t name_outside_flag = 1U << 30;
  static constexpr std::size_t name_inside_max = 512;
  static constexpr std::size_t data_inside_max = 1024;
  static constexpr std::uint32_t extras_a_page = 1024;

  // Where bytes are that do not stand in the znode's block: a block of `outside_` while `capacity` fits one, else
  // memory of their own in `large_`.
  struct Outside {
    std::uint32_t number = 0;
    std::uint32_t capacity = 0;
  };
  static_assert(sizeof(Znode) + sizeof(Outside) + name_inside_max + data_inside_max <= BlockStore::block_bytes_max);

  [[nodiscard]] Outside put_outside(ByteView bytes);
  void release_outside(const Outside& outside);
  [[nodiscard]] char* outside_bytes(const Outside& outside);
  [[nodiscard]] const char* outside_bytes(const Outside& outside) const;
  [[nodiscard]] Outside load_outside(SlotNumber slot, std::size_t offset) const;
  void store_outside(SlotNumber slot, std::size_t offset, const Outside& outside);
  [[nodiscard]] static std::size_t data_offset(const Znode& znode);

  BlockStore blocks_;
  BlockStore outside_;
  std::vector<std::unique_ptr<Extra[]>> extras_;
  std::uint32_t extras_used_ = 1;  // Number 0 is none.
  std::uint32_t extras_free_ = 0;  // Free ones, linked through list_next.
  std::size_t extras_live_ = 0;
  std::deque<std::unique_ptr<char[]>> large_;
  std::vector<std::uint32_t> large_free_;
  std::size_t large_bytes_ = 0;
};

}  // namespace quorate::tree
