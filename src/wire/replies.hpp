#pragma once

// Replies and events (protocol 1.4, 2, 3, 7.2): each function appends one whole frame, length included. A header whose
// status is not ok yields a frame without a body, whatever the function (protocol 2.3).

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "tree/status.hpp"
#include "tree/tree.hpp"
#include "tree/types.hpp"
#include "wire/jute.hpp"
#include "wire/opcodes.hpp"

namespace quorate::wire {

struct ReplyHeader {
  std::int32_t xid = 0;
  Zxid zxid{};
  tree::Status status = tree::Status::ok;
};
inline constexpr std::int32_t event_xid = -1;
inline constexpr std::int32_t ping_xid = -2;

struct ConnectReply {
  std::int32_t timeout_ms = 0;  // 0 with session 0: refused.
  SessionId session{};
  tree::Password password{};
  bool with_read_only_flag = true;  // If and only if the request had it.
};

void encode_connect_reply(std::string& out, const ConnectReply& reply);
void encode_header_only(std::string& out, const ReplyHeader& header);
// create, create2 and kin, delete, setData, setACL: by the opcode. Errors become header-only.
void encode_write_reply(std::string& out, const ReplyHeader& header, Opcode opcode,
                        const tree::OperationResult& result);
void encode_multi_reply(std::string& out, const ReplyHeader& header, std::span<const Opcode> opcodes,
                        std::span<const tree::OperationResult> results);
void encode_stat_reply(std::string& out, const ReplyHeader& header, const tree::Stat& stat);
void encode_data_reply(std::string& out, const ReplyHeader& header, ByteView data, const tree::Stat& stat);
void encode_acl_reply(std::string& out, const ReplyHeader& header, tree::AclView acl, const tree::Stat& stat,
                      bool mask_digests);
void encode_string_reply(std::string& out, const ReplyHeader& header, std::string_view text, bool null_allowed);
void encode_int_reply(std::string& out, const ReplyHeader& header, std::int32_t value);
void encode_strings_reply(std::string& out, const ReplyHeader& header, std::span<const std::string> values);
void encode_who_am_i_reply(std::string& out, const ReplyHeader& header, tree::CredentialsView credentials);
void encode_sasl_reply(std::string& out, const ReplyHeader& header, ByteView token);
void encode_event(std::string& out, Zxid zxid, tree::EventType type, std::string_view path);

// No reply grows beyond this: a frame's length is 31 bits. A list that would be longer is answered with -5 instead
// (S-203); clients read at most their jute.maxbuffer.
inline constexpr std::size_t reply_bytes_max = 256U << 20;

// A reply whose list is written as it is walked, without a copy: getChildren, getChildren2.
class ListReply {
 public:
  ListReply(std::string& out, const ReplyHeader& header);
  void add(std::string_view name);
  void finish();
  void finish(const tree::Stat& stat);

 private:
  Writer writer_;
  std::string& out_;
  ReplyHeader header_;
  std::size_t frame_;
  std::size_t count_at_;
  std::int32_t count_ = 0;
  bool too_long_ = false;
};

// multiRead (protocol 3.15): one result an operation, in order. The caller says how long it may be: a small request may
// ask for the same megabyte fifty thousand times. A longer one is answered with -5 (S-203).
class MultiReadReply {
 public:
  MultiReadReply(std::string& out, const ReplyHeader& header, std::size_t bytes_max = reply_bytes_max);
  void add_data(ByteView data, const tree::Stat& stat);
  void add_error(tree::Status status);
  // A getChildren: begin, one add_child a name, end.
  void begin_children();
  void add_child(std::string_view name);
  void end_children();
  // Nothing more will be kept: finish() makes an error of it, so what is left need not be looked at.
  [[nodiscard]] bool is_too_long() const { return too_long_; }
  [[nodiscard]] std::size_t bytes() const { return out_.size() - frame_; }  // So far, the header included.
  void finish();

 private:
  bool has_room(std::size_t bytes);

  Writer writer_;
  std::string& out_;
  ReplyHeader header_;
  std::size_t frame_;
  std::size_t bytes_max_;
  std::size_t count_at_ = 0;
  std::int32_t count_ = 0;
  bool too_long_ = false;
};

void write_stat(Writer& writer, const tree::Stat& stat);

}  // namespace quorate::wire
