// Reading entries back from the running log, for followers that lag.

#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "base/ensure.hpp"
#include "storage/wal_state.hpp"
#include "wire/batch.hpp"
#include "wire/log_format.hpp"

namespace quorate::storage {
namespace {

// Read at once while no record is known to be longer.
constexpr std::size_t chunk_bytes = 64U << 10;
// What one part may be spread over: a read needs no more than these to be as long as the others.
constexpr std::size_t spans_max = 64;

// One segment, read forward a record at a time.
class RecordReader {
 public:
  static Result<RecordReader> open(DataDirectory& directory, std::uint64_t sequence);

  // The record at `offset`; its payload is valid until the next call.
  Result<wire::DecodedRecord> read(std::uint64_t offset);
  [[nodiscard]] std::unexpected<Error> damaged(std::uint64_t offset, std::string_view what) const {
    return failure(ErrorCode::corrupt, fmt::format("{} at offset {}: {}", path_, offset, what));
  }

 private:
  RecordReader(std::string path, std::unique_ptr<File> file) : path_(std::move(path)), file_(std::move(file)) {}
  Result<ByteView> view(std::uint64_t offset, std::size_t bytes);

  std::string path_;
  std::unique_ptr<File> file_;
  std::uint64_t generation_ = 0;
  std::string buffer_;
  std::uint64_t buffer_start_ = 0;
};

Result<RecordReader> RecordReader::open(DataDirectory& directory, std::uint64_t sequence) {
  std::string path = segment_path(directory, sequence);
  auto file = directory.disk().open(path, Disk::Open::existing);
  if (!file) {
    return std::unexpected(file.error());
  }
  RecordReader reader{std::move(path), std::move(*file)};
  const auto block = reader.view(0, wire::log_block_bytes);
  if (!block) {
    return std::unexpected(block.error());
  }
  const auto header = wire::decode_segment_header(*block);
  if (!header || header->sequence != sequence) {
    return reader.damaged(0, "the segment's header does not check");
  }
  reader.generation_ = header->generation;
  return reader;
}

// At least `bytes` from `offset` on, and whatever else is there already; fewer at the end of the file.
Result<ByteView> RecordReader::view(std::uint64_t offset, std::size_t bytes) {
  const std::uint64_t end = buffer_start_ + buffer_.size();
  if (offset < buffer_start_ || offset + bytes > end) {
    bytes = std::max(bytes, chunk_bytes);
    buffer_.resize(bytes);
    const auto got = file_->read(offset, buffer_);
    if (!got) {
      buffer_.clear();
      return std::unexpected(got.error());
    }
    buffer_.resize(*got);
    buffer_start_ = offset;
  }
  return ByteView{buffer_}.substr(offset - buffer_start_);
}

Result<wire::DecodedRecord> RecordReader::read(std::uint64_t offset) {
  auto bytes = view(offset, wire::log_block_bytes);
  if (!bytes) {
    return std::unexpected(bytes.error());
  }
  const auto claim = wire::peek_record(*bytes, generation_);
  if (claim && claim->payload_bytes <= wire::record_payload_bytes_max) {
    bytes = view(offset, wire::record_bytes(claim->payload_bytes));
    if (!bytes) {
      return std::unexpected(bytes.error());
    }
  }
  const auto record = wire::decode_record(*bytes, generation_);
  if (!record || record->header.position != offset) {
    return damaged(offset, "a record that was durable does not check");
  }
  return *record;
}

}  // namespace

struct Wal::Read::Job {
  DataDirectory* directory = nullptr;
  ReadLimits limits;
  std::vector<LogMap::Span> spans;
  raft::LogId before;
  Index up_to{};

  std::vector<raft::Entry> entries;
  std::size_t bytes = 0;

