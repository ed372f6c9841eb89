#include "wire/command.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "base/ensure.hpp"
#include "base/limits.hpp"
#include "wire/packing.hpp"

namespace quorate::wire {

namespace {

constexpr std::uint8_t command_version = 1;  // In the high half of the first byte; the kind is in the low half.
constexpr auto last_kind = CommandKind::delete_container;
constexpr std::uint8_t term_start_version = 1;

// The second byte: which of the fields that are often zero are there, in this order.
namespace has {
constexpr std::uint8_t session = 1;
constexpr std::uint8_t generation = 2;
constexpr std::uint8_t xid = 4;
constexpr std::uint8_t opcode = 8;
constexpr std::uint8_t credentials = 16;
constexpr std::uint8_t all = 31;
}  // namespace has

// kind, flags, server, incarnation, start, number, session, generation, xid, opcode at their longest.
constexpr std::size_t fixed_part_max = 1 + 1 + 5 + 8 + 10 + 10 + 1 + 8 + 5 + 5 + 5;

// A session id is a server and the low bits of a zxid (design chapter 5), each short by itself.
constexpr unsigned session_counter_bits = 56;
constexpr std::uint64_t session_counter_mask = (std::uint64_t{1} << session_counter_bits) - 1;

constexpr std::size_t identity_bytes_min = 2;  // A scheme's code and the length of an empty id.

std::uint8_t flags_of(const Command& command) {
  unsigned flags = 0;
  flags |= command.session == SessionId{} ? 0U : has::session;
  flags |= command.generation == 0 ? 0U : has::generation;
  flags |= command.xid == 0 ? 0U : has::xid;
  flags |= command.opcode == Opcode{} ? 0U : has::opcode;
  flags |= command.credentials.empty() ? 0U : has::credentials;
  return static_cast<std::uint8_t>(flags);
}

char* put_session(char* at, SessionId session) {
  const auto bits = static_cast<std::uint64_t>(raw(session));
  *at++ = static_cast<char>(bits >> session_counter_bits);
  return put_varint(at, bits & session_counter_mask);
}

SessionId read_session(Unpacker& unpacker) {
  const std::uint64_t server = unpacker.read_byte();
  const std::uint64_t counter = unpacker.read_varint_up_to(session_counter_mask);
  return SessionId{static_cast<std::int64_t>((server << session_counter_bits) | counter)};
}

void pack_credentials(Packer& packer, tree::CredentialsView credentials) {
  packer.write_varint(credentials.size());
  for (const tree::Identity& identity : credentials) {
    pack_scheme(packer, identity.scheme);
    packer.write_sized(identity.id);
  }
}

void read_credentials(Unpacker& unpacker, std::vector<tree::Identity>& scratch) {
  const std::size_t count = unpacker.read_count(identity_bytes_min);
  for (std::size_t i = 0; i < count && unpacker.ok(); ++i) {
    tree::Identity identity;
    identity.scheme = unpack_scheme(unpacker);
    identity.id = unpacker.read_sized();
    scratch.push_back(identity);
  }
}

std::unexpected<Error> corrupt(const char* what) {
  return failure(ErrorCode::corrupt, std::string("log entry: ") + what + " does not decode");
}

std::unexpected<Error> unsupported(const char* what, unsigned value) {
  return newer_than_known("log entry", std::string(what) + " " + std::to_string(value));
}

// An optional field that is there and zero would be a second form of the same command.
void refuse_zero(Unpacker& unpacker, bool is_zero) {
  if (is_zero) {
    unpacker.fail();
  }
}

void read_optional_fields(Unpacker& unpacker, std::uint8_t flags, Command& command,
                          std::vector<tree::Identity>& scratch) {
  if ((flags & has::session) != 0) {
    command.session = read_session(unpacker);
    refuse_zero(unpacker, command.session == SessionId{});
  }
  if ((flags & has::generation) != 0) {
    command.generation =
        static_cast<std::uint32_t>(unpacker.read_varint_up_to(std::numeric_limits<std::uint32_t>::max()));
    refuse_zero(unpacker, command.generation == 0);
  }
  if ((flags & has::xid) != 0) {
    command.xid = unpacker.read_zigzag32();
    refuse_zero(unpacker, command.xid == 0);
  }
  if ((flags & has::opcode) != 0) {
    command.opcode = Opcode{unpacker.read_zigzag32()};
    refuse_zero(unpacker, command.opcode == Opcode{});
  }
  if ((flags & has::credentials) != 0) {
    const std::size_t start = unpacker.position();
    read_credentials(unpacker, scratch);
    const bool too_long = unpacker.position() - start > limits::credentials_bytes_max;
    refuse_zero(unpacker, too_long || scratch.empty());
    command.credentials = scratch;
  }
}

}  // namespace

void encode_command(std::string& out, const Command& command) {
  ensure(command.kind <= last_kind, "a command has a kind of the table");
  const std::uint8_t flags = flags_of(command);
  std::array<char, fixed_part_max> bytes;
  char* at = bytes.data();
  *at++ = static_cast<char>((command_version << 4) | std::to_underlying(command.kind));
  *at++ = static_cast<char>(flags);
  at = put_varint(at, raw(command.stream.server));
  at = put_little(at, command.stream.incarnation);
  at = put_varint(at, command.stream.start);
  at = put_varint(at, command.number);
  if ((flags & has::session) != 0) {
    at = put_session(at, command.session);
  }
  if ((flags & has::generation) != 0) {
    at = put_varint(at, command.generation);
  }
  if ((flags & has::xid) != 0) {
    at = put_varint(at, zigzag(command.xid));
  }
  if ((flags & has::opcode) != 0) {
    at = put_varint(at, zigzag(std::to_underlying(command.opcode)));
  }
  out.append(bytes.data(), at);
  Packer packer(out);
  if ((flags & has::credentials) != 0) {
    const std::size_t start = out.size();
    pack_credentials(packer, command.credentials);
    ensure(out.size() - start <= limits::credentials_bytes_max, "a connection bounds its credentials");
  }
  packer.write_raw(command.request);
}

Result<Command> decode_command(ByteView bytes, std::vector<tree::Identity>& scratch) {
  scratch.clear();
  if (bytes.size() > limits::entry_bytes_max) {
    return corrupt("a command beyond the size limit");
  }
  Unpacker unpacker(bytes);
  const std::uint8_t version_and_kind = unpacker.read_byte();
  const std::uint8_t flags = unpacker.read_byte();
  if (!unpacker.ok()) {
    return corrupt("a command of less than two bytes");
  }
  if (version_and_kind >> 4 != command_version) {
    return unsupported("command version", version_and_kind >> 4);
  }
  Command command;
  command.kind = static_cast<CommandKind>(version_and_kind & 0xF);
  if (command.kind > last_kind) {
    return unsupported("command kind", version_and_kind & 0xFU);
  }
  if ((flags & ~has::all) != 0) {
    return unsupported("command flags", flags);
  }
  command.stream.server =
      NodeId{static_cast<std::uint32_t>(unpacker.read_varint_up_to(std::numeric_limits<std::uint32_t>::max()))};
  command.stream.incarnation = unpacker.read_fixed64();
  command.stream.start = unpacker.read_varint();
  command.number = unpacker.read_varint();
  read_optional_fields(unpacker, flags, command, scratch);
  command.request = unpacker.read_raw(unpacker.remaining());
  if (!unpacker.ok()) {
    return undecodable(unpacker, "log entry", "a command's field");
  }
  return command;
}

std::size_t credentials_bytes(tree::CredentialsView credentials) {
  std::string encoded;
  Packer packer(encoded);
  pack_credentials(packer, credentials);
  return encoded.size();
}

void encode_session_request(std::string& out, const SessionRequest& request) {
  Packer packer(out);
  packer.write_raw({request.password.data(), request.password.size()});
  packer.write_zigzag(request.timeout_ms);
}

Result<SessionRequest> decode_session_request(ByteView bytes) {
  Unpacker unpacker(bytes);
  SessionRequest request;
  std::ranges::copy(unpacker.read_raw(request.password.size()), request.password.begin());
  request.timeout_ms = unpacker.read_zigzag32();
  if (!unpacker.finished()) {
    return corrupt("a session request");
  }
  return request;
}

void encode_term(std::string& out, Term term) {
  Packer(out).write_varint(raw(term));
}

Result<Term> decode_term(ByteView bytes) {
  Unpacker unpacker(bytes);
  const Term term{unpacker.read_varint()};
  if (!unpacker.finished()) {
    return corrupt("a term");
  }
  return term;
}

void encode_term_start(std::string& out, const TermStart& start) {
  Packer packer(out);
  packer.write_byte(term_start_version);
  packer.write_varint(raw(start.leader));
  packer.write_varint(start.feature_level);
  pack_switches(packer, start.switches);
  packer.write_fixed64(start.hash_secret);
}

Result<TermStart> decode_term_start(ByteView bytes) {
  Unpacker unpacker(bytes);
  const std::uint8_t version = unpacker.read_byte();
  if (unpacker.ok() && version != term_start_version) {
    return unsupported("term start version", version);
  }
  constexpr std::uint64_t highest = std::numeric_limits<std::uint32_t>::max();
  TermStart start;
  start.leader = NodeId{static_cast<std::uint32_t>(unpacker.read_varint_up_to(highest))};
  start.feature_level = static_cast<std::uint32_t>(unpacker.read_varint_up_to(highest));
  start.switches = unpack_switches(unpacker);
  start.hash_secret = unpacker.read_fixed64();
  if (start.feature_level > known_feature_level) {
    return unsupported("feature level", start.feature_level);
  }
  if (!unpacker.finished()) {
    return undecodable(unpacker, "log entry", "a term start");
  }
  return start;
}

}  // namespace quorate::wire
