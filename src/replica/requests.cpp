// Frames become requests, in order (protocol 1.1, 2): writes in a row are under way together, anything else behind an
// unanswered write waits, and what follows it waits too.

#include <algorithm>
#include <array>
#include <utility>

#include "base/ensure.hpp"
#include "replica/front_state.hpp"
#include "wire/jute.hpp"
#include "wire/replies.hpp"

namespace quorate::replica {
namespace {

constexpr std::size_t length_bytes = 4;
constexpr std::size_t slice_requests = 64;  // Of one connection, before others have their turn.
constexpr std::size_t look_ahead_requests = 16;
constexpr std::size_t look_ahead_znodes_min = 1U << 16;  // Fewer are in the processor's caches anyway.
constexpr std::size_t serve_requests_max = 1U << 14;     // Of one call: the shell's other work must not starve.
constexpr std::size_t slice_heavy_bytes = 1U << 20;      // Gathered for one connection, before others have their turn.
constexpr std::size_t heavy_bytes_a_request = 256;       // What costs about as much as a request.

}  // namespace

bool Front::State::serve_ready() {
  std::size_t served = 0;
  while (!ready.empty() && served < serve_requests_max) {
    Connection& connection = *connections[ready.pop_front()];
    if (!std::exchange(connection.is_ready, false) || find(connection.self) == nullptr) {
      continue;  // The slot changed hands since it was noted.
    }
    served += 1 + serve_connection(connection);
    if (connection.watches_being_set) {
      served = serve_requests_max;  // Its slice was this call's share.
    }
    update_wants_input(connection);
  }
  return !ready.empty();
}

// Pipelined reads stand behind one another: what the later ones will touch is fetched while the first are answered.
void Front::State::look_ahead(const Connection& connection) const {
  if (connection.phase != Phase::serving || tree->znode_count() < look_ahead_znodes_min) {
    return;
  }
  std::array<tree::PathHint, look_ahead_requests> hints{};
  std::size_t known = 0;
  ByteView input = connection.input.view();
  while (known < hints.size() && input.size() >= length_bytes) {
    const std::int32_t length = wire::Reader(input).read_int();
    if (length < 0 || static_cast<std::size_t>(length) > input.size() - length_bytes) {
      break;
    }
    const ByteView frame = input.substr(length_bytes, static_cast<std::size_t>(length));
    input.remove_prefix(length_bytes + frame.size());
    wire::Reader reader(frame);
    reader.read_int();  // The xid.
    const wire::OpcodeInfo* info = wire::find_opcode(reader.read_int());
    if (info == nullptr || info->op_class != wire::OpClass::read) {
      break;  // What follows a write waits for it.
    }
    hints.at(known) = tree->prefetch(reader.read_string());
    ++known;
  }
  for (std::size_t i = 0; i < known && known > 1; ++i) {
    tree->prefetch(hints.at(i));
  }
}

// Serves a slice of what the connection has sent; how many requests that were.
std::size_t Front::State::serve_connection(Connection& connection) {
  std::size_t served = 0;
  bool goes_on = may_go_on(connection);
  if (goes_on) {
    look_ahead(connection);
  }
  for (; goes_on; goes_on = may_go_on(connection)) {
    if (served == slice_requests || heavy_bytes >= slice_heavy_bytes) {
      make_ready(connection);
      break;
    }
    const ByteView input = connection.input.view();
    if (input.size() < length_bytes) {
      break;
    }
    if (connection.phase == Phase::handshake && handle_admin_word(connection)) {
      break;
    }
    const std::int32_t length = wire::Reader(input).read_int();
    if (length < 0 || static_cast<std::size_t>(length) > config.frame_bytes_max) {
      if (connection.unanswered.empty()) {
        connection.refused_length = length;
        malformed(connection, CloseReason::frame_too_large);
      }
      break;
    }
    const auto frame_bytes = static_cast<std::size_t>(length);
    if (input.size() - length_bytes < frame_bytes ||
        !handle_frame(connection, input.substr(length_bytes, frame_bytes))) {
      break;
    }
    ++served;
    ++connection.traffic.packets_received;
    ++stats.since_reset.traffic.packets_received;
    if (connection.phase == Phase::closing) {
      break;
    }
    connection.input.consume(length_bytes + frame_bytes);
    connection.input_consumed += length_bytes + frame_bytes;
    while (!connection.arrivals.empty() && connection.arrivals.front().end <= connection.input_consumed) {
      connection.arrivals.pop_front();
    }
  }
  return served + std::exchange(heavy_bytes, 0) / heavy_bytes_a_request;
}

bool Front::State::may_go_on(Connection& connection) {
  const bool understands = connection.phase == Phase::serving || connection.phase == Phase::handshake;
  if (!understands || connection.input_closed || connection.output.size() > config.outgoing_bytes_pause) {
    return false;
  }
  // What leaves of its output makes it ready again; with nothing waiting it goes on, however much the others have.
  if (queued_bytes > config.queued_bytes_max && !connection.output.empty()) {
    return false;
  }
  if (is_throttled() && connection.phase == Phase::serving) {
    hold_back(connection);
    return false;
  }
  // Protocol 14.6: a connection without anything under way may always go on.
  if (stats.outstanding >= config.outstanding_max && !connection.unanswered.empty()) {
    hold_back(connection);
    return false;
  }
  return true;
}

// Protocol 14.2. ZooKeeper looks again after each stall time; here room is noticed when it is made.
bool Front::State::is_throttled() const {
  return config.request_throttle_max > 0 && stats.outstanding >= config.request_throttle_max;
}

// Back-pressure by bytes (protocol 14.6: invisible but for speed). Alone, a write of any size may go on.
bool Front::State::must_wait_for_bytes(std::size_t bytes) const {
  return outstanding_bytes > 0 && (writes_are_held || outstanding_bytes + bytes > config.outstanding_bytes_max);
}

// Protocol 14.4.
bool Front::State::is_large(std::size_t frame_bytes) const {
  return config.large_request_threshold >= 0 && frame_bytes > static_cast<std::size_t>(config.large_request_threshold);
}

bool Front::State::has_whole_frame(const Connection& connection) const {
  const ByteView input = connection.input.view();
  if (input.size() < length_bytes) {
    return false;
  }
  const std::int32_t length = wire::Reader(input).read_int();
  return length >= 0 && static_cast<std::size_t>(length) <= input.size() - length_bytes;
}

bool Front::State::handle_frame(Connection& connection, ByteView frame) {
  if (is_large(frame.size()) && large_bytes + frame.size() > config.large_request_bytes_max) {
    ++stats.large_requests_rejected;  // Protocol 14.4, 2.5 step 1: whatever the frame holds, a handshake's too.
    begin_close(connection, CloseReason::large_requests);
    return true;
  }
  if (connection.phase == Phase::handshake) {
    handle_connect(connection, frame);
    return true;
  }
  const auto header = wire::decode_header(frame);
  const wire::OpcodeInfo* info = header ? wire::find_opcode(header->type) : nullptr;
  const bool is_write = info != nullptr && info->op_class == wire::OpClass::write && info->from_client &&
                        info->opcode != wire::Opcode::reconfig && connection.is_authenticated;
  if (config.drops_late_requests && !connection.watches_being_set && is_late(connection, info, frame.size())) {
    ++stats.late_requests_dropped;
    begin_close(connection, CloseReason::stale_request);
    return true;
  }
  if (is_write && must_wait_for_bytes(frame.size() + connection.credentials_bytes)) {
    writes_are_held = true;
    hold_back(connection);
    return false;
  }
  if (is_write && handle_write(connection, *header, *info, frame)) {
    return true;
  }
  if (!connection.unanswered.empty()) {
    return false;
  }
  if (!header) {
    malformed(connection, CloseReason::malformed_request);
    return true;
  }
  const bool is_done = handle_local(connection, *header, info, frame.substr(wire::request_header_bytes));
  if (!is_done) {
    make_ready(connection);
  }
  return is_done;
}

// False: it is no write after all, but an error to be answered here, in its turn. What does not decode never becomes
// an entry (design chapter 3).
bool Front::State::handle_write(Connection& connection, const wire::RequestHeader& header, const wire::OpcodeInfo& info,
                                ByteView frame) {
  const ByteView body = frame.substr(wire::request_header_bytes);
  if (config.throttled_op_wait_ms > 0 && info.opcode != wire::Opcode::close_session &&
      waited_too_long(connection, frame.size())) {
    return false;
  }
  if (wire::decode_request(info.opcode, body, decode_scratch, request) != tree::Status::ok) {
    return false;
  }
  if (config.checks_acls_early && judge_early(connection) != tree::Status::ok) {
    return false;
  }
  const std::size_t large = is_large(frame.size()) ? frame.size() : 0;
  const std::size_t counted = body.size() + connection.credentials_bytes;
  large_bytes += large;
  outstanding_bytes += counted;
  ++stats.outstanding;
  submissions.push_back(Submission{.kind = wire::CommandKind::client_request,
                                   .connection = connection.self,
                                   .session = connection.session,
                                   .generation = connection.generation,
                                   .credentials = connection.credentials.view(),
                                   .credentials_bytes = connection.credentials_bytes,
                                   .xid = header.xid,
                                   .opcode = info.opcode,
                                   .request = body,
                                   .ordinal = connection.first_ordinal + connection.unanswered.size()});
  connection.unanswered.push_back(Unanswered{.received = connection.received,
                                             .xid = header.xid,
                                             .bytes = static_cast<std::uint32_t>(counted),
                                             .large_bytes = static_cast<std::uint32_t>(large)});
  connection.last_operation = info.short_name;
  connection.last_xid = header.xid;
  connection.input_closed = info.opcode == wire::Opcode::close_session;
  return true;
}

// Everything that is answered without the log. Nothing of the connection is under way.
bool Front::State::handle_local(Connection& connection, const wire::RequestHeader& header, const wire::OpcodeInfo* info,
                                ByteView body) {
  ensure(connection.unanswered.empty(), "replies leave in the order of the requests (protocol 2.4)");
  const wire::Opcode opcode = info == nullptr ? wire::Opcode::error : info->opcode;
  connection.last_operation = info == nullptr ? "NA" : info->short_name;
  connection.last_xid = header.xid;
  if (opcode == wire::Opcode::auth) {
    handle_auth(connection, header.xid, body);
    return true;
  }
  if (opcode == wire::Opcode::sasl) {
    handle_sasl(connection, header.xid, body);
    return true;
  }
  const std::size_t before = connection.output.bytes().size();
  if (!connection.is_authenticated) {
    wire::encode_header_only(connection.output.bytes(),
                             {.xid = header.xid, .status = tree::Status::session_closed_require_auth});
    queued_output(connection, before);
    begin_close(connection, CloseReason::not_authenticated);
    return true;
  }
  const bool is_begun = connection.watches_being_set != nullptr;
  const bool may_be_throttled = config.throttled_op_wait_ms > 0 && opcode != wire::Opcode::ping && !is_begun;
  if (may_be_throttled && waited_too_long(connection, wire::request_header_bytes + body.size())) {
    ++stats.operations_throttled;
    answer_status(connection, header.xid, tree::Status::throttled);
    return true;
  }
  if (info == nullptr || !info->from_client) {
    wire::encode_header_only(connection.output.bytes(),
                             {.xid = header.xid, .zxid = Zxid{-1}, .status = tree::Status::unimplemented});
    queued_output(connection, before);
    malformed(connection, CloseReason::unknown_operation);
    return true;
  }
  const bool is_done = dispatch(connection, header, opcode, body);
  connection.last_zxid = tree->last_zxid();
  if (!is_done) {
    bound_output(connection, connection.output.bytes().size() - before);
    return false;
  }
  record_latency(connection, connection.received, false);
  queued_output(connection, before);
  return true;
}

// Appends the reply of a request that is answered here.
bool Front::State::dispatch(Connection& connection, const wire::RequestHeader& header, wire::Opcode opcode,
                            ByteView body) {
  std::string& out = connection.output.bytes();
  wire::ReplyHeader reply{.xid = header.xid, .zxid = tree->last_zxid()};
  if (opcode == wire::Opcode::set_watches || opcode == wire::Opcode::set_watches2) {
    return answer_set_watches(connection, reply, opcode, body);
  }
  reply.status = wire::decode_request(opcode, body, decode_scratch, request);
  if (reply.status == tree::Status::ok && config.checks_acls_early) {
    reply.status = judge_early(connection);
    reply.zxid = reply.status == tree::Status::ok ? reply.zxid : Zxid{};  // Protocol 14.9.
  }
  if (reply.status != tree::Status::ok) {
    wire::encode_header_only(out, reply);
    return true;
  }
  switch (opcode) {
    case wire::Opcode::ping:
      reply.xid = wire::ping_xid;
      wire::encode_header_only(out, reply);
      break;
    case wire::Opcode::sync:
      // Everything that was ever acknowledged is applied here: the leader of one voter is this server, and earlier
      // writes of this connection have been answered. So order alone is the barrier (protocol 10).
      wire::encode_string_reply(out, reply, std::get<wire::PathRequest>(request).path, true);
      break;
    case wire::Opcode::check_watches:
      answer_check_watches(connection, reply, false);
      break;
    case wire::Opcode::remove_watches:
      answer_check_watches(connection, reply, true);
      break;
    case wire::Opcode::add_watch:
      answer_add_watch(connection, reply);
      break;
    case wire::Opcode::reconfig:
      reply.status = tree->switches().reconfig_enabled ? tree::Status::unimplemented : tree::Status::reconfig_disabled;
      wire::encode_header_only(out, reply);
      break;
    default:
      answer_read(connection, reply, opcode);
      break;
  }
  return true;
}

std::int64_t Front::State::waited_us(Connection& connection, std::size_t frame_bytes) {
  const std::uint64_t end = connection.input_consumed + length_bytes + frame_bytes;
  while (connection.arrivals.size() > 1 && connection.arrivals.front().end < end) {
    connection.arrivals.pop_front();
  }
  return connection.arrivals.empty() ? 0 : elapsed_us(connection.arrivals.front().at, now);
}

// Protocol 14.3.
bool Front::State::waited_too_long(Connection& connection, std::size_t frame_bytes) {
  return waited_us(connection, frame_bytes) > config.throttled_op_wait_ms * 1000;
}

// Protocol 14.2. The client has given up on it, unless it says goodbye.
bool Front::State::is_late(Connection& connection, const wire::OpcodeInfo* info, std::size_t frame_bytes) {
  const bool says_goodbye = info != nullptr && info->opcode == wire::Opcode::close_session;
  return !says_goodbye && waited_us(connection, frame_bytes) > std::int64_t{connection.timeout_ms} * 1000;
}

void Front::State::answer_status(Connection& connection, std::int32_t xid, tree::Status status) {
  const std::size_t before = connection.output.bytes().size();
  wire::encode_header_only(connection.output.bytes(), {.xid = xid, .zxid = tree->last_zxid(), .status = status});
  queued_output(connection, before);
}

void Front::State::malformed(Connection& connection, CloseReason reason) {
  ++stats.malformed_closed;
  begin_close(connection, reason);
}

void Front::State::record_latency(Connection& connection, MonoTime received, bool is_write) {
  const std::int64_t latency = std::max<std::int64_t>(0, elapsed_us(received, now));
  Histogram& histogram = is_write ? stats.write_latency_us : stats.read_latency_us;
  histogram.record(static_cast<std::uint64_t>(latency));
  stats.since_reset.latency.record(static_cast<std::uint64_t>(latency));
  connection.last_reply = now;
  connection.last_latency_us = latency;
  connection.latency_min_us = connection.latency_count == 0 ? latency : std::min(connection.latency_min_us, latency);
  connection.latency_max_us = std::max(connection.latency_max_us, latency);
  connection.latency_sum_us += latency;
  ++connection.latency_count;
}

}  // namespace quorate::replica
