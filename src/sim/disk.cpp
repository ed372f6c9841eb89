#include "sim/disk.hpp"

#include <algorithm>
#include <utility>

#include "base/ensure.hpp"

namespace quorate::sim {
namespace {

constexpr std::size_t ranges_max = 256;

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  return slash == std::string::npos ? std::string{} : path.substr(0, slash);
}

// A sync that found no space has lost data like any other failed sync.
std::unexpected<Error> final_error(Error error) {
  return failure(ErrorCode::io, std::move(error.message));
}

Error void_error() {
  return Error{ErrorCode::io, "the simulated machine has stopped"};
}

}  // namespace

class Disk::OpenFile final : public storage::File {
 public:
  OpenFile(Disk& disk, Content content, std::string locked)
      : disk_(disk), epoch_(disk.epoch_), content_(content), locked_(std::move(locked)) {}
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  ~OpenFile() override {
    if (!locked_.empty() && epoch_ == disk_.epoch_) {
      disk_.locks_.erase(locked_);
    }
  }

  Result<std::size_t> read(std::uint64_t offset, std::span<char> into) override {
    const Bytes* bytes = disk_.find(epoch_, content_);
    if (bytes == nullptr) {
      return std::unexpected(void_error());
    }
    if (offset >= bytes->cache.size()) {
      return std::size_t{0};
    }
    if (offset + into.size() > bytes->unreadable_from) {
      return failure(ErrorCode::io, "a sector cannot be read");
    }
    return bytes->cache.read(offset, into);
  }
  Result<void> write(std::uint64_t offset, ByteView from) override {
    return with([&](Bytes& bytes) { return disk_.write(bytes, offset, from); });
  }
  Result<void> sync() override {
    return with([&](Bytes& bytes) { return disk_.sync(bytes, true); });
  }
  Result<void> sync_data() override {
    return with([&](Bytes& bytes) { return disk_.sync(bytes, false); });
  }
  Result<void> truncate(std::uint64_t size) override {
    return with([&](Bytes& bytes) { return disk_.truncate(bytes, size); });
  }
  Result<std::uint64_t> size() override {
    const Bytes* bytes = disk_.find(epoch_, content_);
    if (bytes == nullptr) {
      return std::unexpected(void_error());
    }
    if (bytes->failing == Access::size) {
      return failure(ErrorCode::io, "an inode cannot be read");
    }
    return bytes->cache.size();
  }

 private:
  template <class Act>
  Result<void> with(Act act) {
    Bytes* bytes = disk_.find(epoch_, content_);
    if (bytes == nullptr) {
      return std::unexpected(void_error());
    }
    return act(*bytes);
  }

  Disk& disk_;
  std::uint64_t epoch_;
  Content content_;
  std::string locked_;  // The path, if this file is a lock.
};

void Disk::lose_power(std::uint64_t seed) {
  Prng prng{seed};
  lose_power([&prng] { return static_cast<Fate>(prng.below(3)); });
}

void Disk::lose_power(const Judge& judge) {
  for (std::optional<Bytes>& bytes : contents_) {
    if (bytes && !bytes->is_directory) {
      lose_bytes(*bytes, judge);
    }
  }
  for (const NameChange& change : changes_) {
    if (judge() == Fate::kept) {
      apply(change, durable_names_);
    }
  }
  changes_.clear();
  // What stands in a directory that was lost is lost with it; parents sort before what they hold.
  Names found;
  for (const auto& [path, content] : durable_names_) {
    const std::string parent = parent_of(path);
    if (parent.empty() || found.contains(parent)) {
      found.emplace(path, content);
    }
  }
  durable_names_ = found;
  names_ = found;
  restart();
}

// The bytes between two offsets are to be synced.
void Disk::Bytes::soil(std::uint64_t from, std::uint64_t to) {
  const Sectors sectors{.first = from / sector_bytes, .end = (to + sector_bytes - 1) / sector_bytes};
  if (sectors.first >= sectors.end) {
    return;
  }
  if (!dirty.empty() && sectors.first >= dirty.back().first && sectors.first <= dirty.back().end) {
    dirty.back().end = std::max(dirty.back().end, sectors.end);
  } else {
    dirty.push_back(sectors);
  }
  if (dirty.size() > ranges_max) {
    merge();  // Whoever never syncs takes no more memory for that.
  }
}

