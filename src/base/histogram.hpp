#pragma once

// Latencies in buckets of at most 1/32 relative width: bounded memory, exact counts, percentiles within 3 per cent.

#include <array>
#include <cstddef>
#include <cstdint>

namespace quorate {

class Histogram {
 public:
  void record(std::uint64_t value);
  void merge(const Histogram& other);
  void reset();

  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] std::uint64_t sum() const { return sum_; }
  [[nodiscard]] std::uint64_t minimum() const { return count_ == 0 ? 0 : minimum_; }
  [[nodiscard]] std::uint64_t maximum() const { return maximum_; }
  // The smallest recorded bucket bound that at least the given share (0 to 1) of all values do not exceed; 0 if empty.
  [[nodiscard]] std::uint64_t percentile(double share) const;

 private:
  static constexpr std::size_t sub_bits = 5;
  static constexpr std::size_t buckets = (64 - sub_bits + 1) << sub_bits;

  static std::size_t bucket_of(std::uint64_t value);
  static std::uint64_t upper_bound_of(std::size_t bucket);

  std::array<std::uint64_t, buckets> counts_{};
  std::uint64_t count_ = 0;
  std::uint64_t sum_ = 0;
  std::uint64_t minimum_ = UINT64_MAX;
  std::uint64_t maximum_ = 0;
};

}  // namespace quorate
