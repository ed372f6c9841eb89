#pragma once

// What the replica tells a front: replies, events and fates of sessions, in order. A front drains its mailbox before it
// answers reads (design chapter 4). Plain data, so that it can be handed to another loop by a swap.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/ids.hpp"

namespace quorate::replica {

// A front's connection: a slot and how often the slot was used, so that a late reply never reaches a successor.
struct ConnectionRef {
  std::uint32_t slot = 0;
  std::uint32_t life = 0;

  friend bool operator==(const ConnectionRef&, const ConnectionRef&) = default;
};

struct MailItem {
  enum class Kind : std::uint8_t {
    reply,             // The frames in `bytes` answer the connection's oldest unanswered write.
    reply_then_close,  // closeSession: reply, then FIN.
    close,             // No reply: the write was void (session moved, R-714).
    event,             // A watch event; the connection is named by its slot alone.
    connected,         // A session was created or resumed: `session`, `generation`, `timeout_ms`; bytes is the reply.
    refused,           // The resume was refused; bytes is the reply; then close.
    session_gone,      // `session` was closed or expired: connections that hold it close.
    session_moved,     // `session` has a new `generation`: connections with an older one close.
  };
  Kind kind{};
  ConnectionRef connection{};
  SessionId session{};
  std::uint32_t generation = 0;
  std::int32_t timeout_ms = 0;
  Zxid zxid{};             // Of the reply's or event's header.
  std::size_t offset = 0;  // Into Mailbox::bytes; several events may share what they say.
  std::size_t length = 0;
};

struct Mailbox {
  std::vector<MailItem> items;
  std::string bytes;

  void clear() {
    items.clear();
    bytes.clear();
  }
  [[nodiscard]] bool empty() const { return items.empty(); }
};

}  // namespace quorate::replica
