#include "storage/data_directory.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <utility>
#include <vector>

#include "base/checksum.hpp"
#include "base/ensure.hpp"
#include "wire/packing.hpp"

namespace quorate::storage {
namespace {

// Each slot fills a block of its own, so that a torn write of one cannot touch the other.
constexpr std::size_t slot_bytes = 4096;
constexpr std::string_view slot_magic = "QUORATID";
constexpr std::uint32_t slot_version = 1;
constexpr std::size_t slot_content_bytes = 8 + 4 + 8 + 8 + 8 + 4 + 8 + 8 + 8 + 8;

}  // namespace

std::string DataDirectory::encode(const Slot& slot) {
  std::string out;
  wire::Packer packer{out};
  packer.write_raw(slot_magic);
  packer.write_fixed32(slot_version);
  packer.write_fixed64(slot.number);
  packer.write_fixed64(slot.identity.cluster_high);
  packer.write_fixed64(slot.identity.cluster_low);
  packer.write_fixed32(raw(slot.identity.node));
  packer.write_fixed64(slot.identity.incarnation_high);
  packer.write_fixed64(slot.identity.incarnation_low);
  packer.write_fixed64(slot.identity.starts);
  packer.write_fixed64(slot.newest_segment);
  ensure(out.size() == slot_content_bytes, "the slot's fields have fixed widths");
  packer.write_fixed64(checksum(out));
  out.resize(slot_bytes);
  return out;
}

// nullopt: no valid slot stands here, as after a torn write.
Result<std::optional<DataDirectory::Slot>> DataDirectory::decode(ByteView bytes, const std::string& path) {
  if (bytes.size() < slot_content_bytes + 8) {
    return std::optional<Slot>{};
  }
  wire::Unpacker unpacker{bytes};
  const ByteView magic = unpacker.read_raw(slot_magic.size());
  const std::uint32_t version = unpacker.read_fixed32();
  Slot slot;
  slot.number = unpacker.read_fixed64();
  slot.identity.cluster_high = unpacker.read_fixed64();
  slot.identity.cluster_low = unpacker.read_fixed64();
  slot.identity.node = NodeId{unpacker.read_fixed32()};
  slot.identity.incarnation_high = unpacker.read_fixed64();
  slot.identity.incarnation_low = unpacker.read_fixed64();
  slot.identity.starts = unpacker.read_fixed64();
  slot.newest_segment = unpacker.read_fixed64();
  const std::uint64_t stored = unpacker.read_fixed64();
  if (magic != slot_magic || stored != checksum(bytes.substr(0, slot_content_bytes))) {
    return std::optional<Slot>{};
  }
  if (version > slot_version) {
    return failure(ErrorCode::unsupported,
                   fmt::format("{} has format version {}, this program knows up to {}: use a newer quorate (R-121)",
                               path, version, slot_version));
  }
  return std::optional<Slot>{slot};
}

Result<DataDirectory> DataDirectory::lock(Disk& disk, Paths paths) {
  DataDirectory directory;
  directory.disk_ = &disk;
  directory.paths_ = std::move(paths);
  if (directory.paths_.log.empty()) {
    directory.paths_.log = directory.paths_.data;
  }
  // Before anything is read: two processes must not even look at the same time.
  auto held = disk.lock(directory.paths_.data + "/quorate.lock");
  if (!held) {
    return std::unexpected(held.error());
  }
  directory.lock_ = std::move(*held);
  if (directory.paths_.log != directory.paths_.data) {
    auto log_held = disk.lock(directory.paths_.log + "/quorate.lock");
    if (!log_held) {
      return std::unexpected(log_held.error());
    }
    directory.log_lock_ = std::move(*log_held);
  }
  return directory;
}

Result<DataDirectory> DataDirectory::open(Disk& disk, Paths paths, const Identity& fresh) {
  for (const std::string* path : {&paths.data, &paths.log}) {
    if (!path->empty()) {
      if (auto made = disk.make_directory(*path); !made) {
        return std::unexpected(made.error());
      }
    }
  }
  auto directory = lock(disk, std::move(paths));
  if (!directory) {
    return directory;
  }
  const auto known = disk.exists(directory->identity_path());
  if (!known) {
    return std::unexpected(known.error());
  }
  auto ready = *known ? directory->load() : directory->found(fresh);
  if (!ready) {
    return std::unexpected(ready.error());
  }
  if (directory->identity().node != fresh.node) {
    return failure(ErrorCode::refused,
                   fmt::format("{} belongs to server {}, and this one is configured as server {}: check dataDir and "
                               "myid, two servers never share a directory (R-120)",
                               directory->paths_.data, raw(directory->identity().node), raw(fresh.node)));
  }
  return directory;
}

Result<DataDirectory> DataDirectory::inspect(Disk& disk, Paths paths) {
  const auto known = disk.exists(paths.data + "/identity");
  if (!known) {
    return std::unexpected(known.error());
  }
  if (!*known) {
    return failure(ErrorCode::not_found,
                   fmt::format("{} is not a data directory of quorate: it holds no file \"identity\"", paths.data));
  }
  auto directory = lock(disk, std::move(paths));
  if (!directory) {
    return directory;
  }
  if (auto loaded = directory->load(); !loaded) {
    return std::unexpected(loaded.error());
  }
  return directory;
}

Result<std::vector<std::string>> DataDirectory::names_in(const std::string& directory) const {
  const auto present = disk_->exists(directory);
  if (!present) {
    return std::unexpected(present.error());
  }
  return *present ? disk_->list(directory) : std::vector<std::string>{};
}

Result<bool> DataDirectory::holds_data() {
  for (const std::string& directory : {log_directory(), snapshot_directory()}) {
    const auto names = names_in(directory);
    if (!names) {
      return std::unexpected(names.error());
    }
    if (!names->empty()) {
      return true;
    }
  }
  return false;
}

Result<void> DataDirectory::found(const Identity& fresh) {
  const auto occupied = holds_data();
  if (!occupied) {
    return std::unexpected(occupied.error());
  }
  if (*occupied) {
    return failure(ErrorCode::corrupt,
                   fmt::format("{} holds a log or snapshots but no file \"identity\": this is a damaged directory, not "
                               "a new one (R-119); restore the whole directory as it was at one moment from a backup, "
                               "or move it away",
                               paths_.data));
  }
  ensure(raw(fresh.node) != 0, "a new directory is given a server id");
  for (const std::string& directory : {log_directory(), snapshot_directory()}) {
    if (auto made = disk_->make_directory(directory); !made) {
      return made;
    }
  }
  slot_ = Slot{.number = 0, .identity = fresh, .newest_segment = 0};
  slot_.identity.starts = 0;
  is_new_ = true;

  // Under another name until it is complete: half an identity does not exist.
  const std::string temporary = identity_path() + ".tmp";
  if (const auto left = disk_->exists(temporary); left && *left) {
    if (auto removed = disk_->remove(temporary); !removed) {
      return removed;
    }
  }
  auto file = disk_->open(temporary, Disk::Open::create_new);
  if (!file) {
    return std::unexpected(file.error());
  }
  if (auto written = (*file)->write(0, encode(slot_) + std::string(slot_bytes, '\0')); !written) {
    return written;
  }
  if (auto synced = (*file)->sync(); !synced) {
    return synced;
  }
  if (auto renamed = disk_->rename(temporary, identity_path()); !renamed) {
    return renamed;
  }
  identity_file_ = std::move(*file);
  return disk_->sync_directory(paths_.data);
}

Result<void> DataDirectory::load() {
  auto file = disk_->open(identity_path(), Disk::Open::existing);
  if (!file) {
    return std::unexpected(file.error());
  }
  std::string bytes(2 * slot_bytes, '\0');
  const auto got = (*file)->read(0, bytes);
  if (!got) {
    return std::unexpected(got.error());
  }
  bytes.resize(*got);
  std::optional<Slot> newest;
  std::size_t valid = 0;
  for (std::size_t offset = 0; offset + slot_bytes <= bytes.size(); offset += slot_bytes) {
    const auto slot = decode(ByteView{bytes}.substr(offset, slot_bytes), identity_path());
    if (!slot) {
      return std::unexpected(slot.error());
    }
    if (slot->has_value()) {
      ++valid;
      if (!newest || (*slot)->number > newest->number) {
        newest = **slot;
      }
    }
  }
  if (!newest) {
    return failure(ErrorCode::corrupt,
                   fmt::format("{} is damaged: neither of its two copies checks, so it is unknown whose data this is; "
                               "restore the whole directory as it was at one moment from a backup, or move it away and "
                               "begin as a new server: a file \"identity\" alone, of another moment or another server, "
                               "does not belong to this log",
                               identity_path()));
  }
  slot_ = *newest;
  slot_lost_ = valid == 1;
  identity_file_ = std::move(*file);
  return {};
}

Result<void> DataDirectory::begin_start(std::uint64_t starts_seen) {
  if (auto cleaned = remove_leftovers(); !cleaned) {
    return cleaned;
  }
  // If a slot was lost, the newest one may be the one that is gone, with a start counter one higher than what we read.
  // No start counter is ever used twice, so that one is skipped.
  slot_.identity.starts = std::max(slot_.identity.starts + (slot_lost_ ? 2 : 1), starts_seen + 1);
  has_begun_start_ = true;
  return write_slot();
}

Result<void> DataDirectory::write_slot() {
  ++slot_.number;
  if (auto written = identity_file_->write((slot_.number % 2) * slot_bytes, encode(slot_)); !written) {
    return written;
  }
  return identity_file_->sync_data();  // Founding made the whole size durable.
}

Result<void> DataDirectory::record_newest_segment(std::uint64_t sequence) {
  if (slot_.newest_segment == sequence) {
    return {};
  }
  slot_.newest_segment = sequence;
  return write_slot();
}

Result<void> DataDirectory::remove_leftovers() {
  for (const std::string& directory : {log_directory(), snapshot_directory()}) {
    // A crash while founding may have kept the identity's name and lost theirs: nothing was in them.
    if (auto made = disk_->make_directory(directory); !made) {
      return made;
    }
    const auto names = disk_->list(directory);
    if (!names) {
      return std::unexpected(names.error());
    }
    for (const std::string& name : *names) {
      if (name.ends_with(".tmp")) {
        if (auto removed = disk_->remove((directory + "/").append(name)); !removed) {
          return removed;
        }
      }
    }
  }
  return {};
}

}  // namespace quorate::storage
