#pragma once

// Result<T>: a value, or an Error that says what went wrong in the world, where, and what to do about it.

#include <expected>
#include <string>
#include <utility>

namespace quorate {

enum class ErrorCode {
  invalid,      // The input does not make sense: configuration, arguments, a frame.
  not_found,    // A file or name that should be there is not.
  corrupt,      // Stored bytes do not check.
  io,           // The operating system refused a read, write or sync.
  no_space,     // The disk is full.
  busy,         // Someone else holds it: a port, a directory lock.
  unsupported,  // A newer format or a feature that this binary lacks.
  refused,      // Refused before it had any effect; may be tried again.
};

struct Error {
  ErrorCode code = ErrorCode::invalid;
  std::string message;  // What, where and what to do, as a sentence for the operator.
};

template <class T>
class [[nodiscard]] Result : public std::expected<T, Error> {
 public:
  using std::expected<T, Error>::expected;
};

inline std::unexpected<Error> failure(ErrorCode code, std::string message) {
  return std::unexpected<Error>(Error{code, std::move(message)});
}

}  // namespace quorate
