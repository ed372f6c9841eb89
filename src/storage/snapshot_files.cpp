#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <optional>

#include "base/ensure.hpp"
#include "storage/install.hpp"
#include "storage/snapshots.hpp"

namespace quorate::storage {
namespace {

constexpr std::size_t name_digits = 20;
constexpr std::string_view snapshot_suffix = ".snapshot";
constexpr std::string_view install_suffix = ".install";
// How much of a file is read at once and decompressed side by side.
constexpr std::size_t wave_bytes = 4U << 20;

std::optional<Index> parse_name(std::string_view name, std::string_view suffix) {
  if (name.size() != name_digits + suffix.size() || !name.ends_with(suffix)) {
    return std::nullopt;
  }
  std::uint64_t index = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name_digits, index);
  if (error != std::errc{} || end != name.data() + name_digits) {
    return std::nullopt;
  }
  return Index{index};
}

std::unexpected<Error> damaged(const SnapshotFile& file, std::uint64_t offset, const Error& error) {
  return failure(error.code, fmt::format("{} at offset {}: {}", file.path, offset, error.message));
}

// Reads a snapshot from front to back, a wave of whole blocks at a time; every block's checksum and the digest of all
// are checked on the way.
class SnapshotReader {
 public:
  static Result<SnapshotReader> open(DataDirectory& directory, const SnapshotFile& file);

  [[nodiscard]] const wire::SnapshotHeader& header() const { return header_; }
  struct Wave {
    std::string bytes;
    std::vector<wire::BlockFrame> blocks;  // Views into bytes.
    std::uint64_t offset = 0;              // Of the first one.
  };
  // An empty wave: all was read and everything agrees with the footer.
  Result<Wave> next_wave();
  // What the items' consumer counted must agree as well.
  [[nodiscard]] std::uint64_t items() const { return footer_.items; }

 private:
  explicit SnapshotReader(SnapshotFile file) : file_(std::move(file)) {}
  Result<void> read_footer();
  Result<void> read_header();
  Result<std::string> read(std::uint64_t offset, std::size_t bytes);