// In order, and none twice.
void Disk::Bytes::merge() {
  std::ranges::sort(dirty, {}, &Sectors::first);
  std::size_t last = 0;
  for (std::size_t i = 1; i < dirty.size(); ++i) {
    if (dirty[i].first <= dirty[last].end) {
      dirty[last].end = std::max(dirty[last].end, dirty[i].end);
    } else {
      dirty[++last] = dirty[i];
    }
  }
  dirty.resize(std::min(dirty.size(), last + 1));
}

void Disk::lose_sector(Bytes& bytes, std::uint64_t sector, Fate fate) {
  const std::size_t start = sector * sector_bytes;
  const std::size_t end = std::min({start + sector_bytes, bytes.cache.size(), bytes.durable.size()});
  if (fate == Fate::lost || start >= end) {
    return;
  }
  std::string found(end - start, '\0');
  (void)bytes.cache.read(start, found);
  if (fate == Fate::mangled) {
    // Neither old nor new, in a way that no checksum is made for.
    for (std::size_t i = 0; i < found.size(); ++i) {
      found[i] = static_cast<char>(~found[i] + static_cast<char>((start + i) * 131));
    }
  }
  bytes.durable.write(start, found);
}

void Disk::lose_bytes(Bytes& bytes, const Judge& judge) {
  if (bytes.cache.size() != bytes.durable.size() && judge() == Fate::kept) {
    bytes.durable.resize(bytes.cache.size());
  }
  bytes.merge();
  for (const Sectors& sectors : bytes.dirty) {
    for (std::uint64_t sector = sectors.first; sector < sectors.end; ++sector) {
      lose_sector(bytes, sector, judge());
    }
  }
  bytes.dirty.clear();
  bytes.cache = bytes.durable;
}

void Disk::restart() {
  ++epoch_;
  locks_.clear();
  crashed_ = false;
  crash_at_ = 0;
  fail_at_ = 0;
  drop_unnamed();
}

void Disk::drop_unnamed() {
  std::vector<bool> is_named(contents_.size(), false);
  const auto name = [&is_named](Content content) { is_named[std::to_underlying(content)] = true; };
  for (const Names* names : {&names_, &durable_names_}) {
    for (const auto& [path, content] : *names) {
      name(content);
    }
  }
  for (const NameChange& change : changes_) {
    name(change.content);
  }
  for (std::size_t i = 0; i < contents_.size(); ++i) {
    if (!is_named[i]) {
      contents_[i].reset();
    }
  }
}

void Disk::crash_at(std::uint64_t operation, bool takes_effect) {
  ensure(operation > 0, "the next operation is number 1");
  crash_at_ = operations_ + operation;
  crash_takes_effect_ = takes_effect;
}

void Disk::fail_at(std::uint64_t operation, ErrorCode code) {
  ensure(operation > 0, "the next operation is number 1");
  fail_at_ = operations_ + operation;
  fail_with_ = code;
}

Disk::Turn Disk::begin_operation(Error& error) {
  if (crashed_) {
    error = void_error();
    return Turn::refuse;
  }
  ++operations_;
  if (operations_ == crash_at_) {
    crashed_ = true;
    error = void_error();
    return crash_takes_effect_ ? Turn::void_after : Turn::refuse;
  }
  if (operations_ == fail_at_) {
    error = Error{fail_with_, "the simulated disk was told to fail here"};
    return Turn::refuse;
  }
  return Turn::go;
}

Result<void> Disk::end_operation(Turn turn) {
  return turn == Turn::go ? Result<void>{} : Result<void>{std::unexpected(void_error())};
}

Disk::Content Disk::make(Bytes bytes) {
  contents_.emplace_back(std::move(bytes));
  return Content{contents_.size() - 1};
}

Disk::Bytes* Disk::find(std::uint64_t epoch, Content content) {
  if (epoch != epoch_) {
    return nullptr;
  }
  std::optional<Bytes>& bytes = contents_[std::to_underlying(content)];
  ensure(bytes.has_value(), "an open file keeps its contents");
  return &*bytes;
}

