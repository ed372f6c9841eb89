#include "sim/search/code.hpp"

#include <utility>
#include <variant>

#include "base/ensure.hpp"

namespace quorate::sim::search {
namespace {

void put_body(Code& code, const raft::VoteRequest& m) {
  code.put(m.last);
  code.put(m.campaign);
  code.put(m.is_pre);
  code.put(m.is_transfer);
}
void put_body(Code& code, const raft::VoteReply& m) {
  code.put(m.campaign);
  code.put(m.is_pre);
  code.put(m.is_granted);
}
void put_body(Code& code, const raft::AppendRequest& m) {
  code.put(m.previous);
  code.put(m.commit);
  code.put(m.sequence);
  code.put(std::uint64_t{m.entries.size()});
  for (const raft::Entry& entry : m.entries) {
    code.put(entry);
  }
}
void put_body(Code& code, const raft::AppendReply& m) {
  code.put(m.is_accepted);
  code.put(m.match);
  code.put(m.sequence);
  code.put(m.hint);
}
void put_body(Code& code, const raft::Heartbeat& m) {
  code.put(m.commit);
  code.put(m.round);
}
void put_body(Code& code, const raft::HeartbeatReply& m) {
  code.put(m.round);
}
void put_body(Code& /*code*/, const raft::TimeoutNow& /*m*/) {}

[[noreturn]] void put_foreign() {
  fail("no scope of the search has snapshots or reads");
}
void put_body(Code& /*code*/, const raft::SnapshotChunk& /*m*/) {
  put_foreign();
}
void put_body(Code& /*code*/, const raft::SnapshotReply& /*m*/) {
  put_foreign();
}
void put_body(Code& /*code*/, const raft::ReadRequest& /*m*/) {
  put_foreign();
}
void put_body(Code& /*code*/, const raft::ReadReply& /*m*/) {
  put_foreign();
}

}  // namespace

// Seven bits a byte: almost every number here is small.
void Code::put(std::uint64_t number) {
  while (number >= 0x80U) {
    text_ += static_cast<char>(0x80U | (number & 0x7fU));
    number >>= 7U;
  }
  text_ += static_cast<char>(number);
}

void Code::put(raft::LogId id) {
  put(id.term);
  put(id.index);
}

void Code::put(ByteView bytes) {
  put(std::uint64_t{bytes.size()});
  text_ += bytes;
}

void Code::put(const raft::Entry& entry) {
  put(entry.term);
  put(entry.index);
  put(std::uint64_t{std::to_underlying(entry.kind)});
  put(entry.command.view());
}

void Code::put(const raft::Member& member) {
  put(member.id);
  put(std::uint64_t{std::to_underlying(member.role)});
}

void Code::put(const raft::Message& message) {
  put(std::uint64_t{message.index()});
  put(raft::term_of(message));
  std::visit([this](const auto& content) { put_body(*this, content); }, message);
}

std::string code_of(const Packet& packet) {
  Code code;
  code.put(packet.from);
  code.put(packet.to);
  code.put(packet.message);
  return code.text();
}

}  // namespace quorate::sim::search
