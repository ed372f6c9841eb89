#include "replica/close_reason.hpp"

#include <array>
#include <utility>

#include "base/ensure.hpp"

namespace quorate::replica {

std::string_view describe(CloseReason reason) {
  constexpr auto words = std::to_array<std::string_view>({
      "it is open",
      "the session was closed",
      "its session expired",
      "its session moved to another connection",
      "its session is unknown or expired, or the password is wrong",
      "a four-letter word was answered",
      "the client has seen a newer zxid than this server has",
      "no session was asked for, or could be given, in time (nio.sessionlessCnxnTimeout)",
      "too many new connections (connectionMaxTokens)",
      "the frame's length is not allowed (jute.maxbuffer)",
      "the handshake cannot be read",
      "a request cannot be read",
      "the operation is not known, or not for clients",
      "authentication failed",
      "too many credentials",
      "it is not authenticated (enforce.auth.schemes)",
      "a setWatches asks for more watches than a connection, or the server, may have",
      "the client does not read its replies",
      "too many bytes of large requests are under way (largeRequestMaxBytes)",
      "a request waited longer than the session's timeout (requestStaleLatencyCheck)",
      "no session can be given or resumed now: not serving, no space on the disk, or too much under way",
  });
  static_assert(words.size() == close_reasons);
  const auto position = static_cast<std::size_t>(std::to_underlying(reason));
  ensure(position < words.size(), "every reason has its words");
  return words[position];
}

bool is_routine(CloseReason reason) {
  return reason == CloseReason::none || reason == CloseReason::session_closed ||
         reason == CloseReason::four_letter_word;
}

}  // namespace quorate::replica
