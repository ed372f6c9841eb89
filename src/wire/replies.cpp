#include "wire/replies.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/ensure.hpp"

namespace quorate::wire {

namespace {

using tree::Status;

constexpr std::size_t length_bytes = 4;
constexpr std::size_t header_bytes = 4 + 8 + 4;
constexpr std::size_t stat_bytes = 68;
constexpr std::int32_t sync_connected = 3;     // The only state that an event carries (protocol 7.2).
constexpr std::int32_t multi_error_type = -1;  // Also the terminator's type.
constexpr std::int32_t no_error = 0;

char* put_header(char* at, const ReplyHeader& header) {
  at = put_big(at, header.xid);
  at = put_big(at, raw(header.zxid));
  return put_big(at, std::to_underlying(header.status));
}

// Length and header of a frame whose payload behind the header has `body_bytes`.
char* put_frame_start(char* at, const ReplyHeader& header, std::size_t body_bytes) {
  return put_header(put_big(at, static_cast<std::int32_t>(header_bytes + body_bytes)), header);
}

char* put_stat(char* at, const tree::Stat& stat) {
  at = put_big(at, raw(stat.czxid));
  at = put_big(at, raw(stat.mzxid));
  at = put_big(at, raw(stat.ctime));
  at = put_big(at, raw(stat.mtime));
  at = put_big(at, stat.version);
  at = put_big(at, stat.cversion);
  at = put_big(at, stat.aversion);
  at = put_big(at, stat.ephemeral_owner);
  at = put_big(at, stat.data_length);
  at = put_big(at, stat.num_children);
  return put_big(at, raw(stat.pzxid));
}

// The start of a frame whose length is filled in at its end.
std::size_t begin_reply(Writer& writer, const ReplyHeader& header) {
  const std::size_t frame = writer.begin_frame();
  writer.write_filled(header_bytes, [&](char* at) { put_header(at, header); });
  return frame;
}

bool is_error(const ReplyHeader& header) {
  return header.status != Status::ok;
}

// In place of what was written since `frame`.
void replace_by_error(std::string& out, std::size_t frame, ReplyHeader header) {
  out.resize(frame);
  header.status = Status::marshalling_error;
  encode_header_only(out, header);
}

void encode_path_reply(std::string& out, const ReplyHeader& header, std::string_view path, const tree::Stat* stat) {
  const std::size_t body = length_bytes + path.size() + (stat == nullptr ? 0 : stat_bytes);
  append_filled(out, length_bytes + header_bytes + body, [&](char* at) {
    at = put_frame_start(at, header, body);
    at = put_bytes(put_big(at, static_cast<std::int32_t>(path.size())), path);
    if (stat != nullptr) {
      put_stat(at, *stat);
    }
  });
}

// (type, done, err) before each result and at the end (protocol 3.14).
void write_multi_header(Writer& writer, std::int32_t type, bool done, std::int32_t error) {
  writer.write_int(type);
  writer.write_bool(done);
  writer.write_int(error);
}

void write_multi_error(Writer& writer, Status status) {
  write_multi_header(writer, multi_error_type, false, std::to_underlying(status));
  writer.write_int(std::to_underlying(status));
}

void write_multi_end(Writer& writer) {
  write_multi_header(writer, multi_error_type, true, -1);
}

void write_multi_result(Writer& writer, Opcode opcode, const tree::OperationResult& result) {
  switch (opcode) {
    case Opcode::create:
      write_multi_header(writer, std::to_underlying(Opcode::create), false, no_error);
      writer.write_string(result.path);
      return;
    case Opcode::create2:
    case Opcode::create_container:
    case Opcode::create_ttl:
      write_multi_header(writer, std::to_underlying(Opcode::create2), false, no_error);
      writer.write_string(result.path);
      write_stat(writer, result.stat);
      return;
    case Opcode::set_data:
      write_multi_header(writer, std::to_underlying(opcode), false, no_error);
      write_stat(writer, result.stat);
      return;
    default:
      ensure(opcode == Opcode::remove || opcode == Opcode::check, "a multi holds creates, deletes, setData and checks");
      write_multi_header(writer, std::to_underlying(opcode), false, no_error);
  }
}

// getACL for those who may not administer: `bob:x` (protocol 3.6).
std::string_view user_of(std::string_view digest_id) {
  return digest_id.substr(0, digest_id.find(':'));
}

void write_masked(Writer& writer, std::string_view digest_id) {
  constexpr std::string_view mask = ":x";
  const std::string_view user = user_of(digest_id);
  writer.write_filled(length_bytes + user.size() + mask.size(), [&](char* at) {
    at = put_big(at, static_cast<std::int32_t>(user.size() + mask.size()));
    put_bytes(put_bytes(at, user), mask);
  });
}

}  // namespace

void encode_connect_reply(std::string& out, const ConnectReply& reply) {
  const std::size_t payload = reply.with_read_only_flag ? 37 : 36;
  append_filled(out, length_bytes + payload, [&](char* at) {
    at = put_big(at, static_cast<std::int32_t>(payload));
    at = put_big(at, std::int32_t{0});  // protocolVersion
    at = put_big(at, reply.timeout_ms);
    at = put_big(at, raw(reply.session));
    at = put_big(at, static_cast<std::int32_t>(reply.password.size()));
    at = std::ranges::copy(reply.password, at).out;
    if (reply.with_read_only_flag) {
      *at = 0;
    }
  });
}

void encode_header_only(std::string& out, const ReplyHeader& header) {
  append_filled(out, length_bytes + header_bytes, [&](char* at) { put_frame_start(at, header, 0); });
}

void encode_write_reply(std::string& out, const ReplyHeader& header, Opcode opcode,
                        const tree::OperationResult& result) {
  if (is_error(header)) {
    encode_header_only(out, header);
    return;
  }
  switch (opcode) {
    case Opcode::create:
      encode_path_reply(out, header, result.path, nullptr);
      return;
    case Opcode::create2:
    case Opcode::create_container:
    case Opcode::create_ttl:
      encode_path_reply(out, header, result.path, &result.stat);
      return;
    case Opcode::set_data:
    case Opcode::set_acl:
      encode_stat_reply(out, header, result.stat);
      return;
    default:
      encode_header_only(out, header);
  }
}

void encode_multi_reply(std::string& out, const ReplyHeader& header, std::span<const Opcode> opcodes,
                        std::span<const tree::OperationResult> results) {
  if (is_error(header)) {
    encode_header_only(out, header);
    return;
  }
  ensure(opcodes.size() == results.size(),
         "a multi has one result an operation: the C client asserts it (protocol 15)");
  const bool failed = std::ranges::any_of(results, [](const auto& result) { return result.status != Status::ok; });
  Writer writer(out);
  const std::size_t frame = begin_reply(writer, header);
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (failed) {
      write_multi_error(writer, results[i].status);
    } else {
      write_multi_result(writer, opcodes[i], results[i]);
    }
  }
  write_multi_end(writer);
  writer.end_frame(frame);
}

