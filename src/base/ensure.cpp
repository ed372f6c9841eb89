#include "base/ensure.hpp"

#include <cstdio>
#include <cstdlib>

namespace quorate {
namespace {

FailureContext failure_context = nullptr;

}  // namespace

void set_failure_context(FailureContext context) {
  failure_context = context;
}

void fail(std::string_view why, std::source_location at) {
  const std::string context = failure_context == nullptr ? std::string{} : failure_context();
  std::fprintf(stderr, "assertion failed: %.*s\n  at %s:%u in %s\n%s", static_cast<int>(why.size()), why.data(),
               at.file_name(), static_cast<unsigned>(at.line()), at.function_name(), context.c_str());
  std::fflush(stderr);
  std::abort();
}

}  // namespace quorate
