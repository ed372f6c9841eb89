#include "replica/replica.hpp"

#include <algorithm>
#include <span>
#include <utility>

#include "base/ensure.hpp"
#include "replica/growth.hpp"
#include "replica/replica_state.hpp"
#include "wire/configuration.hpp"

namespace quorate::replica {
namespace {

constexpr std::int64_t snapshot_retry_ms = 10000;
constexpr std::size_t arena_reserve_max = 1U << 20;
constexpr std::size_t expiry_looks_max = 4096;      // A turn: more would hold the loop for too long.
constexpr std::size_t mail_items_max = 1U << 15;    // Beyond it an entry is a turn's last one.
constexpr std::size_t command_overhead_bytes = 64;  // Ids and numbers around a request, at most.

Blob encode_noop(const wire::TermStart& start) {
  std::string bytes;
  wire::encode_term_start(bytes, start);
  return Blob::adopt(std::move(bytes));
}

raft::Config with_codec(raft::Config config) {
  config.codec = wire::configuration_codec();
  return config;
}

// With the disk full only what shrinks the problem, or what clients need to keep what they have, goes on.
bool goes_on(const Submission& submission, DiskSpace space) {
  if (space != DiskSpace::low) {
    return space == DiskSpace::enough;
  }
  return submission.kind == wire::CommandKind::resume_session ||
         (submission.kind == wire::CommandKind::client_request && submission.opcode == wire::Opcode::close_session);
}

}  // namespace

Replica::State::State(ReplicaConfig the_config, Restored restored, Prng the_prng)
    : config(the_config),
      zxid_base(restored.zxid_base),
      cluster_high(restored.cluster_high),
      cluster_low(restored.cluster_low),
      configuration(restored.log.configuration),
      configuration_entry(restored.log.configuration_entry),
      feature_level(restored.feature_level),
      tree(std::move(restored.tree)),
      streams(std::move(restored.streams)),
      prng(the_prng),
      core(with_codec(config.raft), std::move(restored.log), encode_noop(config.term_start), the_prng),
      applied(core.log().start()),
      clock_base(std::max(tree.last_time(), core.newest_time())),
      log_time(clock_base),
      expiry(config.tick_ms),
      cleaner(config.container_check_ms, config.containers_per_minute_max) {
  ensure(config.stream.server == config.raft.self, "a server's stream carries its own id");
  tree.sessions().for_each([this](const tree::Session& session) { expiry.set(session.id, session.timeout_ms, now); });
  draw_snapshot_thresholds();
}

Replica::Replica(ReplicaConfig config, Restored restored, Prng prng)
    : state_(std::make_unique<State>(config, std::move(restored), prng)) {}
Replica::~Replica() = default;
Replica::Replica(Replica&&) noexcept = default;
Replica& Replica::operator=(Replica&&) noexcept = default;

void Replica::attach(std::uint32_t front, Mailbox& mailbox, tree::WatchTable& watches) {
  ensure(front == state_->fronts.size(), "fronts are attached in the order of their numbers");
  state_->fronts.push_back(Attached{.mailbox = &mailbox, .watches = &watches});
  state_->tree.attach(watches);
}

bool Replica::State::has_room(std::size_t bytes) const {
  const raft::Limits& limits = config.raft.limits;
  const std::size_t waiting = queued.size() + arena_ends.size();
  return waiting == 0 || (waiting < limits.uncommitted_entries_max &&
                          queued_bytes + arena.size() + bytes <= limits.uncommitted_bytes_max);
}

// S-206: what grows the tree is refused while it can still be cleaned up; deletes, sets that replace, sessions and what
// is under way go on.
bool Replica::State::has_memory(const Submission& submission, std::size_t& growth) {
  if (config.tree_bytes_max == 0) {
    return true;
  }
  growth = growth_of(submission, tree, decode_scratch, request);
  if (growth == 0 || tree.live_bytes() + growth_under_way + growth <= config.tree_bytes_max) {
    return true;
  }
  ++stats.refused_for_memory;
  return false;
}

bool Replica::submit(std::uint32_t front, const Submission& submission) {
  ensure(front < state_->fronts.size(), "a submission comes from an attached front");
  const bool admitted =
      state_->serving && goes_on(submission, state_->disk_space) &&
      state_->has_room(submission.request.size() + submission.credentials_bytes + command_overhead_bytes);
  Origin origin{
      .front = front, .connection = submission.connection, .with_read_only_flag = submission.with_read_only_flag};
  if (!admitted || !state_->has_memory(submission, origin.growth)) {
    ++state_->stats.refused;
    return false;
  }
  wire::Command command{.kind = submission.kind,
                        .stream = state_->config.stream,
                        .session = submission.session,
                        .generation = submission.generation,
                        .credentials = submission.credentials,
                        .xid = submission.xid,
                        .opcode = submission.opcode,
                        .request = submission.request};
  state_->enqueue(command, origin);
  return true;
}

void Replica::State::enqueue(wire::Command& command, const Origin& origin) {
  ++last_number;
  command.number = last_number;
  const std::size_t before = arena.size();
  wire::encode_command(arena, command);
  arena_ends.push_back(arena.size());
  origins.push_back(origin);
  growth_under_way += origin.growth;

  const auto bytes = static_cast<std::int64_t>(arena.size() - before);
  ++stats.proposals;
  stats.proposal_bytes_last = bytes;
  stats.proposal_bytes_min = stats.proposal_bytes_min < 0 ? bytes : std::min(stats.proposal_bytes_min, bytes);
  stats.proposal_bytes_max = std::max(stats.proposal_bytes_max, bytes);
}

void Replica::State::propose() {
  if (!arena_ends.empty()) {
    const std::size_t expected = std::min(arena.size(), arena_reserve_max);  // The next turn is likely like this one.
    const Blob turn = Blob::adopt(std::move(arena));
    std::size_t start = 0;
    for (const std::size_t end : arena_ends) {
      queued.push_back(turn.slice(start, end - start));
      start = end;
    }
    queued_bytes += start;
    arena_ends.clear();
    arena = std::string();
    arena.reserve(expected);
  }
  if (queued.empty()) {
    return;
  }
  const Result<Index> first = core.propose(queued, log_time);
  if (first) {
    queued.clear();
    queued_bytes = 0;
  }
}

void Replica::take_output(Output& into) {
  state_->propose();
  state_->pump.take(into);
  into.start_snapshot = state_->snapshot_is_due();
}

void Replica::persisted(raft::PersistToken token) {
  state_->pump.persisted(token);
}

// One entry may have a hundred thousand watchers: what the next ones have to say waits until that is delivered.
bool Replica::State::mail_is_full() const {
  return std::ranges::any_of(fronts,
                             [](const Attached& front) { return front.mailbox->items.size() > mail_items_max; });
}

std::size_t Replica::State::apply_row(std::span<const raft::Entry> row) {
  std::size_t done = 0;
  while (done < row.size() && (done == 0 || !mail_is_full())) {
    apply_entry(row[done]);
    ++done;
  }
  return done;
}

bool Replica::apply(std::size_t entries) {
  State& state = *state_;
  const bool was_serving = state.serving;
  do {
    const std::span<const raft::Entry> row = state.pump.committed();
    const std::size_t done = state.apply_row(row.first(std::min(row.size(), entries)));
    state.pump.applied(done);
    entries -= done;
  } while (entries > 0 && state.pump.has_committed() && !state.mail_is_full());
  if (state.serving && !was_serving) {
    state.expiry_restart_due = true;  // a new leader gives every session its full timeout.
  }
  return state.pump.has_committed();
}

void Replica::touch(SessionId session, MonoTime at) {
  state_->expiry.touch(session, at);
}

void Replica::tick(MonoTime now, WallTime wall) {
  State& state = *state_;
  ensure(!state.ticked || now >= state.now, "monotonic time does not go back");
  if (!state.ticked) {
    // Until now there was no time at all: what was heard of before was heard of now.
    state.ticked = true;
    state.clock_anchor = now;
    state.expiry_restart_due = true;
  }
  // After a pause (a slow flush, a stopped process) requests wait unread in the sockets: their touches get one turn to
  // arrive before anyone is judged silent.
  const bool was_paused = elapsed_us(state.now, now) > SessionExpiry::report_lag_ms * 1000;
  state.expiry_waits = was_paused && !state.expiry_waits;
  state.now = now;
  state.core.tick(now);
  state.move_clock(wall);
  state.allow_for_pauses();
  if (state.serving) {
    if (!state.expiry_waits) {
      state.propose_expired();
    }
    state.propose_cleaning();
  }
}

// Silence counts against a client only while it could have been heard. Two things keep it from that for long: the
// process does not run (stopped, or in a turn that never ends), and the log takes nothing in (a disk that stalls), so
// that whoever waits for an answer there, or for a session to be resumed, seems gone.
void Replica::State::allow_for_pauses() {
  if (std::exchange(expiry_restart_due, false)) {
    expiry.restart(now);
    served = now;
  }
  const Index committed = core.commit_index();
  const bool log_stands_still =
      committed == committed_before && (committed < core.log().last().index || !queued.empty());
  committed_before = committed;
  const bool is_pause = elapsed_us(served, now) > SessionExpiry::pause_ms * 1000;
  if (log_stands_still) {
    expiry_waits = expiry_waits || is_pause;
    just_allowed = false;
    return;
  }
  // Never twice in a row: a server that is never in time must still find out who is gone.
  just_allowed = is_pause && !just_allowed;
  if (just_allowed) {
    expiry.leave_out(served, now);
  }
  served = now;
}

// max(wall clock, previous time + monotonic time since): never back, and not frozen by a clock that was once wrong
// (design chapter 3, R-709).
void Replica::State::move_clock(WallTime wall) {
  const WallTime counted{raw(clock_base) + elapsed_us(clock_anchor, now) / 1000};
  if (wall >= counted) {
    clock_base = wall;
    clock_anchor = now;
  }
  log_time = std::max(wall, counted);
}

void Replica::State::propose_expired() {
  expired.clear();
  expiry.take_expired(now, expired, expiry_looks_max);
  std::string decided;
  wire::encode_term(decided, core.term());
  for (const SessionId id : expired) {
    const tree::Session* session = tree.sessions().find(id);
    if (session == nullptr) {
      expiry.remove(id);
      continue;
    }
    if (!has_room(decided.size() + command_overhead_bytes)) {
      expiry.not_closing(id);
      continue;
    }
    // The generation fences it: a resume that the log has before it makes it void.
    wire::Command command{.kind = wire::CommandKind::expire_session,
                          .stream = config.stream,
                          .session = id,
                          .generation = session->generation,
                          .credentials = {},
                          .request = decided};
    enqueue(command, Origin{});
  }
}

void Replica::State::propose_cleaning() {
  const std::size_t allowed = cleaner.allowance(now);
  if (allowed == 0) {
    return;
  }
  expendable.clear();
  const tree::Tree::ExpiryLook look = tree.find_expired(log_time, config.container_never_used_ms, allowed, expendable);
  std::size_t proposed = 0;
  for (const std::string& path : expendable) {
    if (!has_room(path.size() + command_overhead_bytes)) {
      break;
    }
    wire::Command command{
        .kind = wire::CommandKind::delete_container, .stream = config.stream, .credentials = {}, .request = path};
    enqueue(command, Origin{});
    ++proposed;
  }
  // What found no room is found again when the pass comes round.
  cleaner.proposed(proposed, proposed == expendable.size() ? look.looked : 0, look.listed);
}

void Replica::set_disk_space(DiskSpace space) {
  state_->disk_space = space;
}

// From [half, whole], so that the servers of a cluster do not write theirs at the same time.
void Replica::State::draw_snapshot_thresholds() {
  const auto draw = [this](std::uint64_t whole) { return whole - prng.below(whole / 2 + 1); };
  ensure(config.snapshot_entries > 0, "a snapshot after no entry would never end");
  ensure(config.snapshot_log_bytes > 0, "a snapshot after no byte would never end");
  snapshot_after_entries = draw(config.snapshot_entries);
  snapshot_after_bytes = draw(config.snapshot_log_bytes);
}

bool Replica::State::snapshot_is_due() const {
  return (entries_since_snapshot >= snapshot_after_entries || bytes_since_snapshot >= snapshot_after_bytes) &&
         now >= snapshot_not_before && !tree.snapshot_running();
}

wire::SnapshotHeader Replica::begin_snapshot(std::function<void(const tree::SnapshotItem&)> write) {
  State& state = *state_;
  state.tree.begin_snapshot(std::move(write));
  state.entries_since_snapshot = 0;
  state.bytes_since_snapshot = 0;
  state.draw_snapshot_thresholds();
  return wire::SnapshotHeader{.cluster_high = state.cluster_high,
                              .cluster_low = state.cluster_low,
                              .point = state.applied,
                              .zxid_base = state.zxid_base,
                              .feature_level = state.feature_level,
                              .configuration = state.configuration,
                              .configuration_entry = state.configuration_entry,
                              .streams = state.streams.positions()};
}

bool Replica::step_snapshot(std::size_t items) {
  return state_->tree.step_snapshot(items);
}

void Replica::abandon_snapshot() {
  state_->tree.abandon_snapshot();
  // It is still due, but what made it fail needs some time to go away.
  state_->entries_since_snapshot = state_->snapshot_after_entries;
  state_->snapshot_not_before = after_ms(state_->now, snapshot_retry_ms);
}

void Replica::snapshot_durable(raft::LogId point) {
  state_->core.compacted(point);
}

bool Replica::is_serving() const {
  return state_->serving;
}
tree::Tree& Replica::tree() {
  return state_->tree;
}
const tree::Tree& Replica::tree() const {
  return state_->tree;
}
const raft::Core& Replica::core() const {
  return state_->core;
}
Index Replica::applied() const {
  return state_->applied.index;
}
Zxid Replica::zxid_of(Index index) const {
  return Zxid{raw(state_->zxid_base) + static_cast<std::int64_t>(raw(index))};
}
const ReplicaStats& Replica::stats() const {
  return state_->stats;
}
const SessionExpiry& Replica::expiry() const {
  return state_->expiry;
}
void Replica::for_each_digest(const std::function<void(Zxid zxid, std::uint64_t digest)>& visit) const {
  for (std::size_t position = 0; position < state_->digests.size(); ++position) {
    const RememberedDigest& each = state_->digests[position];
    visit(each.zxid, each.digest);
  }
}
WallTime Replica::log_time() const {
  return state_->log_time;
}

}  // namespace quorate::replica