void encode_stat_reply(std::string& out, const ReplyHeader& header, const tree::Stat& stat) {
  if (is_error(header)) {
    encode_header_only(out, header);
    return;
  }
  append_filled(out, length_bytes + header_bytes + stat_bytes,
                [&](char* at) { put_stat(put_frame_start(at, header, stat_bytes), stat); });
}

void encode_data_reply(std::string& out, const ReplyHeader& header, ByteView data, const tree::Stat& stat) {
  if (is_error(header)) {
    encode_header_only(out, header);
    return;
  }
  const std::size_t body = length_bytes + data.size() + stat_bytes;
  append_filled(out, length_bytes + header_bytes + body, [&](char* at) {
    at = put_frame_start(at, header, body);
    at = put_big(at, is_null(data) ? -1 : static_cast<std::int32_t>(data.size()));
    put_stat(put_bytes(at, data), stat);
  });
}

void encode_acl_reply(std::string& out, const ReplyHeader& header, tree::AclView acl, const tree::Stat& stat,
                      bool mask_digests) {
  if (is_error(header)) {
    encode_header_only(out, header);
    return;
  }
  Writer writer(out);
  const std::size_t frame = begin_reply(writer, header);
  writer.write_int(static_cast<std::int32_t>(acl.size()));
  for (const tree::AclEntry& entry : acl) {
    writer.write_int(entry.permissions);
    writer.write_string(entry.identity.scheme);
    if (mask_digests && entry.identity.scheme == "digest") {
      write_masked(writer, entry.identity.id);
    } else {
      writer.write_string(entry.identity.id);
    }
  }
  write_stat(writer, stat);
  writer.end_frame(frame);
}

void encode_string_reply(std::string& out, const ReplyHeader& header, std::string_view text, bool null_allowed) {
  if (is_error(header)) {
    encode_header_only(out, header);
    return;
  }
  Writer writer(out);
  const std::size_t frame = begin_reply(writer, header);
  if (null_allowed) {
    writer.write_buffer(text);
  } else {
    writer.write_string(text);
  }
  writer.end_frame(frame);
}

void encode_int_reply(std::string& out, const ReplyHeader& header, std::int32_t value) {
  if (is_error(header)) {
    encode_header_only(out, header);
    return;
  }
  append_filled(out, length_bytes + header_bytes + sizeof value,
                [&](char* at) { put_big(put_frame_start(at, header, sizeof value), value); });
}

