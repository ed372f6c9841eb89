#pragma once

// What a run may be tuned with; odd values are drawn on purpose (F-002).

#include <cstddef>
#include <cstdint>

#include "raft/types.hpp"

namespace quorate::sim {

inline constexpr unsigned weak_keys = 2;  // Registers behind the others.

struct Knobs {
  unsigned servers = 3;  // Voters at the start.
  unsigned spares = 0;   // Empty machines that may be admitted.
  unsigned clients = 6;
  unsigned keys = 8;
  unsigned weak_clients = 4;  // They read whatever their server has applied; a call a second each.
  std::int64_t requests_per_second = 100;
  unsigned reads_percent = 30;
  std::size_t padding = 60;  // A write's entry is about 100 bytes long with it.

  raft::Timing timing;
  raft::Limits limits;
  bool has_leases = false;
  raft::LeaseBound lease;
  std::int64_t tick_us = 10'000;

  std::uint64_t segment_bytes = 128U << 10;
  std::size_t recycled_segments = 24;
  std::uint64_t snapshot_entries = 500;
  std::size_t snapshot_part_bytes = 64U << 10;
  std::uint64_t fatal_per_mille = 0;  // Of starts, snapshots and installations: the process dies in the midst of it.
  // For tests of the judges: each start finds an empty disk, and nobody is told (F-311).
  bool forgets_everything = false;
  // What the search of a history may take; undecided, it is searched again with more (I-503).
  std::uint64_t search_steps = 500'000;
  std::uint64_t second_search_steps = 50'000'000;
  // A flush takes between these.
  std::int64_t flush_min_us = 100;
  std::int64_t flush_max_us = 400;
};

}  // namespace quorate::sim
