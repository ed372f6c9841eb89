#include "raft/describe.hpp"

#include <variant>

namespace quorate::raft {
namespace {

std::string text(Term term) {
  return "t" + std::to_string(raw(term));
}
std::string text(Index index) {
  return std::to_string(raw(index));
}

std::string text(EntryKind kind) {
  switch (kind) {
    case EntryKind::noop:
      return "noop";
    case EntryKind::command:
      return "command";
    case EntryKind::configuration:
      return "configuration";
  }
  return "kind " + std::to_string(std::to_underlying(kind));
}

std::string text(MemberRole role) {
  switch (role) {
    case MemberRole::voter:
      return "";
    case MemberRole::learner:
      return "learner ";
    case MemberRole::learner_to_voter:
      return "joining ";
    case MemberRole::voter_to_learner:
      return "demoted ";
    case MemberRole::leaving:
      return "leaving ";
  }
  return "? ";
}

std::string body(const VoteRequest& m) {
  return std::string(m.is_pre ? "pre-vote? " : "vote? ") + text(m.term) + " last " + describe(m.last) +
         (m.is_transfer ? " for a transfer" : "");
}
std::string body(const VoteReply& m) {
  return std::string(m.is_pre ? "pre-vote " : "vote ") + text(m.term) + (m.is_granted ? " granted" : " refused");
}
std::string body(const AppendRequest& m) {
  std::string line = "append " + text(m.term) + " after " + describe(m.previous) + " commit " + text(m.commit);
  for (const Entry& entry : m.entries) {
    line += " " + describe(LogId{.term = entry.term, .index = entry.index});
  }
  return line;
}
std::string body(const AppendReply& m) {
  return m.is_accepted ? "appended " + text(m.term) + " match " + text(m.match)
                       : "append refused " + text(m.term) + " try " + describe(m.hint);
}
std::string body(const Heartbeat& m) {
  return "heartbeat " + text(m.term) + " commit " + text(m.commit) + " round " + std::to_string(m.round);
}
std::string body(const HeartbeatReply& m) {
  return "heartbeat heard " + text(m.term) + " round " + std::to_string(m.round);
}
std::string body(const SnapshotChunk& m) {
  return "snapshot " + text(m.term) + " at " + describe(m.id.point) + " bytes " + std::to_string(m.offset) + "+" +
         std::to_string(m.bytes.size()) + " of " + std::to_string(m.total);
}
std::string body(const SnapshotReply& m) {
  return "snapshot " + std::string(m.is_refused ? "refused " : "stored ") + text(m.term) + " at " +
         describe(m.id.point) + " next byte " + std::to_string(m.offset);
}
std::string body(const TimeoutNow& m) {
  return "campaign now " + text(m.term);
}
std::string body(const ReadRequest& m) {
  return "read index? " + text(m.term);
}
std::string body(const ReadReply& m) {
  return "read index " + text(m.term) + (m.is_refused ? " refused" : " " + text(m.index));
}

}  // namespace

std::string describe(LogId id) {
  return std::to_string(raw(id.term)) + "." + text(id.index);
}

std::string describe(const Entry& entry) {
  return describe(LogId{.term = entry.term, .index = entry.index}) + " " + text(entry.kind) + " " +
         std::to_string(entry.command.size()) + " B";
}

std::string describe(const Configuration& configuration) {
  std::string line;
  for (const Member& member : configuration.members) {
    line += line.empty() ? "" : " ";
    line += text(member.role);
    line += std::to_string(raw(member.id));
  }
  if (is_joint(configuration)) {
    line += " outgoing";
    for (const NodeId id : configuration.outgoing) {
      line += " " + std::to_string(raw(id));
    }
  }
  return line;
}

std::string describe(const Message& message) {
  return std::visit([](const auto& content) { return body(content); }, message);
}

std::string describe(Role role) {
  switch (role) {
    case Role::follower:
      return "follower";
    case Role::candidate:
      return "candidate";
    case Role::leader:
      return "leader";
  }
  return "?";
}

std::string describe(const Progress& progress) {
  const char* flow = progress.flow() == Flow::probe       ? "probe"
                     : progress.flow() == Flow::replicate ? "replicate"
                                                          : "snapshot";
  return "peer " + std::to_string(raw(progress.id())) + " " + flow + " match " + text(progress.match()) + " next " +
         text(progress.next_index()) + " in flight " + std::to_string(progress.inflight_messages());
}

std::string describe(const Core& core) {
  return "server " + std::to_string(raw(core.self())) + " " + describe(core.role()) + " " + text(core.term()) +
         " last " + describe(core.log().last()) + " durable " + text(core.durable_index()) + " commit " +
         text(core.commit_index()) + " applied " + text(core.applied_index());
}

}  // namespace quorate::raft
