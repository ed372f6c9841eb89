#include "raft/types.hpp"

namespace quorate::raft {

void Output::clear() {
  hard_state.reset();
  append = {};
  token.reset();
  send.clear();
  send_after_sync.clear();
  apply.clear();
  reads.clear();
  refused_reads.clear();
  log_reads.clear();
  snapshot_reads.clear();
  snapshot_writes.clear();
  snapshot_install.reset();
  role.reset();
  change.reset();
}

bool Output::empty() const {
  return !hard_state && append.empty() && !token && send.empty() && send_after_sync.empty() && apply.empty() &&
         reads.empty() && refused_reads.empty() && log_reads.empty() && snapshot_reads.empty() &&
         snapshot_writes.empty() && !snapshot_install && !role && !change;
}

Term term_of(const Message& message) {
  return std::visit([](const auto& content) { return content.term; }, message);
}

}  // namespace quorate::raft
