#include "storage/wal.hpp"

#include <algorithm>
#include <utility>

#include "base/ensure.hpp"
#include "storage/wal_state.hpp"
#include "wire/batch.hpp"
#include "wire/log_format.hpp"

namespace quorate::storage {
namespace {

// bytes_since() is exact to this much log.
constexpr std::uint64_t milestone_bytes = 256U << 10;
// Copying into this string is cheap, a page fault for each of its pages is not: kept between flushes up to this.
constexpr std::size_t buffer_kept_bytes = 8U << 20;

}  // namespace

void Wal::stage(const std::optional<raft::HardState>& hard_state, std::span<const raft::Entry> entries,
                Index commit_hint, raft::PersistToken token) {
  Staged& staged = state_->staged;
  ensure(token >= staged.token, "tokens are handed out in order");
  while (!entries.empty()) {
    const std::size_t length = wire::batch_length(entries);
    ensure(length > 0, "a run of entries starts with a batch");
    staged.last_index = entries[length - 1].index;
    staged.lower_first(entries.front().index);
    staged.batches.push_back(StagedBatch{.first = entries.front().index,
                                         .last = staged.last_index,
                                         .term = entries.front().term,
                                         .offset = staged.payload.size()});
    wire::encode_batch(staged.payload, entries.first(length));
    staged.close_record();
    entries = entries.subspan(length);
  }
  if (hard_state) {
    staged.hard_state = hard_state;
  }
  staged.commit_hint = std::max(staged.commit_hint, commit_hint);
  staged.token = token;
  staged.pending = true;
}

bool Wal::stage_marker() {
  if (!state_->unproven || state_->flushing || state_->staged.pending) {
    return has_staged();
  }
  state_->staged.pending = true;
  return has_staged();
}

bool Wal::has_staged() const {
  return state_->staged.pending && !state_->blocked && !state_->dead;
}

std::size_t Wal::staged_bytes() const {
  return state_->staged.payload.size();
}

bool Wal::flush_under_way() const {
  return state_->flushing;
}

Wal::Flush::Flush(std::unique_ptr<Job> job) : job_(std::move(job)) {}
Wal::Flush::Flush(Flush&&) noexcept = default;
Wal::Flush& Wal::Flush::operator=(Flush&&) noexcept = default;
Wal::Flush::~Flush() = default;

// What both kinds of job begin with that move the log's end.
std::unique_ptr<Wal::Flush::Job> Wal::State::take_end() {
  auto job = std::make_unique<Flush::Job>();
  job->directory = directory;
  job->force_sync = config.force_sync;
  job->writer = std::move(writer);
  job->buffer = std::move(spent_buffer);
  job->segment_bytes = config.segment_bytes;
  spent.clear();
  spent.token = staged.token;
  spent.commit_hint = staged.commit_hint;
  job->staged = std::exchange(staged, std::move(spent));
  flushing = true;
  return job;
}

Wal::Flush Wal::take_flush() {
  State& state = *state_;
  ensure(has_staged() && !state.flushing, "one flush at a time, and only of something");
  auto job = state.take_end();
  const std::uint64_t bytes = job->staged.bytes_on_disk();
  if (job->writer.room() < bytes) {
    job->generation = state.next_generation();
    job->spare = state.take_ready(wire::log_block_bytes + bytes, false);
    job->hasty_path = state.next_spare_path();
  }
  return Flush{std::move(job)};
}

Wal::Flush Wal::take_install(const std::string& staged, raft::LogId point) {
  State& state = *state_;
  ensure(!state.flushing && !state.dead, "the log's end does not move while it begins anew");
  ensure(raw(point.index) > 0, "a snapshot ends with an entry");
  auto job = state.take_end();
  job->kind = Flush::Job::Kind::install;
  job->staged_snapshot = staged;
  job->point = point;
  job->generation = state.next_generation();
  job->spare = state.take_ready(2 * wire::log_block_bytes, false);
  job->hasty_path = state.next_spare_path();
  return Flush{std::move(job)};
}

Result<void> Wal::Flush::run() {
  const auto act = [this] {
    switch (job_->kind) {
      case Job::Kind::append:
        return job_->append();
      case Job::Kind::install:
        return job_->install();
      case Job::Kind::housekeeping:
        return job_->housekeep();
    }
    fail("every kind of job is run");
  };
  auto done = act();
  if (!done) {
    job_->error = done.error();
  }
  return done;
}

raft::PersistToken Wal::finish(Flush&& flush) {
  ensure(flush.job_ != nullptr, "a flush is finished once");
  const std::unique_ptr<Flush::Job> job = std::move(flush.job_);
  if (job->error && job->error->code != ErrorCode::no_space) {
    state_->dead = true;
  }
  switch (job->kind) {
    case Flush::Job::Kind::append:
      state_->finish_append(*job);
      break;
    case Flush::Job::Kind::install:
      state_->finish_install(*job);
      break;
    case Flush::Job::Kind::housekeeping:
      state_->finish_housekeeping(*job);
      break;
  }
  return state_->durable;
}

// False: it did not come to pass.
bool Wal::State::give_end_back(Flush::Job& job) {
  flushing = false;
  writer = std::move(job.writer);
  if (job.closed) {
    closed.push_back(*job.closed);
    writer_bytes = writer.bytes;
  }
  if (job.spare && !job.spare_used) {
    spares.push_back(std::move(*job.spare));  // Of whatever size: it exists, so the next attempt takes it.
  }
  if (job.error) {
    if (job.error->code == ErrorCode::no_space) {
      // Nothing of it was written: it waits, in its place before what came later.
      job.staged.append(staged);
      staged = std::move(job.staged);
    }
    return false;
  }
  durable = std::max(durable, job.staged.token);
  return true;
}

void Wal::State::finish_append(Flush::Job& job) {
  if (!give_end_back(job)) {
    blocked = job.error->code == ErrorCode::no_space;
    refused = blocked;
    return;
  }
  refused = false;
  map_records(job.staged, log_position(writer.sequence, job.start));
  unproven = config.force_sync && (!job.staged.payload.empty() || job.staged.hard_state.has_value());
  written += job.buffer.size();
  if (raw(writer.last_index) != 0 && (milestones.empty() || written - milestones.back().written >= milestone_bytes)) {
    milestones.push_back(Milestone{writer.last_index, written});
  }
  spent = std::move(job.staged);
  spent_buffer = std::move(job.buffer);
  for (std::string* buffer : {&spent.payload, &spent_buffer}) {
    if (buffer->capacity() > buffer_kept_bytes) {
      *buffer = std::string{};
    }
  }
}

// The old log is gone, and what was staged for it with it.
void Wal::State::finish_install(Flush::Job& job) {
  if (!give_end_back(job)) {
    return;
  }
  ensure(staged.payload.empty(), "while a snapshot is installed nothing is appended");
  voided.insert(voided.end(), closed.begin(), closed.end());
  closed.clear();
  map.begin_anew(job.point.index, job.point.term);
  milestones.clear();
  milestones.push_back(Milestone{job.point.index, written});
  recovered_bytes = 0;
  refused = false;
  unproven = false;
  spent_buffer = std::move(job.buffer);
}

// `position`: of the first record.
void Wal::State::map_records(const Staged& records, std::uint64_t position) {
  std::size_t start = 0;
  auto batch = records.batches.begin();
  records.each_record([&](ByteView payload) {
    for (; batch != records.batches.end() && batch->offset < start + payload.size(); ++batch) {
      map.add(PlacedBatch{.first = batch->first,
                          .last = batch->last,
                          .term = batch->term,
                          .position = position,
                          .in_payload = static_cast<std::uint32_t>(batch->offset - start)});
    }
    start += payload.size();
    position += wire::record_bytes(payload.size());
  });
}

void Wal::release(Index index) {
  state_->release_before = std::max(state_->release_before, index);
  auto& milestones = state_->milestones;
  while (milestones.size() > 1 && milestones[1].index < index) {
    milestones.pop_front();
  }
}

// Void segments, and closed ones that are wholly below the index, oldest first: what follows such a one begins at or
// below the index.
std::vector<Segment> Wal::State::take_released() {
  std::vector<Segment> released;
  const std::uint64_t kept_from = oldest_being_read();
  for (const Segment& segment : voided) {
    if (segment.sequence >= kept_from) {
      return released;
    }
    released.push_back(segment);
  }
  for (std::size_t i = 0; i < closed.size() && closed[i].sequence < kept_from; ++i) {
    const bool newest = i + 1 == closed.size();
    if (newest && flushing) {
      break;  // The open segment's first index is with the flush.
    }
    if ((newest ? writer.first_index : closed[i + 1].first_index) > release_before) {
      break;
    }
    released.push_back(closed[i]);
  }
  if (released.size() > voided.size()) {
    map.forget_before(released.back().sequence + 1);
  }
  return released;
}

std::optional<Wal::Flush> Wal::take_spare_job() {
  State& state = *state_;
  if (state.housekeeping || state.dead) {
    return std::nullopt;
  }
  std::vector<Segment> released = state.take_released();
  if (released.empty() && !state.lacks_files()) {
    state.spare_failed = false;
    state.blocked = false;  // Every spare is there: what waits for more than a spare may try again.
    return std::nullopt;
  }
  auto job = std::make_unique<Flush::Job>();
  job->released = std::move(released);
  job->released_end = job->released.empty() ? 0 : job->released.back().sequence + 1;
  if (state.lacks_reserve()) {
    job->wanted.push_back(Spare{state.reserve_path(), state.reserve_bytes()});
  }
  if (state.spares.empty() && job->released.empty()) {
    job->wanted.push_back(Spare{state.next_spare_path(), state.config.segment_bytes});
  }
  job->kind = Flush::Job::Kind::housekeeping;
  job->directory = state.directory;
  job->segment_bytes = state.config.segment_bytes;
  job->recycle_max =
      state.config.recycled_segments_max - std::min(state.config.recycled_segments_max, state.spares.size());
  job->name_counter = state.counter + 1;
  state.counter += job->released.size();
  state.housekeeping = true;
  return Flush{std::move(job)};
}

void Wal::State::finish_housekeeping(Flush::Job& job) {
  housekeeping = false;
  // What the job did not come to is still there.
  const std::uint64_t left = job.released.empty() ? job.released_end : job.released.front().sequence;
  const auto is_gone = [left](const Segment& segment) { return segment.sequence < left; };
  std::erase_if(voided, is_gone);
  std::erase_if(closed, is_gone);
  for (Spare& spare : job.made) {
    if (spare.path == reserve_path()) {
      reserve = std::move(spare);
    } else {
      spares.push_back(std::move(spare));
    }
  }
  // One that was recycled serves as well as the one that found no space.
  spare_failed = lacks_files() && (spare_failed || job.error.has_value());
  // Less room than a spare takes may be enough for what waits.
  blocked = false;
}

std::uint64_t Wal::bytes_since(Index index) const {
  const State& state = *state_;
  // The newest milestone at or below the index; before the first one lies what recovery found.
  std::uint64_t before = 0;
  for (const auto& milestone : state.milestones) {
    if (milestone.index > index) {
      break;
    }
    before = milestone.written;
  }
  const std::uint64_t recovered = index < state.recovered_last ? state.recovered_bytes : 0;
  return state.written - before + recovered;
}

std::uint64_t Wal::disk_bytes() const {
  const State& state = *state_;
  std::uint64_t bytes = state.writer_bytes + (state.reserve ? state.reserve->bytes : 0);
  for (const Segment& segment : state.voided) {
    bytes += segment.file_bytes;
  }
  for (const Segment& segment : state.closed) {
    bytes += segment.file_bytes;
  }
  for (const Spare& spare : state.spares) {
    bytes += spare.bytes;
  }
  return bytes;
}

bool Wal::low_on_space() const {
  return state_->spare_failed || state_->refused;
}

bool Wal::waits_for_space() const {
  return state_->refused;
}

std::uint64_t Wal::segments() const {
  return state_->closed.size() + 1;
}

}  // namespace quorate::storage
