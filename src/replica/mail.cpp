// What the replica tells the front's connections, and how connections end.

#include <algorithm>
#include <utility>

#include "base/ensure.hpp"
#include "replica/front_state.hpp"
#include "wire/replies.hpp"

namespace quorate::replica {
namespace {

// Slices of what one entry or one connection may bring a hundred thousand of (design chapter 7).
constexpr std::size_t drained_a_call = 8192;
constexpr std::size_t watches_dropped_a_call = 4096;

}  // namespace

bool Front::State::drain(Mailbox& mail) {
  const ByteView bytes = mail.bytes;
  const std::size_t end = std::min(mail.items.size(), mail_drained + drained_a_call);
  for (; mail_drained < end; ++mail_drained) {
    const MailItem& item = mail.items[mail_drained];
    deliver(item, bytes.substr(item.offset, item.length));
  }
  if (mail_drained < mail.items.size()) {
    return false;
  }
  mail.clear();
  mail_drained = 0;
  // Half of the bytes, so that those held back are not tried again with every reply.
  if (stats.outstanding < config.outstanding_max && !is_throttled() &&
      outstanding_bytes <= config.outstanding_bytes_max / 2) {
    release_paused();
  }
  return true;
}

void Front::State::deliver(const MailItem& item, ByteView bytes) {
  switch (item.kind) {
    case MailItem::Kind::event:
      deliver_event(item, bytes);
      return;
    case MailItem::Kind::session_gone:
      close_session_holder(item.session, CloseReason::session_expired, std::nullopt);
      return;
    case MailItem::Kind::session_moved:
      close_session_holder(item.session, CloseReason::session_moved, item.generation);
      return;
    default:
      break;
  }
  Connection* connection = find(item.connection);
  if (connection == nullptr || connection->phase == Phase::closing) {
    return;
  }
  switch (item.kind) {
    case MailItem::Kind::reply:
    case MailItem::Kind::reply_then_close:
      deliver_reply(*connection, item, bytes);
      break;
    case MailItem::Kind::connected: {
      const std::size_t before = connection->output.bytes().size();
      connection->output.bytes().append(bytes);
      connected(*connection, item);
      queued_output(*connection, before);
      break;
    }
    case MailItem::Kind::refused:
      connection->output.bytes().append(bytes);
      begin_close(*connection, CloseReason::session_refused);
      break;
    default:
      begin_close(*connection, CloseReason::session_moved);  // Void.
      break;
  }
}

void Front::State::deliver_event(const MailItem& item, ByteView bytes) {
  ensure(item.connection.slot < connections.size(), "only this front's connections watch in its table");
  Connection& connection = *connections[item.connection.slot];
  if (connection.phase != Phase::serving) {
    return;
  }
  const std::size_t before = connection.output.bytes().size();
  connection.output.bytes().append(bytes);
  ++stats.events_sent;
  stats.event_bytes += bytes.size();
  queued_output(connection, before);
}

void Front::State::deliver_reply(Connection& connection, const MailItem& item, ByteView bytes) {
  ensure(!connection.unanswered.empty(), "a reply answers a write");
  const Unanswered write = pop_unanswered(connection);
  ensure(!write.is_refused, "refused writes are answered here, in their turn");
  const std::size_t before = connection.output.bytes().size();
  connection.output.bytes().append(bytes);
  connection.last_zxid = item.zxid;
  record_latency(connection, write.received, true);
  if (!connection.reported_wants_input && connection.phase == Phase::serving) {
    touch(connection);  // Its pings are not read: the silence is not its own (protocol 8.2).
  }
  queued_output(connection, before);
  if (item.kind == MailItem::Kind::reply_then_close) {
    begin_close(connection, CloseReason::session_closed);
    return;
  }
  answer_refused_ones(connection);
  if (!connection.input.empty()) {
    make_ready(connection);
  }
}

// -7 for writes that never got a number, each in its place among the replies.
void Front::State::answer_refused_ones(Connection& connection) {
  while (!connection.unanswered.empty() && connection.unanswered.front().is_refused) {
    const Unanswered write = pop_unanswered(connection);
    answer_status(connection, write.xid, tree::Status::operation_timeout);
    if (!connection.input.empty()) {
      make_ready(connection);
    }
  }
}

Unanswered Front::State::pop_unanswered(Connection& connection) {
  const Unanswered write = connection.unanswered.pop_front();
  ++connection.first_ordinal;
  --stats.outstanding;
  outstanding_bytes -= write.bytes;
  large_bytes -= write.large_bytes;
  return write;
}

// The session is gone, or has moved to another generation: who holds it here loses the connection (protocol 8.4, 8.5).
void Front::State::close_session_holder(SessionId session, CloseReason reason,
                                        std::optional<std::uint32_t> but_generation) {
  const auto holder = holders.find(session);
  if (holder == holders.end()) {
    return;
  }
  Connection& connection = *connections[holder->second];
  ensure(connection.session == session, "a holder holds its session");
  if (!but_generation || connection.generation != *but_generation) {
    begin_close(connection, reason);
  }
}

void Front::State::begin_close(Connection& connection, CloseReason reason, bool abort) {
  if (connection.phase == Phase::closing) {
    return;  // Nothing more is queued for it: what closes it later has nothing to add.
  }
  connection.abort = abort;
  forget_unanswered(connection);
  release_session(connection);
  connection.phase = Phase::closing;
  connection.close_reason = reason;
  release_input(connection);
  act(connection);
}

// Submissions view the input of their connection: while there are any, it goes with them.
void Front::State::release_input(Connection& connection) {
  if (submissions.empty()) {
    connection.input.release();
  } else {
    unreleased_inputs.push_back(connection.self.slot);
  }
}

void Front::State::forget_unanswered(Connection& connection) {
  while (!connection.unanswered.empty()) {
    pop_unanswered(connection);
  }
  connection.unanswered.reset();
}

void Front::State::release_session(Connection& connection) {
  const auto holder = holders.find(connection.session);
  if (holder != holders.end() && holder->second == connection.self.slot) {
    holders.erase(holder);
  }
}

void Front::State::drop_watches_of_closed() {
  std::size_t budget = watches_dropped_a_call;
  while (!dead_slots.empty() && budget > 0) {
    const tree::WatcherId watcher{dead_slots.back()};
    const std::size_t watching = watches.watch_count(watcher);
    if (!watches.drop(watcher, budget)) {
      return;
    }
    budget -= std::min(budget, watching + 1);
    unwatched_slots.push_back(dead_slots.back());
    dead_slots.pop_back();
  }
}

// After the drain that follows the drop no event for the slot's last life can be on its way.
void Front::State::recycle_slots() {
  for (const std::uint32_t slot : unwatched_slots) {
    connections[slot]->phase = Phase::free;
    free_slots.push_back(slot);
  }
  unwatched_slots.clear();
}

void Front::State::act(Connection& connection) {
  count_output(connection);  // Whoever appends comes by here.
  if (!connection.has_action) {
    connection.has_action = true;
    actions.push_back(connection.self.slot);
  }
}

void Front::State::make_ready(Connection& connection) {
  if (!connection.is_ready) {
    connection.is_ready = true;
    ready.push_back(connection.self.slot);
  }
}

void Front::State::hold_back(Connection& connection) {
  if (!std::exchange(connection.is_paused, true)) {
    paused.push_back(connection.self.slot);
  }
}

void Front::State::release_paused() {
  writes_are_held = false;
  for (const std::uint32_t slot : paused) {
    Connection& connection = *connections[slot];
    if (connection.is_paused) {
      connection.is_paused = false;
      make_ready(connection);
    }
  }
  paused.clear();
}

bool Front::State::wants_input(const Connection& connection) const {
  const bool understands = connection.phase == Phase::handshake || connection.phase == Phase::connecting ||
                           connection.phase == Phase::serving;
  const std::size_t input_bytes_max =
      std::max(config.pipeline_bytes_max, config.frame_bytes_max + sizeof(std::int32_t));
  const bool held_back =
      connection.is_paused || (stats.outstanding >= config.outstanding_max && !connection.unanswered.empty());
  return understands && !connection.input_closed && connection.input.size() < input_bytes_max &&
         connection.output.size() <= config.outgoing_bytes_pause && !held_back;
}

void Front::State::update_wants_input(Connection& connection) {
  const bool wants = wants_input(connection);
  if (wants != connection.reported_wants_input) {
    connection.reported_wants_input = wants;
    if (connection.phase == Phase::serving) {
      touch(connection);  // What it said while nothing was read could not be heard: its silence begins now.
      if (!wants) {
        unheard.push_back(connection.self.slot);
      }
    }
    act(connection);
  }
}

// By this server, that is: who does not take its replies has itself to blame.
bool Front::State::is_kept_from_speaking(const Connection& connection) const {
  return connection.phase == Phase::serving && !connection.reported_wants_input && !connection.input_closed &&
         connection.output.size() <= config.outgoing_bytes_pause;
}

// They may be waiting for their turn for longer than their sessions' timeouts (protocol 8.2, 14.6).
void Front::State::touch_unheard_ones() {
  std::erase_if(unheard, [this](std::uint32_t slot) {
    const Connection& connection = *connections[slot];
    return connection.phase != Phase::serving || connection.reported_wants_input;
  });
  for (const std::uint32_t slot : unheard) {
    if (is_kept_from_speaking(*connections[slot])) {
      touch(*connections[slot]);
    }
  }
}

void Front::State::queued_output(Connection& connection, std::size_t before) {
  const std::size_t added = connection.output.bytes().size() - before;
  ++connection.traffic.packets_sent;
  ++stats.since_reset.traffic.packets_sent;
  const auto bytes = static_cast<std::int64_t>(added);
  stats.reply_bytes_last = bytes;
  stats.reply_bytes_min = stats.reply_bytes_min < 0 ? bytes : std::min(stats.reply_bytes_min, bytes);
  stats.reply_bytes_max = std::max(stats.reply_bytes_max, bytes);
  bound_output(connection, added);
}

// A reader that does not read loses its connection; a single large reply to one that does is no reason (S-203).
void Front::State::bound_output(Connection& connection, std::size_t added) {
  act(connection);
  if (connection.output.size() - added > config.outgoing_bytes_max) {
    ++stats.slow_readers_closed;
    begin_close(connection, CloseReason::slow_reader, true);
  }
}

void Front::State::count_output(Connection& connection) {
  queued_bytes -= connection.counted_output;
  connection.counted_output = connection.output.size();
  queued_bytes += connection.counted_output;
}

void Front::State::touch(Connection& connection) {
  connection.touched = now;
  if (!connection.is_touched) {
    connection.is_touched = true;
    touched.push_back(connection.self.slot);
  }
}

}  // namespace quorate::replica
