#pragma once

// One front per client loop: the protocol state of its connections, the order of their requests, their reads and their
// watches (design chapters 2 and 4). Pure: bytes in, bytes out, time as an argument.
//
// A session's requests are executed in arrival order. Writes in a row are all under way at once; a read, ping, auth or
// anything else behind an unanswered write waits, and so does what follows it. So a session reads its own writes
//

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "base/limits.hpp"
#include "base/prng.hpp"
#include "replica/close_reason.hpp"
#include "replica/connection_throttle.hpp"
#include "replica/front_stats.hpp"
#include "replica/mailbox.hpp"
#include "tree/tree.hpp"
#include "tree/watch_table.hpp"
#include "wire/command.hpp"
#include "wire/opcodes.hpp"

namespace quorate::replica {

// A write on its way to the replica. Views are valid until Front::clear_submissions().
struct Submission {
  wire::CommandKind kind{};
  ConnectionRef connection{};
  SessionId session{};
  std::uint32_t generation = 0;
  tree::CredentialsView credentials{};
  std::size_t credentials_bytes = 0;  // In the entry (wire::credentials_bytes).
  std::int32_t xid = 0;
  wire::Opcode opcode{};
  ByteView request;
  bool with_read_only_flag = false;  // create_session, resume_session: the reply's form.
  std::uint64_t ordinal = 0;         // How many writes of the connection came before it; for refused().
};

struct FrontConfig {
  std::size_t frame_bytes_max = limits::frame_bytes_default;  // jute.maxbuffer
  std::int32_t min_session_timeout_ms = 6000;
  std::int32_t max_session_timeout_ms = 60000;
  std::int32_t handshake_timeout_ms = 10000;    // nio.sessionlessCnxnTimeout
  std::size_t outgoing_bytes_max = 64U << 20;   // Slow readers are closed beyond it (S-203).
  std::size_t outgoing_bytes_pause = 1U << 20;  // Beyond it no further request of the connection is served.
  std::size_t pipeline_bytes_max = 4U << 20;    // Received and not yet executed, a connection; beyond: no reading.
  // globalOutstandingLimit (protocol 14.6): invisible but for speed, so it is what one batch may hold, and not
  // ZooKeeper's 1000: at 256 connections of depth 16 that more than doubles the writes that share a flush.
  std::size_t outstanding_max = limits::batch_entries_max;
  // Bytes of writes under way: beyond it further writes wait, those of quiet connections too, because above
  // raft::Limits::uncommitted_bytes_max they would be refused. With their credentials, which every entry carries; the
  // rest is room for ids.
  std::size_t outstanding_bytes_max = 48U << 20;
  // Replies and events that wait, of all connections: beyond it only those are served of which nothing waits.
  std::size_t queued_bytes_max = 256U << 20;
  // Watches (S-202): a connection's, their paths' bytes, and the bytes of all paths. Beyond: -7, no watch, no result; a
  // setWatches closes the connection, because clients take its failure for success.
  tree::WatchLimits watches;
  std::string super_digest;  // DigestAuthenticationProvider.superDigest; empty: none.
  bool digest_enabled = true;
  std::string
      password_secret;  // 32 bytes of true chance from which passwords are made; empty: drawn from the Prng.
  std::vector<std::string> enforced_schemes;         // enforce.auth.schemes; empty: off.
  std::int64_t throttled_op_wait_ms = 0;             // A request that waited longer gets -127; 0: off (protocol 14.3).
  std::int64_t large_request_threshold = -1;         // Frames above it are large; negative: off (protocol 14.4).
  std::size_t large_request_bytes_max = 100U << 20;  // Large ones under way, all connections together.
  ConnectionThrottleConfig connection_throttle;
  // Writes under way beyond which every request waits, those of quiet connections too; 0: off (protocol 14.2).
  std::size_t request_throttle_max = 0;
  bool drops_late_requests = false;  // Those that waited longer than their session's timeout; with the connection.
  bool checks_acls_early = false;    // enableEagerACLCheck (protocol 14.9).
  bool stmk_is_allowed = true;       // By the whitelist; if not, it is refused without its mask (operations 2.1).
};

class Front {
 public:
  // `tree` must stay where it is. The front reads it in serve() only. `prng` is the source of session passwords: the
  // shell seeds it from the operating system's.
  Front(FrontConfig config, tree::Tree& tree, Prng prng);
  ~Front();
  Front(Front&&) noexcept;
  Front& operator=(Front&&) noexcept;

