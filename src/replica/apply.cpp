// What a committed entry does: deterministic, from state and entry alone. Every check that decides an outcome
// stands here or in the tree; a refused write is an entry with an error result (design chapter 3).

#include <algorithm>
#include <utility>
#include <variant>

#include "base/ensure.hpp"
#include "replica/replica_state.hpp"
#include "tree/status.hpp"
#include "wire/configuration.hpp"
#include "wire/opcodes.hpp"
#include "wire/replies.hpp"

namespace quorate::replica {
namespace {

// Operations 2.10.
constexpr std::int64_t digest_interval = 128;
constexpr std::size_t digests_max = 1024;

}  // namespace

void Replica::State::apply_entry(const raft::Entry& entry) {
  ensure(entry.index == next(applied.index), "entries are applied in order, each once (R-312)");
  applied = raft::LogId{.term = entry.term, .index = entry.index};
  ++entries_since_snapshot;
  bytes_since_snapshot += sizeof(raft::Entry) + entry.command.size();
  if (entry.kind == raft::EntryKind::noop) {
    apply_term_start(entry);
  } else if (entry.kind == raft::EntryKind::configuration) {
    apply_configuration(entry);
  }
  context.zxid = Zxid{raw(zxid_base) + static_cast<std::int64_t>(raw(entry.index))};
  context.time = entry.time;
  tree.advance(context.zxid, entry.time);
  if (entry.kind == raft::EntryKind::command) {
    apply_command(entry);
    if (entry.term == core.term()) {
      stats.propagation_ms.record(
          static_cast<std::uint64_t>(std::max<std::int64_t>(0, raw(log_time) - raw(entry.time))));
    }
  }
  if (raw(context.zxid) % digest_interval == 0) {
    remember_digest();
  }
  if (entry.term == core.term()) {
    serving = true;
  }
}

void Replica::State::remember_digest() {
  if (digests.size() == digests_max) {
    digests.pop_front();
  }
  digests.push_back(RememberedDigest{.zxid = context.zxid, .digest = tree.digest()});
}

void Replica::State::apply_term_start(const raft::Entry& entry) {
  const Result<wire::TermStart> start = wire::decode_term_start(entry.command.view());
  ensure(start.has_value(), "a no-op in the log is of this program's making (R-121)");
  feature_level = std::max(feature_level, start->feature_level);
  // The first entry of a cluster's life brings the secret that keys its paths' hashes; the store is still fresh then.
  if (entry.index == Index{1}) {
    for (const Attached& front : fronts) {
      tree.detach(*front.watches);
    }
    tree = tree::Tree(start->hash_secret);
    for (const Attached& front : fronts) {
      tree.attach(*front.watches);
    }
  }
  tree.set_switches(start->switches);
}

// The core acts on a configuration when it is appended; here it becomes part of the state.
void Replica::State::apply_configuration(const raft::Entry& entry) {
  Result<raft::Configuration> decoded = wire::decode_configuration(entry.command.view());
  ensure(decoded.has_value(), "a configuration in the log is of this program's making (R-121)");
  configuration = std::move(*decoded);
  configuration_entry = raft::LogId{.term = entry.term, .index = entry.index};
}

void Replica::State::apply_command(const raft::Entry& entry) {
  const Result<wire::Command> command = wire::decode_command(entry.command.view(), identities);
  ensure(command.has_value(), "a command in the log is of this program's making (R-121)");
  const bool is_own = command->stream == config.stream && command->number >= first_unresolved;
  Origin origin;
  if (is_own) {
    ensure(command->number == first_unresolved, "the own stream comes back in order");
    origin = origins.pop_front();
    growth_under_way -= origin.growth;
    ++first_unresolved;
  }
  if (streams.judge(command->stream, command->number) != StreamVerdict::execute) {
    ++stats.void_entries;
    post_close(is_own ? &origin : nullptr);
    return;
  }
  execute(*command, entry, is_own ? &origin : nullptr);
}

void Replica::State::execute(const wire::Command& command, const raft::Entry& entry, const Origin* origin) {
  context.session = command.session;
  context.credentials = command.credentials;
  switch (command.kind) {
    case wire::CommandKind::abandoned:
      break;
    case wire::CommandKind::client_request:
      execute_request(command, origin);
      break;
    case wire::CommandKind::create_session:
      execute_create_session(command, origin);
      break;
    case wire::CommandKind::resume_session:
      execute_resume_session(command, origin);
      break;
    case wire::CommandKind::expire_session:
      execute_expire_session(command, entry);
      break;
    case wire::CommandKind::delete_container:
      if (tree.delete_container(context, command.request) == tree::Status::ok) {
        ++stats.containers_deleted;
      }
      post_events();
      if (origin != nullptr) {
        cleaner.settled();
      }
      break;
  }
}

void Replica::State::execute_request(const wire::Command& command, const Origin* origin) {
  const tree::Session* session = tree.sessions().find(command.session);
  if (session != nullptr && session->generation != command.generation) {
    ++stats.void_entries;  // the session has moved; its old connection closes without a reply.
    post_close(origin);
    return;
  }
  if (command.opcode == wire::Opcode::close_session) {
    // Never refused for session reasons (protocol 3.22).
    tree.close_session(context, command.session);
    post_events();
    post_reply(command, tree::Status::ok, origin);
    end_session(command.session);
    return;
  }
  // whatever a session sends after its end has expired with it, on every replica alike.
  const tree::Status status = session == nullptr ? tree::Status::session_expired : execute_operation(command);
  post_events();
  post_reply(command, status, origin);
}

// The operation's own status; what else it yields is in `result` or `results`.
tree::Status Replica::State::execute_operation(const wire::Command& command) {
  const tree::Status decoded = wire::decode_request(command.opcode, command.request, decode_scratch, request);
  if (decoded != tree::Status::ok) {
    return decoded;
  }
  if (const auto* create = std::get_if<tree::Create>(&request)) {
    result = tree.create(context, *create);
  } else if (const auto* set_data = std::get_if<tree::SetData>(&request)) {
    result = tree.set_data(context, *set_data);
  } else if (const auto* remove = std::get_if<tree::Delete>(&request)) {
    result = tree.remove(context, *remove);
  } else if (const auto* set_acl = std::get_if<tree::SetAcl>(&request)) {
    result = tree.set_acl(context, *set_acl);
  } else if (const auto* multi = std::get_if<wire::MultiRequest>(&request)) {
    tree.multi(context, multi->operations, results);
    return tree::Status::ok;  // Its failures travel in the body (protocol 3.14).
  } else {
    return tree::Status::unimplemented;
  }
  return result.status;
}

void Replica::State::execute_create_session(const wire::Command& command, const Origin* origin) {
  const Result<wire::SessionRequest> wanted = wire::decode_session_request(command.request);
  ensure(wanted.has_value(), "a session request in the log is of this program's making");
  const auto id = tree.create_session(context, command.stream.server, wanted->timeout_ms, wanted->password);
  if (!id) {
    // Taken (by an import): another entry has another zxid, and so another id (design chapter 5).
    if (origin != nullptr) {
      wire::Command again = command;
      enqueue(again, *origin);
    }
    return;
  }
  expiry.set(*id, wanted->timeout_ms, now);
  post_connected(origin, *id, *wanted, tree.sessions().find(*id)->generation);
}

void Replica::State::execute_resume_session(const wire::Command& command, const Origin* origin) {
  const Result<wire::SessionRequest> wanted = wire::decode_session_request(command.request);
  ensure(wanted.has_value(), "a session request in the log is of this program's making");
  const tree::Status status =
      tree.resume_session(context, command.session, wanted->password, command.stream.server, wanted->timeout_ms);
  if (status != tree::Status::ok) {
    post_resume_refused(origin);
    return;
  }
  const std::uint32_t generation = tree.sessions().find(command.session)->generation;
  expiry.set(command.session, wanted->timeout_ms, now);
  post_to_all(MailItem{.kind = MailItem::Kind::session_moved, .session = command.session, .generation = generation});
  post_connected(origin, command.session, *wanted, generation);
}

// the entry names the deciding term and is void in any other; a resume before it in the log makes it void too.
void Replica::State::execute_expire_session(const wire::Command& command, const raft::Entry& entry) {
  const Result<Term> decided = wire::decode_term(command.request);
  ensure(decided.has_value(), "an expiry in the log is of this program's making");
  const tree::Session* session = tree.sessions().find(command.session);
  if (session == nullptr) {
    expiry.remove(command.session);
    return;
  }
  if (*decided != entry.term || session->generation != command.generation) {
    ++stats.void_entries;
    expiry.not_closing(command.session);
    return;
  }
  ++stats.sessions_expired;
  stats.last_expired = command.session;
  stats.last_expired_timeout_ms = session->timeout_ms;
  tree.close_session(context, command.session);
  post_events();
  end_session(command.session);
}

void Replica::State::end_session(SessionId session) {
  expiry.remove(session);
  post_to_all(MailItem{.kind = MailItem::Kind::session_gone, .session = session});
}

Histogram& Replica::State::watchers_told(tree::EventType type) {
  switch (type) {
    case tree::EventType::created:
      return stats.created_watches;
    case tree::EventType::deleted:
      return stats.deleted_watches;
    case tree::EventType::data_changed:
      return stats.changed_watches;
    case tree::EventType::children_changed:
      return stats.children_watches;
  }
  fail("an event has a type");
}

// Before the reply, so that no client learns of a change before its event (protocol 2.4 rule 4).
void Replica::State::post_events() {
  for (const Attached& front : fronts) {
    if (!front.watches->has_events()) {
      continue;
    }
    events.clear();
    front.watches->take_events(events);
    std::string& bytes = front.mailbox->bytes;
    for (const tree::WatchEvents::Event& event : events.events) {
      watchers_told(event.type).record(event.count);
      const std::size_t offset = bytes.size();  // A thousand watchers of one change get the same bytes.
      wire::encode_event(bytes, event.zxid, event.type, events.path_of(event));
      for (const tree::WatcherId watcher : events.watchers_of(event)) {
        front.mailbox->items.push_back(MailItem{.kind = MailItem::Kind::event,
                                                .connection = {.slot = std::to_underlying(watcher), .life = 0},
                                                .zxid = event.zxid,
                                                .offset = offset,
                                                .length = bytes.size() - offset});
      }
    }
  }
}

void Replica::State::post_to_all(const MailItem& item) {
  for (const Attached& front : fronts) {
    front.mailbox->items.push_back(item);
  }
}

void Replica::State::post(const Origin& origin, MailItem::Kind kind, std::size_t offset) {
  Mailbox& mailbox = *fronts[origin.front].mailbox;
  mailbox.items.push_back(MailItem{.kind = kind,
                                   .connection = origin.connection,
                                   .zxid = context.zxid,
                                   .offset = offset,
                                   .length = mailbox.bytes.size() - offset});
}

void Replica::State::post_reply(const wire::Command& command, tree::Status status, const Origin* origin) {
  if (origin == nullptr || origin->front == Origin::nobody) {
    return;
  }
  std::string& bytes = fronts[origin->front].mailbox->bytes;
  const std::size_t offset = bytes.size();
  const wire::ReplyHeader header{.xid = command.xid, .zxid = context.zxid, .status = status};
  const bool closes = command.opcode == wire::Opcode::close_session;
  if (status != tree::Status::ok || closes) {
    wire::encode_header_only(bytes, header);
  } else if (command.opcode == wire::Opcode::multi) {
    const auto& multi = std::get<wire::MultiRequest>(request);
    wire::encode_multi_reply(bytes, header, multi.opcodes, results);
  } else {
    wire::encode_write_reply(bytes, header, command.opcode, result);
  }
  post(*origin, closes ? MailItem::Kind::reply_then_close : MailItem::Kind::reply, offset);
}

void Replica::State::post_close(const Origin* origin) {
  if (origin != nullptr && origin->front != Origin::nobody) {
    post(*origin, MailItem::Kind::close, fronts[origin->front].mailbox->bytes.size());
  }
}

void Replica::State::post_connected(const Origin* origin, SessionId session, const wire::SessionRequest& wanted,
                                    std::uint32_t generation) {
  if (origin == nullptr || origin->front == Origin::nobody) {
    return;
  }
  Mailbox& mailbox = *fronts[origin->front].mailbox;
  const std::size_t offset = mailbox.bytes.size();
  wire::encode_connect_reply(mailbox.bytes, wire::ConnectReply{.timeout_ms = wanted.timeout_ms,
                                                               .session = session,
                                                               .password = wanted.password,
                                                               .with_read_only_flag = origin->with_read_only_flag});
  post(*origin, MailItem::Kind::connected, offset);
  MailItem& item = mailbox.items.back();
  item.session = session;
  item.generation = generation;
  item.timeout_ms = wanted.timeout_ms;
}

void Replica::State::post_resume_refused(const Origin* origin) {
  if (origin == nullptr || origin->front == Origin::nobody) {
    return;
  }
  Mailbox& mailbox = *fronts[origin->front].mailbox;
  const std::size_t offset = mailbox.bytes.size();
  wire::encode_connect_reply(mailbox.bytes, wire::ConnectReply{.with_read_only_flag = origin->with_read_only_flag});
  post(*origin, MailItem::Kind::refused, offset);
}

}  // namespace quorate::replica