Result<void> Disk::write(Bytes& bytes, std::uint64_t offset, ByteView from) {
  Error error;
  const Turn turn = begin_operation(error);
  if (turn == Turn::refuse) {
    return std::unexpected(error);
  }
  const std::size_t end = offset + from.size();
  if (end > bytes.cache.size()) {
    if (used_bytes() + (end - bytes.cache.size()) > capacity_) {
      return failure(ErrorCode::no_space, "the simulated disk is full");
    }
    bytes.soil(bytes.cache.size(), end);
    bytes.cache.resize(end);
  }
  bytes.cache.write(offset, from);
  bytes.soil(offset, end);
  return end_operation(turn);
}

Result<void> Disk::sync(Bytes& bytes, bool with_size) {
  Error error;
  const Turn turn = begin_operation(error);
  if (turn == Turn::refuse) {
    if (!crashed_) {
      bytes.dirty.clear();  // Clean, and not on disk: what a failed fsync leaves behind (F-306).
    }
    return final_error(std::move(error));
  }
  if (with_size) {
    bytes.durable.resize(bytes.cache.size());
  }
  // What lies behind the durable size waits.
  const std::size_t size = std::min(bytes.cache.size(), bytes.durable.size());
  std::erase_if(bytes.dirty, [&bytes, size](Sectors& sectors) {
    const std::size_t start = std::min(sectors.first * sector_bytes, size);
    const std::size_t end = std::min(sectors.end * sector_bytes, size);
    if (start < end) {
      bytes.durable.copy(bytes.cache, start, end);
    }
    sectors.first = std::max<std::uint64_t>(sectors.first, end / sector_bytes);
    return sectors.end * sector_bytes == end || end == bytes.cache.size();
  });
  return end_operation(turn);
}

Result<void> Disk::truncate(Bytes& bytes, std::uint64_t size) {
  Error error;
  const Turn turn = begin_operation(error);
  if (turn == Turn::refuse) {
    return std::unexpected(error);
  }
  if (size > bytes.cache.size()) {
    bytes.soil(bytes.cache.size(), size);
  }
  bytes.cache.resize(size);
  return end_operation(turn);
}

void Disk::apply(const NameChange& change, Names& names) {
  if (!change.from.empty()) {
    const auto found = names.find(change.from);
    if (found != names.end() && found->second == change.content) {
      names.erase(found);
    }
  }
  if (!change.to.empty()) {
    names[change.to] = change.content;
  }
}

void Disk::change_names(NameChange change) {
  apply(change, names_);
  changes_.push_back(std::move(change));
}

Result<std::unique_ptr<storage::File>> Disk::open(const std::string& path, Open how) {
  if (crashed_) {
    return std::unexpected(void_error());
  }
  const auto found = names_.find(path);
  if (found != names_.end()) {
    if (how == Open::create_new || at(found->second).is_directory) {
      return failure(ErrorCode::invalid, path + " exists, or is a directory");
    }
    if (at(found->second).failing == Access::open) {
      return failure(ErrorCode::io, path + " cannot be opened");
    }
    return std::make_unique<OpenFile>(*this, found->second, std::string{});
  }
  if (how == Open::existing) {
    return failure(ErrorCode::not_found, path + " does not exist");
  }
  const std::string parent = parent_of(path);
  if (!parent.empty() && !names_.contains(parent)) {
    return failure(ErrorCode::not_found, parent + " does not exist");
  }
  Error error;
  const Turn turn = begin_operation(error);
  if (turn == Turn::refuse) {
    return std::unexpected(error);
  }
  const Content content = make(Bytes{});
  change_names(NameChange{.from = {}, .to = path, .content = content});
  if (auto ended = end_operation(turn); !ended) {
    return std::unexpected(ended.error());
  }
  return std::make_unique<OpenFile>(*this, content, std::string{});
}

Result<void> Disk::make_directory(const std::string& path) {
  const std::string parent = parent_of(path);
  if (names_.contains(path)) {
    return sync_directory(parent);
  }
  if (!parent.empty()) {
    if (auto made = make_directory(parent); !made) {
      return made;
    }
  }
  Error error;
  const Turn turn = begin_operation(error);
  if (turn == Turn::refuse) {
    return std::unexpected(error);
  }
  const Content content = make(Bytes{.is_directory = true, .cache = {}, .durable = {}, .dirty = {}});
  change_names(NameChange{.from = {}, .to = path, .content = content});
  if (auto ended = end_operation(turn); !ended) {
    return ended;
  }
  return sync_directory(parent);
}

