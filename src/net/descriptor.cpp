#include "net/descriptor.hpp"

#include <cerrno>
#include <string>
#include <sys/resource.h>
#include <system_error>
#include <unistd.h>

namespace quorate::net {

void Descriptor::reset() {
  if (number_ >= 0) {
    ::close(number_);
    number_ = -1;
  }
}

std::size_t raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) {
    return 1024;
  }
  if (limit.rlim_cur < limit.rlim_max) {
    rlimit raised = limit;
    raised.rlim_cur = limit.rlim_max;
    if (::setrlimit(RLIMIT_NOFILE, &raised) == 0) {
      limit = raised;
    }
  }
  return static_cast<std::size_t>(limit.rlim_cur);
}

Error system_error(const char* what, int error_number) {
  ErrorCode code = ErrorCode::io;
  if (error_number == EADDRINUSE) {
    code = ErrorCode::busy;
  } else if (error_number == EADDRNOTAVAIL || error_number == EACCES || error_number == EINVAL) {
    code = ErrorCode::invalid;
  }
  return Error{code, std::string(what) + ": " + std::generic_category().message(error_number)};
}

}  // namespace quorate::net
