#pragma once

// The text of quota nodes and the paths around them (protocol 11). Pure functions over text; the tree applies them.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/bytes.hpp"

namespace quorate::tree {

inline constexpr std::string_view quota_root_path = "/zookeeper/quota";
inline constexpr std::string_view quota_limits_name = "zookeeper_limits";
inline constexpr std::string_view quota_stats_name = "zookeeper_stats";

// `count=<n>,bytes=<n>` with further keys; -1 stands for absent and unlimited.
class QuotaText {
 public:
  // Tolerant: what does not parse counts as absent (Appendix B).
  explicit QuotaText(ByteView text);
  QuotaText(std::int64_t count, std::int64_t bytes);

  [[nodiscard]] std::int64_t count() const { return value("count"); }
  [[nodiscard]] std::int64_t bytes() const { return value("bytes"); }
  [[nodiscard]] std::int64_t count_hard_limit() const { return value("countHardLimit"); }
  [[nodiscard]] std::int64_t byte_hard_limit() const { return value("byteHardLimit"); }
  // Counts as ZooKeeper does, with 64-bit wrap.
  void add(std::int64_t count, std::int64_t bytes);

  // Count first, bytes second, then the other keys, sorted.
  [[nodiscard]] std::string text() const;

 private:
  [[nodiscard]] std::int64_t value(std::string_view key) const;

  std::map<std::string, std::int64_t, std::less<>> values_;
};

// The subtree that the limits or stats node below `parent` is about: "/a" for "/zookeeper/quota/a". A null view if
// `parent` is not inside /zookeeper/quota; "/" for /zookeeper/quota itself.
[[nodiscard]] std::string_view quota_subject(std::string_view parent);

}  // namespace quorate::tree
