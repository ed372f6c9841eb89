#pragma once

// Sessions as replicated state: identity, password, timeout, owner, generation. Liveness is not here:
// touches belong to the leader (replica/expiry).

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <unordered_map>

#include "base/ids.hpp"
#include "tree/types.hpp"

namespace quorate::tree {

struct Session {
  SessionId id{};
  Password password{};
  std::int32_t timeout_ms = 0;
  NodeId owner{};                // The server that created or last resumed it.
  std::uint32_t generation = 0;  // Raised by each resume; a write of another generation is void.

  friend bool operator==(const Session&, const Session&) = default;
};

class SessionTable {
 public:
  [[nodiscard]] const Session* find(SessionId id) const;
  [[nodiscard]] std::size_t size() const { return sessions_.size(); }
  void for_each(const std::function<void(const Session&)>& visit) const;  // Ascending by id.
  // The first session above `id`, or null: walks in slices.
  [[nodiscard]] const Session* find_after(SessionId id) const;
  // The one with the lowest id, or null.
  [[nodiscard]] const Session* find_first() const;
  // Compares in constant time.
  [[nodiscard]] bool password_matches(SessionId id, const Password& password) const;

  bool insert(const Session& session);  // False if the id is taken.
  bool erase(SessionId id);
  Session* find_mutable(SessionId id);

 private:
  std::map<SessionId, Session> sessions_;             // Ordered for walks.
  std::unordered_map<std::int64_t, Session*> by_id_;  // Every write asks for its session; never iterated.
};

}  // namespace quorate::tree
