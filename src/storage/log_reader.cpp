#include "storage/log_reader.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "storage/evidence.hpp"
#include "wire/batch.hpp"
#include "wire/log_format.hpp"

namespace quorate::storage {
namespace {

struct SegmentFile {
  std::uint64_t sequence = 0;
  std::string path;
  std::uint64_t bytes = 0;
  std::optional<wire::SegmentHeader> header;
  std::string fault;  // Why there is no header.
};

constexpr std::string_view advice =
    "do not edit or delete files; run `quorate verify` on the directory to see all of it, then restore a backup, let "
    "the "
    "other servers heal this one, or, without peers, cut the log here with `quorate repair`";

Result<std::string> read_part(File& file, std::uint64_t offset, std::size_t bytes) {
  std::string into;
  Result<std::size_t> got = std::size_t{0};
  // libstdc++ 12 hands the callback the grown capacity, not the size that was asked for.
  into.resize_and_overwrite(bytes, [&](char* data, std::size_t /*size*/) {
    got = file.read(offset, std::span{data, bytes});
    return got ? *got : std::size_t{0};
  });
  if (!got) {
    return std::unexpected(got.error());
  }
  return into;
}

class LogReader {
 public:
  LogReader(DataDirectory& directory, raft::LogId snapshot) : directory_(directory), snapshot_(snapshot) {}

  Result<LogContents> read(bool everything);

 private:
  // A record that no later one proves durable.
  struct Unproven {
    std::uint64_t position = 0;
    std::uint64_t offset = 0;
    std::uint64_t chain_before = 0;
    Index last_before{};
    std::string payload;
  };

  Result<void> find_segments();
  Result<SegmentFile> open_segment(std::uint64_t sequence);
  [[nodiscard]] std::optional<std::size_t> choose_start() const;
  [[nodiscard]] std::size_t end_of_run(std::size_t start) const;
  Result<void> read_run(std::size_t start, std::size_t stop, std::size_t end);
  [[nodiscard]] std::string fault_of(std::size_t at, std::size_t start) const;
  Result<void> read_segment(std::size_t at, std::size_t end);
  Result<std::string> take_record(const wire::DecodedRecord& record, std::uint64_t position);
  std::string take_entries(std::vector<raft::Entry>& batch);
  void judge(const SegmentFile& file, std::uint64_t offset, ByteView segment, bool newest);
  void judge_end(std::size_t end);
  void judge_absence();
  Result<void> read_older(std::size_t start);
  Result<void> look_behind();
  void continue_here(std::size_t newest);
  void continue_after_snapshot();
  void cut_off_from(std::size_t first);
  void report(Damage damage);

  DataDirectory& directory_;
  raft::LogId snapshot_;
  LogContents contents_;
  std::vector<SegmentFile> files_;
  bool stops_start_ = true;

  // Where reading stands.
  std::uint64_t chain_ = 0;
  std::uint64_t synced_through_ = 0;
  std::uint64_t offset_ = 0;
  Index last_{};
  Term last_term_{};
  Index hint_{};
  raft::HardState hard_state_;
  std::vector<Unproven> unproven_;
  bool stopped_ = false;  // By damage.
};

void LogReader::report(Damage damage) {
  damage.stops_start = damage.stops_start && stops_start_;
  if (damage.stops_start) {
    damage.explanation += fmt::format("; {}", advice);
  }
  contents_.damage.push_back(std::move(damage));
}

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
  const auto block = read_part(**file, 0, wire::log_block_bytes);
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
  }
  return found;
}

