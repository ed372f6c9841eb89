#include "tree/session_table.hpp"

#include <algorithm>

#include "base/ensure.hpp"

namespace quorate::tree {

const Session* SessionTable::find(SessionId id) const {
  const auto found = by_id_.find(raw(id));
  return found == by_id_.end() ? nullptr : found->second;
}

Session* SessionTable::find_mutable(SessionId id) {
  const auto found = by_id_.find(raw(id));
  return found == by_id_.end() ? nullptr : found->second;
}

void SessionTable::for_each(const std::function<void(const Session&)>& visit) const {
  for (const auto& [id, session] : sessions_) {
    visit(session);
  }
}

const Session* SessionTable::find_after(SessionId id) const {
  const auto after = sessions_.upper_bound(id);
  return after == sessions_.end() ? nullptr : &after->second;
}

const Session* SessionTable::find_first() const {
  return sessions_.empty() ? nullptr : &sessions_.begin()->second;
}

bool SessionTable::password_matches(SessionId id, const Password& password) const {
  const Session* session = find(id);
  if (session == nullptr) {
    return false;
  }
  // Every byte is looked at whatever the earlier ones were, so that time says nothing about the secret.
  unsigned difference = 0;
  for (std::size_t i = 0; i < password.size(); ++i) {
    const auto expected = static_cast<unsigned char>(session->password[i]);
    difference |= static_cast<unsigned>(expected ^ static_cast<unsigned char>(password[i]));
  }
  return difference == 0;
}

bool SessionTable::insert(const Session& session) {
  const auto [position, inserted] = sessions_.emplace(session.id, session);
  if (inserted) {
    by_id_.emplace(raw(session.id), &position->second);
  }
  return inserted;
}

bool SessionTable::erase(SessionId id) {
  const std::size_t erased = by_id_.erase(raw(id));
  ensure(sessions_.erase(id) == erased, "both views of the table hold the same sessions");
  return erased == 1;
}

}  // namespace quorate::tree
