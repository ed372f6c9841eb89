#pragma once

// The reader of the log, spread by duty: log_reader.cpp reads, log_judgement.cpp says what is wrong and where the log
// may continue. Private to this room.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "raft/types.hpp"
#include "storage/log_map.hpp"
#include "storage/log_reader.hpp"
#include "tree/types.hpp"
#include "wire/log_format.hpp"

namespace quorate::storage {

struct SegmentFile {
  std::uint64_t sequence = 0;
  std::string path;
  std::uint64_t bytes = 0;
  std::optional<wire::SegmentHeader> header;
  std::string fault;  // Why there is no header.
};

// Its log does not continue the segment before: it begins behind a snapshot.
[[nodiscard]] constexpr bool begins_anew(const wire::SegmentHeader& header) {
  return header.chain == 0 && raw(header.first_index) > 1;
}

inline constexpr std::string_view log_advice =
    "do not edit or delete files; run `quorate verify` on the directory to see all of it, then restore a backup, let "
    "the "
    "other servers heal this one, or, without peers, cut the log here with `quorate repair`";

class LogReader {
 public:
  LogReader(DataDirectory& directory, const SnapshotPoint& snapshot, std::function<bool()> should_stop)
      : directory_(directory),
        snapshot_(snapshot.id),
        snapshot_time_(snapshot.time),
        is_installing_(snapshot.is_installing),
        should_stop_(std::move(should_stop)) {}

  Result<LogContents> read(bool everything);

 private:
  // A record that no later one proves durable.
  struct Unproven {
    std::uint64_t position = 0;
    std::uint64_t offset = 0;
    std::uint64_t chain_before = 0;
    Index last_before{};
    Index first{};  // The lowest entry that it writes; 0: none.
    std::string payload;
    std::vector<PlacedBatch> batches;
  };

  Result<void> find_segments();
  Result<SegmentFile> open_segment(std::uint64_t sequence);
  [[nodiscard]] std::optional<std::size_t> choose_start() const;
  [[nodiscard]] std::size_t end_of_run(std::size_t start) const;
  Result<void> read_run(std::size_t start, std::size_t stop, std::size_t end);
  [[nodiscard]] std::string fault_of(std::size_t at, std::size_t start) const;
  Result<void> read_segment(std::size_t at, std::size_t end);
  [[nodiscard]] Result<void> go_on(std::uint64_t scanned);
  Result<std::string> take_record(const SegmentFile& segment, const wire::DecodedRecord& record);
  Result<std::string> take_batches(const SegmentFile& segment, const Blob& payload);
  void settle(const Unproven& record);
  void settle_all();
  [[nodiscard]] std::string fault_of_batch(const raft::Entry& first) const;
  Result<std::string> take_entries(std::vector<raft::Entry>& batch);
  // What stands before an entry, as far as it was kept: nothing behind it is older.
  struct Before {
    Term term{};
    WallTime time{};
  };
  [[nodiscard]] Before before(Index index) const;
  Result<void> note(const raft::Entry& entry);
  void compare_with_snapshot(const SegmentFile& segment, const std::vector<raft::Entry>& batch);
  void judge(const SegmentFile& file, std::uint64_t offset, ByteView segment, bool newest);
  void judge_end(std::size_t end);
  void judge_stranger();
  void judge_early();
  void judge_absence();
  Result<void> read_older(std::size_t start);
  Result<void> look_behind();
  void continue_here(std::size_t newest);
  void continue_after_snapshot();
  void cut_off_from(std::size_t first);
  void report(Damage damage);

  DataDirectory& directory_;
  raft::LogId snapshot_;
  WallTime snapshot_time_;
  bool is_installing_;
  LogContents contents_;
  std::vector<SegmentFile> files_;
  bool stops_start_ = true;
  std::function<bool()> should_stop_;
  std::uint64_t ask_after_ = 0;  // contents_.bytes at which should_stop_ is asked again.

  // Where reading stands.
  std::uint64_t chain_ = 0;
  std::uint64_t synced_through_ = 0;
  std::uint64_t offset_ = 0;
  Index last_{};
  Term last_term_{};
  WallTime last_time_{};
  Term highest_term_{};  // Of any entry, replaced ones among them.
  Index hint_{};
  raft::HardState hard_state_;
  std::vector<Unproven> unproven_;
  std::vector<PlacedBatch> placed_;  // Of the record that is being taken.
  LogMap map_;                       // Of the records that are proven.
  // The feature levels that terms' starts behind the snapshot name.
  struct Level {
    Index index{};
    std::uint32_t level = 0;
  };
  std::vector<Level> levels_;
  bool stopped_ = false;  // By damage.
  Term term_behind_{};    // The highest one that shows behind damage.
  // Where the log holds the entry that the snapshot ends with, if it is not the snapshot's.
  struct Stranger {
    std::string file;
    std::uint64_t offset = 0;
    Term term{};
  };
  std::optional<Stranger> stranger_;
  // Where the entry behind the snapshot stands, if it is older than what precedes it.
  struct Early {
    std::string file;
    std::uint64_t offset = 0;
    std::string explanation;
  };
  std::optional<Early> early_;
  std::vector<tree::Identity> identities_;  // Scratch.
};

}  // namespace quorate::storage
