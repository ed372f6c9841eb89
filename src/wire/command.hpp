#pragma once

// What a log entry of the state machine carries (design chapter 3): final from the first landing on, described byte by
// byte in docs/formats/entry.md.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "tree/types.hpp"
#include "wire/feature_level.hpp"
#include "wire/opcodes.hpp"

namespace quorate::wire {

// A server's writes form a stream: the server, the data directory's incarnation (its first 64 bits tell a wiped
// server from the one before), and how often it was started.
struct StreamId {
  NodeId server{};
  std::uint64_t incarnation = 0;
  std::uint64_t start = 0;

  friend auto operator<=>(const StreamId&, const StreamId&) = default;
};

enum class CommandKind : std::uint8_t {
  abandoned = 0,         // Keeps its number in the stream, does nothing (design chapter 6).
  client_request = 1,    // opcode and request are a client's, as received.
  create_session = 2,    // request: password, timeout (SessionRequest).
  resume_session = 3,    // request: password, timeout; session is the one to resume.
  expire_session = 4,    // request: the deciding term (encode_term); void in any other.
  delete_container = 5,  // request: the path.
};

struct Command {
  CommandKind kind{};
  StreamId stream;
  std::uint64_t number = 0;  // Contiguous in the stream, from 1.
  SessionId session{};
  std::uint32_t generation = 0;  // Of the session, as the connection knows it.
  tree::CredentialsView credentials;
  std::int32_t xid = 0;
  Opcode opcode{};
  ByteView request;  // The body behind the request header, as received.
};

struct SessionRequest {
  tree::Password password{};
  std::int32_t timeout_ms = 0;
};

// Appends the encoding: one version and kind byte, varints for numbers, one byte for well-known schemes. Null views are
// written as empty ones. The credentials' encoding must keep within limits::credentials_bytes_max: the connection
// bounds what it collects.
void encode_command(std::string& out, const Command& command);
// Views point into `bytes`, credentials into `scratch`. Errors: unsupported for a version, kind or flag that
// this binary does not know; corrupt for bytes that do not decode.
Result<Command> decode_command(ByteView bytes, std::vector<tree::Identity>& scratch);

// Bytes that these credentials take in a command.
[[nodiscard]] std::size_t credentials_bytes(tree::CredentialsView credentials);

void encode_session_request(std::string& out, const SessionRequest& request);
Result<SessionRequest> decode_session_request(ByteView bytes);

// The request of expire_session.
void encode_term(std::string& out, Term term);
Result<Term> decode_term(ByteView bytes);

// The payload of a term's no-op: switches and what later feature levels add. Decoding one of a higher feature
// level than this binary knows is unsupported.
struct TermStart {
  NodeId leader{};
  std::uint32_t feature_level = known_feature_level;
  tree::Switches switches;
  std::uint64_t hash_secret = 0;  // Taken by the first no-op of a cluster's life only; later ones are ignored.
};
void encode_term_start(std::string& out, const TermStart& start);
Result<TermStart> decode_term_start(ByteView bytes);

}  // namespace quorate::wire
