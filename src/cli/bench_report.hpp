#pragma once

// What `quorate bench` found out, as a table for people and as JSON for programs.

#include <cstddef>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "client/load/fleet.hpp"
#include "client/load/mix_load.hpp"
#include "client/load/process_usage.hpp"
#include "client/load/watch_load.hpp"

namespace quorate::cli {

// One measured window.
struct Measured {
  client::load::LoadResult load;
  double seconds = 0.0;
  std::int64_t client_cpu_us = 0;  // Of all threads.
  double client_busy = 0.0;        // The busiest thread's share of the time.
  std::optional<client::load::ProcessUsage> server_before;
  std::optional<client::load::ProcessUsage> server_after;
  std::uint64_t behind = 0;  // Open loop: due, but never started.
  client::load::Losses losses;

  void merge(const Measured& other);
  [[nodiscard]] std::optional<double> server_busy() const;  // In cores.
  // The generator's thread had hardly any time left while the servers had: the figure says more about it than them.
  [[nodiscard]] bool is_bounded_by_client() const;
};

[[nodiscard]] std::string describe(const Measured& measured);
[[nodiscard]] nlohmann::json to_json(const Measured& measured);

[[nodiscard]] std::string describe(const client::load::WatchResult& result, std::size_t watchers);
[[nodiscard]] nlohmann::json to_json(const client::load::WatchResult& result);

// "1.23 ms", "45 us": three digits are what a measurement is worth.
[[nodiscard]] std::string describe_us(std::uint64_t microseconds);

}  // namespace quorate::cli