  // The shell's reports. `peer_ip` is the address as text; `peer_port` for `cons`.
  ConnectionRef open(std::string_view peer_ip, std::uint16_t peer_port, MonoTime now);
  // The bytes are copied. Submissions must have been cleared: they view what receive() moves.
  void receive(ConnectionRef connection, ByteView bytes, MonoTime now);
  void closed(ConnectionRef connection);                   // The socket is gone.
  void sent(ConnectionRef connection, std::size_t bytes);  // That much of outgoing() has left.

  // Handles what waits: drains (and clears) the mailbox first, then answers what can be answered, connection after
  // connection in slices. True if more is left; then call again, after the turn's other work. Any call may leave
  // submissions behind, the one after apply() too: what waited for its replies may be writes.
  bool serve(Mailbox& mail, MonoTime now);
  // Deadlines: handshakes, sessions without a leader. At least once a second.
  void tick(MonoTime now);

  // Writes gathered since the last clear, in order; the shell hands them to Replica::submit().
  [[nodiscard]] const std::vector<Submission>& submissions() const;
  // False: its connection has closed since, by an earlier refusal perhaps; then it must not be executed any more.
  [[nodiscard]] bool is_wanted(const Submission& submission) const;
  void clear_submissions();
  // The replica refused this submission before it got a number: the client gets -7.
  void refused(const Submission& submission);

  // What the shell does next: send, close (after sending what is queued), stop or go on reading.
  struct Action {
    ConnectionRef connection;
    bool close = false;  // After outgoing() is empty; `abort`: at once.
    bool abort = false;
    // For the log, if it closes.
    CloseReason reason = CloseReason::none;
    SessionId session{};              // 0: it had none.
    std::int32_t refused_length = 0;  // Of the frame, for CloseReason::frame_too_large.
  };
  // Connections whose outgoing bytes or fate changed since the last take; each once.
  void take_actions(std::vector<Action>& into);
  [[nodiscard]] std::string_view outgoing(ConnectionRef connection) const;
  // False: back-pressure, do not read. A change is announced by an action.
  [[nodiscard]] bool wants_input(ConnectionRef connection) const;

  // Sessions heard of since the last take, with the time of the newest request. Handed out at most every
  // touch_report_ms, so that a busy connection costs one report and not one a turn; to be called every turn, and at
  // least that often while nothing arrives.
  static constexpr std::int64_t touch_report_ms = 50;
  struct Touch {
    SessionId session{};
    MonoTime at{};
  };
  void take_touches(std::vector<Touch>& into);

  // A four-letter word stood in place of a handshake; admin answers it, then the connection closes.
  struct AdminRequest {
    ConnectionRef connection;
    std::array<char, 4> word{};
    std::string rest;  // stmk's mask, if that word is allowed.
  };
  // What is recognised as one (operations 2.2). Whether one is allowed is admin's to say.
  [[nodiscard]] static std::span<const std::string_view> admin_words();
  void take_admin_requests(std::vector<AdminRequest>& into);
  void answer_admin(ConnectionRef connection, std::string_view text);

  [[nodiscard]] tree::WatchTable& watches();
  [[nodiscard]] const FrontStats& stats() const;
  // With which a handshake is turned away now, 0 to 1 (protocol 14.5).
  [[nodiscard]] double connection_drop_probability() const;
  [[nodiscard]] const FrontConfig& config() const;
  void reset_stats();             // srst
  void reset_connection_stats();  // crst
  void for_each_connection(const std::function<void(const ConnectionInfo&)>& visit) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace quorate::replica