  Result<void> read();
  Result<void> read_span(RecordReader& reader, const LogMap::Span& span);
  void take(raft::Entry&& entry);
  [[nodiscard]] Index due() const { return next(entries.empty() ? before.index : entries.back().index); }
  [[nodiscard]] bool is_full() const { return due() > up_to || entries.size() >= limits.entries_max || is_long; }
  bool is_long = false;  // The next entry would be too many bytes.
};

void Wal::Read::Job::take(raft::Entry&& entry) {
  if (entry.index != due() || is_full()) {
    return;
  }
  bytes += sizeof(raft::Entry) + entry.command.size();
  is_long = !entries.empty() && bytes > limits.bytes_max;
  if (!is_long) {
    entries.push_back(std::move(entry));
  }
}

Result<void> Wal::Read::Job::read_span(RecordReader& reader, const LogMap::Span& span) {
  std::uint64_t offset = offset_of(span.position);
  std::size_t at = span.in_payload;
  std::vector<raft::Entry> batch;
  for (Index expected = span.first; expected < span.end && !is_full();) {
    const auto record = reader.read(offset);
    if (!record) {
      return std::unexpected(record.error());
    }
    // A copy of its own: the entries share it.
    const Blob payload = at < record->payload.size() ? Blob::copy(record->payload.substr(at)) : Blob{};
    for (std::size_t done = 0; done < payload.size() && expected < span.end && !is_full();) {
      batch.clear();
      const auto length = wire::decode_batch(payload.slice(done, payload.size() - done), batch);
      if (!length) {
        return reader.damaged(offset, length.error().message);
      }
      if (batch.front().index != expected) {
        return reader.damaged(
            offset, fmt::format("it holds entry {} in the place of {}", raw(batch.front().index), raw(expected)));
      }
      expected = next(batch.back().index);
      done += *length;
      for (raft::Entry& entry : batch) {
        if (entry.index < span.end) {
          take(std::move(entry));
        }
      }
    }
    offset += record->bytes;
    at = 0;
  }
  return {};
}

Result<void> Wal::Read::Job::read() {
  std::optional<RecordReader> reader;
  std::uint64_t open = 0;
  for (const LogMap::Span& span : spans) {
    if (is_full()) {
      break;
    }
    if (segment_of(span.position) != open) {
      open = segment_of(span.position);
      auto opened = RecordReader::open(*directory, open);
      if (!opened) {
        return std::unexpected(opened.error());
      }
      reader.emplace(std::move(*opened));
    }
    if (auto done = read_span(*reader, span); !done) {
      return done;
    }
  }
  ensure(!entries.empty(), "the first span holds the first entry");
  return {};
}

Wal::Read::Read(std::unique_ptr<Job> job) : job_(std::move(job)) {}
Wal::Read::Read(Read&&) noexcept = default;
Wal::Read& Wal::Read::operator=(Read&&) noexcept = default;
Wal::Read::~Read() = default;

Result<void> Wal::Read::run() {
  return job_->read();
}

raft::LogId Wal::Read::before() const {
  return job_->before;
}

std::vector<raft::Entry> Wal::Read::take_entries() {
  return std::move(job_->entries);
}

std::optional<Wal::Read> Wal::take_read(raft::LogId bound, Index up_to, const ReadLimits& limits) {
  State& state = *state_;
  const auto before = state.map.newest_up_to(bound);
  if (!before) {
    return std::nullopt;
  }
  auto spans = state.map.spans(next(before->index), up_to, spans_max);
  if (spans.empty()) {
    return std::nullopt;
  }
  auto job = std::make_unique<Read::Job>();
  job->directory = state.directory;
  job->limits = limits;
  job->before = *before;
  job->up_to = std::min(up_to, state.map.last());
  job->spans = std::move(spans);
  state.being_read.push_back(segment_of(job->spans.front().position));
  return Read{std::move(job)};
}

void Wal::finish(Read&& read) {
  ensure(read.job_ != nullptr, "a read is finished once");
  const std::unique_ptr<Read::Job> job = std::move(read.job_);
  auto& being_read = state_->being_read;
  const auto own = std::ranges::find(being_read, segment_of(job->spans.front().position));
  ensure(own != being_read.end(), "a read under way is known");
  being_read.erase(own);
}

std::uint64_t Wal::State::oldest_being_read() const {
  return being_read.empty() ? UINT64_MAX : *std::ranges::min_element(being_read);
}

}  // namespace quorate::storage
