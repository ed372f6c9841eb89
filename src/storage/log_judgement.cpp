// What the log reader makes of what it finds: a torn tail or damage, and where the log continues.

#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "storage/evidence.hpp"
#include "storage/log_reading.hpp"

namespace quorate::storage {

void LogReader::report(Damage damage) {
  damage.stops_start = damage.stops_start && stops_start_;
  if (damage.stops_start) {
    damage.explanation += fmt::format("; {}", log_advice);
  }
  contents_.damage.push_back(std::move(damage));
}

// A bad record stands at `offset`: torn, or damage?
void LogReader::judge(const SegmentFile& file, std::uint64_t offset, ByteView segment, bool newest) {
  const std::uint64_t generation = file.header->generation;
  const ByteView rest = segment.substr(std::min<std::uint64_t>(offset, segment.size()));
  const Evidence evidence = search(segment, offset + wire::log_block_bytes, generation);
  contents_.last_seen = std::max(contents_.last_seen, evidence.last_index);
  term_behind_ = std::max(term_behind_, evidence.term);
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
  } else if (snapshot_.index > last_ && !is_installing_) {
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
      if (raw(record.first) != 0 && (raw(position.tail_first) == 0 || record.first < position.tail_first)) {
        position.tail_first = record.first;
      }
      if (!record.payload.empty()) {
        position.tail.push_back(std::move(record.payload));
      }
    }
  }
  position.map = map_;
  position.replace_newest = position.keep_bytes <= wire::log_block_bytes;
  position.last_index = last_;
  for (std::size_t i = 0; i <= newest; ++i) {
    if (files_[i].header && begins_anew(*files_[i].header)) {
      position.voided.insert(position.voided.end(), position.segments.begin(), position.segments.end());
      position.segments.clear();
    }
    if (files_[i].header && !(position.replace_newest && i == newest)) {
      position.segments.push_back(Segment{files_[i].sequence, files_[i].header->first_index, files_[i].bytes});
    }
  }
}

// Nothing of the log can be used: it begins anew behind the snapshot. Where that is not because a snapshot is being
// installed, only repair acts on it.
void LogReader::continue_after_snapshot() {
  contents_.recovered.entries.clear();
  levels_.clear();
  contents_.cut_off.clear();
  cut_off_from(0);
  Wal::Position position;
  position.sequence = directory_.newest_segment();
  for (const SegmentFile& file : files_) {
    position.sequence = std::max(position.sequence, file.sequence);
    if (is_installing_ && file.header) {
      position.voided.push_back(Segment{file.sequence, file.header->first_index, file.bytes});
    }
  }
  position.map.begin_anew(snapshot_.index, snapshot_.term);
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
  } else if (newest.bytes < newest.header->file_bytes) {
    report(Damage{.kind = Damage::Kind::cut_segment,
                  .stops_start = true,
                  .file = newest.path,
                  .offset = newest.bytes,
                  .index = next(last_),
                  .explanation = fmt::format("the file has {} bytes and was made with {}: something cut it, and "
                                             "whatever records stood behind are lost",
                                             newest.bytes, newest.header->file_bytes)});
  } else if (hint_ > last_) {
    report(Damage{
        .kind = Damage::Kind::beyond_log,
        .stops_start = true,
        .file = newest.path,
        .offset = offset_,
        .index = next(last_),
        .explanation = fmt::format("entries up to {} were committed, the log ends at {}", raw(hint_), raw(last_))});
  } else if (snapshot_.index > last_ && !is_installing_) {
    report(Damage{.kind = Damage::Kind::gap,
                  .stops_start = true,
                  .file = newest.path,
                  .offset = offset_,
                  .index = next(last_),
                  .explanation = fmt::format("the log ends at entry {}, before the snapshot's {}", raw(last_),
                                             raw(snapshot_.index))});
  }
}

// Two histories: which of them is this server's cannot be told from here. The snapshot checks as a whole, so it is what
// a repair would keep.
void LogReader::judge_stranger() {
  report(Damage{.kind = Damage::Kind::other_history,
                .stops_start = true,
                .file = stranger_->file,
                .offset = stranger_->offset,
                .index = snapshot_.index,
                .explanation = fmt::format("the log holds entry {} of term {}, and the snapshot ends with that of term "
                                           "{}: one of them was copied here",
                                           raw(snapshot_.index), raw(stranger_->term), raw(snapshot_.term))});
}

// A record that checks and says what cannot be.
void LogReader::judge_early() {
  report(Damage{.kind = Damage::Kind::corrupt_record,
                .stops_start = true,
                .file = early_->file,
                .offset = early_->offset,
                .index = next(snapshot_.index),
                .explanation = fmt::format("a record checks but makes no sense: {}", early_->explanation)});
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

}  // namespace quorate::storage
