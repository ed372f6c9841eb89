#pragma once

// Why a front ends a connection, so that the server's log can tell (operations 9): a client sees the end only.

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace quorate::replica {

enum class CloseReason : std::uint8_t {
  none,                  // It is not being closed.
  session_closed,        // closeSession, answered.
  session_expired,       // Silent for its timeout, or closed by another server's word (protocol 8.4).
  session_moved,         // Resumed on another connection (protocol 8.5).
  session_refused,       // A wrong password, or no such session (protocol 1.5).
  four_letter_word,      // Answered.
  client_is_ahead,       // It has seen a zxid that this server has not (gotcha 4).
  late_handshake,        // No session within nio.sessionlessCnxnTimeout (protocol 1.8).
  connection_throttled,  // Protocol 14.5.
  frame_too_large,       // Beyond jute.maxbuffer, or a negative length (protocol 1.1).
  malformed_handshake,   // No ConnectRequest.
  malformed_request,     // A frame too short for its header, or an auth packet that does not decode.
  unknown_operation,     // Or one that clients may not send (protocol 2.5).
  auth_failed,           // Protocol 6.5.
  too_many_credentials,  // More than the entries of a connection may carry.
  not_authenticated,     // enforce.auth.enabled (protocol 2.5 step 4).
  too_many_watches,      // In a setWatches (S-202).
  slow_reader,           // Its replies and events are not read (S-203).
  large_requests,        // largeRequestMaxBytes (protocol 14.4).
  stale_request,         // A request waited longer than its session's timeout (protocol 14.2).
  writes_are_refused,    // No session can be made or resumed now: not serving, full disk, or too much under way.
};
inline constexpr std::size_t close_reasons = 21;

// "its session expired": ends the sentence "connection closed: ".
[[nodiscard]] std::string_view describe(CloseReason reason);
// What clients do in the normal course of things is no news to the operator.
[[nodiscard]] bool is_routine(CloseReason reason);

}  // namespace quorate::replica
