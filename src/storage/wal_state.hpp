#pragma once

// What the log's owner knows. Private to this room: wal.cpp runs it, wal_open.cpp begins it.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <fmt/format.h>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/checksum.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "raft/types.hpp"
#include "storage/flush_job.hpp"
#include "storage/log_map.hpp"
#include "storage/wal.hpp"
#include "wire/packing.hpp"

namespace quorate::storage {

// The reserve lets a start with a full disk begin the new segment that it needs.
inline constexpr std::uint64_t reserve_bytes_max = 4U << 20;
inline constexpr std::string_view reserve_name = "reserve";

struct Wal::State {
  DataDirectory* directory = nullptr;
  WalConfig config;
  SegmentWriter writer;  // Empty while a flush is under way.
  Staged staged;
  Staged spent;  // The last flush's buffers, for reuse.
  std::string spent_buffer;
  std::deque<Segment> closed;
  std::vector<Segment> voided;  // Older than those: nothing of them is needed.
  LogMap map;
  std::vector<std::uint64_t> being_read;  // The oldest segment of each Read under way.
  std::vector<Spare> spares;
  std::optional<Spare> reserve;
  Index release_before{};
  std::uint64_t counter = 0;  // Makes generations and names unique within this start.
  raft::PersistToken durable{};
  std::uint64_t writer_bytes = 0;
  std::uint64_t written = 0;  // Bytes of records since the Wal was opened.
  struct Milestone {
    Index index;
    std::uint64_t written;
  };
  std::deque<Milestone> milestones;
  std::uint64_t recovered_bytes = 0;
  Index recovered_last{};
  bool flushing = false;
  bool housekeeping = false;
  // R-902, kept apart because each ends by its own success: neither may hide, or outlive, the other.
  bool spare_failed = false;  // The newest attempt to make what should lie ready found no space.
  bool refused = false;       // A flush found no space and has not been written since.
  bool blocked = false;       // It waits for the next spare job before it tries again.
  bool unproven = false;      // The newest record has content and no successor.
  bool dead = false;          // A write or sync failed.

  // Never the same twice in a directory, and not to be guessed by a client whose data lies in the log: what looks like
  // a record inside a value does not check.
  [[nodiscard]] std::uint64_t next_generation() {
    const Identity& identity = directory->identity();
    std::string life;
    wire::Packer packer{life};
    packer.write_fixed64(identity.incarnation_high);
    packer.write_fixed64(identity.starts);
    packer.write_fixed64(++counter);
    return checksum(life, identity.incarnation_low);
  }
  [[nodiscard]] std::string next_spare_path() {
    return directory->log_directory() + "/" + std::string{spare_prefix} +
           fmt::format("{}-{}", directory->identity().starts, ++counter);
  }
  [[nodiscard]] std::string reserve_path() const {
    return directory->log_directory() + "/" + std::string{reserve_name};
  }
  [[nodiscard]] std::uint64_t reserve_bytes() const { return std::min(config.segment_bytes, reserve_bytes_max); }

  [[nodiscard]] bool lacks_reserve() const { return !reserve || reserve->bytes < reserve_bytes(); }
  [[nodiscard]] bool lacks_files() const { return lacks_reserve() || spares.empty(); }
  std::optional<Spare> take_ready(std::uint64_t bytes, bool with_reserve);

  [[nodiscard]] std::uint64_t oldest_being_read() const;
  Result<void> adopt_spares();
  Result<Spare> take_file(std::uint64_t bytes);
  Result<void> begin(const Position& position);
  void map_tail(const Position& position);
  Result<void> cut(const Position& position);
  Result<void> restore_reserve();
  Result<void> drop_surplus();
  std::unique_ptr<Flush::Job> take_end();
  bool give_end_back(Flush::Job& job);
  void map_records(const Staged& records, std::uint64_t position);
  std::vector<Segment> take_released();
  void finish_append(Flush::Job& job);
  void finish_install(Flush::Job& job);
  void finish_housekeeping(Flush::Job& job);
};

}  // namespace quorate::storage
