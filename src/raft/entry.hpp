#pragma once

// The replicated log's elements (dissertation 3.5).

#include <compare>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"

namespace quorate::raft {

// A log position with its term; the zero value is the position before the first entry.
struct LogId {
  Term term{};
  Index index{};

  friend auto operator<=>(const LogId&, const LogId&) = default;  // By term first, then index (dissertation 3.6.1).
};

enum class EntryKind : std::uint8_t {
  noop = 0,     // The first entry of a term (dissertation 3.6.2 and 6.4); carries the term's switches, opaque here.
  command = 1,  // A request of the state machine.
  configuration = 2,  // A membership; acts on append.
};

// One entry of the replicated log. Entries that one turn proposes share term and time; on disk and between peers such a
// run is one batch that carries (term, first index, time) once.
struct Entry {
  Term term{};
  Index index{};
  WallTime time{};  // The leader's clock, never going back along the log.
  EntryKind kind = EntryKind::noop;
  Blob command;

  friend bool operator==(const Entry&, const Entry&) = default;
};

// Entries in a row, immutable and shared: the log, the write to the disk, every message and the state machine hold the
// same ones. A copy or a slice costs one count, whatever its length, and keeps all of the row in memory.
class Entries {
 public:
  Entries() = default;
  Entries(std::vector<Entry> entries);
  Entries(std::initializer_list<Entry> entries) : Entries(std::vector<Entry>(entries)) {}

  // A part of the same entries. offset + length must lie inside.
  [[nodiscard]] Entries slice(std::size_t offset, std::size_t length) const;
  // What follows the first `offset` of them.
  [[nodiscard]] Entries from(std::size_t offset) const { return slice(offset, view_.size() - offset); }

  [[nodiscard]] const Entry* begin() const { return view_.data(); }
  [[nodiscard]] const Entry* end() const { return view_.data() + view_.size(); }
  [[nodiscard]] std::size_t size() const { return view_.size(); }
  [[nodiscard]] bool empty() const { return view_.empty(); }
  [[nodiscard]] const Entry& operator[](std::size_t position) const { return view_[position]; }
  [[nodiscard]] const Entry& front() const { return view_.front(); }
  [[nodiscard]] const Entry& back() const { return view_.back(); }

  friend bool operator==(const Entries& a, const Entries& b);

 private:
  std::shared_ptr<const std::vector<Entry>> row_;
  std::span<const Entry> view_;
};

}  // namespace quorate::raft
