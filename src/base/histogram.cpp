#include "base/histogram.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/ensure.hpp"

namespace quorate {

std::size_t Histogram::bucket_of(std::uint64_t value) {
  if (value < (std::uint64_t{1} << sub_bits)) {
    return static_cast<std::size_t>(value);
  }
  const auto top = static_cast<std::size_t>(std::bit_width(value)) - 1;
  const std::size_t shift = top - sub_bits;
  const auto within = static_cast<std::size_t>(value >> shift) & ((std::size_t{1} << sub_bits) - 1);
  return ((shift + 1) << sub_bits) + within;
}

std::uint64_t Histogram::upper_bound_of(std::size_t bucket) {
  if (bucket < (std::size_t{1} << sub_bits)) {
    return bucket;
  }
  const std::size_t shift = (bucket >> sub_bits) - 1;
  const std::uint64_t within = (bucket & ((std::size_t{1} << sub_bits) - 1)) | (std::uint64_t{1} << sub_bits);
  return (within << shift) + ((std::uint64_t{1} << shift) - 1);
}

void Histogram::record(std::uint64_t value) {
  const std::size_t bucket = bucket_of(value);
  ensure(bucket < buckets, "every value has a bucket");
  ++counts_[bucket];
  ++count_;
  sum_ += value;
  minimum_ = std::min(minimum_, value);
  maximum_ = std::max(maximum_, value);
}

void Histogram::merge(const Histogram& other) {
  for (std::size_t i = 0; i < buckets; ++i) {
    counts_[i] += other.counts_[i];
  }
  count_ += other.count_;
  sum_ += other.sum_;
  minimum_ = std::min(minimum_, other.minimum_);
  maximum_ = std::max(maximum_, other.maximum_);
}

void Histogram::reset() {
  *this = Histogram{};
}

std::uint64_t Histogram::percentile(double share) const {
  ensure(share >= 0.0 && share <= 1.0, "a share lies between 0 and 1");
  const auto wanted = static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(count_)));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < buckets; ++i) {
    seen += counts_[i];
    if (seen >= wanted && seen > 0) {
      return std::min(upper_bound_of(i), maximum_);
    }
  }
  return 0;
}

}  // namespace quorate
