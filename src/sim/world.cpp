#include "sim/world.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <iterator>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "raft/describe.hpp"
#include "sim/causal.hpp"
#include "sim/linearizability.hpp"
#include "sim/nemesis.hpp"
#include "sim/sequential.hpp"

namespace quorate::sim {
namespace {

constexpr std::int64_t converge_step_us = 100'000;
constexpr std::uint64_t last_call_mark = std::uint64_t{1} << 62U;
constexpr std::int64_t quiet_us = 5'000'000;  // After the last answer (I-405).

Prng fork(std::uint64_t seed, std::uint64_t purpose) {
  return Prng(seed * 1'000'003 + purpose);
}

std::vector<raft::Member> founders(unsigned servers) {
  std::vector<raft::Member> members;
  for (unsigned id = 1; id <= servers; ++id) {
    members.push_back(raft::Member{.id = NodeId{id}, .incarnation_high = id, .incarnation_low = id});
  }
  return members;
}

}  // namespace

World::World(const Plan& plan, Trace::Sink sink)
    : plan_(plan),
      trace_(scheduler_, std::move(sink)),
      network_(scheduler_, fork(plan.seed, 1),
               Network::Ends{.deliver =
                                 [this](Speaker from, NodeId to, raft::Message&& message) {
                                   servers_[raw(to) - 1]->deliver(from, std::move(message));
                                 },
                             .lost =
                                 [this](NodeId from, NodeId to) {
                                   trace_.lose(from, to);
                                   servers_[raw(from) - 1]->lost(to);
                                 }}),
      around_{.scheduler = scheduler_, .network = network_, .judges = judges_, .trace = trace_, .knobs = plan_.knobs} {
  founding_.members = founders(plan_.knobs.servers);
  Prng seeds = fork(plan.seed, 2);
  for (unsigned id = 1; id <= plan_.knobs.servers + plan_.knobs.spares; ++id) {
    servers_.push_back(
        std::make_unique<Server>(NodeId{id}, around_, founding_, id <= plan_.knobs.servers, seeds.next_u64()));
  }
  nemesis_ = std::make_unique<Nemesis>(around_, servers_, fork(plan.seed, 3));
  const Knobs& knobs = plan_.knobs;
  clients_.push_back(std::make_unique<Clients>(around_, servers_,
                                               Group{.level = ReadLevel::linearizable,
                                                     .clients = knobs.clients,
                                                     .first_key = 0,
                                                     .keys = knobs.keys,
                                                     .requests_per_second = knobs.requests_per_second},
                                               fork(plan.seed, 4)));
  if (knobs.weak_clients > 0) {
    clients_.push_back(std::make_unique<Clients>(around_, servers_,
                                                 Group{.level = ReadLevel::sequential,
                                                       .clients = knobs.weak_clients,
                                                       .first_key = knobs.keys,
                                                       .keys = weak_keys,
                                                       .requests_per_second = knobs.weak_clients,
                                                       .first_mark = std::uint64_t{1} << 40U},
                                                 fork(plan.seed, 5)));
  }
}

World::~World() = default;

void World::run_until(MonoTime end) {
  while (!judges_.violation() && scheduler_.steps() < steps_max_ && scheduler_.step(end)) {
  }
}

Report World::run() {
  nemesis_->begin(plan_.faults);
  for (const auto& group : clients_) {
    group->begin();
  }
  steps_max_ = plan_.steps_max == 0 ? UINT64_MAX : plan_.steps_max;
  run_until(MonoTime{plan_.safety_us});
  steps_max_ = UINT64_MAX;
  if (!judges_.violation()) {
    heal();
  }
  if (!judges_.violation()) {
    judge_answers();
  }
  if (!judges_.violation()) {
    judge_quiet();
  }
  if (!judges_.violation()) {
    judge_end();
  }
  return report();
}

// I-401, I-402: with machines and links well, somebody leads, everybody follows, and every call gets its answer.
void World::heal() {
  trace_.event(NodeId{}, "heal");
  nemesis_->heal();
  // Pauses that began before may still last; then fifty longest election time-outs (I-401).
  std::int64_t deadline_us = 100 * plan_.knobs.timing.election_us + 10'000'000;
  for (const auto& server : servers_) {
    deadline_us += server->is_paused() ? 10'000'000 : 0;
  }
  const MonoTime deadline = after_us(scheduler_.now(), deadline_us);
  // What the faults delayed goes first on its link, before all that is sent now.
  run_until(std::max(after_us(scheduler_.now(), 2 * plan_.knobs.timing.election_us), network_.empty_at()));
  for (const auto& group : clients_) {
    group->stop();
  }
  while (!judges_.violation() && !has_converged()) {
    if (scheduler_.now() >= deadline) {
      judges_.violate("I-401", "after everything was healed: " + why_not_converged());
      return;
    }
    run_until(after_us(scheduler_.now(), converge_step_us));
  }
}

std::size_t World::waiting() const {
  std::size_t count = 0;
  for (const auto& group : clients_) {
    count += group->waiting();
  }
  return count;
}

bool World::has_converged() const {
  return why_not_converged().empty();
}

std::string World::why_not_converged() const {
  const Server* leading = nemesis_->leader();
  if (leading == nullptr) {
    return "nobody leads";
  }
  const raft::Core& leader = leading->core();
  if (waiting() > 0) {
    return "clients wait";
  }
  for (const raft::Member& member : leader.configuration().members) {
    const Server& server = *servers_[raw(member.id) - 1];
    if (!server.is_serving()) {
      return fmt::format("server {} is down", raw(member.id));
    }
    if (server.is_paused()) {  // A leader that stands still may have been voted out when it wakes.
      return fmt::format("server {} stands still", raw(member.id));
    }
    const bool is_current = server.incarnation() == member.incarnation_high && server.core().term() == leader.term() &&
                            server.core().applied_index() == leader.log().last().index;
    if (!is_current) {
      return fmt::format("{}; {}", raft::describe(server.core()), raft::describe(leader));
    }
  }
  return {};
}

// I-402: who asks now is answered, and soon: a write where somebody leads, a read everywhere. The write finds another
// value than it expects, so that the histories need not know of it.
void World::judge_answers() {
  constexpr std::int64_t round_trip_us = 2'000;
  const Knobs& knobs = plan_.knobs;
  const auto open = std::make_shared<std::set<std::string>>();
  const auto answer_to = [&open](const std::string& call) -> Reply {
    open->insert(call);
    return [open, call](const Answer& answer) {
      if (answer.kind == Answer::Kind::done) {
        open->erase(call);
      }
    };
  };
  const NodeId leader = nemesis_->leader()->id();
  std::vector<NodeId> members;
  std::ranges::transform(nemesis_->leader()->core().configuration().members, std::back_inserter(members),
                         &raft::Member::id);
  for (const NodeId id : members) {
    servers_[raw(id) - 1]->read(0, answer_to(fmt::format("a read at server {}", raw(id))));
  }
  servers_[raw(leader) - 1]->write(
      RegisterWrite{.mark = last_call_mark, .key = 0, .is_compare_and_set = true, .expected = -1, .value = 0},
      answer_to("a write"));
  run_until(after_us(scheduler_.now(), 10 * (round_trip_us + knobs.flush_max_us) + knobs.timing.heartbeat_us));
  // Operators may still replace somebody.
  if (!judges_.violation() && !open->empty() && knobs.spares == 0) {
    judges_.violate("I-402", fmt::format("with everything well nobody answers {}", fmt::join(*open, ", ")));
  }
}

// I-405, I-403: nothing is asked for, and nothing happens.
void World::judge_quiet() {
  if (nemesis_->leader() == nullptr) {
    judges_.violate("I-403", "with everything well the leader is gone");
    return;
  }
  const Server& leader = *nemesis_->leader();
  const Term term = leader.core().term();
  const Index last = leader.core().log().last().index;
  const raft::LogId configuration = leader.core().configuration_id();
  run_until(after_us(scheduler_.now(), quiet_us));
  if (judges_.violation()) {
    return;
  }
  // Operators may still replace somebody; then it is not quiet.
  const bool changes =
      plan_.knobs.spares > 0 || (leader.is_serving() && leader.core().configuration_id() != configuration);
  if (!changes &&
      (!leader.is_serving() || leader.core().term() != term || leader.core().role() != raft::Role::leader)) {
    judges_.violate("I-403", "leadership changed hands without a reason");
  } else if (!changes && leader.core().log().last().index != last) {
    judges_.violate("I-405", "the log grew without a request");
  } else if (leader.is_serving() && leader.core().uncommitted_bytes() > 0 && !changes) {
    judges_.violate("I-405", "something is left uncommitted");
  }
}

void World::judge_end() {
  judges_.judge_marks();
  const SearchLimits first{.steps = plan_.knobs.search_steps, .seen_bytes = 64U << 20};
  const SearchLimits second{.steps = plan_.knobs.second_search_steps, .seen_bytes = 512U << 20};
  const auto decided = [&](const History& history, const auto& check) {
    auto found = check(history, first);
    return found.verdict == Verdict::gave_up ? check(history, second) : found;
  };
  const History& strict = clients_.front()->history();
  const Linearizability found = decided(strict, check_linearizable);
  judge_history("I-203", found.verdict, describe(strict, found));
  if (clients_.size() > 1 && !judges_.violation()) {
    const History& weak = clients_.back()->history();
    const SequentialConsistency sequential = decided(weak, check_sequential);
    judge_history("CONS-05", sequential.verdict, describe(weak, sequential));
    const CausalConsistency causal = check_causal(weak);
    judge_history("CONS-06", causal.verdict, describe(weak, causal));
  }
}

void World::judge_history(const char* invariant, Verdict verdict, const std::string& words) {
  if (verdict == Verdict::broken) {
    judges_.violate(invariant, words);
  }
  undecided_histories_ += verdict == Verdict::gave_up ? 1U : 0U;
}

Report World::report() {
  Report report{.violation = judges_.violation(),
                .simulated_us = raw(scheduler_.now()),
                .steps = scheduler_.steps(),
                .committed = raw(judges_.committed()),
                .leaders = judges_.leaders(),
                .answered = 0,
                .unanswered = 0,
                .digest = judges_.digest(),
                .undecided_histories = undecided_histories_,
                .goals = {}};
  for (const auto& group : clients_) {
    report.answered += group->answered();
    report.unanswered += group->unanswered();
  }
  const auto count = [&report](const char* goal, std::uint64_t times) { report.goals[goal] += times; };
  for (const auto& server : servers_) {
    const Counters& counters = server->counters();
    count("starts", counters.starts);
    count("starts refused for damage", counters.refused_starts);
    count("torn tails cut", counters.torn_tails);
    count("flushes", counters.flushes);
    count("flushes cut short by a crash", counters.torn_flushes);
    count("processes stopped by their disk", counters.failed_disks);
    count("flushes without space", counters.full_disks);
    count("starts, snapshots and installations cut short", counters.cut_short);
    count("snapshots taken", counters.snapshots_taken);
    count("snapshots installed", counters.snapshots_installed);
    count("log read back for a follower", counters.log_reads);
    count("memberships changed", counters.changes_done);
    count("membership changes given up", counters.changes_failed);
    count("reads refused", counters.refused_reads);
    count("reads by lease", counters.reads_by_lease);
    count("proposals refused by a leader", counters.refused_proposals);
    count("messages of foreign incarnations", counters.foreign_messages);
  }
  count("elections", judges_.leaders());
  count("logs cut back", judges_.truncations());
  count("old terms' entries committed with a new one's", judges_.inherited());
  for (std::size_t kind = 0; kind < nemesis_->counts().size(); ++kind) {
    count(("fault " + std::string(name_of(static_cast<Fault::Kind>(kind)))).c_str(), nemesis_->counts()[kind]);
  }
  return report;
}

Report run(const Plan& plan, Trace::Sink sink) {
  World world(plan, std::move(sink));
  return world.run();
}

}  // namespace quorate::sim
