#include "paxos/testing/founding_world.hpp"

#include <algorithm>
#include <utility>

namespace quorate::paxos::testing {
namespace {

constexpr std::size_t packets_max = 300;
constexpr int heal_events_max = 200'000;                  // Time stands still while something moves.
constexpr std::int64_t operator_patience_us = 1'000'000;  // A wipe lets the others enrol anew before the next.

std::size_t majority(std::size_t of) {
  return of / 2 + 1;
}

}  // namespace

FoundingWorld::FoundingWorld(unsigned servers, std::uint64_t seed) : prng_(seed) {
  std::vector<unsigned> everyone;
  for (unsigned id = 1; id <= servers; ++id) {
    ids_.push_back(NodeId{id});
    everyone.push_back(id);
  }
  for (const NodeId id : ids_) {
    list(id, everyone);
  }
}

void FoundingWorld::list(NodeId id, const std::vector<unsigned>& ids) {
  std::vector<Listed>& listed = servers_[id].listed;
  listed.clear();
  for (const unsigned each : ids) {
    listed.push_back(Listed{.id = NodeId{each}, .address = "server" + std::to_string(each) + ":2888:3888"});
  }
}

void FoundingWorld::start(NodeId id, bool is_told_to_found) {
  Server& server = servers_.at(id);
  if (server.founding) {
    return;
  }
  if (!server.incarnation) {
    server.incarnation = Incarnation{.high = prng_.next_u64(), .low = prng_.next_u64()};
    ++server.incarnations;
  }
  is_operator_in_error_ = is_operator_in_error_ || (is_told_to_found && server.incarnations > 1);
  const FoundingConfig config{.self = id,
                              .incarnation = *server.incarnation,
                              .fresh_cluster_id = ClusterId{.high = prng_.next_u64(), .low = prng_.next_u64()},
                              .listed = server.listed,
                              .is_told_to_found = is_told_to_found,
                              .found_patience_us = 1'000'000};
  server.founding.emplace(config, server.disk, Prng(prng_.next_u64()));
  server.founding->tick(now_);
  collect(id);
}

void FoundingWorld::crash(NodeId id, std::size_t kept) {
  Server& server = servers_.at(id);
  server.founding.reset();
  for (std::size_t i = 0; i < std::min(kept, server.writes.size()); ++i) {
    store(id, server.writes[i].state);
  }
  server.writes.clear();
}

void FoundingWorld::wipe(NodeId id) {
  Server& server = servers_.at(id);
  server.founding.reset();
  server.writes.clear();
  server.incarnation.reset();
  server.disk = FoundingState{};
}

void FoundingWorld::cut(NodeId id, bool is_cut) {
  servers_.at(id).is_cut = is_cut;
}

bool FoundingWorld::admit(NodeId id) {
  Server& server = servers_.at(id);
  if (!server.founding || server.founding->report().standing != Standing::joining) {
    return false;
  }
  const Cluster& cluster = ledger_.at(*server.founding->report().cluster).cluster;
  const auto members = static_cast<std::size_t>(std::ranges::count_if(cluster.founders, [&](const Founder& founder) {
    const auto found = servers_.find(founder.seat.id);
    return found != servers_.end() && found->second.disk.cluster && found->second.disk.cluster->id == cluster.id;
  }));
  if (members < majority(cluster.founders.size())) {
    return false;
  }
  server.founding->admitted(cluster);
  collect(id);
  return true;
}

void FoundingWorld::tick(std::int64_t microseconds) {
  now_ = after_us(now_, microseconds);
  for (const NodeId id : ids_) {
    if (is_up(id)) {
      servers_.at(id).founding->tick(now_);
      collect(id);
    }
  }
}

bool FoundingWorld::deliver(std::size_t packet, bool is_repeated) {
  const Packet chosen = network_.at(packet);
  if (!is_repeated) {
    lose(packet);
  }
  const auto to = servers_.find(chosen.to);
  if (to == servers_.end() || !to->second.founding || to->second.is_cut || servers_.at(chosen.from).is_cut) {
    return false;
  }
  to->second.founding->step(chosen.from, chosen.message);
  collect(chosen.to);
  return true;
}

void FoundingWorld::lose(std::size_t packet) {
  network_.erase(network_.begin() + static_cast<std::ptrdiff_t>(packet));
}

bool FoundingWorld::finish_write(NodeId id) {
  Server& server = servers_.at(id);
  if (!server.founding || server.writes.empty()) {
    return false;
  }
  const Write write = std::move(server.writes.front());
  server.writes.pop_front();
  store(id, write.state);
  for (const FoundingEnvelope& envelope : write.then_send) {
    post(id, envelope);
  }
  server.founding->persisted(write.token);
  collect(id);
  return true;
}

void FoundingWorld::calm_event() {
  for (const NodeId id : ids_) {
    if (finish_write(id)) {
      return;
    }
  }
  if (!network_.empty()) {
    deliver(0);
  } else {
    tick(20'000);
  }
}

// What the reports tell an operator to do. True: something was done.
bool FoundingWorld::follow_reports() {
  for (const NodeId id : ids_) {
    if (report(id).objection == Objection::majority_lost) {
      ++marks_["found most of a founding gone"];
      wipe(id);
      start(id);
      return true;
    }
  }
  return false;
}

bool FoundingWorld::is_healed() const {
  std::set<ClusterId> known;
  bool has_member = false;
  bool all_know_of_conflict = true;
  for (const NodeId id : ids_) {
    const Report report = servers_.at(id).founding->report();
    all_know_of_conflict = all_know_of_conflict && report.objection == Objection::two_clusters;
    has_member = has_member || report.standing == Standing::member;
    known.insert(report.cluster.value_or(ClusterId{}));
    if (!servers_.at(id).writes.empty()) {
      return false;
    }
    if (report.standing != Standing::member && report.standing != Standing::joining) {
      known.insert(ClusterId{});
    }
  }
  return (has_member && known.size() == 1) || (is_operator_in_error_ && all_know_of_conflict);
}

bool FoundingWorld::heal(std::int64_t bound_us) {
  std::vector<unsigned> everyone;
  everyone.reserve(ids_.size());
  for (const NodeId id : ids_) {
    everyone.push_back(raw(id));
  }
  for (const NodeId id : ids_) {
    Server& server = servers_.at(id);
    cut(id, false);
    if (server.listed.size() != everyone.size()) {
      crash(id, server.writes.size());
      list(id, everyone);
    }
    start(id);
  }
  MonoTime since = now_;
  for (int event = 0; event < heal_events_max && elapsed_us(since, now_) < bound_us && violation_.empty(); ++event) {
    if (is_healed()) {
      marks_["two clusters met"] += report(ids_.front()).objection == Objection::two_clusters ? 1U : 0U;
      return true;
    }
    if (elapsed_us(since, now_) > operator_patience_us && follow_reports()) {
      since = now_;
    }
    calm_event();
  }
  return false;
}

void FoundingWorld::collect(NodeId id) {
  Server& server = servers_.at(id);
  FoundingOutput output;
  while (server.founding->has_output()) {
    server.founding->take_output(output);
    for (const FoundingEnvelope& envelope : output.send) {
      post(id, envelope);
    }
    if (output.token) {
      server.writes.push_back(
          Write{.token = *output.token, .state = *output.persist, .then_send = output.send_after_sync});
    } else if (!output.send_after_sync.empty()) {
      violated("what waits for the disk names its token");
    }
  }
  if (server.founding->cluster() != nullptr && server.disk.cluster != *server.founding->cluster()) {
    violated("membership is told before it is durable");
  }
}

void FoundingWorld::post(NodeId id, const FoundingEnvelope& envelope) {
  judge_statement(id, envelope.message);
  network_.push_back(Packet{.from = id, .to = envelope.to, .message = envelope.message});
  if (network_.size() > packets_max) {
    lose(prng_.below(network_.size()));
  }
}

// R-118, L-102, L-104: what is said rests on what is on disk.
void FoundingWorld::judge_statement(NodeId id, const FoundingMessage& message) {
  const FoundingState& disk = servers_.at(id).disk;
  if (const auto* answer = std::get_if<Answer>(&message.content)) {
    if (!answer->enrolled.empty() && answer->enrolled != disk.enrolled) {
      violated("an enrolment is told before it is durable");
    }
    if (answer->cluster && answer->cluster != disk.cluster) {
      violated("a membership is told before it is durable");
    }
  } else if (const auto* deliberation = std::get_if<Deliberation>(&message.content)) {
    const auto* promise = std::get_if<Promise>(&deliberation->message);
    const auto* accepted = std::get_if<Accepted>(&deliberation->message);
    if (promise == nullptr && accepted == nullptr) {
      return;
    }
    const Ballot ballot = promise != nullptr ? promise->ballot : accepted->ballot;
    if (disk.enrolled != deliberation->seats || disk.decree.promised < ballot) {
      violated("a promise leaves before it is durable");
    }
  }
}

void FoundingWorld::store(NodeId id, const FoundingState& state) {
  const FoundingState before = std::exchange(servers_.at(id).disk, state);
  if (!before.enrolled.empty() && !state.enrolled.empty() && before.enrolled != state.enrolled) {
    ++marks_["left a founding for another"];
  }
  const bool is_same_founding = !before.enrolled.empty() && before.enrolled == state.enrolled;
  if (is_same_founding &&
      (state.decree.promised < before.decree.promised || (before.decree.accepted && !state.decree.accepted))) {
    violated("a promise is taken back (L-109)");
  }
  if (!before.cluster && state.cluster) {
    const bool was_in = before.enrolled == seats_of(*state.cluster);
    const bool is_founder = holds(seats_of(*state.cluster), Seat{.id = id, .incarnation = incarnation(id)});
    ++marks_[!is_founder ? "was admitted" : was_in ? "founded" : "returned to a founding that it had left"];
    if (is_founder && state.cluster->founders.size() == 1 && ids_.size() > 1) {
      ++marks_["founded alone"];
    }
  }
  if (state.cluster) {
    const auto found = ledger_.find(state.cluster->id);
    if (found == ledger_.end()) {
      judge_founded(*state.cluster);
    } else if (found->second.cluster != *state.cluster) {
      violated("one id, two clusters");
    }
  }
  judge_disks();
}

// A cluster that may have served is not replaced while a disk of its founders lives: it may be what is left of the
// data.
void FoundingWorld::judge_founded(const Cluster& cluster) {
  for (const auto& [id, facts] : ledger_) {
    for (const Founder& founder : facts.cluster.founders) {
      const auto server = servers_.find(founder.seat.id);
      const bool is_alive = server != servers_.end() && server->second.incarnation == founder.seat.incarnation;
      if (facts.has_served && is_alive && !is_operator_in_error_) {
        violated("a second cluster is founded though a founder of the first lives");
      }
    }
  }
  if (!ledger_.empty()) {
    ++marks_["founded after all was lost"];
  }
  ledger_.emplace(cluster.id, Facts{.cluster = cluster});
}

void FoundingWorld::judge_disks() {
  std::set<ClusterId> present;
  for (const auto& [id, server] : servers_) {
    if (server.disk.cluster) {
      present.insert(server.disk.cluster->id);
    }
  }
  if (present.size() > 1 && !is_operator_in_error_) {
    violated("two clusters exist");
  }
  for (auto& [id, facts] : ledger_) {
    const auto alive = static_cast<std::size_t>(std::ranges::count_if(facts.cluster.founders, [&](const Founder& each) {
      const auto server = servers_.find(each.seat.id);
      return server != servers_.end() && server->second.incarnation == each.seat.incarnation &&
             server->second.disk.cluster && server->second.disk.cluster->id == id;
    }));
    facts.has_served = facts.has_served || alive >= majority(facts.cluster.founders.size());
  }
}

void FoundingWorld::violated(const std::string& law) {
  if (violation_.empty()) {
    violation_ = law + "\n" + describe();
  }
}

std::string FoundingWorld::describe() const {
  std::string lines;
  for (const auto& [id, server] : servers_) {
    lines += "server " + std::to_string(raw(id)) + (server.incarnation ? " " : " empty") +
             (server.incarnation ? paxos::describe(*server.incarnation).substr(0, 4) : "") + " enrolled [" +
             paxos::describe(server.disk.enrolled) + "] cluster " +
             (server.disk.cluster ? paxos::describe(server.disk.cluster->id).substr(0, 4) : "none") + ": " +
             (server.founding ? paxos::describe(server.founding->report()) : "down") + "\n";
  }
  return lines;
}

}  // namespace quorate::paxos::testing
