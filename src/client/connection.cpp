#include "client/connection.hpp"

#include <array>
#include <limits>
#include <utility>

#include "base/ensure.hpp"
#include "wire/jute.hpp"
#include "wire/packing.hpp"

namespace quorate::client {

namespace {

constexpr std::int32_t event_xid = -1;
constexpr std::int32_t ping_xid = -2;
constexpr std::size_t length_bytes = 4;
constexpr std::size_t reply_header_bytes = 16;
constexpr std::size_t xid_offset = length_bytes;
constexpr std::int32_t error_session_expired = -112;

void write_connect_request(std::string& out, const Settings& settings) {
  constexpr std::array<char, limits::password_bytes> no_password{};
  wire::Writer writer(out);
  const std::size_t frame = writer.begin_frame();
  writer.write_int(0);
  writer.write_long(raw(settings.last_zxid_seen));
  writer.write_int(settings.timeout_ms);
  writer.write_long(raw(settings.session));
  writer.write_buffer(settings.password.empty() ? ByteView(no_password.data(), no_password.size())
                                                : ByteView(settings.password));
  writer.write_bool(false);
  writer.end_frame(frame);
}

void write_frame(std::string& out, std::int32_t xid, wire::Opcode opcode, ByteView body) {
  wire::Writer writer(out);
  const std::size_t frame = writer.begin_frame();
  writer.write_int(xid);
  writer.write_int(std::to_underlying(opcode));
  out.append(body);
  writer.end_frame(frame);
}

}  // namespace

std::string make_frame(wire::Opcode opcode, ByteView body) {
  std::string frame;
  write_frame(frame, 0, opcode, body);
  return frame;
}

Connection::Connection(const Settings& settings)
    : frame_bytes_max_(settings.frame_bytes_max),
      timeout_ms_(settings.timeout_ms),
      last_zxid_(settings.last_zxid_seen) {
  ensure(settings.frame_bytes_max <= limits::frame_bytes_ceiling, "a frame's bound lies within what memory allows");
  write_connect_request(output_, settings);
}

std::int32_t Connection::take_xid() {
  const std::int32_t xid = next_xid_;
  // Negative numbers have meanings of their own (protocol 2.1).
  next_xid_ = xid == std::numeric_limits<std::int32_t>::max() ? 1 : xid + 1;
  return xid;
}

std::int32_t Connection::submit(wire::Opcode opcode, ByteView body, std::uint64_t tag) {
  ensure(stage_ == Stage::open, "requests follow the handshake and end with closeSession");
  const std::int32_t xid = take_xid();
  pending_.push(Pending{.xid = xid, .tag = tag});
  write_frame(output_, xid, opcode, body);
  sent_since_tick_ = true;
  return xid;
}

std::int32_t Connection::submit_frame(ByteView frame, std::uint64_t tag) {
  ensure(stage_ == Stage::open, "requests follow the handshake and end with closeSession");
  ensure(frame.size() >= frame_prefix_bytes, "a frame has a length and a header");
  const std::int32_t xid = take_xid();
  pending_.push(Pending{.xid = xid, .tag = tag});
  const std::size_t start = output_.size();
  output_.append(frame);
  wire::put_big(output_.data() + start + xid_offset, xid);
  sent_since_tick_ = true;
  return xid;
}

std::int32_t Connection::submit_close(std::uint64_t tag) {
  const std::int32_t xid = submit(wire::Opcode::close_session, {}, tag);
  stage_ = Stage::closing;
  return xid;
}

void Connection::receive(ByteView bytes) {
  ensure(input_taken_ == input_.size(), "what arrived is taken out before more is handed in");
  if (failure_) {
    return;
  }
  heard_since_tick_ = heard_since_tick_ || !bytes.empty();
  input_taken_ = 0;
  if (kept_.empty()) {
    input_ = bytes;
    return;
  }
  kept_.append(bytes);
  input_ = kept_;
}

void Connection::keep_rest() {
  if (input_.data() == kept_.data()) {
    kept_.erase(0, input_taken_);
  } else {
    kept_.assign(input_.substr(input_taken_));
  }
  input_ = {};
  input_taken_ = 0;
}

bool Connection::next(Incoming& into) {
  while (!failure_) {
    const ByteView rest = input_.substr(input_taken_);
    if (rest.size() < length_bytes) {
      break;
    }
    const std::int32_t length = wire::Reader(rest).read_int();
    if (length < 0 || static_cast<std::size_t>(length) > frame_bytes_max_) {
      return fail_with(ErrorCode::invalid, "the server sent a frame of " + std::to_string(length) + " bytes; at most " +
                                               std::to_string(frame_bytes_max_) + " are taken");
    }
    const std::size_t frame_bytes = length_bytes + static_cast<std::size_t>(length);
    if (rest.size() < frame_bytes) {
      break;
    }
    input_taken_ += frame_bytes;
    if (take_frame(rest.substr(length_bytes, frame_bytes - length_bytes), into)) {
      return true;
    }
  }
  keep_rest();
  return false;
}

bool Connection::take_frame(ByteView frame, Incoming& into) {
  if (stage_ == Stage::handshake) {
    return take_handshake(frame, into);
  }
  if (frame.size() < reply_header_bytes) {
    return fail_with(ErrorCode::invalid,
                     "the server sent a reply of " + std::to_string(frame.size()) + " bytes, shorter than its header");
  }
  wire::Reader reader(frame);
  Reply header;
  header.xid = reader.read_int();
  header.zxid = Zxid{reader.read_long()};
  header.error = reader.read_int();
  header.body = frame.substr(reply_header_bytes);
  // Headers given to one session never go back (protocol 2.2); 0 and -1 stand for "none".
  if (raw(header.zxid) > 0 && header.xid != event_xid) {
    if (header.zxid < last_zxid_) {
      return fail_with(ErrorCode::invalid, "the server went back in time: zxid " + std::to_string(raw(header.zxid)) +
                                               " after " + std::to_string(raw(last_zxid_)));
    }
    last_zxid_ = header.zxid;
  }
  if (header.xid == ping_xid) {
    if (pings_pending_ == 0) {
      return fail_with(ErrorCode::invalid, "the server answered a ping that was never sent");
    }
    --pings_pending_;
    return false;
  }
  return header.xid == event_xid ? take_event(header, into) : take_reply(header, into);
}

bool Connection::take_handshake(ByteView frame, Incoming& into) {
  wire::Reader reader(frame);
  (void)reader.read_int();  // The protocol's version, always 0 (protocol 1.4).
  const std::int32_t timeout_ms = reader.read_int();
  const SessionId session{reader.read_long()};
  const ByteView password = reader.read_buffer();
  if (!reader.ok() || password.size() != limits::password_bytes) {
    return fail_with(ErrorCode::invalid, "the server's answer to the handshake does not decode");
  }
  if (raw(session) == 0 || timeout_ms <= 0) {
    return fail_with(ErrorCode::refused, "the server refused the session: expired, or the password is wrong");
  }
  stage_ = Stage::open;
  session_ = session;
  timeout_ms_ = timeout_ms;
  into = SessionOpened{.session = session, .timeout_ms = timeout_ms, .password = password};
  return true;
}

bool Connection::take_reply(const Reply& header, Incoming& into) {
  if (pending_.empty()) {
    return fail_with(ErrorCode::invalid,
                     "the server sent a reply, xid " + std::to_string(header.xid) + ", while no request was under way");
  }
  const Pending expected = pending_.front();
  if (header.xid != expected.xid) {
    return fail_with(ErrorCode::invalid, "the server answered xid " + std::to_string(header.xid) + " where xid " +
                                             std::to_string(expected.xid) + " was next");
  }
  pending_.pop();
  if (header.error == error_session_expired) {
    stage_ = Stage::closing;
  }
  Reply reply = header;
  reply.tag = expected.tag;
  into = reply;
  return true;
}

bool Connection::take_event(const Reply& header, Incoming& into) {
  wire::Reader reader(header.body);
  const std::int32_t type = reader.read_int();
  const std::int32_t state = reader.read_int();
  const std::string_view path = reader.read_string();
  if (!reader.ok()) {
    return fail_with(ErrorCode::invalid, "the server sent a watch event that does not decode");
  }
  into = WatchEvent{.zxid = header.zxid, .type = type, .state = state, .path = path};
  return true;
}

bool Connection::fail_with(ErrorCode code, std::string message) {
  failure_ = Error{.code = code, .message = std::move(message)};
  stage_ = Stage::failed;
  input_taken_ = input_.size();
  return false;
}

void Connection::sent(std::size_t bytes) {
  ensure(bytes <= output_.size() - output_sent_, "no more is sent than there was");
  output_sent_ += bytes;
  if (output_sent_ == output_.size()) {
    output_.clear();
    output_sent_ = 0;
  }
}

void Connection::tick(MonoTime now) {
  if (failure_) {
    return;
  }
  if (std::exchange(sent_since_tick_, false)) {
    last_sent_ = now;
  }
  if (std::exchange(heard_since_tick_, false)) {
    last_heard_ = now;
  }
  const std::int64_t third_us = std::int64_t{timeout_ms_} * 1000 / 3;
  if (elapsed_us(last_heard_, now) >= 2 * third_us) {
    (void)fail_with(ErrorCode::io, "the server has been silent for two thirds of the session's timeout");
    return;
  }
  if (stage_ == Stage::open && pings_pending_ == 0 && elapsed_us(last_sent_, now) >= third_us) {
    write_frame(output_, ping_xid, wire::Opcode::ping, {});
    ++pings_pending_;
    last_sent_ = now;
  }
}

}  // namespace quorate::client