Result<void> LogReader::find_segments() {
  const auto names = directory_.disk().list(directory_.log_directory());
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
std::optional<std::size_t> LogReader::choose_start() const {
  for (std::size_t i = files_.size(); i > 0; --i) {
    if (files_[i - 1].header && files_[i - 1].header->first_index <= next(snapshot_.index)) {
      return i - 1;
    }
  }
  return std::nullopt;
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

// Adds a batch; empty, or what is wrong with it.
std::string LogReader::take_entries(std::vector<raft::Entry>& batch) {
  const raft::Entry& first = batch.front();
  if (first.index > next(last_)) {
    return fmt::format("it continues with entry {} where {} is due", raw(first.index), raw(last_) + 1);
  }
  if (first.index <= hint_) {
    return fmt::format("it replaces entry {}, which was committed", raw(first.index));
  }
  if (first.index <= snapshot_.index && first.index <= last_) {
    return fmt::format("it replaces entry {}, which is in the snapshot", raw(first.index));
  }
  if (first.term < last_term_) {
    return fmt::format("its term {} is older than the term {} before it", raw(first.term), raw(last_term_));
  }
  auto& entries = contents_.recovered.entries;
  while (!entries.empty() && entries.back().index >= first.index) {
    entries.pop_back();  // A conflict was resolved: the later record replaces the tail.
  }
  last_ = batch.back().index;
  last_term_ = first.term;
  contents_.last_seen = std::max(contents_.last_seen, last_);
  for (raft::Entry& entry : batch) {
    if (entry.index > snapshot_.index) {
      entries.push_back(std::move(entry));
    }
  }
  return {};
}

// Adds a record that checks; empty, or what is wrong with what it says.
Result<std::string> LogReader::take_record(const wire::DecodedRecord& record, std::uint64_t position) {
  const wire::RecordHeader& header = record.header;
  if (header.synced_through >= position) {
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
  const Blob payload = Blob::copy(record.payload);
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
    if (std::string fault = take_entries(batch); !fault.empty()) {
      return fault;
    }
    at += *length;
  }
  if (header.synced_through > synced_through_) {
    synced_through_ = header.synced_through;
    std::erase_if(unproven_, [this](const Unproven& one) { return one.position <= synced_through_; });
  }
  hint_ = std::max(hint_, header.commit_hint);
  return std::string{};
}

// A bad record stands at `offset`: torn, or damage?
void LogReader::judge(const SegmentFile& file, std::uint64_t offset, ByteView segment, bool newest) {
  const std::uint64_t generation = file.header->generation;
  const ByteView rest = segment.substr(std::min<std::uint64_t>(offset, segment.size()));
  const Evidence evidence = search(segment, offset + wire::log_block_bytes, generation);
  contents_.last_seen = std::max(contents_.last_seen, evidence.last_index);
  const Index hint = std::max(hint_, evidence.commit_hint);
  Damage damage{.kind = Damage::Kind::corrupt_record,
                .stops_start = true,
                .file = file.path,
                .offset = offset,
                .index = next(last_),
                .explanation = {}};
  const auto claim = wire::peek_record(rest, generation);
  const bool was_begun =
      evidence.records > 0 || (claim && (claim->chain == chain_ || claim->position == offset)) || !evidence.judged;
  if (newest && !was_begun) {
    return;  // The log just ends here; whether it may is for judge_end().
  }
  if (!newest) {
    damage.explanation = "a record in the middle of the log does not check, and later segments continue it";
  } else if (!evidence.judged) {
    damage.explanation = "what follows the last good record is neither empty nor a record";
  } else if (evidence.synced_through >= log_position(file.sequence, offset)) {
    damage.explanation = "a record does not check although a later one proves that it was safely on disk";
  } else if (hint > last_) {
    damage.explanation = fmt::format("a record does not check although entries up to {} were committed", raw(hint));
  } else if (snapshot_.index > last_) {
    damage.explanation =
        fmt::format("a record does not check although a snapshot holds entries up to {}", raw(snapshot_.index));
  } else {
    damage.kind = Damage::Kind::torn_tail;
    damage.stops_start = false;
    damage.explanation =
        "a write that was never acknowledged was cut short by a crash; it is left out, nothing is lost";
    contents_.damage.push_back(std::move(damage));
    return;
  }
  stopped_ = true;
  report(std::move(damage));
}

Result<void> LogReader::read_segment(std::size_t at, std::size_t end) {
  const SegmentFile& segment = files_[at];
  auto file = directory_.disk().open(segment.path, Disk::Open::existing);
  if (!file) {
    return std::unexpected(file.error());
  }
  const auto bytes = read_part(**file, 0, segment.bytes);
  if (!bytes) {
    return std::unexpected(bytes.error());
  }
  contents_.bytes += bytes->size();
  const ByteView view{*bytes};
  const wire::SegmentHeader* follower = at + 1 < end && files_[at + 1].header ? &*files_[at + 1].header : nullptr;
  offset_ = wire::log_block_bytes;
  for (;;) {
    if (follower != nullptr && follower->chain == chain_) {
      return {};  // The log goes on there; what follows here was cut or copied by a later start.
    }
    const auto record =
        offset_ < view.size() ? wire::decode_record(view.substr(offset_), segment.header->generation) : std::nullopt;
    if (!record || record->header.position != offset_ || record->header.chain != chain_) {
      if (at + 1 < end && follower == nullptr) {
        return {};  // Where this one ends is unknown, for the next one's header is bad: that is reported.
      }
      judge(segment, offset_, view, at + 1 == end);
      return {};
    }
    const std::uint64_t position = log_position(segment.sequence, offset_);
    const Index last_before = last_;
    const auto fault = take_record(*record, position);
    if (!fault) {
      return std::unexpected(fault.error());
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
    unproven_.push_back(Unproven{position, offset_, chain_, last_before, std::string{record->payload}});
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
  return segment.fault;
}

// Reads the segments from `start` on and before `stop`, of a run that ends before `end`.
Result<void> LogReader::read_run(std::size_t start, std::size_t stop, std::size_t end) {
  const wire::SegmentHeader& first = *files_[start].header;
  chain_ = first.chain;
  last_ = previous(first.first_index);
  last_term_ = Term{};
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
    unproven_.clear();
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

// The log goes on behind what was read, in a segment after `newest`.
void LogReader::continue_here(std::size_t newest) {
  Wal::Position& position = contents_.position;
  position = Wal::Position{};
  position.sequence = files_[newest].sequence;
  position.chain = chain_;
  position.synced_through = synced_through_;
  position.first_index = next(last_);
  position.keep_bytes = offset_;
  if (!unproven_.empty()) {
    const Unproven& oldest = unproven_.front();
    position.chain = oldest.chain_before;
    position.first_index = next(oldest.last_before);
    position.keep_bytes = oldest.offset;
    for (Unproven& record : unproven_) {
      if (!record.payload.empty()) {
        position.tail.push_back(std::move(record.payload));
      }
    }
  }
  position.replace_newest = position.keep_bytes <= wire::log_block_bytes;
  position.last_index = last_;
  for (std::size_t i = 0; i <= newest; ++i) {
    if (files_[i].header && !(position.replace_newest && i == newest)) {
      position.segments.push_back(Segment{files_[i].sequence, files_[i].header->first_index, files_[i].bytes});
    }
  }
}

// Nothing of the log can be used: it begins anew behind the snapshot. Only repair acts on it.
void LogReader::continue_after_snapshot() {
  contents_.recovered.entries.clear();
  contents_.cut_off.clear();
  cut_off_from(0);
  Wal::Position position;
  position.sequence = directory_.newest_segment();
  for (const SegmentFile& file : files_) {
    position.sequence = std::max(position.sequence, file.sequence);
  }
  position.first_index = next(snapshot_.index);
  position.last_index = snapshot_.index;
  contents_.position = std::move(position);
  last_ = snapshot_.index;
}

void LogReader::judge_end(std::size_t end) {
  const SegmentFile& newest = files_[end - 1];
  if (end < files_.size()) {
    report(Damage{.kind = Damage::Kind::missing_segment,
                  .stops_start = true,
                  .file = segment_path(directory_, newest.sequence + 1),
                  .offset = 0,
                  .index = next(last_),
                  .explanation = fmt::format("the file is not there, although {} is", files_[end].path)});
  } else if (newest.sequence < directory_.newest_segment()) {
    report(Damage{.kind = Damage::Kind::missing_segment,
                  .stops_start = true,
                  .file = segment_path(directory_, newest.sequence + 1),
                  .offset = 0,
                  .index = next(last_),
                  .explanation = "the file is not there, although it was once safely on disk; the log's end is lost"});
  } else if (hint_ > last_) {
    report(Damage{
        .kind = Damage::Kind::beyond_log,
        .stops_start = true,
        .file = newest.path,
        .offset = offset_,
        .index = next(last_),
        .explanation = fmt::format("entries up to {} were committed, the log ends at {}", raw(hint_), raw(last_))});
  } else if (snapshot_.index > last_) {
    report(Damage{.kind = Damage::Kind::gap,
                  .stops_start = true,
                  .file = newest.path,
                  .offset = offset_,
                  .index = next(last_),
                  .explanation = fmt::format("the log ends at entry {}, before the snapshot's {}", raw(last_),
                                             raw(snapshot_.index))});
  }
}

// No segment leads to the first entry that is needed.
void LogReader::judge_absence() {
  const Index due = next(snapshot_.index);
  if (!files_.empty()) {
    report(Damage{.kind = Damage::Kind::gap,
                  .stops_start = true,
                  .file = files_.front().path,
                  .offset = 0,
                  .index = due,
                  .explanation = fmt::format("neither a snapshot nor the log holds entry {}", raw(due))});
  } else if (directory_.newest_segment() != 0) {
    report(Damage{.kind = Damage::Kind::missing_segment,
                  .stops_start = true,
                  .file = segment_path(directory_, directory_.newest_segment()),
                  .offset = 0,
                  .index = due,
                  .explanation = "the log's files are not there, although it was begun"});
  }
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
    const auto bytes = read_part(**file, 0, segment.bytes);
    if (!bytes) {
      return std::unexpected(bytes.error());
    }
    const Evidence evidence = search(*bytes, wire::log_block_bytes, segment.header->generation);
    contents_.last_seen = std::max(contents_.last_seen, evidence.last_index);
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
    if (snapshot_.index > last_) {
      continue_after_snapshot();
    }
  }
  if (auto seen = look_behind(); !seen) {
    return std::unexpected(seen.error());
  }
  raft::Recovered& recovered = contents_.recovered;
  const Term newest_term = std::max(last_term_, snapshot_.term);
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

}  // namespace

Result<LogContents> read_log(DataDirectory& directory, raft::LogId snapshot, bool everything) {
  return LogReader{directory, snapshot}.read(everything);
}

}  // namespace quorate::storage
