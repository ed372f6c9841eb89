#pragma once

// One client connection as a pure state machine: bytes in, bytes out. It does the handshake (protocol 1.4), numbers the
// requests, matches replies in order (protocol 2.4, rule 1), pings (protocol 8.2) and refuses whatever a correct server
// cannot send. It knows no socket and no clock, so it is the same under the simulator, in tests and over TCP.
//
// The owner's loop: hand what was read to receive(), call next() until it yields nothing, send what output() holds.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/limits.hpp"
#include "base/result.hpp"
#include "client/fifo.hpp"
#include "wire/opcodes.hpp"

namespace quorate::client {

struct Settings {
  std::int32_t timeout_ms = 30'000;  // Asked for; the server negotiates (protocol 1.5, step 6).
  SessionId session{};               // 0: a new one. Otherwise it is resumed with `password`.
  std::string password;
  Zxid last_zxid_seen{};
  std::size_t frame_bytes_max = limits::frame_bytes_ceiling;  // Of what the server sends.
};

struct SessionOpened {
  SessionId session{};
  std::int32_t timeout_ms = 0;
  ByteView password;
};
struct Reply {
  std::int32_t xid = 0;
  Zxid zxid{};
  std::int32_t error = 0;  // 0, or a number of protocol 13.
  ByteView body;           // Behind the header.
  std::uint64_t tag = 0;   // As handed to submit().
};
struct WatchEvent {
  Zxid zxid{};
  std::int32_t type = 0;   // tree::EventType's numbers.
  std::int32_t state = 0;  // 3: connected.
  std::string_view path;
};
using Incoming = std::variant<std::monostate, SessionOpened, Reply, WatchEvent>;

// The length and the header in front of a request's body. What submit_frame() takes starts with this many bytes.
inline constexpr std::size_t frame_prefix_bytes = 12;

// A whole request frame, to be submitted as often as one likes. Its xid is left open.
[[nodiscard]] std::string make_frame(wire::Opcode opcode, ByteView body);

class Connection {
 public:
  explicit Connection(const Settings& settings);

  // Puts a request into the output and returns its xid. The session must be open and not closing.
  std::int32_t submit(wire::Opcode opcode, ByteView body, std::uint64_t tag);
  // The same with a frame that make_frame() built; the cheapest way to send the same shape again and again.
  std::int32_t submit_frame(ByteView frame, std::uint64_t tag);
  // closeSession (protocol 3.22); its reply comes as any other, and the server closes after it.
  std::int32_t submit_close(std::uint64_t tag);

  // Takes what was read. All of it must have been taken out with next() before the next receive(). The bytes must stay
  // until next() has yielded nothing.
  void receive(ByteView bytes);
  // The next thing that arrived; false when there is none, or after a failure. Views hold until the next call that
  // yields false.
  bool next(Incoming& into);

  // What waits to be sent; sent() takes the first bytes away.
  [[nodiscard]] ByteView output() const { return ByteView(output_).substr(output_sent_); }
  void sent(std::size_t bytes);

  // To be called at least every tenth of the session's timeout: pings after a third of it without a request, and fails
  // after two thirds without a word from the server.
  void tick(MonoTime now);

  [[nodiscard]] bool is_open() const { return stage_ == Stage::open; }
  [[nodiscard]] SessionId session() const { return session_; }
  [[nodiscard]] std::int32_t timeout_ms() const { return timeout_ms_; }
  [[nodiscard]] Zxid last_zxid() const { return last_zxid_; }
  [[nodiscard]] std::size_t requests_pending() const { return pending_.size(); }
  // Set once, for good: what the server did wrong, or that it is silent.
  [[nodiscard]] const std::optional<Error>& failure() const { return failure_; }

 private:
  enum class Stage : std::uint8_t { handshake, open, closing, failed };
  struct Pending {
    std::int32_t xid = 0;
    std::uint64_t tag = 0;
  };

  std::int32_t take_xid();
  bool take_frame(ByteView frame, Incoming& into);
  bool take_handshake(ByteView frame, Incoming& into);
  bool take_reply(const Reply& header, Incoming& into);
  bool take_event(const Reply& header, Incoming& into);
  bool fail_with(ErrorCode code, std::string message);
  void keep_rest();

  Stage stage_ = Stage::handshake;
  std::size_t frame_bytes_max_;
  std::int32_t timeout_ms_ = 0;
  SessionId session_{};
  Zxid last_zxid_{};
  std::int32_t next_xid_ = 1;
  Fifo<Pending> pending_;
  std::size_t pings_pending_ = 0;
  std::optional<Error> failure_;

  std::string output_;
  std::size_t output_sent_ = 0;
  std::string kept_;  // The start of a frame whose end has not arrived.
  ByteView input_;    // What receive() took: kept_, or the owner's bytes when nothing was kept.
  std::size_t input_taken_ = 0;

  bool sent_since_tick_ = true;
  bool heard_since_tick_ = true;
  MonoTime last_sent_{};
  MonoTime last_heard_{};
};

}  // namespace quorate::client
