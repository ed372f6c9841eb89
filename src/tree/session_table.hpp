#pragma once

// Sessions as replicated state: identity, password, timeout, owner, generation. Liveness is not here:
// touches belong to the leader (replica/expiry).

#include <cstddef>
#include <cstdint>
#include <functional>

#include "base/ids.hpp"
#include "tree/types.hpp"

namespace quorate::tree {

struct Session {
  SessionId id{};
  Password password{};
  std::int32_t timeout_ms = 0;
  NodeId owner{};                // The server that created or last resumed it.
  std::uint32_t generation = 0;  // Raised by each resume; a write of another generation is void.
};

class SessionTable {
 public:
  [[nodiscard]] const Session* find(SessionId id) const;
  [[nodiscard]] std::size_t size() const;
  void for_each(const std::function<void(const Session&)>& visit) const;  // Ascending by id.
  // Compares in constant time.
  [[nodiscard]] bool password_matches(SessionId id, const Password& password) const;

  bool insert(const Session& session);  // False if the id is taken.
  bool erase(SessionId id);
  Session* find_mutable(SessionId id);

 private:
  // The implementer of this room chooses the container; iteration order must not depend on it.
};

}  // namespace quorate::tree
