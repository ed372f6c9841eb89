#include "storage/wal.hpp"

#include <algorithm>
#include <deque>
#include <fmt/format.h>
#include <utility>

#include "base/checksum.hpp"
#include "base/ensure.hpp"
#include "base/limits.hpp"
#include "storage/flush_job.hpp"
#include "wire/batch.hpp"
#include "wire/log_format.hpp"
#include "wire/packing.hpp"

namespace quorate::storage {
namespace {

constexpr std::uint64_t first_segment_bytes = 1U << 20;  // Of a start.
// The reserve lets a start with a full disk begin the new segment that it needs.
constexpr std::uint64_t reserve_bytes_max = 4U << 20;
// What a start's segment must have room for behind the copies: term and no-op, and sessions that come back.
constexpr std::uint64_t start_room_bytes = 4 * wire::log_block_bytes;
// bytes_since() is exact to this much log.
constexpr std::uint64_t milestone_bytes = 256U << 10;

constexpr std::string_view reserve_name = "reserve";

// Copying into this string is cheap, a page fault for each of its pages is not: kept between flushes up to this.
constexpr std::size_t buffer_kept_bytes = 8U << 20;

}  // namespace

struct Wal::State {
  DataDirectory* directory = nullptr;
  WalConfig config;
  SegmentWriter writer;  // Empty while a flush is under way.
  Staged staged;
  Staged spent;  // The last flush's buffers, for reuse.
  std::string spent_buffer;
  std::deque<Segment> closed;
  std::vector<Spare> spares;
  std::optional<Spare> reserve;
  Index release_before{};
  std::uint64_t counter = 0;  // Makes generations and names unique within this start.
  raft::PersistToken durable{};
  std::uint64_t writer_bytes = 0;
  std::uint64_t written = 0;  // Bytes of records since the Wal was opened.
  struct Milestone {
    Index index;
    std::uint64_t written;
  };
  std::deque<Milestone> milestones;
  std::uint64_t recovered_bytes = 0;
  Index recovered_last{};
  bool flushing = false;
  bool housekeeping = false;
  // R-902, kept apart because each ends by its own success: neither may hide, or outlive, the other.
  bool spare_failed = false;  // The newest attempt to make what should lie ready found no space.
  bool refused = false;       // A flush found no space and has not been written since.
  bool blocked = false;       // It waits for the next spare job before it tries again.
  bool unproven = false;      // The newest record has content and no successor.
  bool dead = false;          // A write or sync failed.

  // Never the same twice in a directory, and not to be guessed by a client whose data lies in the log: what looks like
  // a record inside a value does not check.
  [[nodiscard]] std::uint64_t next_generation() {
    const Identity& identity = directory->identity();
    std::string life;
    wire::Packer packer{life};
    packer.write_fixed64(identity.incarnation_high);
    packer.write_fixed64(identity.starts);
    packer.write_fixed64(++counter);
    return checksum(life, identity.incarnation_low);
  }
  [[nodiscard]] std::string next_spare_path() {
    return directory->log_directory() + "/" + std::string{spare_prefix} +
           fmt::format("{}-{}", directory->identity().starts, ++counter);
  }
  [[nodiscard]] std::string reserve_path() const {
    return directory->log_directory() + "/" + std::string{reserve_name};
  }
  [[nodiscard]] std::uint64_t reserve_bytes() const { return std::min(config.segment_bytes, reserve_bytes_max); }

  [[nodiscard]] bool lacks_reserve() const { return !reserve || reserve->bytes < reserve_bytes(); }
  [[nodiscard]] bool lacks_files() const { return lacks_reserve() || spares.empty(); }
  std::optional<Spare> take_ready(std::uint64_t bytes, bool with_reserve);

