#include "wire/entry_check.hpp"

#include <utility>

#include "base/ensure.hpp"
#include "wire/configuration.hpp"
#include "wire/opcodes.hpp"
#include "wire/packing.hpp"

namespace quorate::wire {

namespace {

template <class T>
Result<void> without_value(const Result<T>& decoded) {
  if (!decoded) {
    return std::unexpected(decoded.error());
  }
  return {};
}

// A client's request is not looked into: what does not decode there is answered with an error when it is applied. But
// an operation without a name here would be one that a newer version carries out.
Result<void> check_request(const Command& command) {
  switch (command.kind) {
    case CommandKind::create_session:
    case CommandKind::resume_session:
      return without_value(decode_session_request(command.request));
    case CommandKind::expire_session:
      return without_value(decode_term(command.request));
    case CommandKind::client_request:
      if (find_opcode(std::to_underlying(command.opcode)) == nullptr) {
        return newer_than_known("log entry", "opcode " + std::to_string(std::to_underlying(command.opcode)));
      }
      return {};
    case CommandKind::abandoned:
    case CommandKind::delete_container:
      return {};
  }
  fail("decoding refuses other kinds");
}

}  // namespace

Result<EntryFacts> check_entry(const raft::Entry& entry, std::vector<tree::Identity>& scratch) {
  EntryFacts facts;
  switch (entry.kind) {
    case raft::EntryKind::noop: {
      const Result<TermStart> start = decode_term_start(entry.command.view());
      if (!start) {
        return std::unexpected(start.error());
      }
      facts.feature_level = start->feature_level;
      return facts;
    }
    case raft::EntryKind::command: {
      const Result<Command> command = decode_command(entry.command.view(), scratch);
      if (!command) {
        return std::unexpected(command.error());
      }
      if (const Result<void> request = check_request(*command); !request) {
        return std::unexpected(request.error());
      }
      facts.stream = command->stream;
      return facts;
    }
    case raft::EntryKind::configuration: {
      Result<raft::Configuration> configuration = decode_configuration(entry.command.view());
      if (!configuration) {
        return std::unexpected(configuration.error());
      }
      facts.configuration = std::move(*configuration);
      return facts;
    }
  }
  fail("batches hold no other kinds");
}

}  // namespace quorate::wire
