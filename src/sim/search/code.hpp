#pragma once

// Canonical bytes of what a state of the exhaustive search consists of: equal bytes mean equal behaviour from here on.

#include <cstdint>
#include <string>

#include "base/ids.hpp"
#include "raft/configuration.hpp"
#include "raft/entry.hpp"
#include "raft/messages.hpp"

namespace quorate::sim::search {

class Code {
 public:
  void put(std::uint64_t number);
  void put(bool flag) { put(static_cast<std::uint64_t>(flag)); }
  void put(NodeId id) { put(std::uint64_t{raw(id)}); }
  void put(Term term) { put(raw(term)); }
  void put(Index index) { put(raw(index)); }
  void put(raft::LogId id);
  void put(const raft::Entry& entry);
  void put(const raft::Member& member);
  void put(const raft::Message& message);
  void put(ByteView bytes);
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
};

// A message between two servers.
struct Packet {
  NodeId from{};
  NodeId to{};
  raft::Message message;
};

[[nodiscard]] std::string code_of(const Packet& packet);

}  // namespace quorate::sim::search