  SnapshotFile file_;
  std::unique_ptr<File> handle_;
  wire::SnapshotHeader header_;
  wire::SnapshotFooter footer_;
  std::uint64_t offset_ = 0;
  std::uint64_t end_ = 0;  // Where the footer starts.
  std::uint64_t digest_ = 0;
  std::uint64_t blocks_ = 0;
};

Result<SnapshotReader> SnapshotReader::open(DataDirectory& directory, const SnapshotFile& file) {
  SnapshotReader reader{file};
  auto handle = directory.disk().open(file.path, Disk::Open::existing);
  if (!handle) {
    return std::unexpected(handle.error());
  }
  reader.handle_ = std::move(*handle);
  if (auto footer = reader.read_footer(); !footer) {
    return std::unexpected(footer.error());
  }
  if (auto header = reader.read_header(); !header) {
    return std::unexpected(header.error());
  }
  return reader;
}

Result<std::string> SnapshotReader::read(std::uint64_t offset, std::size_t bytes) {
  std::string into;
  Result<std::size_t> got = std::size_t{0};
  // libstdc++ 12 hands the callback the grown capacity, not the size that was asked for.
  into.resize_and_overwrite(bytes, [&](char* data, std::size_t /*size*/) {
    got = handle_->read(offset, std::span{data, bytes});
    return got ? *got : std::size_t{0};
  });
  if (!got) {
    return damaged(file_, offset, got.error());
  }
  if (into.size() != bytes) {
    return damaged(file_, offset, Error{ErrorCode::corrupt, "the file ends early"});
  }
  return into;
}

Result<void> SnapshotReader::read_footer() {
  const auto size = handle_->size();
  if (!size) {
    return std::unexpected(size.error());
  }
  if (*size < wire::snapshot_footer_bytes) {
    return damaged(file_, 0, Error{ErrorCode::corrupt, "shorter than a footer"});
  }
  end_ = *size - wire::snapshot_footer_bytes;
  const auto bytes = read(end_, wire::snapshot_footer_bytes);
  if (!bytes) {
    return std::unexpected(bytes.error());
  }
  const auto footer = wire::decode_snapshot_footer(*bytes);
  if (!footer) {
    return damaged(file_, end_, footer.error());
  }
  if (footer->file_bytes != *size) {
    return damaged(file_, end_, Error{ErrorCode::corrupt, "the footer names another length of the file"});
  }
  footer_ = *footer;
  return {};
}

Result<void> SnapshotReader::read_header() {
  const auto bytes = read(0, static_cast<std::size_t>(std::min<std::uint64_t>(end_, wire::snapshot_header_bytes_max)));
  if (!bytes) {
    return std::unexpected(bytes.error());
  }
  auto header = wire::decode_snapshot_header(*bytes);
  if (!header) {
    return damaged(file_, 0, header.error());
  }
  header_ = std::move(header->first);
  offset_ = header->second;
  digest_ = wire::extend_digest(0, ByteView{*bytes}.substr(0, header->second));
  if (header_.point.index != file_.index) {
    return damaged(file_, 0, Error{ErrorCode::corrupt, "the header names another index than the file's name"});
  }
  return {};
}

Result<SnapshotReader::Wave> SnapshotReader::next_wave() {
  Wave wave;
  wave.offset = offset_;
  if (offset_ == end_) {
    if (digest_ != footer_.digest || blocks_ != footer_.blocks) {
      return damaged(file_, end_, Error{ErrorCode::corrupt, "the digest of the whole file does not match"});
    }
    return wave;
  }
  // One block is always read whole, however large.
  std::size_t bytes = static_cast<std::size_t>(std::min<std::uint64_t>(end_ - offset_, wave_bytes));
  auto start = read(offset_, std::min<std::size_t>(bytes, wire::snapshot_block_header_bytes));
  if (!start) {
    return std::unexpected(start.error());
  }
  const auto first = wire::peek_block_bytes(*start);
  if (!first) {
    return damaged(file_, offset_, first.error());
  }
  if (*first > end_ - offset_) {
    return damaged(file_, offset_, Error{ErrorCode::corrupt, "a block is longer than the file"});
  }
  bytes = std::max(bytes, *first);
  auto chunk = read(offset_, bytes);
  if (!chunk) {
    return std::unexpected(chunk.error());
  }
  wave.bytes = std::move(*chunk);
  ByteView rest{wave.bytes};
  while (!rest.empty()) {
    if (rest.size() < wire::snapshot_block_header_bytes && offset_ + rest.size() < end_) {
      break;
    }
    const auto length = wire::peek_block_bytes(rest);
    if (length && *length > rest.size() && *length <= end_ - offset_) {
      break;  // It belongs to the next wave.
    }
    const auto block = wire::peek_block(rest);
    if (!block) {
      return damaged(file_, offset_, block.error());
    }
    digest_ = wire::extend_digest(digest_, rest.substr(0, block->bytes));
    wave.blocks.push_back(*block);
    ++blocks_;
    offset_ += block->bytes;
    rest.remove_prefix(block->bytes);
  }
  ensure(!wave.blocks.empty(), "a wave holds at least the block that it was sized for");
  return wave;
}

// A wave's blocks, decompressed.
struct OpenWave {
  std::vector<Result<std::string>> blocks;
  std::uint64_t offset = 0;
};

Result<void> deliver(const OpenWave& wave, const SnapshotFile& file, const SnapshotSink& sink, std::uint64_t& items) {
  std::vector<tree::AclEntry> scratch;
  tree::SnapshotItem item;
  for (const Result<std::string>& block : wave.blocks) {
    if (!block) {
      return damaged(file, wave.offset, block.error());
    }
    ByteView rest{*block};
    while (!rest.empty()) {
      const auto length = wire::decode_item(rest, scratch, item);
      if (!length) {
        return damaged(file, wave.offset, length.error());
      }
      if (auto taken = sink.item(item); !taken) {
        return damaged(file, wave.offset, taken.error());
      }
      ++items;
      rest.remove_prefix(*length);
    }
  }
  return {};
}

Result<std::vector<SnapshotFile>> list_files(DataDirectory& directory, std::string_view suffix) {
  const auto names = directory.names_in(directory.snapshot_directory());
  if (!names) {
    return std::unexpected(names.error());
  }
  std::vector<SnapshotFile> files;
  for (const std::string& name : *names) {
    const auto index = parse_name(name, suffix);
    if (!index) {
      continue;
    }
    const std::string path = directory.snapshot_directory() + "/" + name;
    // One that cannot even be opened is listed too: what is wrong with it is for its reader to say, who then takes an
    // older one.
    const auto handle = directory.disk().open(path, Disk::Open::existing);
    const auto bytes = handle ? (*handle)->size() : std::uint64_t{0};
    files.push_back(SnapshotFile{.path = path, .index = *index, .bytes = bytes.value_or(0)});
  }
  std::ranges::sort(files, std::ranges::greater{}, &SnapshotFile::index);
  return files;
}

}  // namespace

