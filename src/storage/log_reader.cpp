#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "storage/evidence.hpp"
#include "storage/log_reading.hpp"
#include "wire/batch.hpp"
#include "wire/entry_check.hpp"
#include "wire/log_format.hpp"
#include "wire/packing.hpp"

namespace quorate::storage {
namespace {

// Read in parts, so that an error says where.
constexpr std::size_t read_bytes = 1U << 20;
// An ask may be a system call.
constexpr std::uint64_t ask_bytes = 4U << 20;

// The first `bytes` of the file, or all that there are.
Result<std::string> read_start(File& file, const std::string& path, std::size_t bytes) {
  std::string into;
  std::optional<Error> error;
  // libstdc++ 12 hands the callback the grown capacity, not the size that was asked for.
  into.resize_and_overwrite(bytes, [&](char* data, std::size_t /*size*/) {
    std::size_t done = 0;
    while (done < bytes) {
      const auto got = file.read(done, std::span{data + done, std::min(read_bytes, bytes - done)});
      if (!got) {
        error = Error{got.error().code, fmt::format("{} cannot be read at offset {}: {}; {}", path, done,
                                                    got.error().message, log_advice)};
        break;
      }
      if (*got == 0) {
        break;
      }
      done += *got;
    }
    return done;
  });
  if (error) {
    return std::unexpected(*std::move(error));
  }
  return into;
}

}  // namespace

Result<SegmentFile> LogReader::open_segment(std::uint64_t sequence) {
  SegmentFile found{
      .sequence = sequence, .path = segment_path(directory_, sequence), .bytes = 0, .header = {}, .fault = {}};
  auto file = directory_.disk().open(found.path, Disk::Open::existing);
  if (!file) {
    return std::unexpected(file.error());
  }
  const auto bytes = (*file)->size();
  if (!bytes) {
    return std::unexpected(bytes.error());
  }
  found.bytes = *bytes;
  const auto block = read_start(**file, found.path, wire::log_block_bytes);
  if (!block) {
    return std::unexpected(block.error());
  }
  const auto header = wire::decode_segment_header(*block);
  if (!header && header.error().code == ErrorCode::unsupported) {
    return failure(ErrorCode::unsupported, fmt::format("{}: {}", found.path, header.error().message));
  }
  const Identity& identity = directory_.identity();
  if (!header) {
    found.fault = header.error().message;
  } else if (header->sequence != sequence) {
    found.fault = fmt::format("its header belongs to segment {}", header->sequence);
  } else if (header->incarnation != identity.incarnation_high) {
    found.fault = "it belongs to another server's data directory";
  } else if (header->cluster != 0 && identity.cluster_high != 0 && header->cluster != identity.cluster_high) {
    found.fault = "it belongs to another cluster";
  } else if (raw(header->first_index) == 0 || found.bytes > UINT32_MAX) {
    found.fault = "its header makes no sense";
  } else {
    found.header = *header;
    contents_.starts = std::max(contents_.starts, header->starts);
  }
  return found;
}

Result<void> LogReader::find_segments() {
  const auto names = directory_.names_in(directory_.log_directory());
  if (!names) {
    return std::unexpected(names.error());
  }
  for (const std::string& name : *names) {
    if (const auto sequence = parse_segment_name(name)) {
      auto file = open_segment(*sequence);
      if (!file) {
        return std::unexpected(file.error());
      }
      files_.push_back(std::move(*file));
    }
  }
  contents_.segments = files_.size();
  return {};
}

// The newest segment that begins at or before the first entry that is needed: earlier ones hold nothing behind it.
// While a snapshot is being installed, the entry that it ends with is needed too: only that one tells whether the log
// is of the same history, unless the log has begun anew.
std::optional<std::size_t> LogReader::choose_start() const {
  std::optional<std::size_t> start;
  for (std::size_t i = files_.size(); i > 0; --i) {
    const auto& header = files_[i - 1].header;
    if (!header || header->first_index > next(snapshot_.index)) {
      continue;
    }
    start = start.value_or(i - 1);
    if (!is_installing_ || header->first_index <= snapshot_.index || begins_anew(*header)) {
      return i - 1;
    }
  }
  return start;
}

// One past the last segment that follows `start` without a gap.
std::size_t LogReader::end_of_run(std::size_t start) const {
  std::size_t end = start + 1;
  while (end < files_.size() && files_[end].sequence == files_[end - 1].sequence + 1) {
    ++end;
  }
  return end;
}

void LogReader::cut_off_from(std::size_t first) {
  for (std::size_t i = first; i < files_.size(); ++i) {
    contents_.cut_off.push_back(files_[i].sequence);
  }
}

LogReader::Before LogReader::before(Index index) const {
  if (index == next(last_)) {
    return {.term = last_term_, .time = last_time_};
  }
  const auto& entries = contents_.recovered.entries;
  if (entries.empty() || index <= entries.front().index || raw(index) - raw(entries.front().index) > entries.size()) {
    return {};
  }
  const raft::Entry& entry = entries[raw(index) - raw(entries.front().index) - 1];
  return {.term = entry.term, .time = entry.time};
}

// What a batch that checks cannot be; empty: nothing is wrong with it.
std::string LogReader::fault_of_batch(const raft::Entry& first) const {
  if (first.index > next(last_)) {
    return fmt::format("it continues with entry {} where {} is due", raw(first.index), raw(last_) + 1);
  }
  if (first.index <= hint_) {
    return fmt::format("it replaces entry {}, which was committed", raw(first.index));
  }
  // Those of a tail that it replaces may be newer (dissertation figure 3.7).
  const Before preceding = before(first.index);
  if (first.term < preceding.term) {
    return fmt::format("its term {} is older than the term {} before it", raw(first.term), raw(preceding.term));
  }
  if (first.time < preceding.time) {
    return fmt::format("its time {} is before the time {} of what precedes it", raw(first.time),
                       raw(preceding.time));
  }
  return {};
}

// What an entry behind the snapshot says beside what it does; an error if this binary cannot carry it out.
Result<void> LogReader::note(const raft::Entry& entry) {
  const auto facts = wire::check_entry(entry, identities_);
  if (!facts) {
    return failure(facts.error().code, fmt::format("entry {}: {}", raw(entry.index), facts.error().message));
  }
  const Identity& identity = directory_.identity();
  if (facts->feature_level != 0) {
    levels_.push_back(Level{.index = entry.index, .level = facts->feature_level});
  }
  if (facts->stream && facts->stream->server == identity.node &&
      facts->stream->incarnation == identity.incarnation_high) {
    contents_.starts = std::max(contents_.starts, facts->stream->start);
  }
  return {};
}

// Adds a batch; empty, or what is wrong with it.
Result<std::string> LogReader::take_entries(std::vector<raft::Entry>& batch) {
  const raft::Entry& first = batch.front();
  if (std::string fault = fault_of_batch(first); !fault.empty()) {
    return fault;
  }
  while (!levels_.empty() && levels_.back().index >= first.index) {
    levels_.pop_back();
  }
  for (const raft::Entry& entry : batch) {
    if (entry.index <= snapshot_.index) {
      continue;
    }
    if (const auto noted = note(entry); !noted) {
      if (noted.error().code == ErrorCode::unsupported) {
        return std::unexpected(noted.error());
      }
      return noted.error().message;
    }
  }
  auto& entries = contents_.recovered.entries;
  while (!entries.empty() && entries.back().index >= first.index) {
    entries.pop_back();  // A conflict was resolved: the later record replaces the tail.
  }
  last_ = batch.back().index;
  last_term_ = first.term;
  last_time_ = first.time;
  highest_term_ = std::max(highest_term_, first.term);
  contents_.last_seen = std::max(contents_.last_seen, last_);
  for (raft::Entry& entry : batch) {
    if (entry.index > snapshot_.index) {
      entries.push_back(std::move(entry));
    }
  }
  return std::string{};
}

// The entry that the log holds in the end at the snapshot's index is the one that the snapshot ends with, and what
// follows it is not older. Only in the end: whatever a record says may be replaced by a later one.
void LogReader::compare_with_snapshot(const SegmentFile& segment, const std::vector<raft::Entry>& batch) {
  const raft::Entry& first = batch.front();
  const Index last = batch.back().index;
  if (first.index <= snapshot_.index) {
    stranger_.reset();
    if (last >= snapshot_.index && first.term != snapshot_.term) {
      stranger_ = Stranger{segment.path, offset_, first.term};
    }
  }
  if (first.index <= next(snapshot_.index)) {
    early_.reset();
    if (last > snapshot_.index && first.term < snapshot_.term) {
      early_ = Early{segment.path, offset_,
                     fmt::format("its term {} is older than the snapshot's {}", raw(first.term), raw(snapshot_.term))};
    } else if (last > snapshot_.index && first.time < snapshot_time_) {
      early_ = Early{segment.path, offset_,
                     fmt::format("its time {} is before the time {} of what precedes it", raw(first.time),
                                 raw(snapshot_time_))};
    }
  }
}

// It is where it stays.
void LogReader::settle(const Unproven& record) {
  for (const PlacedBatch& batch : record.batches) {
    map_.add(batch);
  }
}

void LogReader::settle_all() {
  for (const Unproven& record : unproven_) {
    settle(record);
  }
  unproven_.clear();
}

// Adds a record that checks; empty, or what is wrong with what it says.
Result<std::string> LogReader::take_record(const SegmentFile& segment, const wire::DecodedRecord& record) {
  const wire::RecordHeader& header = record.header;
  if (record.has_unknown_flags) {
    return wire::newer_than_known("log record", "a flag");
  }
  if (header.synced_through >= log_position(segment.sequence, offset_)) {
    return "it vouches for records behind it";
  }
  if (header.hard_state) {
    const raft::HardState& now = *header.hard_state;
    const bool second_vote = now.term == hard_state_.term && raw(hard_state_.vote) != 0 && now.vote != hard_state_.vote;
    if (now.term < hard_state_.term || second_vote) {
      return "its term or vote goes back";  // I-102
    }
    hard_state_ = now;
  }
  // A copy of its own: entries share it, and the segment's buffer goes.
  if (auto taken = take_batches(segment, Blob::copy(record.payload)); !taken || !taken->empty()) {
    return taken;
  }
  if (header.synced_through > synced_through_) {
    synced_through_ = header.synced_through;
    std::erase_if(unproven_, [this](const Unproven& one) {
      const bool is_proven = one.position <= synced_through_;
      if (is_proven) {
        settle(one);
      }
      return is_proven;
    });
  }
  hint_ = std::max(hint_, header.commit_hint);
  return std::string{};
}

// The entries of a record; empty, or what is wrong with what it says.
Result<std::string> LogReader::take_batches(const SegmentFile& segment, const Blob& payload) {
  placed_.clear();
  std::vector<raft::Entry> batch;
  for (std::size_t at = 0; at < payload.size();) {
    batch.clear();
    const auto length = wire::decode_batch(payload.slice(at, payload.size() - at), batch);
    if (!length) {
      if (length.error().code == ErrorCode::unsupported) {
        return std::unexpected(length.error());
      }
      return length.error().message;
    }
    compare_with_snapshot(segment, batch);
    placed_.push_back(PlacedBatch{.first = batch.front().index,
                                  .last = batch.back().index,
                                  .term = batch.front().term,
                                  .position = log_position(segment.sequence, offset_),
                                  .in_payload = static_cast<std::uint32_t>(at)});
    if (auto taken = take_entries(batch); !taken || !taken->empty()) {
      return taken;
    }
    at += *length;
  }
  return std::string{};
}

// `scanned`: bytes of the log so far. An error if whoever waits for this wants it no more.
Result<void> LogReader::go_on(std::uint64_t scanned) {
  if (should_stop_ && scanned >= ask_after_) {
    ask_after_ = scanned + ask_bytes;
    if (should_stop_()) {
      return failure(ErrorCode::refused, "a stop was asked for while the log was read");
    }
  }
  return {};
}

Result<void> LogReader::read_segment(std::size_t at, std::size_t end) {
  const SegmentFile& segment = files_[at];
  auto file = directory_.disk().open(segment.path, Disk::Open::existing);
  if (!file) {
    return std::unexpected(file.error());
  }
  const auto bytes = read_start(**file, segment.path, segment.bytes);
  if (!bytes) {
    return std::unexpected(bytes.error());
  }
  const std::uint64_t bytes_before = contents_.bytes;
  contents_.bytes += bytes->size();
  const ByteView view{*bytes};
  const wire::SegmentHeader* follower = at + 1 < end && files_[at + 1].header ? &*files_[at + 1].header : nullptr;
  offset_ = wire::log_block_bytes;
  for (;;) {
    if (follower != nullptr && follower->chain == chain_) {
      return {};  // The log goes on there; what follows here was cut or copied by a later start.
    }
    if (auto wanted = go_on(bytes_before + offset_); !wanted) {
      return wanted;
    }
    const auto record =
        offset_ < view.size() ? wire::decode_record(view.substr(offset_), segment.header->generation) : std::nullopt;
    if (!record || record->header.position != offset_ || record->header.chain != chain_) {
      if (at + 1 < end && (follower == nullptr || begins_anew(*follower))) {
        return {};  // Where this one ends is unknown, for the next one does not say it: that is reported, if it
                    // matters.
      }
      judge(segment, offset_, view, at + 1 == end);
      return {};
    }
    const std::uint64_t position = log_position(segment.sequence, offset_);
    const Index last_before = last_;
    const auto fault = take_record(segment, *record);
    if (!fault) {
      return failure(fault.error().code,
                     fmt::format("{} at offset {}: {}", segment.path, offset_, fault.error().message));
    }
    if (!fault->empty()) {
      stopped_ = true;
      report(Damage{.kind = Damage::Kind::corrupt_record,
                    .stops_start = true,
                    .file = segment.path,
                    .offset = offset_,
                    .index = next(last_),
                    .explanation = fmt::format("a record checks but makes no sense: {}", *fault)});
      return {};
    }
    const auto first = std::ranges::min_element(placed_, {}, &PlacedBatch::first);
    unproven_.push_back(Unproven{position, offset_, chain_, last_before,
                                 first == placed_.end() ? Index{} : first->first, std::string{record->payload},
                                 placed_});
    chain_ = record->checksum;
    offset_ += record->bytes;
    ++contents_.records;
  }
}

std::string LogReader::fault_of(std::size_t at, std::size_t start) const {
  const SegmentFile& segment = files_[at];
  if (segment.header && at > start && segment.header->first_index != next(last_)) {
    return fmt::format("it continues with entry {} where {} is due", raw(segment.header->first_index), raw(last_) + 1);
  }
  if (segment.header && at > start && begins_anew(*segment.header)) {
    return fmt::format("its log begins behind a snapshot of entry {}, which is not usable",
                       raw(segment.header->first_index) - 1);
  }
  return segment.fault;
}

// Reads the segments from `start` on and before `stop`, of a run that ends before `end`.
Result<void> LogReader::read_run(std::size_t start, std::size_t stop, std::size_t end) {
  const wire::SegmentHeader& first = *files_[start].header;
  chain_ = first.chain;
  last_ = previous(first.first_index);
  // The term of the entry before is known only of the first one and of the snapshot's (K-22).
  map_.begin_anew(last_, raw(last_) == 0            ? std::optional{Term{}}
                         : last_ == snapshot_.index ? std::optional{snapshot_.term}
                                                    : std::nullopt);
  last_term_ = Term{};
  last_time_ = WallTime{};
  hint_ = Index{};
  hard_state_ = first.hard_state;
  synced_through_ = 0;
  for (std::size_t at = start; at < stop; ++at) {
    const SegmentFile& segment = files_[at];
    if (const std::string fault = fault_of(at, start); !fault.empty()) {
      stopped_ = true;
      report(Damage{.kind = Damage::Kind::bad_header,
                    .stops_start = true,
                    .file = segment.path,
                    .offset = 0,
                    .index = next(last_),
                    .explanation = fmt::format("the segment cannot be read: {}", fault)});
      cut_off_from(at);
      continue_here(at - 1);
      return {};
    }
    // That a segment exists proves that all before it was synced.
    settle_all();
    synced_through_ = std::max(synced_through_, log_position(segment.sequence, 0));
    if (segment.header->hard_state.term >= hard_state_.term) {
      hard_state_ = segment.header->hard_state;
    }
    const auto step = read_segment(at, end);
    if (!step) {
      return std::unexpected(step.error());
    }
    if (stopped_ || at + 1 == end) {
      cut_off_from(at + 1);
      continue_here(at);
      return {};
    }
  }
  return {};
}

// What lies before `start` is read for its own sake: what is wrong there costs nothing now.
Result<void> LogReader::read_older(std::size_t start) {
  std::size_t older = 0;
  while (!files_[older].header) {
    ++older;  // Ends at `start`, which has one.
  }
  if (older == start || end_of_run(older) <= start) {
    return {};
  }
  stops_start_ = false;
  auto done = read_run(older, start, end_of_run(older));
  stops_start_ = true;
  stopped_ = false;
  contents_.recovered.entries.clear();
  contents_.cut_off.clear();
  levels_.clear();
  unproven_.clear();
  stranger_.reset();
  early_.reset();
  return done;
}

// What lies behind damage: terms that were used are not used again, and the operator is told how far entries went.
Result<void> LogReader::look_behind() {
  for (const SegmentFile& segment : files_) {
    if (!segment.header) {
      continue;
    }
    if (segment.header->hard_state.term > hard_state_.term) {
      hard_state_ = segment.header->hard_state;
    }
    if (std::ranges::find(contents_.cut_off, segment.sequence) == contents_.cut_off.end()) {
      continue;
    }
    auto file = directory_.disk().open(segment.path, Disk::Open::existing);
    if (!file) {
      return std::unexpected(file.error());
    }
    const auto bytes = read_start(**file, segment.path, segment.bytes);
    if (!bytes) {
      return std::unexpected(bytes.error());
    }
    const Evidence evidence = search(*bytes, wire::log_block_bytes, segment.header->generation);
    contents_.last_seen = std::max(contents_.last_seen, evidence.last_index);
    term_behind_ = std::max(term_behind_, evidence.term);
  }
  return {};
}

Result<LogContents> LogReader::read(bool everything) {
  if (auto found = find_segments(); !found) {
    return std::unexpected(found.error());
  }
  const auto start = choose_start();
  if (!start) {
    judge_absence();
    continue_after_snapshot();
  } else {
    if (everything) {
      if (auto done = read_older(*start); !done) {
        return std::unexpected(done.error());
      }
    }
    const std::size_t end = end_of_run(*start);
    if (auto done = read_run(*start, end, end); !done) {
      return std::unexpected(done.error());
    }
    if (!stopped_) {
      judge_end(end);
    }
    if (stranger_ && !is_installing_) {
      judge_stranger();
    } else if (early_ && !stranger_) {
      judge_early();
    }
    if (snapshot_.index > last_ || stranger_ || early_) {
      continue_after_snapshot();
    }
  }
  for (const Level& level : levels_) {
    contents_.feature_level = std::max(contents_.feature_level, level.level);
  }
  if (auto seen = look_behind(); !seen) {
    return std::unexpected(seen.error());
  }
  raft::Recovered& recovered = contents_.recovered;
  const bool is_damaged = std::ranges::any_of(contents_.damage, &Damage::stops_start);
  const Term newest_term = std::max({highest_term_, snapshot_.term, is_damaged ? term_behind_ : Term{}});
  if (hard_state_.term < newest_term) {
    hard_state_ = raft::HardState{.term = newest_term, .vote = NodeId{}};
  }
  recovered.hard_state = hard_state_;
  recovered.snapshot = snapshot_;
  recovered.commit_hint = std::clamp(hint_, snapshot_.index, last_);
  contents_.position.hard_state = recovered.hard_state;
  contents_.position.commit_hint = recovered.commit_hint;
  return std::move(contents_);
}

Result<LogContents> read_log(DataDirectory& directory, const SnapshotPoint& snapshot, const RecoverOptions& options) {
  return LogReader{directory, snapshot, options.should_stop}.read(options.everything);
}

}  // namespace quorate::storage
