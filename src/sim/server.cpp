#include "sim/server.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <utility>
#include <variant>

#include "base/ensure.hpp"
#include "raft/describe.hpp"
#include "sim/server_process.hpp"
#include "wire/configuration.hpp"

namespace quorate::sim {
namespace {

const storage::Paths paths{.data = "data", .log = "data"};
constexpr std::uint64_t cluster_high = 7;
constexpr std::uint64_t cluster_low = 8;

// Which incarnation a message is meant for: the member's, or the removed one's, who is told of that for a while.
std::uint64_t incarnation_of(const raft::Configuration& configuration, NodeId id) {
  if (const raft::Member* member = raft::find_member(configuration, id)) {
    return member->incarnation_high;
  }
  std::uint64_t newest = 0;
  for (const raft::RemovedMember& removed : configuration.removed) {
    newest = removed.id == id ? std::max(newest, removed.incarnation_high) : newest;
  }
  return newest;
}

// Answers count in quorums; requests do not, and who speaks first may know more of the members than this server
//
bool is_answer(const raft::Message& message) {
  return std::holds_alternative<raft::VoteReply>(message) || std::holds_alternative<raft::AppendReply>(message) ||
         std::holds_alternative<raft::HeartbeatReply>(message) || std::holds_alternative<raft::SnapshotReply>(message);
}

Blob encode_noop(NodeId leader) {
  std::string bytes;
  wire::encode_term_start(bytes, wire::TermStart{.leader = leader, .switches = {}});
  return Blob::adopt(std::move(bytes));
}

}  // namespace

Server::Server(NodeId id, const Surroundings& around, const raft::Configuration& founding, bool is_founder,
               std::uint64_t seed)
    : id_(id),
      around_(around),
      founding_(founding),
      is_founder_(is_founder),
      prng_(seed),
      clock_(static_cast<std::int64_t>(prng_.below(1'000'000'000))),
      incarnation_(raw(id)) {}

Server::~Server() = default;

void Server::tell(std::string_view what, std::string_view words) {
  around_.trace.event(id_, what, words);
}

raft::Member Server::as_member(raft::MemberRole role) const {
  return raft::Member{.id = id_, .incarnation_high = incarnation_, .incarnation_low = raw(id_), .role = role};
}

const raft::Core& Server::core() const {
  return *process_->core;
}

const RegisterStore& Server::store() const {
  return process_->store;
}

std::size_t Server::waiting_clients() const {
  return process_ ? process_->writes.size() + process_->reads.size() : 0;
}

bool Server::is_paused() const {
  return paused_until_ > around_.scheduler.now();
}

// ---- Start.

raft::Config Server::config() const {
  return raft::Config{.self = id_,
                      .incarnation = raft::Incarnation{.high = incarnation_, .low = raw(id_)},
                      .limits = around_.knobs.limits,
                      .timing = around_.knobs.timing,
                      .has_leases = around_.knobs.has_leases,
                      .lease = around_.knobs.lease,
                      .codec = wire::configuration_codec()};
}

Result<std::unique_ptr<Server::Process>> Server::open() {
  auto process = std::make_unique<Process>(around_.knobs.keys + weak_keys);
  const storage::Identity fresh{.cluster_high = cluster_high,
                                .cluster_low = cluster_low,
                                .node = id_,
                                .incarnation_high = incarnation_,
                                .incarnation_low = raw(id_)};
  Result<storage::DataDirectory> directory = storage::DataDirectory::open(disk_, paths, fresh);
  if (!directory) {
    return std::unexpected(directory.error());
  }
  process->directory = std::make_unique<storage::DataDirectory>(std::move(*directory));
  RegisterStore& store = process->store;
  const storage::SnapshotSink sink{.reset = [&store] { store.begin_loading(); },
                                   .item = [&store](const tree::SnapshotItem& item) { return store.load(item); },
                                   .finish = [&store] { return store.finish_loading(); }};
  Result<storage::Recovery> recovery =
      storage::recover(*process->directory, sink, {}, storage::RecoverOptions{.has_peers = true});
  if (!recovery) {
    return std::unexpected(recovery.error());
  }
  for (const storage::Damage& damage : recovery->damage) {
    tell("damage", storage::describe(damage));
    counters_.torn_tails += damage.kind == storage::Damage::Kind::torn_tail ? 1U : 0U;
  }
  if (!recovery->may_start()) {
    return failure(ErrorCode::corrupt, storage::describe(recovery->damage.front()));
  }
  if (Result<void> begun = process->directory->begin_start(recovery->starts); !begun) {
    return std::unexpected(begun.error());
  }
  Result<std::unique_ptr<storage::Wal>> wal =
      storage::Wal::open(*process->directory,
                         storage::WalConfig{.segment_bytes = around_.knobs.segment_bytes,
                                            .recycled_segments_max = around_.knobs.recycled_segments},
                         recovery->log.position);
  if (!wal) {
    return std::unexpected(wal.error());
  }
  process->wal = std::move(*wal);
  process->begin(std::move(*recovery));
  return process;
}

void Server::start() {
  ensure(process_ == nullptr && !is_out_, "only what is down is started");
  ++lives_;
  ++counters_.starts;
  if (around_.knobs.forgets_everything) {
    disk_ = Disk();
  }
  tempt_fate();
  Result<std::unique_ptr<Process>> opened = open();
  if (has_met_fate()) {  // In the midst of its recovery (F-206).
    return;
  }
  if (!opened) {
    if (opened.error().code == ErrorCode::corrupt) {
      is_out_ = true;
      ++counters_.refused_starts;
      tell("refuses", opened.error().message);
      if (!was_damaged_) {
        around_.judges.violate("I-107", "after a crash alone " + opened.error().message);
      }
    } else {
      tell("exits", opened.error().message);
      crash(false);
    }
    return;
  }
  process_ = std::move(*opened);
  raft::Recovered& log = process_->recovered;
  is_in_doubt_ = !around_.judges.recovered(id_, log, was_damaged_);
  process_->store.set_position(log.snapshot);
  if (log.configuration.members.empty() && is_founder_) {
    log.configuration = founding_;
  }
  tell("start", fmt::format("life {} at {} with {} entries", lives_, raft::describe(log.snapshot), log.entries.size()));
  process_->core.emplace(config(), std::move(log), encode_noop(id_), Prng(prng_.next_u64()));
  process_->pump.emplace(*process_->core);
  process_->role = process_->core->role();
  tick();
}

// ---- End.

void Server::crash(bool power) {
  if (process_) {
    process_->cut_short(prng_, disk_, counters_);
  }
  tell(power ? "power" : "kill");
  process_.reset();
  if (power) {
    disk_.lose_power(prng_.next_u64());
  } else {
    disk_.restart();
  }
  paused_until_ = MonoTime{};
}

void Server::heal() {
  is_spared_ = true;
  flush_lag_us_ = 0;
  disk_.set_capacity(UINT64_MAX);
  disk_.fail_no_more();
  clock_.set_drift(around_.scheduler.now(), 0);
}

void Server::fail_stop(const Error& error) {
  if (has_met_fate()) {
    return;
  }
  ++counters_.failed_disks;
  tell("exits", error.message);
  crash(false);
}

void Server::pause(std::int64_t microseconds) {
  tell("pause", std::to_string(microseconds) + " us");
  paused_until_ = std::max(paused_until_, after_us(around_.scheduler.now(), microseconds));
}

void Server::wipe() {
  ensure(process_ == nullptr, "a disk is replaced while the machine is down");
  tell("wipe");
  disk_ = Disk();
  incarnation_ += 100;
  is_founder_ = false;
  is_out_ = false;
  was_damaged_ = false;
  is_in_doubt_ = false;
  around_.judges.wiped(id_, incarnation_);
}

bool Server::damage(Prng& prng) {
  ensure(process_ == nullptr, "bits rot while the machine is down");
  std::vector<std::string> files;
  for (const std::string_view directory : {"data/log", "data/snapshots"}) {
    if (const auto names = disk_.list(std::string(directory))) {
      for (const std::string& name : *names) {
        const std::string path = fmt::format("{}/{}", directory, name);
        if (!disk_.contents(path).empty() && name != "reserve" && !name.starts_with("spare")) {
          files.push_back(path);
        }
      }
    }
  }
  if (files.empty()) {
    return false;
  }
  const std::string& path = files[prng.below(files.size())];
  const std::string bytes = disk_.contents(path);
  // Where something is written; most of a segment is still empty.
  const std::size_t used = bytes.find_last_not_of('\0') + 1;
  const std::uint64_t offset = prng.below(std::max<std::size_t>(used, 1));
  disk_.corrupt(path, offset, static_cast<std::uint8_t>(1U << prng.below(8)));
  was_damaged_ = true;
  is_in_doubt_ = true;
  tell("rot", fmt::format("{} at {}", path, offset));
  return true;
}

// ---- Time.

void Server::later(std::int64_t microseconds, void (Server::*what)()) {
  around_.scheduler.after(microseconds, [this, life = lives_, what] {
    if (process_ == nullptr || lives_ != life) {
      return;
    }
    if (is_paused()) {
      // Behind the messages that waited meanwhile.
      later(elapsed_us(around_.scheduler.now(), paused_until_) + 1, what);
      return;
    }
    (this->*what)();
  });
}

void Server::tick() {
  process_->core->tick(clock_.monotonic(around_.scheduler.now()));
  later(clock_.world_us(around_.knobs.tick_us), &Server::tick);
  turn();
}

// ---- What comes in.

void Server::deliver(Speaker from, raft::Message&& message) {
  if (!is_serving()) {
    return;
  }
  if (is_paused()) {
    around_.scheduler.at(paused_until_, [this, life = lives_, from, message = std::move(message)]() mutable {
      if (lives_ == life) {
        deliver(from, std::move(message));
      }
    });
    return;
  }
  const std::uint64_t known = incarnation_of(process_->core->configuration(), from.id);
  const bool is_foreign = (from.expects != 0 && from.expects != incarnation_) ||
                          (is_answer(message) && known != 0 && known != from.incarnation);
  if (is_foreign) {
    ++counters_.foreign_messages;
    return;
  }
  process_->heard[raw(from.id)] = from.incarnation;
  around_.trace.receive(from.id, id_, message);
  const Result<void> taken = process_->core->step(from.id, std::move(message));
  if (!taken) {
    around_.judges.violate("R-803", "a message of a peer is refused: " + taken.error().message);
  }
  turn();
}

void Server::lost(NodeId peer) {
  if (is_serving() && !is_paused()) {
    process_->core->unreachable(peer);
    turn();
  }
}

void Server::gone(NodeId peer) {
  if (is_serving() && !is_paused()) {
    tell("gone", std::to_string(raw(peer)));
    process_->core->leader_is_gone(peer);
    turn();
  }
}

void Server::write(const RegisterWrite& write, Reply reply) {
  if (!is_serving() || is_paused()) {
    return;  // Nobody answers.
  }
  const Blob command = encode(
      write,
      wire::StreamId{.server = id_, .incarnation = incarnation_, .start = process_->directory->identity().starts},
      around_.knobs.padding);
  raft::Core& core = *process_->core;
  const bool is_refused =
      process_->wal->low_on_space() || !core.propose({&command, 1}, clock_.wall(around_.scheduler.now())).has_value();
  if (is_refused) {
    counters_.refused_proposals += core.role() == raft::Role::leader ? 1U : 0U;
    reply(Answer{.kind = Answer::Kind::refused, .leader = core.leader()});
    return;
  }
  around_.judges.proposed(write.mark);
  process_->writes.emplace(write.mark, std::move(reply));
  turn();
}

void Server::read(std::uint32_t key, Reply reply) {
  if (!is_serving()) {
    return;
  }
  if (is_paused()) {
    // It waits in the socket, and is read before the next tick: a process may stop just before it looks.
    around_.scheduler.at(paused_until_, [this, life = lives_, key, reply = std::move(reply)]() mutable {
      if (lives_ == life) {
        read(key, std::move(reply));
      }
    });
    return;
  }
  const std::uint64_t id = ++process_->last_read;
  process_->reads.emplace(id, Process::WaitingRead{.key = key, .reply = std::move(reply)});
  const std::uint64_t before = process_->core->reads_by_lease();
  process_->core->read_index(id, clock_.monotonic(around_.scheduler.now()));
  counters_.reads_by_lease += process_->core->reads_by_lease() - before;
  turn();
}

void Server::read_here(std::uint32_t key, Index at_least, const Reply& reply) {
  if (!is_serving() || is_paused()) {
    return;
  }
  const Index index = process_->store.position().index;
  if (index < at_least) {
    reply(Answer{.kind = Answer::Kind::refused, .leader = process_->core->leader()});
    return;
  }
  reply(Answer{.kind = Answer::Kind::done, .value = process_->store.value(key), .index = index});
}

Result<void> Server::change_members(std::vector<raft::Member> target) {
  if (!is_serving() || is_paused()) {
    return failure(ErrorCode::refused, "it is down");
  }
  Result<void> begun = process_->core->change_members(std::move(target));
  turn();
  return begun;
}

Result<void> Server::transfer(NodeId target) {
  if (!is_serving() || is_paused()) {
    return failure(ErrorCode::refused, "it is down");
  }
  Result<void> begun = process_->core->transfer_leadership(target);
  turn();
  return begun;
}

// ---- A turn.

void Server::turn() {
  while (process_ != nullptr && process_->pump->has_output()) {
    obey();
  }
}

// The fields of an output, in their order.
void Server::obey() {
  Process& process = *process_;
  raft::Core& core = *process.core;
  replica::Output& output = process.output;
  process.pump->take(output);
  stage();
  if (output.role) {
    around_.trace.role(id_, core.role(), core.term());
  }
  if (core.role() == raft::Role::leader &&
      std::pair(process.role, process.term) != std::pair(core.role(), core.term())) {
    around_.judges.led(core);
  }
  process.role = core.role();
  process.term = core.term();
  if (core.commit_index() != process.commit) {
    process.commit = core.commit_index();
    around_.trace.commit(id_, process.commit);
  }
  around_.judges.turned(core);
  begin_flush();
  for (raft::Envelope& envelope : output.send) {
    around_.trace.send(id_, envelope.to, envelope.message);
    around_.judges.sent(id_, envelope);
    // An answer goes back over the link that brought the request.
    const Speaker speaker{.id = id_,
                          .incarnation = incarnation_,
                          .expects = is_answer(envelope.message) ? process.heard[raw(envelope.to)]
                                                                 : incarnation_of(core.configuration(), envelope.to)};
    around_.network.send(speaker, envelope.to, std::move(envelope.message));
  }
  if (process.pump->has_committed()) {
    apply();
  }
  take_snapshot_in_time();
  answer_reads();
  serve_peers();
  if (output.change) {
    ++(output.change->done ? counters_.changes_done : counters_.changes_failed);
    tell("members", output.change->done ? "changed" : output.change->reason);
  }
}

void Server::stage() {
  Process& process = *process_;
  const replica::Output& output = process.output;
  if (!output.token) {
    return;
  }
  if (output.hard_state) {
    around_.trace.vote(id_, *output.hard_state);
  }
  for (const raft::Entry& entry : output.append) {
    around_.trace.append(id_, entry);
  }
  around_.judges.staged(*process.core, *output.token, output.hard_state, output.append);
  process.wal->stage(output.hard_state, output.append, output.commit_hint, *output.token);
}

void Server::apply() {
  Process& process = *process_;
  do {
    const std::span<const raft::Entry> row = process.pump->committed();
    std::ranges::for_each(row, [this](const raft::Entry& entry) { apply(entry); });
    process.pump->applied(row.size());
  } while (process.pump->has_committed());
}

void Server::take_snapshot_in_time() {
  const Process& process = *process_;
  if (raw(process.store.position().index) - raw(process.snapshot_index) >= around_.knobs.snapshot_entries) {
    take_snapshot();
  }
}

void Server::apply(const raft::Entry& entry) {
  Process& process = *process_;
  const std::optional<RegisterStore::Applied> applied = process.store.apply(entry);
  around_.trace.apply(id_, entry);
  around_.judges.applied(*process.core, entry, process.store.digest());
  if (!applied) {
    return;
  }
  around_.judges.committed_write(entry.index, applied->write.mark);
  const auto waiting = process.writes.find(applied->write.mark);
  if (waiting != process.writes.end()) {
    around_.judges.acknowledged(applied->write.mark);
    waiting->second(
        Answer{.kind = Answer::Kind::done, .value = applied->took_effect ? 1 : 0, .leader = id_, .index = entry.index});
    process.writes.erase(waiting);
  }
}

void Server::answer_reads() {
  Process& process = *process_;
  for (const std::uint64_t id : process.output.reads) {
    const auto read = process.reads.find(id);
    ensure(read != process.reads.end(), "a read is answered once");
    read->second.reply(Answer{.kind = Answer::Kind::done,
                              .value = process.store.value(read->second.key),
                              .leader = process.core->leader(),
                              .index = process.store.position().index});
    process.reads.erase(read);
  }
  for (const std::uint64_t id : process.output.refused_reads) {
    ++counters_.refused_reads;
    const auto read = process.reads.find(id);
    ensure(read != process.reads.end(), "a read is refused once");
    read->second.reply(Answer{.kind = Answer::Kind::refused, .leader = process.core->leader()});
    process.reads.erase(read);
  }
}

}  // namespace quorate::sim
