#pragma once

// What a Front is made of; private to this room. Spread by duty: front.cpp (the door), handshake.cpp,
// mail.cpp (replies, events, closing), requests.cpp (frames, order, writes), reads.cpp, watches.cpp, auth.cpp.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/prng.hpp"
#include "replica/close_reason.hpp"
#include "replica/connection.hpp"
#include "replica/connection_throttle.hpp"
#include "replica/front.hpp"
#include "replica/front_stats.hpp"
#include "replica/mailbox.hpp"
#include "replica/ring.hpp"
#include "tree/status.hpp"
#include "tree/tree.hpp"
#include "tree/watch_table.hpp"
#include "wire/opcodes.hpp"
#include "wire/replies.hpp"
#include "wire/requests.hpp"

namespace quorate::replica {

struct Front::State {
  State(FrontConfig the_config, tree::Tree& the_tree, Prng prng);

  // front.cpp
  [[nodiscard]] Connection* find(ConnectionRef ref) const;
  [[nodiscard]] tree::WatcherId watcher_of(const Connection& connection) const;
  // False: there is more; then nothing may be answered yet that could be newer than what waits there.
  bool drain(Mailbox& mail);
  void deliver(const MailItem& item, ByteView bytes);
  void deliver_event(const MailItem& item, ByteView bytes);
  void deliver_reply(Connection& connection, const MailItem& item, ByteView bytes);
  void answer_refused_ones(Connection& connection);
  Unanswered pop_unanswered(Connection& connection);
  void close_session_holder(SessionId session, CloseReason reason, std::optional<std::uint32_t> but_generation);
  void begin_close(Connection& connection, CloseReason reason, bool abort = false);
  void release_input(Connection& connection);
  void forget_unanswered(Connection& connection);
  void release_session(Connection& connection);
  void drop_watches_of_closed();
  void recycle_slots();
  void act(Connection& connection);
  void make_ready(Connection& connection);
  void hold_back(Connection& connection);
  void release_paused();
  [[nodiscard]] bool wants_input(const Connection& connection) const;
  void update_wants_input(Connection& connection);
  [[nodiscard]] bool is_kept_from_speaking(const Connection& connection) const;
  void touch_unheard_ones();
  // Books what was appended to the output behind `before`, and bounds the output (S-203).
  void queued_output(Connection& connection, std::size_t before);
  void bound_output(Connection& connection, std::size_t added);
  void count_output(Connection& connection);
  void touch(Connection& connection);

  // handshake.cpp
  bool handle_admin_word(Connection& connection);
  void handle_connect(Connection& connection, ByteView frame);
  void submit_session(Connection& connection, const wire::ConnectRequest& request);
  void refuse_session(Connection& connection);
  [[nodiscard]] tree::Password make_password();
  [[nodiscard]] std::int32_t negotiate(std::int32_t wanted_ms) const;
  void connected(Connection& connection, const MailItem& item);
  void drop_late_handshakes();

  // requests.cpp
  bool serve_ready();
  std::size_t serve_connection(Connection& connection);
  void look_ahead(const Connection& connection) const;
  [[nodiscard]] bool may_go_on(Connection& connection);
  [[nodiscard]] bool has_whole_frame(const Connection& connection) const;
  [[nodiscard]] bool must_wait_for_bytes(std::size_t bytes) const;
  [[nodiscard]] bool is_large(std::size_t frame_bytes) const;
  // False: it waits for earlier ones to be answered; nothing has changed.
  bool handle_frame(Connection& connection, ByteView frame);
  bool handle_write(Connection& connection, const wire::RequestHeader& header, const wire::OpcodeInfo& info,
                    ByteView frame);
  // Both false: a slice of it is done; the same frame is to be handled again.
  bool handle_local(Connection& connection, const wire::RequestHeader& header, const wire::OpcodeInfo* info,
                    ByteView body);
  bool dispatch(Connection& connection, const wire::RequestHeader& header, wire::Opcode opcode, ByteView body);
  [[nodiscard]] bool is_throttled() const;
  // Of the request of `frame_bytes` that stands first in the input: since when it waits.
  [[nodiscard]] std::int64_t waited_us(Connection& connection, std::size_t frame_bytes);
  [[nodiscard]] bool waited_too_long(Connection& connection, std::size_t frame_bytes);
  [[nodiscard]] bool is_late(Connection& connection, const wire::OpcodeInfo* info, std::size_t frame_bytes);
  void answer_status(Connection& connection, std::int32_t xid, tree::Status status);
  void malformed(Connection& connection, CloseReason reason);
  void record_latency(Connection& connection, MonoTime received, bool is_write);