Result<std::vector<std::string>> Disk::list(const std::string& directory) {
  if (crashed_) {
    return std::unexpected(void_error());
  }
  if (!names_.contains(directory)) {
    return failure(ErrorCode::not_found, directory + " does not exist");
  }
  std::vector<std::string> names;
  for (const auto& [path, content] : names_) {
    if (parent_of(path) == directory) {
      names.push_back(path.substr(directory.size() + 1));
    }
  }
  return names;
}

Result<bool> Disk::exists(const std::string& path) {
  if (crashed_) {
    return std::unexpected(void_error());
  }
  return names_.contains(path);
}

Result<void> Disk::rename(const std::string& from, const std::string& to) {
  const auto found = names_.find(from);
  if (!crashed_ && found == names_.end()) {
    return failure(ErrorCode::not_found, from + " does not exist");
  }
  Error error;
  const Turn turn = begin_operation(error);
  if (turn == Turn::refuse) {
    return std::unexpected(error);
  }
  change_names(NameChange{.from = from, .to = to, .content = found->second});
  return end_operation(turn);
}

Result<void> Disk::remove(const std::string& path) {
  const auto found = names_.find(path);
  if (!crashed_ && found == names_.end()) {
    return failure(ErrorCode::not_found, path + " does not exist");
  }
  Error error;
  const Turn turn = begin_operation(error);
  if (turn == Turn::refuse) {
    return std::unexpected(error);
  }
  change_names(NameChange{.from = path, .to = {}, .content = found->second});
  return end_operation(turn);
}

Result<void> Disk::sync_directory(const std::string& path) {
  Error error;
  const Turn turn = begin_operation(error);
  if (turn == Turn::refuse) {
    return final_error(std::move(error));
  }
  std::erase_if(changes_, [&](const NameChange& change) {
    const bool mine = (!change.from.empty() && parent_of(change.from) == path) ||
                      (!change.to.empty() && parent_of(change.to) == path);
    if (mine) {
      apply(change, durable_names_);
    }
    return mine;
  });
  return end_operation(turn);
}

Result<std::uint64_t> Disk::free_bytes(const std::string& /*path*/) {
  if (crashed_) {
    return std::unexpected(void_error());
  }
  return capacity_ - std::min(capacity_, used_bytes());
}

Result<std::unique_ptr<storage::File>> Disk::lock(const std::string& path) {
  if (locks_.contains(path)) {
    return failure(ErrorCode::busy, path + " is locked");
  }
  if (auto made = open(path, Open::create_or_open); !made) {
    return made;
  }
  locks_.insert(path);
  return std::make_unique<OpenFile>(*this, names_.at(path), path);
}

std::uint64_t Disk::used_bytes() const {
  std::uint64_t used = 0;
  for (const auto& [path, content] : names_) {
    used += at(content).cache.size();
  }
  return used;
}

void Disk::fail_reads(const std::string& path, std::uint64_t offset) {
  at(names_.at(path)).unreadable_from = offset;
}

void Disk::fail(const std::string& path, Access access) {
  at(names_.at(path)).failing = access;
}

void Disk::corrupt(const std::string& path, std::uint64_t offset, std::uint8_t mask) {
  Bytes& bytes = at(names_.at(path));
  ensure(offset < bytes.cache.size(), "what is to be corrupted is there");
  for (Image* copy : {&bytes.cache, &bytes.durable}) {
    if (offset < copy->size()) {
      char byte = 0;
      (void)copy->read(offset, {&byte, 1});
      byte = static_cast<char>(static_cast<std::uint8_t>(byte) ^ mask);
      copy->write(offset, ByteView(&byte, 1));
    }
  }
}

void Disk::overwrite(const std::string& path, std::uint64_t offset, ByteView from) {
  Bytes& bytes = at(names_.at(path));
  for (Image* copy : {&bytes.cache, &bytes.durable}) {
    copy->resize(std::max<std::size_t>(copy->size(), offset + from.size()));
    copy->write(offset, from);
  }
}

std::string Disk::contents(const std::string& path) const {
  return at(names_.at(path)).cache.bytes();
}

}  // namespace quorate::sim
