#pragma once

// One front per client loop: the protocol state of its connections, the order of their requests, their reads and their
// watches (design chapters 2 and 4). Pure: bytes in, bytes out, time as an argument.
//
// A session's requests are executed in arrival order. Writes in a row are all under way at once; a read, ping, auth or
// anything else behind an unanswered write waits, and so does what follows it. So a session reads its own writes
//

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "base/prng.hpp"
#include "replica/mailbox.hpp"
#include "tree/tree.hpp"
#include "tree/watch_table.hpp"
#include "wire/command.hpp"
#include "wire/requests.hpp"

namespace quorate::replica {

// A write on its way to the replica. Views are valid until Front::clear_submissions().
struct Submission {
  wire::CommandKind kind{};
  ConnectionRef connection;
  SessionId session{};
  std::uint32_t generation = 0;
  tree::CredentialsView credentials;
  std::int32_t xid = 0;
  wire::Opcode opcode{};
  ByteView request;
  bool with_read_only_flag = false;  // create_session, resume_session: the reply's form.
};

struct FrontConfig {
  std::size_t frame_bytes_max = limits::frame_bytes_default;  // jute.maxbuffer
  std::int32_t min_session_timeout_ms = 6000;
  std::int32_t max_session_timeout_ms = 60000;
  std::int32_t handshake_timeout_ms = 10000;    // nio.sessionlessCnxnTimeout
  std::size_t outgoing_bytes_max = 64U << 20;   // Slow readers are closed beyond it (S-203).
  std::size_t outgoing_bytes_pause = 1U << 20;  // Beyond it no further request of the connection is served.
  std::size_t pipeline_bytes_max = 4U << 20;    // Received and not yet executed, a connection; beyond: no reading.
  std::size_t outstanding_max = 1000;           // globalOutstandingLimit (protocol 14.6)
  std::string super_digest;                     // DigestAuthenticationProvider.superDigest; empty: none.
  bool digest_enabled = true;
  std::vector<std::string> enforced_schemes;  // enforce.auth.schemes; empty: off.
  // ... further limits of protocol 14, as configuration offers them.
};

// Counters that admin shows (operations 2.4, 2.6, 2.9).
struct FrontStats;

class Front {
 public:
  Front(FrontConfig config, tree::Tree& tree, Prng prng);

  // The shell's reports. `peer_ip` is the address as text; `peer_port` for `cons`.
  ConnectionRef open(std::string_view peer_ip, std::uint16_t peer_port, MonoTime now);
  void receive(ConnectionRef connection, ByteView bytes, MonoTime now);
  void closed(ConnectionRef connection);                   // The socket is gone.
  void sent(ConnectionRef connection, std::size_t bytes);  // That much of outgoing() has left.

  // Handles what waits: drains the mailbox first, then answers what can be answered, in slices. True if more is left.
  bool serve(Mailbox& mail, MonoTime now);
  // Deadlines: handshakes, sessions without a leader.
  void tick(MonoTime now);

  // Writes gathered since the last clear, in order; the shell hands them to Replica::submit().
  [[nodiscard]] const std::vector<Submission>& submissions() const;
  void clear_submissions();
  // The replica refused this submission before it got a number: the client gets -7.
  void refused(const Submission& submission);

  // What the shell does next: send, close (after sending what is queued), stop or go on reading.
  struct Action {
    ConnectionRef connection;
    bool close = false;  // After outgoing() is empty; `abort`: at once.
    bool abort = false;
  };
  // Connections whose outgoing bytes or fate changed since the last take; each once.
  void take_actions(std::vector<Action>& into);
  [[nodiscard]] std::string_view outgoing(ConnectionRef connection) const;
  [[nodiscard]] bool wants_input(ConnectionRef connection) const;  // False: back-pressure, do not read.

  // Sessions heard of since the last take, with the time of the newest request.
  struct Touch {
    SessionId session{};
    MonoTime at{};
  };
  void take_touches(std::vector<Touch>& into);

  // A four-letter word stood in place of a handshake; admin answers it, then the connection closes.
  struct AdminRequest {
    ConnectionRef connection;
    std::array<char, 4> word{};
    std::string rest;  // stmk's mask
  };
  void take_admin_requests(std::vector<AdminRequest>& into);
  void answer_admin(ConnectionRef connection, std::string_view text);

  [[nodiscard]] tree::WatchTable& watches();
  [[nodiscard]] const FrontStats& stats() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace quorate::replica
