#include "wire/configuration.hpp"

#include <algorithm>
#include <functional>
#include <limits>
#include <utility>

#include "base/ensure.hpp"
#include "wire/packing.hpp"

namespace quorate::wire {

namespace {

constexpr std::uint8_t configuration_version = 1;
constexpr std::uint8_t leaves_automatically_flag = 1;

constexpr std::size_t member_bytes_max = 5 + 8 + 8 + 1 + 2 + member_address_bytes_max;
constexpr std::size_t member_bytes_min = 1 + 1 + 8 + 8 + 1 + 1;  // With its own length.
constexpr std::size_t removed_bytes_min = 1 + 8 + 8;
constexpr std::size_t removed_bytes_max = 5 + 8 + 8;
static_assert(2 + 3 * 2 + configuration_members_max * (2 + member_bytes_max + 5) +
                      removed_members_max * removed_bytes_max <=
                  configuration_bytes_max,
              "the largest configuration fits");

bool is_leaving_vote(raft::MemberRole role) {
  return role == raft::MemberRole::voter_to_learner || role == raft::MemberRole::leaving;
}

void pack_member(Packer& packer, const raft::Member& member) {
  packer.write_varint(raw(member.id));
  packer.write_fixed64(member.incarnation_high);
  packer.write_fixed64(member.incarnation_low);
  packer.write_byte(std::to_underlying(member.role));
  packer.write_sized(member.address);
}

NodeId read_node(Unpacker& unpacker) {
  constexpr std::uint64_t highest = std::numeric_limits<std::uint32_t>::max();
  return NodeId{static_cast<std::uint32_t>(unpacker.read_varint_up_to(highest))};
}

raft::Member read_member(Unpacker& outer) {
  Unpacker unpacker(outer.read_sized());
  raft::Member member;
  member.id = read_node(unpacker);
  member.incarnation_high = unpacker.read_fixed64();
  member.incarnation_low = unpacker.read_fixed64();
  const std::uint8_t role = unpacker.read_byte();
  member.role = raft::MemberRole{role};
  member.address = unpacker.read_raw(unpacker.read_varint_up_to(member_address_bytes_max));
  if (!unpacker.ok()) {
    outer.fail();
  } else if (role < std::to_underlying(raft::MemberRole::voter) ||
             role > std::to_underlying(raft::MemberRole::leaving)) {
    outer.fail_unknown("a member's role");
  } else if (!unpacker.finished()) {
    outer.fail_unknown("a member's field");
  }
  return member;
}

std::size_t read_bounded_count(Unpacker& unpacker, std::size_t element_bytes_min, std::size_t limit) {
  const std::size_t count = unpacker.read_count(element_bytes_min);
  if (count > limit) {
    unpacker.fail();
    return 0;
  }
  return count;
}

raft::Configuration read_configuration(Unpacker& unpacker) {
  raft::Configuration configuration;
  const std::uint8_t flags = unpacker.read_byte();
  if ((flags & ~leaves_automatically_flag) != 0) {
    unpacker.fail_unknown("a configuration's flag");
  }
  configuration.leaves_automatically = (flags & leaves_automatically_flag) != 0;
  std::size_t left = read_bounded_count(unpacker, member_bytes_min, configuration_members_max);
  for (; left > 0 && unpacker.ok(); --left) {
    configuration.members.push_back(read_member(unpacker));
  }
  left = read_bounded_count(unpacker, 1, configuration_members_max);
  for (; left > 0 && unpacker.ok(); --left) {
    configuration.outgoing.push_back(read_node(unpacker));
  }
  left = read_bounded_count(unpacker, removed_bytes_min, removed_members_max);
  for (; left > 0 && unpacker.ok(); --left) {
    raft::RemovedMember removed;
    removed.id = read_node(unpacker);
    removed.incarnation_high = unpacker.read_fixed64();
    removed.incarnation_low = unpacker.read_fixed64();
    configuration.removed.push_back(removed);
  }
  read_no_extensions(unpacker, "a configuration's extension");
  return configuration;
}

}  // namespace

std::string_view broken_rule(const raft::Configuration& configuration) {
  const auto& members = configuration.members;
  const auto& outgoing = configuration.outgoing;
  const auto is_outgoing = [&](NodeId id) { return std::ranges::binary_search(outgoing, id); };
  if (members.empty() || raw(members.front().id) == 0) {
    return "no members, or one without an id";
  }
  if (std::ranges::adjacent_find(members, std::ranges::greater_equal{}, &raft::Member::id) != members.end() ||
      std::ranges::adjacent_find(outgoing, std::ranges::greater_equal{}) != outgoing.end() ||
      std::ranges::adjacent_find(configuration.removed, std::ranges::greater_equal{}) != configuration.removed.end()) {
    return "ids that are not ascending";
  }
  const bool all_known = std::ranges::all_of(
      outgoing, [&](NodeId id) { return std::ranges::binary_search(members, id, {}, &raft::Member::id); });
  if (!all_known) {
    return "an outgoing voter that is no member";
  }
  const bool all_outgoing = std::ranges::all_of(
      members, [&](const raft::Member& member) { return !is_leaving_vote(member.role) || is_outgoing(member.id); });
  return all_outgoing ? std::string_view{} : "a member that leaves a vote which it does not have";
}

void encode_configuration(std::string& out, const raft::Configuration& configuration) {
  ensure(broken_rule(configuration).empty(), "a configuration keeps its rules");
  ensure(configuration.members.size() <= configuration_members_max, "members are few");
  ensure(configuration.removed.size() <= removed_members_max, "removed members are bounded");
  Packer packer(out);
  packer.write_byte(configuration_version);
  packer.write_byte(configuration.leaves_automatically ? leaves_automatically_flag : 0);
  packer.write_varint(configuration.members.size());
  std::string record;
  for (const raft::Member& member : configuration.members) {
    ensure(member.address.size() <= member_address_bytes_max, "a server line is short");
    record.clear();
    Packer member_packer(record);
    pack_member(member_packer, member);
    packer.write_sized(record);
  }
  packer.write_varint(configuration.outgoing.size());
  for (const NodeId id : configuration.outgoing) {
    packer.write_varint(raw(id));
  }
  packer.write_varint(configuration.removed.size());
  for (const raft::RemovedMember& removed : configuration.removed) {
    packer.write_varint(raw(removed.id));
    packer.write_fixed64(removed.incarnation_high);
    packer.write_fixed64(removed.incarnation_low);
  }
}

Result<raft::Configuration> decode_configuration(ByteView bytes) {
  if (bytes.size() > configuration_bytes_max) {
    return failure(ErrorCode::corrupt, "configuration: beyond the size limit");
  }
  Unpacker unpacker(bytes);
  const std::uint8_t version = unpacker.read_byte();
  if (unpacker.ok() && version != configuration_version) {
    return newer_than_known("configuration", "version " + std::to_string(version));
  }
  raft::Configuration configuration = read_configuration(unpacker);
  if (!unpacker.finished()) {
    return undecodable(unpacker, "configuration", "a field");
  }
  if (const std::string_view rule = broken_rule(configuration); !rule.empty()) {
    return failure(ErrorCode::corrupt, "configuration: it names " + std::string(rule));
  }
  return configuration;
}

raft::ConfigurationCodec configuration_codec() {
  return raft::ConfigurationCodec{
      .encode =
          [](const raft::Configuration& configuration) {
            std::string bytes;
            encode_configuration(bytes, configuration);
            return Blob::adopt(std::move(bytes));
          },
      .decode = decode_configuration,
  };
}

}  // namespace quorate::wire
