#include "raft/types.hpp"

namespace quorate::raft {

void Output::clear() {
  hard_state.reset();
  append.clear();
  token.reset();
  apply.clear();
  reads.clear();
  role.reset();
}

bool Output::empty() const {
  return !hard_state && append.empty() && !token && apply.empty() && reads.empty() && !role;
}

}  // namespace quorate::raft
