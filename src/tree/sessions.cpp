// Sessions in the tree (protocol 8, R-712 to R-718): created, resumed and closed by entries of the log.

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/ensure.hpp"
#include "base/limits.hpp"
#include "tree/path.hpp"
#include "tree/state.hpp"
#include "tree/tree.hpp"

namespace quorate::tree {

std::optional<SessionId> Tree::create_session(const ApplyContext& context, NodeId server, std::int32_t timeout_ms,
                                              const Password& password) {
  TreeState& state = *state_;
  ensure(raw(server) <= limits::node_id_max, "a higher one would look like a TTL marker (protocol 1.6)");
  const std::uint64_t low = static_cast<std::uint64_t>(raw(context.zxid)) & ((std::uint64_t{1} << 56) - 1);
  const auto number = static_cast<std::int64_t>((std::uint64_t{raw(server)} << 56) | low);
  if (number == 0 || number == container_owner) {
    return std::nullopt;
  }
  const Session session{
      .id = SessionId{number}, .password = password, .timeout_ms = timeout_ms, .owner = server, .generation = 1};
  if (!state.sessions.insert(session)) {
    return std::nullopt;
  }
  state.mark_new_session(session.id);
  state.session_digest += session_term(session);
  return session.id;
}

Status Tree::resume_session(const ApplyContext& /*context*/, SessionId id, const Password& password, NodeId server,
                            std::int32_t timeout_ms) {
  TreeState& state = *state_;
  if (!state.sessions.password_matches(id, password)) {
    return Status::session_expired;
  }
  state.before_session_change(id);
  Session* session = state.sessions.find_mutable(id);
  ensure(session != nullptr, "its password matched");
  state.session_digest -= session_term(*session);
  session->owner = server;
  session->timeout_ms = timeout_ms;
  session->generation += 1;
  state.session_digest += session_term(*session);
  return Status::ok;
}

// The ephemerals go in the order of their paths: lists are ordered by history, which a loaded snapshot does not know.
Status Tree::close_session(const ApplyContext& context, SessionId id) {
  TreeState& state = *state_;
  const Session* session = state.sessions.find(id);
  if (session == nullptr) {
    return Status::session_expired;
  }
  state.before_session_change(id);
  state.session_digest -= session_term(*session);
  std::vector<std::pair<std::string, SlotNumber>> doomed;
  if (const auto list = state.ephemerals.find(raw(id)); list != state.ephemerals.end()) {
    for (SlotNumber slot = list->second.first; slot != no_slot; slot = state.znodes.extra(slot).list_next) {
      doomed.emplace_back(state.path_of(slot), slot);
    }
  }
  std::ranges::sort(doomed);
  for (const auto& [path, slot] : doomed) {
    const Located parent = state.find(parent_of(path));
    ensure(parent.slot == state.znodes.at(slot).parent, "a path leads to its znode's parent");
    state.remove_checked(slot, child_key(parent.key, name_of(path)), parent, path, context.zxid);
  }
  ensure(!state.ephemerals.contains(raw(id)), "no ephemeral outlives its session");
  state.sessions.erase(id);
  return Status::ok;
}

const SessionTable& Tree::sessions() const {
  return state_->sessions;
}

void Tree::for_each_ephemeral(SessionId id, const std::function<bool(std::string_view path)>& visit) const {
  const auto list = state_->ephemerals.find(raw(id));
  if (list == state_->ephemerals.end()) {
    return;
  }
  for (SlotNumber slot = list->second.first; slot != no_slot; slot = state_->znodes.find_extra(slot)->list_next) {
    if (!visit(state_->path_of(slot))) {
      return;
    }
  }
}

}  // namespace quorate::tree
