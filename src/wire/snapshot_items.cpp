// Items of a snapshot, one after the other inside a block: a tag, then varints; what is usually zero or equal to
// another field is left out (docs/formats/snapshot.md).

#include <algorithm>
#include <limits>
#include <utility>
#include <variant>

#include "tree/acl.hpp"
#include "wire/packing.hpp"
#include "wire/snapshot_format.hpp"

namespace quorate::wire {

namespace {

enum class Tag : std::uint8_t { state = 1, acl = 2, session = 3, znode = 4 };

constexpr std::size_t acl_entry_bytes_min = 3;
constexpr std::uint64_t u32_max = std::numeric_limits<std::uint32_t>::max();

// Which of a znode's fields are there, in this order.
namespace has {
constexpr std::uint8_t data = 1;
constexpr std::uint8_t acl = 2;
constexpr std::uint8_t modification = 4;  // mzxid and mtime, as distances from czxid and ctime.
constexpr std::uint8_t pzxid = 8;         // As distance from czxid.
constexpr std::uint8_t counters = 16;     // version, aversion, create counter
constexpr std::uint8_t owner = 32;
constexpr std::uint8_t all = 63;
}  // namespace has

// Distances wrap, so that any two values have one (imported stores hold what they hold).
std::uint64_t distance(std::int64_t from, std::int64_t to) {
  return zigzag(static_cast<std::int64_t>(static_cast<std::uint64_t>(to) - static_cast<std::uint64_t>(from)));
}
std::int64_t at_distance(std::int64_t from, std::int64_t distance) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(from) + static_cast<std::uint64_t>(distance));
}

void pack(Packer& packer, const tree::StateImage& state) {
  packer.write_byte(std::to_underlying(Tag::state));
  packer.write_zigzag(raw(state.last_zxid));
  packer.write_zigzag(raw(state.last_time));
  pack_switches(packer, state.switches);
  packer.write_fixed64(state.hash_secret);
  packer.write_fixed64(state.digest);
  packer.write_varint(state.znodes);
  packer.write_varint(state.sessions);
}

void pack(Packer& packer, const tree::AclImage& image) {
  packer.write_byte(std::to_underlying(Tag::acl));
  packer.write_varint(std::to_underlying(image.id));
  packer.write_varint(image.acl.size());
  for (const tree::AclEntry& entry : image.acl) {
    packer.write_zigzag(entry.permissions);
    pack_scheme(packer, entry.identity.scheme);
    packer.write_nullable(entry.identity.id);
  }
}

void pack(Packer& packer, const tree::SessionImage& session) {
  packer.write_byte(std::to_underlying(Tag::session));
  packer.write_fixed64(static_cast<std::uint64_t>(raw(session.id)));
  packer.write_raw({session.password.data(), session.password.size()});
  packer.write_zigzag(session.timeout_ms);
  packer.write_varint(raw(session.owner));
  packer.write_varint(session.generation);
}

std::uint8_t flags_of(const tree::ZnodeImage& znode) {
  const bool modified = znode.mzxid != znode.czxid || znode.mtime != znode.ctime;
  const bool counted = znode.version != 0 || znode.aversion != 0 || znode.create_counter != 0;
  unsigned flags = 0;
  flags |= is_null(znode.data) ? 0U : has::data;
  flags |= znode.acl == tree::open_acl ? 0U : has::acl;
  flags |= modified ? has::modification : 0U;
  flags |= znode.pzxid == znode.czxid ? 0U : has::pzxid;
  flags |= counted ? has::counters : 0U;
  flags |= znode.owner == 0 ? 0U : has::owner;
  return static_cast<std::uint8_t>(flags);
}

void pack(Packer& packer, const tree::ZnodeImage& znode) {
  const std::uint8_t flags = flags_of(znode);
  packer.write_byte(std::to_underlying(Tag::znode));
  packer.write_byte(flags);
  packer.write_varint(std::to_underlying(znode.slot));
  packer.write_varint(std::to_underlying(znode.parent));
  packer.write_fixed64(znode.key);
  packer.write_sized(znode.name);
  packer.write_zigzag(raw(znode.czxid));
  packer.write_zigzag(raw(znode.ctime));
  if ((flags & has::data) != 0) {
    packer.write_sized(znode.data);
  }
  if ((flags & has::acl) != 0) {
    packer.write_varint(std::to_underlying(znode.acl));
  }
  if ((flags & has::modification) != 0) {
    packer.write_varint(distance(raw(znode.czxid), raw(znode.mzxid)));
    packer.write_varint(distance(raw(znode.ctime), raw(znode.mtime)));
  }
  if ((flags & has::pzxid) != 0) {
    packer.write_varint(distance(raw(znode.czxid), raw(znode.pzxid)));
  }
  if ((flags & has::counters) != 0) {
    packer.write_zigzag(znode.version);
    packer.write_zigzag(znode.aversion);
    packer.write_zigzag(znode.create_counter);
  }
  if ((flags & has::owner) != 0) {
    packer.write_fixed64(static_cast<std::uint64_t>(znode.owner));
  }
}