void encode_strings_reply(std::string& out, const ReplyHeader& header, std::span<const std::string> values) {
  ListReply reply(out, header);
  for (const std::string& value : values) {
    reply.add(value);
  }
  reply.finish();
}

void encode_who_am_i_reply(std::string& out, const ReplyHeader& header, tree::CredentialsView credentials) {
  if (is_error(header)) {
    encode_header_only(out, header);
    return;
  }
  Writer writer(out);
  const std::size_t frame = begin_reply(writer, header);
  writer.write_int(static_cast<std::int32_t>(credentials.size()));
  for (const tree::Identity& credential : credentials) {
    writer.write_string(credential.scheme);
    writer.write_string(credential.scheme == "digest" ? user_of(credential.id) : credential.id);
  }
  writer.end_frame(frame);
}

void encode_sasl_reply(std::string& out, const ReplyHeader& header, ByteView token) {
  if (is_error(header)) {
    encode_header_only(out, header);
    return;
  }
  Writer writer(out);
  const std::size_t frame = begin_reply(writer, header);
  writer.write_buffer(token);
  writer.end_frame(frame);
}

void encode_event(std::string& out, Zxid zxid, tree::EventType type, std::string_view path) {
  const std::size_t body = 2 * sizeof(std::int32_t) + length_bytes + path.size();
  append_filled(out, length_bytes + header_bytes + body, [&](char* at) {
    at = put_frame_start(at, {.xid = event_xid, .zxid = zxid}, body);
    at = put_big(at, std::to_underlying(type));
    at = put_big(at, sync_connected);
    put_bytes(put_big(at, static_cast<std::int32_t>(path.size())), path);
  });
}

void write_stat(Writer& writer, const tree::Stat& stat) {
  writer.write_filled(stat_bytes, [&](char* at) { put_stat(at, stat); });
}

ListReply::ListReply(std::string& out, const ReplyHeader& header)
    : writer_(out), out_(out), header_(header), frame_(begin_reply(writer_, header)), count_at_(out.size()) {
  if (!is_error(header_)) {
    writer_.write_int(0);
  }
}

void ListReply::add(std::string_view name) {
  ensure(!is_error(header_), "an error has no list");
  if (out_.size() - frame_ + length_bytes + name.size() + stat_bytes > reply_bytes_max) {
    too_long_ = true;
    return;
  }
  writer_.write_string(name);
  ++count_;
}

void ListReply::finish() {
  if (too_long_) {
    replace_by_error(out_, frame_, header_);
    return;
  }
  if (!is_error(header_)) {
    writer_.patch_int(count_at_, count_);
  }
  writer_.end_frame(frame_);
}

void ListReply::finish(const tree::Stat& stat) {
  if (!is_error(header_)) {
    write_stat(writer_, stat);
  }
  finish();
}

MultiReadReply::MultiReadReply(std::string& out, const ReplyHeader& header, std::size_t bytes_max)
    : writer_(out), out_(out), header_(header), frame_(begin_reply(writer_, header)), bytes_max_(bytes_max) {
  ensure(bytes_max <= reply_bytes_max, "no reply grows beyond the bound of all");
  ensure(!is_error(header), "a multiRead that is refused as a whole has a header only");
}

// Keeps room for the terminator and a result's own fields.
bool MultiReadReply::has_room(std::size_t bytes) {
  constexpr std::size_t reserve = 128;
  too_long_ = too_long_ || out_.size() - frame_ + bytes + reserve > bytes_max_;
  return !too_long_;
}

void MultiReadReply::add_data(ByteView data, const tree::Stat& stat) {
  if (has_room(data.size())) {
    write_multi_header(writer_, std::to_underlying(Opcode::get_data), false, no_error);
    writer_.write_buffer(data);
    write_stat(writer_, stat);
  }
}

void MultiReadReply::add_error(tree::Status status) {
  if (has_room(0)) {
    write_multi_error(writer_, status);
  }
}

void MultiReadReply::begin_children() {
  if (has_room(0)) {
    write_multi_header(writer_, std::to_underlying(Opcode::get_children), false, no_error);
    count_at_ = out_.size();
    count_ = 0;
    writer_.write_int(0);
  }
}

void MultiReadReply::add_child(std::string_view name) {
  if (has_room(name.size())) {
    writer_.write_string(name);
    ++count_;
  }
}

void MultiReadReply::end_children() {
  if (!too_long_) {
    writer_.patch_int(count_at_, count_);
  }
}

void MultiReadReply::finish() {
  if (too_long_) {
    replace_by_error(out_, frame_, header_);
    return;
  }
  write_multi_end(writer_);
  writer_.end_frame(frame_);
}

}  // namespace quorate::wire
