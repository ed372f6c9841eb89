#pragma once

// The named figures of a server, in one list that every way of showing them walks (operations 2.9, 4). Names are the
// ones that dashboards of ZooKeeper read; what has no meaning here is left out, and ours come last.

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "admin/status.hpp"
#include "base/histogram.hpp"

namespace quorate::admin {

struct Metric {
  enum class Kind : std::uint8_t {
    gauge,
    counter,
    fraction,   // numerator / denominator, with decimals.
    summary,    // Average, minimum, maximum, count, sum.
    detailed,   // The same, and percentiles.
    quantiles,  // Percentiles alone.
  };
  std::string_view name;  // Without prefix: "znode_count".
  Kind kind = Kind::gauge;
  std::int64_t value = 0;
  std::uint64_t numerator = 0;
  std::uint64_t denominator = 1;
  const Histogram* histogram = nullptr;  // Of summaries; borrowed from the Metrics.
  std::uint64_t unit = 1;                // What is recorded, in units of what is shown: 1000 for microseconds.
};

// `metrics` may be null: then the list has no summaries and no counters. The result borrows from both.
[[nodiscard]] std::vector<Metric> list_metrics(const ServerStatus& server, const Metrics* metrics);

}  // namespace quorate::admin
