#include "raft/testing/cluster.hpp"

#include <algorithm>
#include <gtest/gtest.h>
#include <iterator>
#include <ranges>

#include "base/checksum.hpp"
#include "base/ensure.hpp"
#include "raft/describe.hpp"

namespace quorate::raft::testing {
namespace {

constexpr std::size_t chunk_bytes = 7;

// Which incarnation a message to `id` is meant for: the member's, or that of the one removed last, who is told of it
// for a while. 0 when the configuration names none.
std::uint64_t incarnation_of(const Configuration& configuration, NodeId id) {
  if (const Member* member = find_member(configuration, id)) {
    return member->incarnation_low;
  }
  std::uint64_t newest = 0;
  for (const RemovedMember& removed : configuration.removed) {
    newest = removed.id == id ? std::max(newest, removed.incarnation_low) : newest;
  }
  return newest;
}

// One character a field; a test has few servers.
std::string text_of(const Configuration& configuration) {
  std::string text;
  for (const Member& member : configuration.members) {
    text += static_cast<char>('a' + raw(member.id));
    text += static_cast<char>('0' + std::to_underlying(member.role));
    text += static_cast<char>('0' + member.incarnation_low);
  }
  text += configuration.leaves_automatically ? '|' : '/';
  for (const NodeId id : configuration.outgoing) {
    text += static_cast<char>('a' + raw(id));
  }
  text += '|';
  for (const RemovedMember& removed : configuration.removed) {
    text += static_cast<char>('a' + raw(removed.id));
    text += static_cast<char>('0' + removed.incarnation_low);
  }
  return text;
}

NodeId id_of(char letter) {
  return NodeId{static_cast<std::uint32_t>(letter - 'a')};
}

Configuration configuration_of(ByteView text) {
  Configuration configuration;
  std::size_t at = 0;
  for (; text[at] != '|' && text[at] != '/'; at += 3) {
    configuration.members.push_back(Member{.id = id_of(text[at]),
                                           .incarnation_low = static_cast<std::uint64_t>(text[at + 2] - '0'),
                                           .role = static_cast<MemberRole>(text[at + 1] - '0')});
  }
  configuration.leaves_automatically = text[at] == '|';
  for (++at; text[at] != '|'; ++at) {
    configuration.outgoing.push_back(id_of(text[at]));
  }
  for (++at; at < text.size(); at += 2) {
    configuration.removed.push_back(
        RemovedMember{.id = id_of(text[at]), .incarnation_low = static_cast<std::uint64_t>(text[at + 1] - '0')});
  }
  return configuration;
}

std::uint64_t extended(std::uint64_t hash, const Entry& entry) {
  const std::string text = std::to_string(raw(entry.term)) + "/" + std::to_string(raw(entry.index)) + "/" +
                           std::to_string(static_cast<int>(entry.kind)) + "/" + std::string(entry.command.view());
  return checksum(text, hash);
}

}  // namespace

ConfigurationCodec test_codec() {
  return ConfigurationCodec{
      .encode = [](const Configuration& configuration) { return Blob::adopt(text_of(configuration)); },
      .decode = [](ByteView bytes) { return Result<Configuration>(configuration_of(bytes)); },
  };
}

std::vector<Member> voters(const std::vector<unsigned>& ids) {
  std::vector<Member> members;
  members.reserve(ids.size());
  for (const unsigned id : ids) {
    members.push_back(Member{.id = NodeId{id}, .incarnation_low = 1});
  }
  return members;
}

Cluster::Cluster(const std::vector<unsigned>& founders, Config config, std::uint64_t seed)
    : Cluster(voters(founders), config, seed) {}

Cluster::Cluster(std::vector<Member> founders, Config config, std::uint64_t seed) : config_(config), prng_(seed) {
  config_.codec = test_codec();
  founding_.members = std::move(founders);
  for (const Member& member : founding_.members) {
    Server& founder = servers_[member.id];
    founder.id = member.id;
    founder.disk.snapshot.configuration.configuration = founding_;
    start(founder);
  }
}

Server& Cluster::add_server(unsigned id) {
  Server& added = servers_[NodeId{id}];
  ensure(raw(added.id) == 0, "a server is added once");
  added.id = NodeId{id};
  start(added);
  return added;
}

void Cluster::replace_server(unsigned id) {
  Server& replaced = server(id);
  crash(id);
  replaced.disk = Disk{};
  replaced.writes.clear();
  ++replaced.incarnation;
  std::erase_if(network_,
                [&replaced](const Packet& packet) { return packet.from == replaced.id || packet.to == replaced.id; });
  std::erase_if(votes_, [&replaced](const auto& vote) { return vote.first.first == replaced.id; });
  start(replaced);
}

Server& Cluster::server(unsigned id) {
  return servers_.at(NodeId{id});
}

void Cluster::start(Server& server) {
  const Disk& disk = server.disk;
  Recovered recovered;
  recovered.hard_state = disk.hard_state;
  recovered.snapshot = disk.snapshot.point;
  recovered.configuration = disk.snapshot.configuration.configuration;
  recovered.configuration_entry = disk.snapshot.configuration.id;
  recovered.time = disk.snapshot.time;
  recovered.entries = disk.entries;
  recovered.commit_hint = disk.snapshot.point.index;
  Config config = config_of(server.id);
  config.codec = config_.codec;
  config.self = server.id;
  config.incarnation = Incarnation{.high = 0, .low = server.incarnation};
  ++server.lives;
  server.is_up = true;
  server.state = State{.index = disk.snapshot.point.index, .hash = disk.snapshot.hash};
  server.core.emplace(config, std::move(recovered), Blob(), Prng(prng_.next_u64()));
  server.core->tick(clock_of(server));
  collect(server);
}

const Config& Cluster::config_of(NodeId id) const {
  const auto own = own_configs_.find(id);
  return own == own_configs_.end() ? config_ : own->second;
}

unsigned Cluster::leader() const {
  const Server* best = nullptr;
  for (const auto& [id, server] : servers_) {
    const bool leads = server.is_up && server.core->role() == Role::leader;
    if (leads && (best == nullptr || server.core->term() > best->core->term())) {
      best = &server;
    }
  }
  return best == nullptr ? 0 : raw(best->id);
}

void Cluster::advance(std::int64_t microseconds) {
  now_ = after_us(now_, microseconds);
  for (auto& [id, server] : servers_) {
    if (server.is_up) {
      server.core->tick(clock_of(server));
      collect(server);
    }
  }
}

void Cluster::advance(unsigned id, std::int64_t microseconds) {
  Server& moved = server(id);
  moved.behind_us -= microseconds;
  moved.core->tick(clock_of(moved));
  collect(moved);
}

void Cluster::settle() {
  for (std::size_t step = 0; step < 100'000; ++step) {
    bool has_moved = false;
    for (auto& [id, server] : servers_) {
      while (server.is_up && !server.is_stalled && !server.writes.empty()) {
        finish_write(server);
        has_moved = true;
      }
    }
    if (!network_.empty()) {
      if (step > 99'970) {
        ADD_FAILURE() << raw(network_.front().from) << " -> " << raw(network_.front().to) << ": "
                      << describe(network_.front().message);
      }
      deliver(0, false);
      has_moved = true;
    }
    if (!has_moved) {
      return;
    }
  }
  FAIL() << "the cluster never comes to rest";
}

void Cluster::run(std::int64_t microseconds) {
  const std::int64_t step = config_.timing.heartbeat_us / 10;
  for (std::int64_t done = 0; done < microseconds; done += step) {
    advance(step);
    settle();
  }
}

unsigned Cluster::elect(std::int64_t limit_us) {
  const std::int64_t step = config_.timing.heartbeat_us / 10;
  for (std::int64_t waited = 0; waited < limit_us; waited += step) {
    run(step);
    const unsigned id = leader();
    if (id != 0 && core(id).log().term_at(core(id).commit_index()) == core(id).term()) {
      return id;
    }
  }
  ADD_FAILURE() << "nobody leads after " << limit_us << " us";
  return 0;
}

void Cluster::crash(unsigned id) {
  Server& crashed = server(id);
  crashed.is_up = false;
  crashed.reads.clear();
  crashed.staging.reset();
}

void Cluster::restart(unsigned id, std::size_t kept) {
  Server& restarted = server(id);
  ensure(!restarted.is_up, "only what is down is started");
  for (std::size_t i = 0; i < std::min(kept, restarted.writes.size()); ++i) {
    put(restarted.disk, restarted.writes[i]);
  }
  restarted.writes.clear();
  start(restarted);
}

Result<Index> Cluster::propose(unsigned id, const std::string& command) {
  const Blob blob = Blob::copy(command);
  Result<Index> index = core(id).propose({&blob, 1}, WallTime{raw(now_) / 1000});
  if (index) {
    proposed_[command] = {NodeId{id}, server(id).lives};
  }
  collect(server(id));
  return index;
}

void Cluster::read(unsigned id) {
  Server& asked = server(id);
  asked.reads[++last_read_] = committed_;
  asked.core->read_index(last_read_, clock_of(asked));
  collect(asked);
}

void Cluster::compact(unsigned id) {
  Server& compacted = server(id);
  Disk& disk = compacted.disk;
  const State state = compacted.state;
  if (state.index <= disk.snapshot.point.index || !compacted.writes.empty()) {
    return;
  }
  const auto is_point = [&state](const Entry& entry) { return entry.index == state.index; };
  const auto at = std::ranges::find_if(disk.entries, is_point);
  ensure(at != disk.entries.end(), "what is applied is durable (R-313)");
  disk.snapshot = StoredSnapshot{.point = LogId{.term = at->term, .index = at->index},
                                 .configuration = compacted.core->configuration_at(state.index),
                                 .time = at->time,
                                 .hash = state.hash};
  disk.entries.erase(disk.entries.begin(), std::next(at));
  compacted.core->compacted(disk.snapshot.point);
}

// whoever asks, asks the incarnation that its configuration named, also when it is down by now, and counts the
// answers of no other one than its configuration names. An answer goes back to whoever asked.
bool Cluster::is_another_incarnation(const Packet& packet) const {
  const Message& message = packet.message;
  const bool is_answer = std::holds_alternative<VoteReply>(message) || std::holds_alternative<AppendReply>(message) ||
                         std::holds_alternative<HeartbeatReply>(message) ||
                         std::holds_alternative<SnapshotReply>(message) || std::holds_alternative<ReadReply>(message);
  if (!is_answer) {
    return packet.meant_incarnation != 0 && packet.meant_incarnation != servers_.at(packet.to).incarnation;
  }
  const Server& asker = servers_.at(packet.to);
  const std::uint64_t known = asker.is_up ? incarnation_of(asker.core->configuration(), packet.from) : 0;
  return known != 0 && known != servers_.at(packet.from).incarnation;
}

void Cluster::deliver(std::size_t packet, bool is_repeated) {
  Packet chosen = network_[packet];
  if (!is_repeated) {
    network_.erase(network_.begin() + static_cast<std::ptrdiff_t>(packet));
  }
  const auto to = servers_.find(chosen.to);
  if (to == servers_.end() || !to->second.is_up || cuts_.contains({chosen.from, chosen.to}) ||
      is_another_incarnation(chosen)) {
    return;
  }
  const Result<void> taken = to->second.core->step(chosen.from, std::move(chosen.message));
  EXPECT_TRUE(taken.has_value()) << taken.error().message;
  collect(to->second);
}

Result<void> Cluster::forge(unsigned from, unsigned to, Message message) {
  Result<void> taken = core(to).step(NodeId{from}, std::move(message));
  collect(server(to));
  return taken;
}

void Cluster::drop(std::size_t packet) {
  network_.erase(network_.begin() + static_cast<std::ptrdiff_t>(packet));
}

void Cluster::put(Disk& disk, const Write& write) {
  if (write.hard_state) {
    disk.hard_state = *write.hard_state;
  }
  if (!write.append.empty()) {
    const Index first = write.append.front().index;
    std::erase_if(disk.entries, [first](const Entry& entry) { return entry.index >= first; });
    const Index last = disk.entries.empty() ? disk.snapshot.point.index : disk.entries.back().index;
    if (first == next(last)) {
      std::ranges::copy(write.append, std::back_inserter(disk.entries));
    } else {
      ensure(first <= disk.snapshot.point.index, "the log on disk has no gap");
    }
  }
}

void Cluster::finish_write(Server& server) {
  Write write = std::move(server.writes.front());
  server.writes.pop_front();
  put(server.disk, write);
  send(server, write.then_send);
  server.core->persisted(write.token);
  collect(server);
}

void Cluster::send(Server& server, std::vector<Envelope>& envelopes) {
  for (Envelope& envelope : envelopes) {
    judge_message(server, envelope);
    const NodeId meant = envelope.to;
    network_.push_back(Packet{.from = server.id,
                              .to = envelope.to,
                              .message = std::move(envelope.message),
                              .meant_incarnation = incarnation_of(server.core->configuration(), meant)});
  }
}

// The pump: what a shell does with an output, in the order of its fields.
void Cluster::collect(Server& server) {
  Output output;
  while (server.core->has_output()) {
    server.core->take_output(output);
    tell(server, output);
    judge(server, output);
    send(server, output.send);
    if (output.token) {
      server.writes.push_back(Write{.token = *output.token,
                                    .hard_state = output.hard_state,
                                    .append = output.append,
                                    .then_send = std::move(output.send_after_sync)});
    }
    for (const Entry& entry : output.apply | std::views::join) {
      apply(server, entry);
    }
    if (!output.apply.empty()) {
      server.core->applied(output.apply.back().back().index);
    }
    for (const std::uint64_t id : output.reads) {
      const auto read = server.reads.find(id);
      ensure(read != server.reads.end(), "a read is answered once");
      claim(server.state.index >= read->second, "a stale read (I-203)");
      ++reads_answered_;
      server.reads.erase(read);
    }
    for (const std::uint64_t id : output.refused_reads) {
      EXPECT_EQ(server.reads.erase(id), 1U);
    }
    for (const LogRead& read : output.log_reads) {
      serve_log(server, read);
    }
    for (const SnapshotRead& read : output.snapshot_reads) {
      serve_snapshot(server, read);
    }
    for (const SnapshotWrite& write : output.snapshot_writes) {
      stage_snapshot(server, write);
    }
    if (output.snapshot_install) {
      install_snapshot(server, *output.snapshot_install);
    }
    changes_done_ += output.change && output.change->done ? 1U : 0U;
  }
}

void Cluster::claim(bool holds, const std::string& what) {
  if (holds) {
    return;
  }
  if (tolerates_violations_) {
    tell("VIOLATED: " + what);
  } else {
    GTEST_FAIL() << what;
  }
}

void Cluster::tell(const std::string& line) {
  if (trace_ != nullptr) {
    trace_->push_back(line);
  }
}

void Cluster::tell(const Server& server, const Output& output) {
  const std::string name = std::to_string(raw(server.id));
  if (output.role) {
    tell(name + " is " + describe(*output.role) + " in t" + std::to_string(raw(server.core->term())));
  }
  for (const Envelope& envelope : output.send) {
    tell(name + " -> " + std::to_string(raw(envelope.to)) + ": " + describe(envelope.message));
  }
  for (const Envelope& envelope : output.send_after_sync) {
    tell(name + " -> " + std::to_string(raw(envelope.to)) + ": " + describe(envelope.message) + " (after its write)");
  }
  for (const Entry& entry : output.apply | std::views::join) {
    tell(name + " applies " + describe(entry));
  }
  for ([[maybe_unused]] const std::uint64_t id : output.reads) {
    tell(name + " answers a read at " + std::to_string(raw(server.core->applied_index())));
  }
  for ([[maybe_unused]] const std::uint64_t id : output.refused_reads) {
    tell(name + " refuses a read");
  }
  if (output.change) {
    tell(name + (output.change->done ? " has changed the members"
                                     : " gives the change up: " + std::string(output.change->reason)));
  }
}

void Cluster::apply(Server& server, const Entry& entry) {
  ASSERT_EQ(entry.index, next(server.state.index)) << "each index once, in order (I-110)";
  server.state = State{.index = entry.index, .hash = extended(server.state.hash, entry)};
  const auto [known, is_new] = canon_.try_emplace(entry.index, entry.term, server.state.hash);
  claim(known->second == std::pair(entry.term, server.state.hash), "two servers applied different entries (I-109)");
  const auto on_disk = std::ranges::find(server.disk.entries, entry.index, &Entry::index);
  ASSERT_TRUE(on_disk != server.disk.entries.end() && *on_disk == entry) << "applied and not durable (I-110)";
  committed_ = std::max(committed_, entry.index);
  const auto proposed = proposed_.find(std::string(entry.command.view()));
  if (proposed != proposed_.end() && proposed->second == std::pair(server.id, server.lives)) {
    answered_.insert(proposed->first);
  }
}

void Cluster::judge(Server& server, const Output& output) {
  if (output.role == Role::leader) {
    const auto [known, is_new] = leaders_.try_emplace(server.core->term(), server.id);
    claim(is_new || known->second == server.id, "two leaders in one term (I-101)");
    const Log& log = server.core->log();
    claim(std::ranges::all_of(canon_,
                              [&log](const auto& canon) {
                                return canon.first <= log.start().index ||
                                       log.term_at(canon.first) == canon.second.first;
                              }),
          "a leader lacks a committed entry (I-104)");
  }
  if (server.core->commit_index() > committed_ && server.core->role() == Role::leader) {
    committed_ = server.core->commit_index();
  }
}

// I-106, I-102: at the network's entrance, against the disk.
void Cluster::judge_message(const Server& server, const Envelope& envelope) {
  const Message& message = envelope.message;
  const Disk& disk = server.disk;
  const Index durable = disk.entries.empty() ? disk.snapshot.point.index : disk.entries.back().index;
  const Term durable_term =
      disk.entries.empty() ? disk.hard_state.term : std::max(disk.hard_state.term, disk.entries.back().term);
  const auto* request = std::get_if<VoteRequest>(&message);
  const auto* vote = std::get_if<VoteReply>(&message);
  const bool proposes =
      (request != nullptr && request->is_pre) || (vote != nullptr && vote->is_pre && vote->is_granted);
  ASSERT_TRUE(proposes || term_of(message) <= durable_term) << "a message above the durable term (R-103)";
  if (const auto* reply = std::get_if<AppendReply>(&message); reply != nullptr && reply->is_accepted) {
    ASSERT_LE(reply->match, durable) << "an acknowledgement that is not durable (R-102, R-105)";
  }
  if (vote != nullptr && !vote->is_pre && vote->is_granted) {
    const auto [known, is_new] = votes_.try_emplace({server.id, vote->term}, envelope.to);
    ASSERT_EQ(known->second, envelope.to) << "two votes in one term (I-102)";
    ASSERT_TRUE(disk.hard_state.term > vote->term || disk.hard_state.vote == envelope.to) << "a vote on air (R-102)";
  }
  if (request != nullptr && !request->is_pre) {
    ASSERT_TRUE(disk.hard_state.term > request->term || disk.hard_state.vote == server.id) << "(R-102)";
    ASSERT_LE(request->last.index, durable) << "a candidate claims what it may lose (R-102)";
  }
}

void Cluster::serve_log(Server& server, const LogRead& read) {
  const Disk& disk = server.disk;
  const auto fits = [&read](LogId id) { return id.index <= read.bound.index && id.term <= read.bound.term; };
  LogId before = disk.snapshot.point;
  std::vector<Entry> entries;
  for (const Entry& entry : disk.entries) {
    const LogId id{.term = entry.term, .index = entry.index};
    if (fits(id)) {
      before = id;
    } else if (entries.size() < 3 && entry.index <= read.up_to) {
      entries.push_back(entry);
    }
  }
  if (fits(before) && !entries.empty()) {
    server.core->log_read(read.peer, before, std::move(entries));
  } else {
    server.core->log_unavailable(read.peer);
  }
}

void Cluster::serve_snapshot(Server& server, const SnapshotRead& read) {
  const StoredSnapshot& snapshot = server.disk.snapshot;
  if (snapshot.point.index == Index{}) {
    server.core->snapshot_unavailable(read.peer);
    return;
  }
  const std::string whole = std::to_string(snapshot.hash) + ";" + std::to_string(raw(snapshot.time)) + ";" +
                            text_of(snapshot.configuration.configuration);
  const SnapshotId id{.point = snapshot.point, .configuration = snapshot.configuration.id};
  const bool is_same = read.id && read.id->point == id.point;
  const std::uint64_t offset = is_same ? read.offset : 0;
  server.core->snapshot_chunk(read.peer,
                              SnapshotChunk{.term = {},
                                            .id = id,
                                            .offset = offset,
                                            .total = whole.size(),
                                            .bytes = Blob::copy(ByteView(whole).substr(offset, chunk_bytes))});
}

void Cluster::stage_snapshot(Server& server, const SnapshotWrite& write) {
  if (write.offset == 0) {
    server.staging.emplace(write.id, std::string());
  }
  ASSERT_TRUE(server.staging && server.staging->first == write.id && server.staging->second.size() == write.offset);
  server.staging->second += write.bytes.view();
  server.core->snapshot_stored(write.id, server.staging->second.size());
}

void Cluster::install_snapshot(Server& server, const SnapshotId& id) {
  ASSERT_TRUE(server.staging && server.staging->first == id);
  const std::string whole = server.staging->second;
  const std::size_t first = whole.find(';');
  const std::size_t second = whole.find(';', first + 1);
  StoredSnapshot& snapshot = server.disk.snapshot;
  snapshot.point = id.point;
  snapshot.hash = std::stoull(whole.substr(0, first));
  snapshot.time = WallTime{std::stoll(whole.substr(first + 1, second - first - 1))};
  snapshot.configuration = StoredConfiguration{.id = id.configuration,
                                               .configuration = configuration_of(ByteView(whole).substr(second + 1))};
  server.disk.entries.clear();
  server.state = State{.index = id.point.index, .hash = snapshot.hash};
  const auto known = canon_.find(id.point.index);
  ASSERT_TRUE(known != canon_.end() && known->second == std::pair(id.point.term, snapshot.hash)) << "(I-112)";
  ++snapshots_installed_;
  server.staging.reset();
  server.core->snapshot_installed(id, snapshot.configuration.configuration, snapshot.time);
}

}  // namespace quorate::raft::testing
