#include "server/version.hpp"

#include <build_facts.hpp>

namespace quorate::server {

std::string_view version() {
  return build_facts::version;
}
std::string_view commit() {
  return build_facts::commit;
}
std::string_view commit_date() {
  return build_facts::commit_date;
}

}  // namespace quorate::server
