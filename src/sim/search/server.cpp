#include "sim/search/server.hpp"

#include <algorithm>
#include <bit>
#include <iterator>
#include <limits>
#include <ranges>
#include <span>
#include <utility>
#include <variant>

#include "base/checksum.hpp"
#include "base/ensure.hpp"
#include "wire/configuration.hpp"

namespace quorate::sim::search {
namespace {

// Heartbeats of any path never add up to a time-out, and time-outs never to what a stalled disk or a learner takes.
constexpr std::int64_t beat_us = 1;
constexpr std::int64_t time_out_us = 1'000'000'000'000;
constexpr std::int64_t never_us = std::numeric_limits<std::int64_t>::max() / 4;
constexpr int half_time_outs_max = 8;

raft::Config config_of(NodeId self, const ServerSettings& settings) {
  raft::Config config;
  config.self = self;
  config.timing =
      raft::Timing{.heartbeat_us = beat_us, .election_us = time_out_us, .stall_us = never_us, .catch_up_us = never_us};
  config.has_pre_vote = settings.has_pre_vote;
  config.codec = wire::configuration_codec();
  return config;
}

std::vector<raft::Member> members_of(const std::vector<NodeId>& voters) {
  std::vector<raft::Member> members;
  members.reserve(voters.size());
  for (const NodeId id : voters) {
    members.push_back(raft::Member{.id = id, .incarnation_low = 1});
  }
  return members;
}

std::uint32_t bit_of(NodeId id) {
  return std::uint32_t{1} << raw(id);
}

Voters voters_of(const raft::Configuration& configuration) {
  Voters voters;
  for (const raft::Member& member : configuration.members) {
    voters.incoming |= member.role == raft::MemberRole::voter ? bit_of(member.id) : 0U;
  }
  for (const NodeId id : configuration.outgoing) {
    voters.outgoing |= bit_of(id);
  }
  return voters;
}

std::uint64_t chained(std::uint64_t chain, const raft::Entry& entry) {
  Code code;
  code.put(entry);
  return checksum(code.text(), chain);
}

std::vector<Mark> marks_of(std::span<const raft::Entry> entries) {
  std::vector<Mark> marks;
  marks.reserve(entries.size());
  std::uint64_t chain = 0;
  for (const raft::Entry& entry : entries) {
    chain = chained(chain, entry);
    marks.push_back(Mark{.term = entry.term, .chain = chain});
  }
  return marks;
}

// What can be asked of a Progress only by trying it: the number of the newest append, and the first one whose refusal
// counts.
std::uint64_t newest_sequence(raft::Progress peer) {
  return peer.sent(previous(peer.next_index()), 0) - 1;
}
std::uint64_t first_valid_sequence(const raft::Progress& peer) {
  const std::uint64_t newest = newest_sequence(peer);
  std::uint64_t first = newest + 1;
  while (first > 1 && raft::Progress(peer).refused(first - 1, Index{})) {
    --first;
  }
  return first;
}

}  // namespace

bool Voters::has_quorum(std::uint32_t servers) const {
  const auto has_majority = [servers](std::uint32_t set) {
    return 2 * std::popcount(set & servers) > std::popcount(set);
  };
  return has_majority(incoming) && (outgoing == 0 || has_majority(outgoing));
}

Server::Server(NodeId self, const ServerSettings& settings) : self_(self), settings_(settings), core_(start()) {
  core_.tick(clock_);
  collect();
}

raft::Core Server::start() {
  ++lives_;
  raft::Recovered recovered;
  recovered.hard_state = disk_.hard_state;
  recovered.entries = disk_.entries;
  if (std::ranges::find(settings_.founders, self_) != settings_.founders.end()) {
    recovered.configuration.members = members_of(settings_.founders);
  }
  return raft::Core(config_of(self_, settings_), std::move(recovered), Blob(),
                    Prng((std::uint64_t{raw(self_)} << 32U) + lives_));
}

// ---- Inputs.

void Server::pass(std::int64_t microseconds) {
  clock_ = after_us(clock_, microseconds);
  core_.tick(clock_);
  collect();
}

// By halves: a leap would count as a pause of this server.
void Server::time_out() {
  const std::optional<std::uint64_t> before = view().campaign;
  for (int half = 0; half < half_time_outs_max; ++half) {
    pass(time_out_us / 2);
    if (core_.role() == raft::Role::candidate && view().campaign != before) {
      return;
    }
  }
}

void Server::lose_quorum() {
  pass(time_out_us);
}

void Server::beat() {
  pass(beat_us);
}

bool Server::propose(char command) {
  const Blob blob = Blob::copy(ByteView(&command, 1));
  const bool is_taken = core_.propose({&blob, 1}, WallTime{}).has_value();
  collect();
  return is_taken;
}

bool Server::change(const std::vector<NodeId>& voters) {
  const bool is_taken =
      core_.change_members(members_of(voters), true).has_value();  // Silence is no part of a state here.
  collect();
  return is_taken;
}

void Server::finish_write() {
  const Term term = core_.term();
  const raft::Role role = core_.role();
  const Index commit = core_.commit_index();
  const std::vector<Mark> log = marks();
  finish_first();
  collect();
  judge_step(term, role, commit, log);
}

void Server::crash() {
  writes_.clear();
  courses_.clear();
  last_campaign_ = 0;
  if (settings_.disk_lies) {
    disk_.hard_state = raft::HardState{};
  }
  core_ = start();
  find(core_.term() >= disk_.hard_state.term && core_.log().last().index == Index{disk_.entries.size()},
       "I-107: a restart loses what was durable");
  core_.tick(clock_);
  collect();
}

void Server::deliver(const Packet& packet) {
  const auto* follower = std::get_if<raft::Follower>(&core_.role_state());
  if (std::holds_alternative<raft::VoteRequest>(packet.message) && follower != nullptr && raw(follower->leader) != 0) {
    pass(0);
    for (std::int64_t silence = elapsed_us(core_.leader_heard(), clock_); silence < time_out_us;
         silence += time_out_us / 2) {
      pass(std::min(time_out_us / 2, time_out_us - silence));
    }
  }
  const Term term = core_.term();
  const raft::Role role = core_.role();
  const Index commit = core_.commit_index();
  const std::vector<Mark> log = marks();
  const Result<void> taken = core_.step(packet.from, concrete(packet));
  find(taken.has_value(), "R-801: an honest peer's message is called malformed");
  collect();
  judge_step(term, role, commit, log);
}

std::vector<Packet> Server::take_sent() {
  return std::exchange(sent_, {});
}

// The number that the core has to see for the one that the canonical form carries.
raft::Message Server::concrete(const Packet& packet) const {
  raft::Message message = packet.message;
  auto* reply = std::get_if<raft::AppendReply>(&message);
  if (reply == nullptr || reply->is_accepted || core_.role() != raft::Role::leader || reply->term != core_.term()) {
    return message;
  }
  const Course* course = find_course(packet.from);
  const bool counts = course != nullptr && course->changes == reply->sequence;
  const auto peer = std::ranges::find(core_.peers(), packet.from, &raft::Progress::id);
  reply->sequence = counts ? newest_sequence(*peer) : 0;
  return message;
}

// ---- Output.

void Server::collect() {
  raft::Output output;
  while (core_.has_output()) {
    core_.take_output(output);
    obey(output);
  }
  if (const auto* candidate = std::get_if<raft::Candidate>(&core_.role_state())) {
    last_campaign_ = candidate->campaign;
  }
  if (settings_.disk_is_instant && !writes_.empty()) {
    finish_first();
    collect();
  }
}

void Server::obey(raft::Output& output) {
  ensure(output.log_reads.empty() && output.snapshot_reads.empty() && !output.snapshot_install,
         "no scope of the search compacts a log");
  follow_courses();
  std::vector<Packet> at_once;
  for (raft::Envelope& envelope : output.send) {
    depart(std::move(envelope), at_once);
  }
  release(at_once);
  if (output.token) {
    Write write{.token = *output.token,
                .term = core_.term(),
                .last = core_.log().last().index,
                .hard_state = output.hard_state,
                .append = std::move(output.append),
                .then_send = {}};
    for (raft::Envelope& envelope : output.send_after_sync) {
      depart(std::move(envelope), write.then_send);
    }
    queue(std::move(write));
  }
  Index last = core_.applied_index();
  for (const raft::Entry& entry : output.apply | std::views::join) {
    last = next(last);
    find(entry.index == last, "I-110: an index is left out or applied twice");
    apply(entry);
  }
  if (!output.apply.empty()) {
    core_.applied(output.apply.back().back().index);
  }
}

// What persists nothing only waits, and is done with the write before it: otherwise each repeated vote request would
// make a write of its own.
void Server::queue(Write&& write) {
  if (!write.hard_state && write.append.empty() && !writes_.empty()) {
    Write& newest = writes_.back();
    newest.token = write.token;
    std::ranges::move(write.then_send, std::back_inserter(newest.then_send));
    return;
  }
  if (!write.append.empty()) {
    for (Write& earlier : writes_) {
      earlier.last = std::min(earlier.last, previous(write.append.front().index));  // As R-106 has it.
    }
  }
  writes_.push_back(std::move(write));
}

void Server::apply(const raft::Entry& entry) {
  find(entry.index <= core_.commit_index(), "I-110: an entry is applied that is not committed");
  const std::size_t place = raw(entry.index) - 1;
  find(place < disk_.entries.size() && disk_.entries[place] == entry, "I-110: an entry is applied that is not durable");
}

void Server::finish_first() {
  const Write write = std::move(writes_.front());
  writes_.pop_front();
  put(write);
  std::vector<Packet> packets = write.then_send;
  release(packets);
  core_.persisted(write.token);
}

void Server::put(const Write& write) {
  if (write.hard_state) {
    const raft::HardState& old = disk_.hard_state;
    find(write.hard_state->term >= old.term, "R-201: a term falls");
    find(write.hard_state->term > old.term || raw(old.vote) == 0 || write.hard_state->vote == old.vote,
         "I-102: a vote is replaced by another one of the same term");
    disk_.hard_state = *write.hard_state;
  }
  if (!write.append.empty()) {
    const std::size_t kept = raw(write.append.front().index) - 1;
    find(kept <= disk_.entries.size(), "R-301: the log on disk has a gap");
    disk_.entries.resize(std::min(kept, disk_.entries.size()));
    std::ranges::copy(write.append, std::back_inserter(disk_.entries));
  }
}

void Server::follow_courses() {
  std::erase_if(courses_, [this](const Course& course) {
    return core_.role() != raft::Role::leader || course.term != core_.term();
  });
  for (const raft::Progress& peer : core_.peers()) {
    const std::uint64_t first_valid = first_valid_sequence(peer);
    const auto course = std::ranges::find(courses_, peer.id(), &Course::peer);
    if (course == courses_.end()) {
      courses_.push_back(Course{.peer = peer.id(), .term = core_.term(), .first_valid = first_valid});
    } else if (course->first_valid != first_valid) {
      course->first_valid = first_valid;
      ++course->changes;
    }
  }
}

const Server::Course* Server::find_course(NodeId peer) const {
  const auto course = std::ranges::find(courses_, peer, &Course::peer);
  return course == courses_.end() ? nullptr : &*course;
}

// Into canonical form.
void Server::depart(raft::Envelope&& envelope, std::vector<Packet>& into) {
  Packet packet{.from = self_, .to = envelope.to, .message = std::move(envelope.message)};
  if (auto* append = std::get_if<raft::AppendRequest>(&packet.message)) {
    const Course* course = find_course(packet.to);
    if (course == nullptr) {
      append->sequence = 0;  // It stepped down in this very turn: an answer finds no leader.
    } else {
      ensure(append->sequence >= course->first_valid || course->changes > 0, "an append belongs to some course");
      append->sequence = course->changes - (append->sequence >= course->first_valid ? 0 : 1);
    }
  } else if (auto* heartbeat = std::get_if<raft::Heartbeat>(&packet.message)) {
    heartbeat->round = 0;
  }
  into.push_back(std::move(packet));
}

void Server::release(std::vector<Packet>& packets) {
  for (Packet& packet : packets) {
    judge_message(packet);
    sent_.push_back(std::move(packet));
  }
}

// ---- What a server's own judge sees.

void Server::find(bool holds, const char* invariant) {
  if (!holds && !broken_) {
    broken_ = invariant;
  }
}

// I-106: at the network's entrance, against the disk.
void Server::judge_message(const Packet& packet) {
  const raft::Message& message = packet.message;
  const Term newest = disk_.entries.empty() ? Term{} : disk_.entries.back().term;
  const Term durable_term = std::max(disk_.hard_state.term, newest);
  const Index durable{disk_.entries.size()};
  const auto* request = std::get_if<raft::VoteRequest>(&message);
  const auto* vote = std::get_if<raft::VoteReply>(&message);
  const bool proposes =
      (request != nullptr && request->is_pre) || (vote != nullptr && vote->is_pre && vote->is_granted);
  find(proposes || raft::term_of(message) <= durable_term, "I-106: a message leaves above the durable term");
  if (const auto* reply = std::get_if<raft::AppendReply>(&message); reply != nullptr && reply->is_accepted) {
    find(reply->match <= durable, "I-106: an acknowledgement leaves before its entries are durable");
  }
  if (vote != nullptr && !vote->is_pre && vote->is_granted) {
    const bool is_durable = disk_.hard_state.term == vote->term && disk_.hard_state.vote == packet.to;
    find(is_durable || disk_.hard_state.term > vote->term, "I-106: a vote leaves before it is durable");
  }
  if (request != nullptr && !request->is_pre) {
    const bool is_durable = disk_.hard_state.term == request->term && disk_.hard_state.vote == self_;
    find(is_durable || disk_.hard_state.term > request->term, "I-106: a candidate's own vote is not durable");
    find(request->last.index <= durable, "I-106: a candidate claims entries that it may lose");
  }
}

void Server::judge_step(Term term, raft::Role role, Index commit, const std::vector<Mark>& log) {
  find(core_.term() >= term, "R-201: a term falls");
  find(core_.commit_index() >= commit, "I-105: a commit index falls");
  const std::vector<Mark> after = marks();
  const std::size_t committed = std::min<std::size_t>(raw(commit), log.size());
  const auto begins_with = [&after, &log](std::size_t count) {
    return after.size() >= count &&
           std::equal(log.begin(), log.begin() + static_cast<std::ptrdiff_t>(count), after.begin());
  };
  find(begins_with(committed), "I-105: what is committed is cut");
  if (role == raft::Role::leader && core_.role() == raft::Role::leader && term == core_.term()) {
    find(begins_with(log.size()), "I-103: a leader changes its own log");
  }
  for (const raft::Progress& peer : core_.peers()) {
    find(peer.next_index() > peer.match(), "I-111: what is sent next is acknowledged already");
  }
}

std::vector<Mark> Server::marks() const {
  return marks_of(core_.log().range(Index{1}, core_.log().last().index));
}

View Server::view() const {
  View view{.id = self_,
            .role = core_.role(),
            .term = core_.term(),
            .disk_term = disk_.hard_state.term,
            .commit = core_.commit_index(),
            .applied = core_.applied_index(),
            .durable = core_.durable_index(),
            .term_start = {},
            .log = marks(),
            .disk = marks_of(disk_.entries),
            .configurations = {},
            .voters = voters_of(core_.configuration()),
            .refusals = 0,
            .matches = {},
            .campaign = {}};
  for (Index index{1}; index <= core_.log().last().index; index = next(index)) {
    if (core_.log().at(index).kind == raft::EntryKind::configuration) {
      view.configurations.emplace_back(index, voters_of(core_.configuration_at(index).configuration));
    }
  }
  for (const raft::Progress& peer : core_.peers()) {
    view.matches.emplace_back(peer.id(), peer.match());
  }
  if (const auto* candidate = std::get_if<raft::Candidate>(&core_.role_state())) {
    view.campaign = candidate->campaign;
  }
  for (const Course& course : courses_) {
    view.refusals = std::max(view.refusals, course.changes);
  }
  if (const auto* leader = std::get_if<raft::Leader>(&core_.role_state())) {
    view.term_start = leader->term_start;
  }
  return view;
}

}  // namespace quorate::sim::search