  Result<void> adopt_spares();
  Result<Spare> take_file(std::uint64_t bytes);
  Result<void> begin(const Position& position);
  Result<void> cut(const Position& position);
  Result<void> restore_reserve();
  Result<void> drop_surplus();
  void finish_append(Flush::Job& job);
  void finish_housekeeping(Flush::Job& job);
};

// Spares that an earlier start left are as good as new: a new generation voids whatever they hold. Those of another
// size may be all that a start on a full disk has.
Result<void> Wal::State::adopt_spares() {
  Disk& disk = directory->disk();
  const auto names = disk.list(directory->log_directory());
  if (!names) {
    return std::unexpected(names.error());
  }
  for (const std::string& name : *names) {
    const bool is_reserve = name == reserve_name;
    if (!is_reserve && !name.starts_with(spare_prefix)) {
      continue;
    }
    const std::string path = directory->log_directory() + "/" + name;
    auto file = disk.open(path, Disk::Open::existing);
    if (!file) {
      return std::unexpected(file.error());
    }
    const auto bytes = (*file)->size();
    if (!bytes) {
      return std::unexpected(bytes.error());
    }
    if (is_reserve) {
      reserve = Spare{path, *bytes};
    } else {
      spares.push_back(Spare{path, *bytes});
    }
  }
  return {};
}

// The smallest file that is large enough: a larger one stays for what needs it.
std::optional<Spare> Wal::State::take_ready(std::uint64_t bytes, bool with_reserve) {
  auto best = spares.end();
  for (auto spare = spares.begin(); spare != spares.end(); ++spare) {
    if (spare->bytes >= bytes && (best == spares.end() || spare->bytes < best->bytes)) {
      best = spare;
    }
  }
  if (with_reserve && reserve && reserve->bytes >= bytes && (best == spares.end() || reserve->bytes < best->bytes)) {
    return std::exchange(reserve, std::nullopt);
  }
  if (best == spares.end()) {
    return std::nullopt;
  }
  Spare taken = std::move(*best);
  spares.erase(best);
  return taken;
}

// A file of at least `bytes` for the segment that open() begins. It is small, so that a start is short, and the spare
// stays for the first rolling over.
Result<Spare> Wal::State::take_file(std::uint64_t bytes) {
  Spare made{next_spare_path(), std::max(bytes, std::min(config.segment_bytes, first_segment_bytes))};
  auto done = prewrite(*directory, made.path, made.bytes);
  if (done) {
    return made;
  }
  if (done.error().code != ErrorCode::no_space) {
    return std::unexpected(done.error());
  }
  spare_failed = true;
  if (std::optional<Spare> ready = take_ready(bytes, true)) {
    return std::move(*ready);
  }
  return failure(ErrorCode::no_space,
                 fmt::format("the disk is full, and no file that was kept ready for a start has the {} bytes that this "
                             "one needs; free that much and start again: {}",
                             bytes, done.error().message));
}

// On a full disk each start takes one of the files that were kept ready, and gives up what the segment before held
// beyond its records. What it took is made good from that at once, before anybody else takes it: so the next start
// finds what this one found.
Result<void> Wal::State::restore_reserve() {
  if (!spare_failed) {
    return {};  // The spare job makes it, beside service.
  }
  const auto free = directory->disk().free_bytes(directory->log_directory());
  std::uint64_t bytes = free ? std::min(*free, reserve_bytes()) : 0;
  const std::uint64_t useful = std::max(reserve ? reserve->bytes : 0, 2 * start_room_bytes);
  // The file system keeps some of its free bytes for itself.
  for (; bytes > useful; bytes -= bytes / 8) {
    bytes = bytes / wire::log_block_bytes * wire::log_block_bytes;
    auto done = prewrite(*directory, reserve_path(), bytes);
    if (done) {
      reserve = Spare{reserve_path(), bytes};
      return {};
    }
    if (done.error().code != ErrorCode::no_space) {
      return done;
    }
  }
  return {};
}

// More files than are of use, or of a size that was configured once. While space is short all of them are of use.
Result<void> Wal::State::drop_surplus() {
  std::vector<Spare> kept;
  for (Spare& spare : spares) {
    if (spare_failed || (spare.bytes == config.segment_bytes && kept.size() <= config.recycled_segments_max)) {
      kept.push_back(std::move(spare));
    } else if (auto removed = directory->disk().remove(spare.path); !removed) {
      return removed;
    }
  }
  spares = std::move(kept);
  return {};
}

// The new segment: all that is not provably durable is copied into it before it counts.
Result<void> Wal::State::begin(const Position& position) {
  // The header and the marker that vouches for the copies.
  std::uint64_t bytes = 2 * wire::log_block_bytes + start_room_bytes;
  for (const std::string& payload : position.tail) {
    bytes += wire::record_bytes(payload.size());
  }
  auto file = take_file(bytes);
  if (!file) {
    return std::unexpected(file.error());
  }
  SegmentWriter previous;
  previous.chain = position.chain;
  previous.last_record = position.synced_through;
  previous.synced_through = position.synced_through;
  previous.hard_state = position.hard_state;
  previous.last_index = position.last_index;
  previous.synced_index = position.last_index;
  previous.commit_hint = position.commit_hint;
  auto begun = begin_segment(*directory, *file,
                             NewSegment{
                                 .sequence = position.replace_newest ? position.sequence : position.sequence + 1,
                                 .generation = next_generation(),
                                 .first_index = position.first_index,
                                 .payloads = position.tail,
                             },
                             previous);
  if (!begun) {
    return std::unexpected(begun.error());
  }
  writer = std::move(*begun);
  writer_bytes = writer.bytes;
  return {};
}

// What stands behind the log's end in the segment before was never acknowledged or is copied now.
Result<void> Wal::State::cut(const Position& position) {
  if (position.replace_newest || closed.empty() || closed.back().file_bytes <= position.keep_bytes) {
    return {};
  }
  auto file = directory->disk().open(segment_path(*directory, closed.back().sequence), Disk::Open::existing);
  if (!file) {
    return std::unexpected(file.error());
  }
  if (auto shortened = (*file)->truncate(position.keep_bytes); !shortened) {
    return shortened;
  }
  closed.back().file_bytes = position.keep_bytes;
  return (*file)->sync();
}

Wal::Wal() : state_(std::make_unique<State>()) {}
Wal::~Wal() = default;

Result<std::unique_ptr<Wal>> Wal::open(DataDirectory& directory, WalConfig config, const Position& position) {
  ensure(config.segment_bytes >= 4 * wire::log_block_bytes && config.segment_bytes <= UINT32_MAX,
         "a segment holds a header and records, and offsets have 32 bits");
  config.segment_bytes = config.segment_bytes / wire::log_block_bytes * wire::log_block_bytes;
  std::unique_ptr<Wal> wal(new Wal);
  State& state = *wal->state_;
  state.directory = &directory;
  state.config = config;
  state.closed.assign(position.segments.begin(), position.segments.end());
  state.release_before = Index{};
  state.recovered_last = position.last_index;
  if (auto adopted = state.adopt_spares(); !adopted) {
    return std::unexpected(adopted.error());
  }
  if (auto begun = state.begin(position); !begun) {
    return std::unexpected(begun.error());
  }
  if (auto shortened = state.cut(position); !shortened) {
    return std::unexpected(shortened.error());
  }
  if (auto restored = state.restore_reserve(); !restored) {
    return std::unexpected(restored.error());
  }
  if (auto dropped = state.drop_surplus(); !dropped) {
    return std::unexpected(dropped.error());
  }
  for (const Segment& segment : state.closed) {
    state.recovered_bytes += segment.file_bytes;
  }
  return wal;
}

void Wal::stage(const std::optional<raft::HardState>& hard_state, std::span<const raft::Entry> entries,
                Index commit_hint, raft::PersistToken token) {
  Staged& staged = state_->staged;
  ensure(token >= staged.token, "tokens are handed out in order");
  while (!entries.empty()) {
    const std::size_t length = wire::batch_length(entries);
    ensure(length > 0, "a run of entries starts with a batch");
    wire::encode_batch(staged.payload, entries.first(length));
    staged.close_record();
    staged.last_index = entries[length - 1].index;
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

Wal::Flush Wal::take_flush() {
  State& state = *state_;
  ensure(has_staged() && !state.flushing, "one flush at a time, and only of something");
  auto job = std::make_unique<Flush::Job>();
  job->directory = state.directory;
  job->force_sync = state.config.force_sync;
  job->writer = std::move(state.writer);
  job->buffer = std::move(state.spent_buffer);
  job->segment_bytes = state.config.segment_bytes;
  job->generation = state.next_generation();
  state.spent.clear();
  state.spent.token = state.staged.token;
  state.spent.commit_hint = state.staged.commit_hint;
  job->staged = std::exchange(state.staged, std::move(state.spent));
  const std::uint64_t bytes = job->staged.bytes_on_disk();
  if (job->writer.room() < bytes) {
    job->spare = state.take_ready(wire::log_block_bytes + bytes, false);
    job->hasty_path = state.next_spare_path();
  }
  state.flushing = true;
  return Flush{std::move(job)};
}

Result<void> Wal::Flush::run() {
  auto done = job_->kind == Job::Kind::append ? job_->append() : job_->housekeep();
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
  if (job->kind == Flush::Job::Kind::append) {
    state_->finish_append(*job);
  } else {
    state_->finish_housekeeping(*job);
  }
  return state_->durable;
}

void Wal::State::finish_append(Flush::Job& job) {
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
      blocked = true;
      refused = true;
      job.staged.append(staged);
      staged = std::move(job.staged);
    }
    return;
  }
  refused = false;
  durable = std::max(durable, job.staged.token);
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

void Wal::release(Index index) {
  state_->release_before = std::max(state_->release_before, index);
  auto& milestones = state_->milestones;
  while (milestones.size() > 1 && milestones[1].index < index) {
    milestones.pop_front();
  }
}

std::optional<Wal::Flush> Wal::take_spare_job() {
  State& state = *state_;
  if (state.housekeeping || state.dead) {
    return std::nullopt;
  }
  auto job = std::make_unique<Flush::Job>();
  // A closed segment is wholly below the index if what follows it begins at or below it.
  std::size_t count = 0;
  while (count < state.closed.size()) {
    const bool newest = count + 1 == state.closed.size();
    if (newest && state.flushing) {
      break;  // The open segment's first index is with the flush.
    }
    const Index behind = newest ? state.writer.first_index : state.closed[count + 1].first_index;
    if (behind > state.release_before) {
      break;
    }
    ++count;
  }
  job->released.assign(state.closed.begin(), state.closed.begin() + static_cast<std::ptrdiff_t>(count));
  job->released_count = count;
  if (state.lacks_reserve()) {
    job->wanted.push_back(Spare{state.reserve_path(), state.reserve_bytes()});
  }
  if (state.spares.empty() && count == 0) {
    job->wanted.push_back(Spare{state.next_spare_path(), state.config.segment_bytes});
  }
  if (job->released.empty() && job->wanted.empty()) {
    state.spare_failed = false;
    state.blocked = false;  // Every spare is there: what waits for more than a spare may try again.
    return std::nullopt;
  }
  job->kind = Flush::Job::Kind::housekeeping;
  job->directory = state.directory;
  job->segment_bytes = state.config.segment_bytes;
  job->recycle_max =
      state.config.recycled_segments_max - std::min(state.config.recycled_segments_max, state.spares.size());
  job->name_counter = state.counter + 1;
  state.counter += count;
  state.housekeeping = true;
  return Flush{std::move(job)};
}

void Wal::State::finish_housekeeping(Flush::Job& job) {
  housekeeping = false;
  // What the job did not come to is still there.
  const std::size_t gone = job.released_count - job.released.size();
  closed.erase(closed.begin(), closed.begin() + static_cast<std::ptrdiff_t>(gone));
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

std::uint64_t Wal::segments() const {
  return state_->closed.size() + 1;
}

}  // namespace quorate::storage