std::uint32_t read_u32(Unpacker& unpacker) {
  return static_cast<std::uint32_t>(unpacker.read_varint_up_to(u32_max));
}

tree::StateImage read_state(Unpacker& unpacker) {
  tree::StateImage state;
  state.last_zxid = Zxid{unpacker.read_zigzag()};
  state.last_time = WallTime{unpacker.read_zigzag()};
  state.switches = unpack_switches(unpacker);
  state.hash_secret = unpacker.read_fixed64();
  state.digest = unpacker.read_fixed64();
  state.znodes = unpacker.read_varint();
  state.sessions = unpacker.read_varint();
  return state;
}

tree::AclImage read_acl(Unpacker& unpacker, std::vector<tree::AclEntry>& scratch) {
  tree::AclImage image;
  image.id = tree::AclId{read_u32(unpacker)};
  for (std::size_t left = unpacker.read_count(acl_entry_bytes_min); left > 0 && unpacker.ok(); --left) {
    tree::AclEntry entry;
    entry.permissions = unpacker.read_zigzag32();
    entry.identity.scheme = unpack_scheme(unpacker);
    entry.identity.id = unpacker.read_nullable();
    scratch.push_back(entry);
  }
  image.acl = scratch;
  return image;
}

tree::SessionImage read_session(Unpacker& unpacker) {
  tree::SessionImage session;
  session.id = SessionId{static_cast<std::int64_t>(unpacker.read_fixed64())};
  std::ranges::copy(unpacker.read_raw(session.password.size()), session.password.begin());
  session.timeout_ms = unpacker.read_zigzag32();
  session.owner = NodeId{read_u32(unpacker)};
  session.generation = read_u32(unpacker);
  return session;
}

tree::ZnodeImage read_znode(Unpacker& unpacker) {
  tree::ZnodeImage znode;
  const std::uint8_t flags = unpacker.read_byte();
  if ((flags & ~has::all) != 0) {
    unpacker.fail_unknown("a znode's flag");
  }
  znode.slot = tree::Slot{read_u32(unpacker)};
  znode.parent = tree::Slot{read_u32(unpacker)};
  znode.key = unpacker.read_fixed64();
  znode.name = unpacker.read_sized();
  znode.czxid = Zxid{unpacker.read_zigzag()};
  znode.ctime = WallTime{unpacker.read_zigzag()};
  if ((flags & has::data) != 0) {
    znode.data = unpacker.read_sized();
  }
  if ((flags & has::acl) != 0) {
    znode.acl = tree::AclId{read_u32(unpacker)};
  }
  const bool modified = (flags & has::modification) != 0;
  znode.mzxid = modified ? Zxid{at_distance(raw(znode.czxid), unpacker.read_zigzag())} : znode.czxid;
  znode.mtime = modified ? WallTime{at_distance(raw(znode.ctime), unpacker.read_zigzag())} : znode.ctime;
  const bool has_pzxid = (flags & has::pzxid) != 0;
  znode.pzxid = has_pzxid ? Zxid{at_distance(raw(znode.czxid), unpacker.read_zigzag())} : znode.czxid;
  if ((flags & has::counters) != 0) {
    znode.version = unpacker.read_zigzag32();
    znode.aversion = unpacker.read_zigzag32();
    znode.create_counter = unpacker.read_zigzag32();
  }
  if ((flags & has::owner) != 0) {
    znode.owner = static_cast<std::int64_t>(unpacker.read_fixed64());
  }
  return znode;
}

}  // namespace

void encode_item(std::string& out, const tree::SnapshotItem& item) {
  Packer packer(out);
  std::visit([&](const auto& image) { pack(packer, image); }, item);
}

Result<std::size_t> decode_item(ByteView bytes, std::vector<tree::AclEntry>& scratch, tree::SnapshotItem& into) {
  scratch.clear();
  Unpacker unpacker(bytes);
  const std::uint8_t tag = unpacker.read_byte();
  switch (Tag{tag}) {
    case Tag::state:
      into = read_state(unpacker);
      break;
    case Tag::acl:
      into = read_acl(unpacker, scratch);
      break;
    case Tag::session:
      into = read_session(unpacker);
      break;
    case Tag::znode:
      into = read_znode(unpacker);
      break;
    default:
      if (unpacker.ok()) {
        return newer_than_known("snapshot", "an item of kind " + std::to_string(tag));
      }
  }
  if (!unpacker.ok()) {
    return undecodable(unpacker, "snapshot", "an item");
  }
  return unpacker.position();
}

}  // namespace quorate::wire