  // reads.cpp: the body is decoded into `request`; each appends its reply to the connection's output.
  void answer_read(Connection& connection, const wire::ReplyHeader& header, wire::Opcode opcode);
  void answer_exists(Connection& connection, wire::ReplyHeader header);
  std::optional<tree::ZnodeView> find_readable(Connection& connection, wire::ReplyHeader header, std::string_view path);
  void answer_data(Connection& connection, wire::ReplyHeader header);
  void answer_children(Connection& connection, wire::ReplyHeader header, bool with_stat);
  void answer_acl(Connection& connection, wire::ReplyHeader header);
  void answer_descendants(Connection& connection, const wire::ReplyHeader& header);
  void answer_ephemerals(Connection& connection, const wire::ReplyHeader& header);
  void answer_multi_read(Connection& connection, const wire::ReplyHeader& header);
  void append_read_result(Connection& connection, wire::MultiReadReply& reply, const wire::ReadOperation& operation);

  // watches.cpp
  // False: no further watch fits (S-202).
  bool add_watch(Connection& connection, std::string_view path, tree::WatchKind kind);
  void answer_check_watches(Connection& connection, wire::ReplyHeader header, bool remove);
  void answer_add_watch(Connection& connection, wire::ReplyHeader header);
  // False: a slice is done, and the request is to be answered again.
  bool answer_set_watches(Connection& connection, wire::ReplyHeader header, wire::Opcode opcode, ByteView body);
  bool set_watches(Connection& connection, WatchesBeingSet& setting);
  // False: no further watch fits.
  bool catch_up_data(Connection& connection, Zxid seen, std::string_view path);
  bool catch_up_exist(Connection& connection, std::string_view path);
  bool catch_up_child(Connection& connection, Zxid seen, std::string_view path);
  void send_missed(Connection& connection, tree::EventType type, std::string_view path);

  // eager_acl.cpp
  tree::Status judge_early(const Connection& connection);

  // auth.cpp
  void handle_auth(Connection& connection, std::int32_t xid, ByteView body);
  void handle_sasl(Connection& connection, std::int32_t xid, ByteView body);
  bool add_digest(Connection& connection, ByteView secret);
  void credentials_changed(Connection& connection);

  FrontConfig config;
  tree::Tree* tree;
  tree::WatchTable watches;
  FrontStats stats;
  MonoTime now{};

  std::vector<std::unique_ptr<Connection>> connections;  // By slot; the objects never move.
  std::vector<std::uint32_t> free_slots;
  std::vector<std::uint32_t> dead_slots;       // Their sockets are gone; their watches are not, or not all of them.
  std::vector<std::uint32_t> unwatched_slots;  // Events that were posted for them before may still be in the mailbox.
  std::size_t mail_drained = 0;                // Items of the mailbox that have been delivered.
  std::unordered_map<SessionId, std::uint32_t> holders;  // The serving connection of a session; looked up only.
  Ring<std::uint32_t> ready;
  std::vector<std::uint32_t> paused;
  std::vector<std::uint32_t> unheard;  // Connections that are not read from, or were not a moment ago.
  std::vector<std::uint32_t> actions;
  std::size_t outstanding_bytes = 0;  // Of writes under way, with their credentials.
  std::size_t queued_bytes = 0;       // Of all outputs.
  std::size_t heavy_bytes = 0;        // Gathered by multiReads since somebody looked.
  bool writes_are_held = false;       // One did not fit; those behind it shall not take its room.
  std::size_t large_bytes = 0;        // Of large requests under way (protocol 14.4).

  std::vector<Submission> submissions;
  std::vector<std::uint32_t> unreleased_inputs;  // Slots that closed while submissions may view their input.
  std::vector<AdminRequest> admin_requests;

  struct Fresh {
    ConnectionRef connection;
    MonoTime deadline{};
  };
  Ring<Fresh> fresh;  // In the order of their deadlines.

  std::vector<std::uint32_t> touched;
  std::vector<Touch> parting_touches;  // Of connections that have closed since.
  MonoTime touches_taken{};

  std::string password_secret;
  std::uint64_t passwords_made = 0;
  ConnectionThrottle connection_throttle;

  wire::DecodeScratch decode_scratch;
  wire::Request request;
  std::vector<tree::AclEntry> acl_scratch;
};

}  // namespace quorate::replica