void run_tasks(const Executor& executor, std::vector<std::function<void()>>& tasks) {
  if (executor) {
    executor(tasks);
    return;
  }
  for (const auto& task : tasks) {
    task();
  }
}

Result<std::vector<SnapshotFile>> list_snapshots(DataDirectory& directory) {
  return list_files(directory, snapshot_suffix);
}

std::string snapshot_path(const DataDirectory& directory, Index index) {
  return fmt::format("{}/{:020}{}", directory.snapshot_directory(), raw(index), snapshot_suffix);
}

std::string install_path(const DataDirectory& directory, Index index) {
  return fmt::format("{}/{:020}{}", directory.snapshot_directory(), raw(index), install_suffix);
}

Result<std::vector<SnapshotFile>> list_installs(DataDirectory& directory) {
  return list_files(directory, install_suffix);
}

Result<void> finish_install(DataDirectory& directory, Index index) {
  auto done = directory.disk().rename(install_path(directory, index), snapshot_path(directory, index));
  if (done) {
    done = directory.disk().sync_directory(directory.snapshot_directory());
  }
  return done ? Result<void>{} : failure(ErrorCode::io, done.error().message);
}

Result<wire::SnapshotHeader> load_snapshot(DataDirectory& directory, const SnapshotFile& file, const SnapshotSink& sink,
                                           const Executor& executor) {
  auto reader = SnapshotReader::open(directory, file);
  if (!reader) {
    return std::unexpected(reader.error());
  }
  sink.reset();
  std::uint64_t items = 0;
  OpenWave open;
  for (bool more = true; more || !open.blocks.empty();) {
    SnapshotReader::Wave wave;
    if (more) {
      auto read = reader->next_wave();
      if (!read) {
        return std::unexpected(read.error());
      }
      wave = std::move(*read);
      more = !wave.blocks.empty();
    }
    // The wave before is delivered, by one task, while this one is decompressed by the others.
    OpenWave opening{std::vector<Result<std::string>>(wave.blocks.size()), wave.offset};
    Result<void> delivered;
    std::vector<std::function<void()>> tasks;
    tasks.reserve(wave.blocks.size() + 1);
    tasks.emplace_back([&] { delivered = deliver(open, file, sink, items); });
    for (std::size_t i = 0; i < wave.blocks.size(); ++i) {
      tasks.emplace_back([&opening, &wave, i] { opening.blocks[i] = wire::open_block(wave.blocks[i]); });
    }
    run_tasks(executor, tasks);
    if (!delivered) {
      return std::unexpected(delivered.error());
    }
    open = std::move(opening);
  }
  if (items != reader->items()) {
    return damaged(file, 0, Error{ErrorCode::corrupt, "the footer names another number of items"});
  }
  if (sink.finish) {
    if (auto finished = sink.finish(); !finished) {
      return failure(ErrorCode::corrupt, fmt::format("{}: {}", file.path, finished.error().message));
    }
  }
  return reader->header();
}

Result<wire::SnapshotHeader> read_snapshot_header(DataDirectory& directory, const SnapshotFile& file) {
  auto reader = SnapshotReader::open(directory, file);
  if (!reader) {
    return std::unexpected(reader.error());
  }
  return reader->header();
}

