#include "server/client_port.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <optional>
#include <span>
#include <utility>

#include "base/ensure.hpp"
#include "server/logging.hpp"
#include "server/loop_tags.hpp"

namespace quorate::server {

namespace {

constexpr std::size_t block_bytes = 128U << 10;
constexpr int accepts_a_turn = 64;
// Descriptors that clients never get: files, wakers, and what a snapshot opens.
constexpr std::size_t descriptors_kept = 64;
constexpr std::int64_t linger_ms = 2000;
// A closing connection whose other side takes nothing for this long is cut off: the front counts it no more, and what
// it still holds (a descriptor, a buffer, a place among its address's connections) must not stay for ever (S-203).
constexpr std::int64_t close_patience_ms = 10'000;
// And one that takes a few bytes now and then is cut off all the same.
constexpr std::int64_t close_total_ms = 60'000;

}  // namespace

ClientPort::ClientPort(ClientPortConfig config, net::Poller& poller, replica::Front& front,
                       std::vector<net::Listener> listeners)
    : config_(config),
      poller_(poller),
      front_(front),
      listeners_(std::move(listeners)),
      block_(block_bytes, '\0'),
      close_lines_(front.config().frame_bytes_max) {}

void ClientPort::open() {
  const std::size_t kept = kept_descriptors();
  if (config_.descriptors_max < 2 * descriptors_kept) {
    log_warning(fmt::format("only {} descriptors may be open (ulimit -n), so no more than {} clients are served",
                            config_.descriptors_max, config_.descriptors_max - kept));
  }
  for (std::size_t position = 0; position < listeners_.size(); ++position) {
    const net::Tag tag = make_tag(TagKind::listener, static_cast<std::uint32_t>(position));
    ensure(poller_.add(listeners_[position].number(), net::Interest::input_level, tag).has_value(),
           "a listener is watched before clients can exhaust anything");
  }
}

// A small limit must not lock every client out.
std::size_t ClientPort::kept_descriptors() const {
  return std::min(descriptors_kept, config_.descriptors_max / 4);
}

// Level-triggered reports of clients that cannot be accepted would keep the loop from waiting. A change, unlike
// removing and adding again, asks the system for no memory.
void ClientPort::pause_listeners() {
  if (!std::exchange(paused_, true)) {
    report_clients(net::Interest::input_edge);
  }
}

void ClientPort::report_clients(net::Interest interest) {
  for (std::size_t position = 0; position < listeners_.size(); ++position) {
    poller_.change(listeners_[position].number(), interest,
                   make_tag(TagKind::listener, static_cast<std::uint32_t>(position)));
  }
}

void ClientPort::close_listeners() {
  listeners_.clear();
}

std::string_view ClientPort::host_of(replica::ConnectionRef connection) const {
  const bool is_here = connection.slot < connections_.size() && connections_[connection.slot].life == connection.life;
  return is_here ? std::string_view(connections_[connection.slot].host) : std::string_view();
}

void ClientPort::on_ready(const net::Ready& ready, MonoTime now) {
  const std::uint32_t slot = slot_of(ready.tag);
  now_ = now;
  switch (kind_of(ready.tag)) {
    case TagKind::listener:
      if (slot < listeners_.size()) {
        accept(listeners_[slot], now);
      }
      return;
    case TagKind::lingering:
      drain(slot);
      return;
    default:
      break;
  }
  if (slot >= connections_.size() || !connections_[slot].stream.is_open() ||
      tag_of(ref_of(slot, connections_[slot])) != ready.tag) {
    return;  // It was closed earlier in this turn.
  }
  Connection& connection = connections_[slot];
  connection.hangup = connection.hangup || ready.hangup;
  if (ready.input) {
    enqueue(slot);
  }
  if (ready.output && connection.blocked) {
    connection.blocked = false;
    poller_.change(connection.stream.number(), net::Interest::input_edge, ready.tag);
    send(slot);
  }
}

void ClientPort::accept(net::Listener& listener, MonoTime now) {
  for (int count = 0; count < accepts_a_turn; ++count) {
    net::Listener::Accepted accepted;
    switch (listener.accept(accepted)) {
      case net::Listener::Outcome::none:
        return;
      case net::Listener::Outcome::exhausted:
        note_refusal("a client", "the system has no memory for its connection", now);
        pause_listeners();
        return;
      case net::Listener::Outcome::refused:
        note_refusal("a client", "no descriptor is left", now);
        break;
      case net::Listener::Outcome::accepted:
        admit(std::move(accepted), now);
        break;
    }
  }
}

bool ClientPort::has_room_for(const std::string& host) const {
  const auto same_host = per_host_.find(host);
  return config_.per_address_max == 0 || same_host == per_host_.end() || same_host->second < config_.per_address_max;
}

// At a limit the connection is closed hard, without a byte (protocol 14.1).
void ClientPort::admit(net::Listener::Accepted&& accepted, MonoTime now) {
  std::string host = accepted.peer.host();
  const char* limit = nullptr;
  if (!has_room_for(host)) {
    limit = "maxClientCnxns is reached for this address";
  } else if (config_.total_max != 0 && open_ >= config_.total_max) {
    limit = "maxCnxns is reached";
  } else if (open_ + (lingering_.size() - free_lingering_.size()) + kept_descriptors() >= config_.descriptors_max) {
    limit = "the limit of open descriptors is near";
  }
  if (limit != nullptr) {
    note_refusal(host, limit, now);
    accepted.stream.abort();
    return;
  }
  if (config_.keep_alive) {
    accepted.stream.keep_alive();
  }
  const replica::ConnectionRef ref = front_.open(host, accepted.peer.port(), now);
  if (ref.slot >= connections_.size()) {
    connections_.resize(ref.slot + 1U);
  }
  Connection& connection = connections_[ref.slot];
  ensure(!connection.stream.is_open(), "the front reuses a slot only after it was told that its socket is gone");
  connection = Connection{
      .stream = std::move(accepted.stream), .life = ref.life, .host = std::move(host), .port = accepted.peer.port()};
  if (!poller_.add(connection.stream.number(), net::Interest::input_edge, tag_of(ref))) {
    front_.closed(ref);
    connection.stream.abort();
    return;
  }
  ++per_host_[connection.host];
  ++open_;
  ++stats_.accepted;
  log_debug(fmt::format("connection from {}:{}", connection.host, accepted.peer.port()));
}

// One line a second, however many there are.
void ClientPort::note_refusal(const std::string& host, const char* why, MonoTime now) {
  ++stats_.refused;
  if (const std::optional<std::uint64_t> unsaid = refusal_lines_.admit(now)) {
    log_warning(fmt::format("refused {}: {} ({} more since the last such line)", host, why, *unsaid));
  }
}

void ClientPort::enqueue(std::uint32_t slot) {
  Connection& connection = connections_[slot];
  if (!connection.queued) {
    connection.queued = true;
    readable_.push_back(slot);
  }
}

void ClientPort::read(MonoTime now) {
  now_ = now;
  std::swap(readable_, batch_);
  busy_ = batch_.size();
  for (const std::uint32_t slot : batch_) {
    connections_[slot].queued = false;
    read_one(slot, now);
  }
  batch_.clear();
}

void ClientPort::read_one(std::uint32_t slot, MonoTime now) {
  Connection& connection = connections_[slot];
  if (!connection.stream.is_open() || connection.closing) {
    return;
  }
  const replica::ConnectionRef ref = ref_of(slot, connection);
  if (!front_.wants_input(ref)) {
    connection.parked = true;  // The front announces when that changes.
    return;
  }
  const net::Transfer got = connection.stream.read(std::span(block_));
  if (got.bytes > 0) {
    front_.receive(ref, ByteView(block_.data(), got.bytes), now);
  }
  if (got.ended) {
    log_debug(fmt::format("the client at {}:{} closed its connection", connection.host, connection.port));
    forget(slot);
  } else if (!got.blocked || connection.hangup) {
    enqueue(slot);
  }
}

void ClientPort::obey() {
  front_.take_actions(actions_);
  for (const replica::Front::Action& action : actions_) {
    const std::uint32_t slot = action.connection.slot;
    if (slot >= connections_.size() || !connections_[slot].stream.is_open() ||
        connections_[slot].life != action.connection.life) {
      continue;
    }
    Connection& connection = connections_[slot];
    if (action.close && !connection.closing) {
      begin_close(slot, action);
    }
    if (action.abort) {
      // With a reset if the kernel still holds bytes, so that they go too; else with an end, as ZooKeeper's (1.8).
      if (connection.blocked) {
        connection.stream.abort();
      }
      forget(slot);
      continue;
    }
    if (connection.parked && front_.wants_input(action.connection)) {
      connection.parked = false;
      enqueue(slot);
    }
    if (!connection.blocked) {
      send(slot);
    }
  }
}

void ClientPort::begin_close(std::uint32_t slot, const replica::Front::Action& action) {
  Connection& connection = connections_[slot];
  connection.closing = true;
  connection.close_deadline = after_ms(now_, close_patience_ms);
  connection.close_end = after_ms(now_, close_total_ms);
  ++closing_;
  if (const std::optional<EventLine> line = close_lines_.line_for(action, connection.host, connection.port, now_)) {
    log_line(*line);
  }
}

void ClientPort::send(std::uint32_t slot) {
  Connection& connection = connections_[slot];
  const replica::ConnectionRef ref = ref_of(slot, connection);
  const std::string_view bytes = front_.outgoing(ref);
  if (!bytes.empty()) {
    const net::Transfer sent = connection.stream.send(bytes);
    front_.sent(ref, sent.bytes);
    if (sent.bytes > 0 && connection.closing) {
      connection.close_deadline = std::min(after_ms(now_, close_patience_ms), connection.close_end);
    }
    if (sent.ended) {
      forget(slot);
      return;
    }
    if (sent.blocked) {
      connection.blocked = true;
      poller_.change(connection.stream.number(), net::Interest::input_or_output, tag_of(ref));
      return;
    }
  }
  if (connection.closing) {
    linger(slot);
  }
}

void ClientPort::forget(std::uint32_t slot) {
  Connection& connection = connections_[slot];
  connection.stream.close();
  front_.closed(ref_of(slot, connection));
  closing_ -= connection.closing ? 1U : 0U;
  if (const auto same_host = per_host_.find(connection.host); --same_host->second == 0) {
    per_host_.erase(same_host);
  }
  --open_;
}

void ClientPort::linger(std::uint32_t slot) {
  Connection& connection = connections_[slot];
  connection.stream.finish();
  std::uint32_t position = 0;
  if (free_lingering_.empty()) {
    position = static_cast<std::uint32_t>(lingering_.size());
    lingering_.emplace_back();
  } else {
    position = free_lingering_.back();
    free_lingering_.pop_back();
  }
  lingering_[position].deadline = after_ms(now_, linger_ms);
  poller_.change(connection.stream.number(), net::Interest::input_edge, make_tag(TagKind::lingering, position));
  lingering_[position].stream = std::move(connection.stream);
  forget(slot);
  drain(position);
}

void ClientPort::drain(std::uint32_t position) {
  net::Stream& stream = lingering_[position].stream;
  if (!stream.is_open()) {
    return;
  }
  // A few blocks a report: who goes on sending is cut off by the deadline, or here.
  for (int count = 0; count < 4; ++count) {
    const net::Transfer got = stream.read(std::span(block_));
    if (got.ended) {
      stream.close();
      free_lingering_.push_back(position);
      return;
    }
    if (got.bytes == 0) {
      return;
    }
  }
  stream.abort();
  free_lingering_.push_back(position);
}

void ClientPort::tick(MonoTime now) {
  now_ = now;
  if (std::exchange(paused_, false)) {
    report_clients(net::Interest::input_level);
  }
  end_deaf_ones(now);
  end_lingering_ones(now);
}

void ClientPort::end_deaf_ones(MonoTime now) {
  for (std::uint32_t slot = 0; slot < connections_.size() && closing_ > 0; ++slot) {
    Connection& connection = connections_[slot];
    if (connection.stream.is_open() && connection.closing && connection.close_deadline <= now) {
      connection.stream.abort();
      forget(slot);
    }
  }
}

void ClientPort::end_lingering_ones(MonoTime now) {
  if (free_lingering_.size() == lingering_.size()) {
    return;
  }
  for (std::uint32_t position = 0; position < lingering_.size(); ++position) {
    Lingering& each = lingering_[position];
    if (each.stream.is_open() && each.deadline <= now) {
      each.stream.close();
      free_lingering_.push_back(position);
    }
  }
}

}  // namespace quorate::server
