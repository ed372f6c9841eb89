#include "sim/judges.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <functional>
#include <iterator>
#include <variant>

#include "raft/describe.hpp"

namespace quorate::sim {
namespace {

std::uint64_t key_of(Term term, Index index) {
  return (raw(term) << 40U) ^ raw(index);
}

// Of the voters of the incoming set, or of those that go; the core's arithmetic is not trusted with this.
template <class Holds>
bool holds_for_most(const std::vector<raft::Member>& incoming, Holds holds) {
  std::size_t voters = 0;
  std::size_t held = 0;
  for (const raft::Member& member : incoming) {
    if (member.role == raft::MemberRole::voter) {
      ++voters;
      held += holds(member.id) ? 1U : 0U;
    }
  }
  return held > voters / 2;
}

template <class Holds>
bool holds_for_most(const std::vector<NodeId>& outgoing, Holds holds) {
  return static_cast<std::size_t>(std::ranges::count_if(outgoing, holds)) > outgoing.size() / 2;
}

template <class Holds>
bool holds_for_quorum(const raft::Configuration& configuration, Holds holds) {
  return holds_for_most(configuration.members, holds) &&
         (configuration.outgoing.empty() || holds_for_most(configuration.outgoing, holds));
}

// By brute force: that no quorum of the one can decide behind the back of a quorum of the other (I-108).
bool quorums_meet(const raft::Configuration& a, const raft::Configuration& b) {
  std::set<NodeId> everybody;
  for (const raft::Configuration* each : {&a, &b}) {
    std::ranges::transform(each->members, std::inserter(everybody, everybody.end()), &raft::Member::id);
    everybody.insert(each->outgoing.begin(), each->outgoing.end());
  }
  const std::vector<NodeId> ids(everybody.begin(), everybody.end());
  for (std::uint64_t chosen = 0; chosen < std::uint64_t{1} << ids.size(); ++chosen) {
    const auto is_chosen = [&](NodeId id) {
      return (chosen >> static_cast<unsigned>(std::ranges::lower_bound(ids, id) - ids.begin()) & 1U) != 0;
    };
    if (holds_for_quorum(a, is_chosen) && holds_for_quorum(b, std::not_fn(is_chosen))) {
      return false;
    }
  }
  return true;
}

}  // namespace

void Judges::violate(std::string invariant, std::string words) {
  if (!violation_) {
    violation_ = Violation{.invariant = std::move(invariant), .words = std::move(words)};
  }
}

Judges::Server& Judges::server_of(NodeId id) {
  if (raw(id) >= servers_.size()) {
    servers_.resize(raw(id) + 1);
  }
  std::unique_ptr<Server>& server = servers_[raw(id)];
  if (!server) {
    server = std::make_unique<Server>();
  }
  return *server;
}

const Judges::Server* Judges::find_server(NodeId id) const {
  return raw(id) < servers_.size() ? servers_[raw(id)].get() : nullptr;
}

std::string Judges::name(NodeId id) const {
  return "server " + std::to_string(raw(id));
}

// ---- The disk: I-106, I-107.

void Judges::put(Server& server, const Write& write) {
  if (write.hard_state) {
    server.hard_state = *write.hard_state;
  }
  Index index = write.first;
  for (const Position& position : write.entries) {
    server.durable.put(index, position);
    index = next(index);
  }
}

bool Judges::matches(const Server& server, const raft::Recovered& log, const LogModel& recovered) {
  const bool is_same = server.durable.last() == recovered.last() && server.durable.back() == recovered.back();
  // The last life may have ended while it put a snapshot in the place of a log that did not hold its point.
  // An older snapshot is never that: what it knew to be committed it holds.
  const bool is_replaced = log.entries.empty() && log.snapshot.index > server.commit &&
                           server.durable.at(log.snapshot.index) != recovered.back();
  return server.hard_state == log.hard_state && (is_same || is_replaced);
}

bool Judges::lacks_last_record(const Server& server, const raft::Recovered& log, const LogModel& recovered) {
  const Index last = raw(server.flushed) == 0 ? server.durable.last() : previous(server.flushed);
  return recovered.last() == last && server.durable.at(last) == recovered.back() &&
         (log.hard_state == server.before || log.hard_state == server.hard_state);
}

// What was appended in a term that never became durable was never said: the term may be led again.
void Judges::forget_unsaid(const Server& server, Term durable_term) {
  for (const Write& write : server.writes) {
    Index index = write.first;
    for (const Position& position : write.entries) {
      if (position.term > durable_term) {
        known_.erase(key_of(position.term, index));
      }
      index = next(index);
    }
  }
}

bool Judges::recovered(NodeId id, const raft::Recovered& log, bool has_rot) {
  Server& server = server_of(id);
  LogModel model;
  const Index start = log.snapshot.index;
  std::optional<Position> position = canon_.at(start);
  if (!position || position->term != log.snapshot.term) {
    violate("I-112",
            name(id) + " recovers a snapshot at " + raft::describe(log.snapshot) + " that was never committed");
    return false;
  }
  model.reset(start, *position);
  for (const raft::Entry& entry : log.entries) {
    position = follow(*position, entry);
    model.put(entry.index, *position);
    judge_match(id, entry.index, *position);
  }
  const bool lacks_last = has_rot && lacks_last_record(server, log, model);
  const Index durable = server.durable.last();
  // Every write that was reported durable, and any number of those behind it, in order.
  bool is_promised = matches(server, log, model);
  while (!is_promised && !server.writes.empty()) {
    put(server, server.writes.front());
    server.writes.pop_front();
    is_promised = matches(server, log, model);
  }
  if (!is_promised && lacks_last) {
    server.promised = std::max(server.promised, durable);
    forget_votes(id, log.hard_state.term);
  } else if (!is_promised) {
    violate("I-107",
            fmt::format("{} recovers a log that ends at {}.{} in term {}, voting {}: it had promised {}.{}", name(id),
                        raw(model.back().term), raw(model.last()), raw(log.hard_state.term), raw(log.hard_state.vote),
                        raw(server.durable.back().term), raw(server.durable.last())));
  }
  forget_unsaid(server, log.hard_state.term);
  server.durable = model;
  server.memory = std::move(model);
  server.hard_state = log.hard_state;
  server.newest = log.hard_state;
  server.before = log.hard_state;
  server.flushed = Index{};
  server.led = Term{};
  server.writes.clear();
  server.commit = Index{};
  server.applied = start;
  server.configuration = Index{};
  return is_promised;
}

void Judges::wiped(NodeId id, std::uint64_t incarnation) {
  Server& server = server_of(id);
  server = Server{.former = std::move(server.durable), .counted = {}, .incarnation = incarnation};
  forget_votes(id, Term{});
}

// A disk that was lost takes them with it, and whoever counted them was right to: those of this term and later ones.
void Judges::forget_votes(NodeId id, Term from) {
  for (auto vote = votes_.lower_bound({id, from}); vote != votes_.end() && vote->first.first == id;) {
    former_votes_.emplace(id, vote->first.second, vote->second);
    vote = votes_.erase(vote);
  }
}

void Judges::staged(const raft::Core& core, raft::PersistToken token, const std::optional<raft::HardState>& hard_state,
                    std::span<const raft::Entry> entries) {
  Server& server = server_of(core.self());
  Write write{.token = token, .hard_state = hard_state, .first = {}, .entries = {}};
  if (hard_state) {
    judge_hard_state(core.self(), server, *hard_state);
  }
  if (!entries.empty()) {
    write.first = entries.front().index;
    if (write.first <= server.memory.last()) {
      ++truncations_;
      if (core.role() == raft::Role::leader) {
        violate("I-103", name(core.self()) + " changes its own log while it leads");
      }
      if (write.first <= server.commit) {
        violate("I-105", name(core.self()) + " cuts what it knows to be committed");
      }
      server.memory.truncate(write.first);
      server.configuration = std::min(server.configuration, previous(write.first));
    }
  }
  for (const raft::Entry& entry : entries) {
    const Position position = follow(server.memory.back(), entry);
    server.memory.put(entry.index, position);
    judge_match(core.self(), entry.index, position);
    write.entries.push_back(position);
    if (entry.kind == raft::EntryKind::configuration) {
      judge_configuration(core, server, entry);
    }
  }
  server.writes.push_back(std::move(write));
}

void Judges::judge_hard_state(NodeId id, Server& server, const raft::HardState& next) {
  const raft::HardState& known = server.newest;
  if (next.term < known.term) {
    violate("I-106", fmt::format("{} goes back from term {} to {}", name(id), raw(known.term), raw(next.term)));
  }
  if (next.term == known.term && known.vote != NodeId{} && next.vote != known.vote) {
    violate("I-102", fmt::format("{} changes its vote of term {} from {} to {}", name(id), raw(known.term),
                                 raw(known.vote), raw(next.vote)));
  }
  server.newest = next;
}

void Judges::persisted(NodeId id, raft::PersistToken token) {
  Server& server = server_of(id);
  const raft::HardState before = server.hard_state;
  Index first{};
  bool is_news = false;
  for (; !server.writes.empty() && server.writes.front().token <= token; server.writes.pop_front()) {
    const Write& write = server.writes.front();
    if (raw(write.first) != 0) {
      first = raw(first) == 0 ? write.first : std::min(first, write.first);
    }
    is_news = is_news || write.hard_state || !write.entries.empty();
    put(server, write);
  }
  if (is_news) {
    server.before = before;
    server.flushed = first;
  }
}

// ---- What is said: I-101, I-102, I-106.

void Judges::sent(NodeId id, const raft::Envelope& envelope) {
  const Server& server = server_of(id);
  const raft::Message& message = envelope.message;
  const auto* request = std::get_if<raft::VoteRequest>(&message);
  const auto* vote = std::get_if<raft::VoteReply>(&message);
  const bool proposes =
      (request != nullptr && request->is_pre) || (vote != nullptr && vote->is_pre && vote->is_granted);
  const Term durable_term = std::max(server.hard_state.term, server.durable.back().term);
  if (!proposes && raft::term_of(message) > durable_term) {
    violate("I-106", name(id) + " says more than its disk knows: " + raft::describe(message));
  }
  const auto* reply = std::get_if<raft::AppendReply>(&message);
  // By position, not by index alone: the entry that stands there on disk may be the one that it takes the place of
  // . What a later term replaced since counts for nobody.
  if (reply != nullptr && reply->is_accepted && reply->term >= server.newest.term &&
      (reply->match > server.durable.last() || server.durable.at(reply->match) != server.memory.at(reply->match))) {
    violate("I-106", name(id) + " acknowledges what is not durable: " + raft::describe(message));
  }
  if (vote != nullptr && !vote->is_pre && vote->is_granted) {
    judge_vote(id, vote->term, envelope.to);
    if (server.hard_state.term == vote->term && server.hard_state.vote != envelope.to) {
      violate("I-106", name(id) + " grants a vote that is not durable");
    }
  }
  if (request != nullptr && !request->is_pre) {
    judge_vote(id, request->term, id);
    const bool is_durable = server.hard_state.term > request->term || server.hard_state.vote == id;
    const std::optional<Position> last = server.durable.at(request->last.index);
    if (!is_durable || !last || last->term != request->last.term) {
      violate("I-106", name(id) + " asks for votes with what it may lose");
    }
  }
}

void Judges::judge_vote(NodeId voter, Term term, NodeId candidate) {
  const auto [known, is_new] = votes_.try_emplace({voter, term}, candidate);
  if (known->second != candidate) {
    violate("I-102", fmt::format("{} votes for {} and {} in term {}", name(voter), raw(known->second), raw(candidate),
                                 raw(term)));
  }
}

void Judges::led(const raft::Core& core) {
  const auto [known, is_new] = leaders_.try_emplace(core.term(), core.self());
  if (known->second != core.self()) {
    violate("I-101",
            fmt::format("servers {} and {} both lead term {}", raw(known->second), raw(core.self()), raw(core.term())));
  }
  Server& server = server_of(core.self());
  server.led = core.term();
  judge_election(core, server);
  // Committed in an earlier term: who wakes and counts its votes may have been overruled by a later one, which has gone
  // on.
  const auto later = committed_in_.lower_bound(core.term());
  if (later == committed_in_.begin()) {
    return;
  }
  const Index needed = std::prev(later)->second;
  const std::optional<Position> held = server.memory.at(needed);
  const bool is_in_snapshot = !held && server.memory.last() >= needed;
  if (!is_in_snapshot && held != canon_.at(needed)) {
    violate("I-104", fmt::format("{} leads term {} without the committed entry {}", name(core.self()), raw(core.term()),
                                 raw(needed)));
  }
}

// Whoever it asked was asked by the configuration of then; it may have appended one since it leads.
void Judges::judge_election(const raft::Core& core, const Server& server) {
  const Term term = core.term();
  const auto has_voted = [&](NodeId id) {
    const auto vote = votes_.find({id, term});
    // Durable where anybody else was asked (I-106); who decides alone may lead while its vote is being written.
    const bool is_own = id == core.self() && server.newest == raft::HardState{.term = term, .vote = id};
    return is_own || (vote != votes_.end() && vote->second == core.self()) ||
           former_votes_.contains({id, term, core.self()});
  };
  if (!holds_for_quorum(server.counted, has_voted) && !holds_for_quorum(core.configuration(), has_voted)) {
    violate("I-108", fmt::format("{} leads term {} without the votes of a quorum", name(core.self()), raw(term)));
  }
}

// ---- Logs and commitment: I-104, I-105, I-108, I-111.

void Judges::judge_match(NodeId id, Index index, const Position& position) {
  const auto [known, is_new] = known_.try_emplace(key_of(position.term, index), position.hash);
  if (known->second != position.hash) {
    violate("I-104",
            fmt::format("{} holds another {}.{} than somebody else", name(id), raw(position.term), raw(index)));
  }
}

// One at a time: who leads appends the next one only when the one before is committed, in its own term.
void Judges::judge_configuration(const raft::Core& core, Server& server, const raft::Entry& entry) {
  if (core.role() == raft::Role::leader && entry.term == core.term() && server.configuration > core.commit_index()) {
    violate("I-108", fmt::format("{} appends configuration {} while {} is not committed", name(core.self()),
                                 raw(entry.index), raw(server.configuration)));
  }
  server.configuration = entry.index;
  const raft::Configuration& before = core.configuration_at(previous(entry.index)).configuration;
  const raft::Configuration& after = core.configuration_at(entry.index).configuration;
  if (!before.members.empty() && !quorums_meet(before, after)) {
    violate("I-108", fmt::format("{} appends configuration {}, whose quorums need not meet those of the one before",
                                 name(core.self()), raw(entry.index)));
  }
}

void Judges::turned(const raft::Core& core) {
  Server& server = server_of(core.self());
  if (core.commit_index() != server.commit) {
    judge_commit(core, server);
  }
  if (core.role() == raft::Role::leader) {
    judge_progress(core);
  }
  if (server.counted != core.configuration()) {
    server.counted = core.configuration();
  }
}

void Judges::judge_commit(const raft::Core& core, Server& server) {
  const Index commit = core.commit_index();
  if (commit < server.commit) {
    violate("I-105", name(core.self()) + " takes back a commitment");
    return;
  }
  server.commit = commit;
  const bool is_news = commit > canon_.last();
  for (Index index = next(canon_.last()); index <= commit; index = next(index)) {
    const std::optional<Position> position = server.memory.at(index);
    if (!position) {
      violate("I-105", fmt::format("{} commits {}, which it does not hold", name(core.self()), raw(index)));
      return;
    }
    inherited_ += position->term < core.term() ? 1U : 0U;
    canon_.put(index, *position);
  }
  if (server.memory.at(commit) != canon_.at(commit)) {
    violate("I-109",
            fmt::format("{} commits another entry {} than was committed before", name(core.self()), raw(commit)));
  }
  if (is_news) {
    judge_quorum(core, server, commit);
    committed_in_[server.led] = commit;
  }
}

bool Judges::is_held(const raft::Configuration& configuration, Index index) const {
  const auto holds = [this, index](NodeId id) {
    const Server* server = find_server(id);
    // What a disk held when it was lost was acknowledged all the same.
    return server != nullptr && (server->durable.at(index) == canon_.at(index) ||
                                 server->former.at(index) == canon_.at(index) || index <= server->promised);
  };
  return holds_for_quorum(configuration, holds);
}

// The first to commit is a leader, by counting, and it counts for an entry of its own term; then a quorum holds
// that on disk. A configuration that it appended in the same turn counts at once.
void Judges::judge_quorum(const raft::Core& core, const Server& server, Index index) {
  if (canon_.back().term != server.led || server.led == Term{}) {
    violate("I-104", fmt::format("{} is the first to commit {}.{}, and the newest term that it led is {}",
                                 name(core.self()), raw(canon_.back().term), raw(index), raw(server.led)));
  }
  if (!is_held(server.counted, index) && !is_held(core.configuration(), index)) {
    violate("I-105",
            fmt::format("{} commits {} without a quorum that holds it on disk", name(core.self()), raw(index)));
  }
}

void Judges::judge_progress(const raft::Core& core) {
  for (const raft::Progress& peer : core.peers()) {
    const Server* server = find_server(peer.id());
    const raft::Member* member = raft::find_member(core.configuration(), peer.id());
    const bool is_same = server != nullptr && member != nullptr &&
                         member->incarnation_high == server->incarnation.value_or(member->incarnation_high);
    // A peer of a later term may have cut back what it once acknowledged to this leader, which does not know of it yet.
    const bool may_know = is_same && server->hard_state.term <= core.term();
    const bool is_true = peer.next_index() > peer.match() &&
                         (!may_know || peer.match() <= std::max(server->durable.last(), server->promised)) &&
                         peer.inflight_messages() <= core.config().limits.inflight_messages_max;
    if (!is_true) {
      violate("I-111", name(core.self()) + " is wrong about " + raft::describe(peer));
    }
  }
}

// ---- The state machine: I-109, I-110, I-112, I-301.

void Judges::applied(const raft::Core& core, const raft::Entry& entry, std::uint64_t digest) {
  Server& server = server_of(core.self());
  if (entry.index != next(server.applied) || entry.index > core.commit_index() || entry.index > server.durable.last()) {
    violate("I-110", fmt::format("{} applies {} after {}", name(core.self()), raw(entry.index), raw(server.applied)));
  }
  server.applied = entry.index;
  const std::optional<Position> held = canon_.at(entry.index);
  if (!held || server.memory.at(entry.index) != held) {
    violate("I-109", fmt::format("{} applies another entry {} than is committed", name(core.self()), raw(entry.index)));
  }
  if (raw(entry.index) >= digests_.size()) {
    digests_.resize(raw(entry.index) + 1);
  }
  std::optional<std::uint64_t>& known = digests_[raw(entry.index)];
  known = known.value_or(digest);
  if (known != digest) {
    violate("I-301", fmt::format("{} has another state at {} than somebody else", name(core.self()), raw(entry.index)));
  }
}

void Judges::snapshot_saved(raft::LogId point, std::uint64_t digest) {
  const std::optional<Position> held = canon_.at(point.index);
  const std::uint64_t known = raw(point.index) < digests_.size() ? digests_[raw(point.index)].value_or(digest) : digest;
  if (!held || held->term != point.term || known != digest) {
    violate("I-112", "a snapshot at " + raft::describe(point) + " is not of the committed state");
  }
}

void Judges::snapshot_installed(NodeId id, raft::LogId point, std::uint64_t digest) {
  snapshot_saved(point, digest);
  Server& server = server_of(id);
  const std::optional<Position> held = canon_.at(point.index);
  if (!held) {
    return;
  }
  server.memory.reset(point.index, *held);
  server.durable.reset(point.index, *held);
  for (Write& write : server.writes) {
    write.entries.clear();  // Void; their terms and votes are not.
  }
  server.applied = std::max(server.applied, point.index);
  server.commit = std::max(server.commit, point.index);
}

// ---- Definite answers: I-204.

void Judges::proposed(std::uint64_t mark) {
  marks_.try_emplace(mark);
}

void Judges::acknowledged(std::uint64_t mark) {
  marks_[mark].is_acknowledged = true;
}

void Judges::refused(std::uint64_t mark) {
  marks_[mark].is_refused = true;
}

void Judges::committed_write(Index index, std::uint64_t mark) {
  Mark& known = marks_[mark];
  if (known.times == 0 || known.index != index) {
    known.index = index;
    ++known.times;
  }
}

void Judges::judge_marks() {
  for (const auto& [mark, known] : marks_) {
    if (known.times > 1 || (known.is_acknowledged && known.times != 1) || (known.is_refused && known.times != 0)) {
      violate("I-204", fmt::format("write {} was {} and stands in the log {} times", mark,
                                   known.is_acknowledged ? "acknowledged"
                                   : known.is_refused    ? "refused"
                                                         : "open",
                                   known.times));
    }
  }
}

}  // namespace quorate::sim
