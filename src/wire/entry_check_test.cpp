#include "wire/entry_check.hpp"

#include <gtest/gtest.h>
#include <string>
#include <utility>
#include <vector>

#include "wire/configuration.hpp"
#include "wire/opcodes.hpp"

namespace quorate::wire {
namespace {

raft::Entry entry(raft::EntryKind kind, std::string command) {
  return {.term = Term{1}, .index = Index{2}, .time = {}, .kind = kind, .command = Blob::adopt(std::move(command))};
}

std::string encoded(const Command& command) {
  std::string bytes;
  encode_command(bytes, command);
  return bytes;
}

Command command_of(CommandKind kind, ByteView request, Opcode opcode = {}) {
  return {.kind = kind,
          .stream = {.server = NodeId{3}, .incarnation = 4, .start = 5},
          .number = 6,
          .credentials = {},
          .opcode = opcode,
          .request = request};
}

Result<EntryFacts> check(raft::EntryKind kind, std::string command) {
  std::vector<tree::Identity> scratch;
  return check_entry(entry(kind, std::move(command)), scratch);
}

ErrorCode error_of(raft::EntryKind kind, std::string command) {
  const auto facts = check(kind, std::move(command));
  EXPECT_FALSE(facts);
  return facts ? ErrorCode{} : facts.error().code;
}

TEST(entry_check, what_this_version_writes_passes_with_what_it_says) {
  std::string start;
  encode_term_start(start, TermStart{.leader = NodeId{1}, .switches = {}});
  EXPECT_EQ(check(raft::EntryKind::noop, start)->feature_level, known_feature_level);

  const auto create = check(raft::EntryKind::command,
                            encoded(command_of(CommandKind::client_request, "whatever it asks", Opcode::create)));
  ASSERT_TRUE(create) << create.error().message;
  EXPECT_EQ(create->stream->start, 5U);
  std::string term;
  encode_term(term, Term{9});
  EXPECT_TRUE(check(raft::EntryKind::command, encoded(command_of(CommandKind::expire_session, term))));

  const raft::Configuration alone{.members = {{.id = NodeId{1}}}};
  std::string configuration;
  encode_configuration(configuration, alone);
  EXPECT_EQ(check(raft::EntryKind::configuration, configuration)->configuration, alone);
}

TEST(entry_check, what_a_newer_version_writes_is_unsupported) {
  std::string start;
  encode_term_start(start, TermStart{.leader = NodeId{1}, .feature_level = known_feature_level + 1, .switches = {}});
  EXPECT_EQ(error_of(raft::EntryKind::noop, start), ErrorCode::unsupported);
  EXPECT_EQ(error_of(raft::EntryKind::noop, "\x02"), ErrorCode::unsupported);
  EXPECT_EQ(error_of(raft::EntryKind::configuration, "\x02"), ErrorCode::unsupported);
  EXPECT_EQ(error_of(raft::EntryKind::command, std::string("\x20\0", 2)), ErrorCode::unsupported);
  EXPECT_EQ(error_of(raft::EntryKind::command, encoded(command_of(CommandKind::client_request, "", Opcode{77}))),
            ErrorCode::unsupported);
}

// a poison entry would stop the server at every start, in the middle of its log.
TEST(entry_check, what_apply_could_not_decode_is_corrupt) {
  EXPECT_EQ(error_of(raft::EntryKind::noop, ""), ErrorCode::corrupt);
  EXPECT_EQ(error_of(raft::EntryKind::configuration, ""), ErrorCode::corrupt);
  EXPECT_EQ(error_of(raft::EntryKind::command, "\x11"), ErrorCode::corrupt);
  for (const CommandKind kind :
       {CommandKind::create_session, CommandKind::resume_session, CommandKind::expire_session}) {
    EXPECT_EQ(error_of(raft::EntryKind::command, encoded(command_of(kind, ""))), ErrorCode::corrupt);
  }
}

}  // namespace
}  // namespace quorate::wire
