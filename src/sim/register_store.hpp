#pragma once

// The simulator's state machine: a few registers, written, read and compared-and-set through the log (RAFT-02). Small
// enough to be obviously right, and encoded as the server's commands and snapshots are, so that the storage under it is
// the real one.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "raft/entry.hpp"
#include "tree/snapshot.hpp"
#include "wire/command.hpp"

namespace quorate::sim {

// One write, as its client asked for it. The mark is unique in a run (I-204).
struct RegisterWrite {
  std::uint64_t mark = 0;
  std::uint32_t key = 0;
  bool is_compare_and_set = false;
  std::int64_t expected = 0;
  std::int64_t value = 0;

  friend bool operator==(const RegisterWrite&, const RegisterWrite&) = default;
};

// `padding` makes the entry as long as a client's would be.
[[nodiscard]] Blob encode(const RegisterWrite& write, const wire::StreamId& stream, std::size_t padding);
// Errors: corrupt.
[[nodiscard]] Result<RegisterWrite> decode_register_write(const raft::Entry& entry);

class RegisterStore {
 public:
  explicit RegisterStore(std::size_t keys) : values_(keys, 0) {}

  struct Applied {
    RegisterWrite write;
    bool took_effect = true;  // False: a compare-and-set found something else.
  };
  // Of a command; entries of other kinds change nothing but the position. Entries come in order, without a gap.
  std::optional<Applied> apply(const raft::Entry& entry);

  [[nodiscard]] std::int64_t value(std::uint32_t key) const { return values_[key]; }
  [[nodiscard]] raft::LogId position() const { return position_; }
  [[nodiscard]] WallTime time() const { return time_; }
  // Of the values as they are and of everything that was ever applied: equal at equal index on every server (I-301).
  [[nodiscard]] std::uint64_t digest() const { return digest_ ^ values_digest_; }

  // To a snapshot and back. Loading ends with finish_loading(), which refuses what does not hold together; `position`
  // is the snapshot's.
  void write_items(const std::function<void(const tree::SnapshotItem&)>& write) const;
  void begin_loading();
  Result<void> load(const tree::SnapshotItem& item);
  Result<void> finish_loading();
  void set_position(raft::LogId position) { position_ = position; }

 private:
  void set(std::size_t key, std::int64_t value);

  std::vector<std::int64_t> values_;
  raft::LogId position_;
  WallTime time_{};
  std::uint64_t digest_ = 0;         // Of what was applied.
  std::uint64_t values_digest_ = 0;  // Of what is there: a sum over the keys, so that a write costs one of them.
  // While loading.
  std::size_t loaded_ = 0;
  std::uint64_t expected_digest_ = 0;
};

}  // namespace quorate::sim