Result<SnapshotBeginning> read_snapshot_beginning(DataDirectory& directory, const SnapshotFile& file) {
  auto reader = SnapshotReader::open(directory, file);
  if (!reader) {
    return std::unexpected(reader.error());
  }
  const auto wave = reader->next_wave();
  if (!wave) {
    return std::unexpected(wave.error());
  }
  if (wave->blocks.empty()) {
    return damaged(file, wave->offset, Error{ErrorCode::corrupt, "no item"});
  }
  const auto block = wire::open_block(wave->blocks.front());
  if (!block) {
    return damaged(file, wave->offset, block.error());
  }
  std::vector<tree::AclEntry> scratch;
  tree::SnapshotItem item;
  if (const auto length = wire::decode_item(*block, scratch, item); !length) {
    return damaged(file, wave->offset, length.error());
  }
  const auto* state = std::get_if<tree::StateImage>(&item);
  if (state == nullptr) {
    return damaged(file, wave->offset, Error{ErrorCode::corrupt, "the first item is not the state"});
  }
  return SnapshotBeginning{.header = reader->header(), .time = state->last_time};
}

Result<wire::SnapshotHeader> verify_snapshot(DataDirectory& directory, const SnapshotFile& file) {
  auto reader = SnapshotReader::open(directory, file);
  if (!reader) {
    return std::unexpected(reader.error());
  }
  for (;;) {
    const auto wave = reader->next_wave();
    if (!wave) {
      return std::unexpected(wave.error());
    }
    if (wave->blocks.empty()) {
      return reader->header();
    }
  }
}

void SnapshotKeeper::trust(Index index) {
  known_[index] = Trust::good;
}

void SnapshotKeeper::distrust(Index index) {
  known_[index] = Trust::bad;
}

// All that can be checked without a tree: blocks that check may still hold what does not decode.
SnapshotKeeper::Trust SnapshotKeeper::judge(const SnapshotFile& file) {
  Trust& trust = known_[file.index];
  if (trust != Trust::unknown) {
    return trust;
  }
  const SnapshotSink sink{.reset = [] {}, .item = [](const tree::SnapshotItem&) -> Result<void> { return {}; }};
  const auto loaded = load_snapshot(*directory_, file, sink, {});
  if (loaded) {
    trust = Trust::good;
  } else if (loaded.error().code == ErrorCode::corrupt || loaded.error().code == ErrorCode::invalid) {
    trust = Trust::bad;
  }
  return trust;  // Unknown: it could not be read now.
}

Result<void> SnapshotKeeper::remove(const SnapshotFile& file) {
  auto gone = directory_->disk().remove(file.path);
  if (gone) {
    known_.erase(file.index);
  }
  return gone;
}

Result<Purged> SnapshotKeeper::purge(std::size_t retain) {
  ensure(retain >= 2, "one snapshot alone is one bad sector away from none");
  const auto files = list_snapshots(*directory_);
  if (!files) {
    return std::unexpected(files.error());
  }
  std::vector<Index> verified;
  std::vector<SnapshotFile> surplus;
  std::vector<SnapshotFile> bad;
  for (const SnapshotFile& file : *files) {
    const bool leads_nowhere = file.index < log_start_ && !verified.empty();
    if (verified.size() >= retain || leads_nowhere) {
      surplus.push_back(file);
      continue;
    }
    const Trust trust = judge(file);
    if (trust == Trust::good) {
      verified.push_back(file.index);
    } else if (trust == Trust::bad) {
      bad.push_back(file);
    }
  }
  // After a restart nobody would remember that it did not load.
  if (verified.size() >= 2) {
    surplus.insert(surplus.end(), bad.begin(), bad.end());
  }
  // An installation that was cut short and then overtaken.
  const auto installs = list_installs(*directory_);
  if (!installs) {
    return std::unexpected(installs.error());
  }
  for (const SnapshotFile& file : *installs) {
    if (!verified.empty() && file.index <= verified.front()) {
      surplus.push_back(file);
    }
  }
  Purged purged{.release = verified.size() >= 2 ? next(verified[1]) : Index{}, .failures = {}};
  for (const SnapshotFile& file : surplus) {
    if (auto gone = remove(file); !gone) {
      purged.failures.push_back(gone.error());
    }
  }
  if (!surplus.empty()) {
    if (auto synced = directory_->disk().sync_directory(directory_->snapshot_directory()); !synced) {
      failed_sync_ = true;
      return std::unexpected(synced.error());
    }
  }
  return purged;
}

}  // namespace quorate::storage
