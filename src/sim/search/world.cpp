#include "sim/search/world.hpp"

#include <algorithm>
#include <utility>
#include <variant>

#include "base/ensure.hpp"
#include "raft/describe.hpp"

namespace quorate::sim::search {
namespace {

constexpr std::uint32_t act_shift = 28;
constexpr std::uint32_t server_shift = 26;
constexpr std::uint32_t detail_mask = (std::uint32_t{1} << server_shift) - 1;

std::uint32_t place_of(NodeId id) {
  return raw(id) - 1;
}

std::string name_of(std::uint32_t server) {
  return std::to_string(server + 1);
}

}  // namespace

std::uint32_t Action::packed() const {
  ensure(detail <= detail_mask && server < servers_count, "an action fits into a word");
  return (std::uint32_t{std::to_underlying(act)} << act_shift) | (server << server_shift) | detail;
}

Action Action::unpacked(std::uint32_t word) {
  return Action{
      .act = static_cast<Act>(word >> act_shift), .server = (word >> server_shift) & 3U, .detail = word & detail_mask};
}

World::World(const Scope& scope)
    : scope_(scope),
      settings_{.founders = scope.founders,
                .has_pre_vote = scope.has_pre_vote,
                .disk_is_instant = scope.disk_is_instant,
                .disk_lies = scope.disk_lies} {
  for (std::uint32_t i = 0; i < servers_count; ++i) {
    start_.servers[i] = number_server(Server(NodeId{i + 1}, settings_));
  }
  Memory memory;
  memory.configuration = views_[start_.servers[0]].voters;
  start_.memory = number_memory(memory);
  if (scope.has_leader) {
    settle_first_leader();
  }
}

std::uint32_t World::number_server(const Server& server) {
  const auto [number, is_new] = server_keys_.insert(key_of(server.code()));
  if (is_new) {
    servers_.push_back(server);
    views_.push_back(server.view());
  }
  return number;
}

std::uint32_t World::number_message(const Packet& packet) {
  const auto [number, is_new] = message_keys_.insert(key_of(code_of(packet)));
  if (!is_new) {
    return number;
  }
  Facts facts{.from = place_of(packet.from),
              .to = place_of(packet.to),
              .term = raft::term_of(packet.message),
              .kind = packet.message.index()};
  if (const auto* request = std::get_if<raft::VoteRequest>(&packet.message)) {
    facts.campaign = request->campaign;
    facts.is_pre = request->is_pre;
  } else if (const auto* reply = std::get_if<raft::VoteReply>(&packet.message)) {
    facts.campaign = reply->campaign;
    facts.is_pre = reply->is_pre;
    facts.is_granted = reply->is_granted;
  }
  packets_.push_back(packet);
  facts_.push_back(facts);
  return number;
}

std::uint32_t World::number_memory(const Memory& memory) {
  const auto [number, is_new] = memory_keys_.insert(key_of(memory.code()));
  if (is_new) {
    memories_.push_back(memory);
  }
  return number;
}

void World::perform(Server& server, const Action& action) const {
  switch (action.act) {
    case Act::time_out:
      return server.time_out();
    case Act::lose_quorum:
      return server.lose_quorum();
    case Act::beat:
      return server.beat();
    case Act::propose:
      server.propose(static_cast<char>('a' + action.detail));
      return;
    case Act::change:
      server.change(scope_.targets[action.detail]);
      return;
    case Act::finish_write:
      return server.finish_write();
    case Act::crash:
      return server.crash();
    case Act::deliver:
      return server.deliver(packets_[action.detail]);
  }
}

const World::Effect& World::effect(std::uint32_t server, const Action& action) {
  const auto [number, is_new] = effect_keys_.insert(Key{server, action.packed()});
  if (!is_new) {
    return effects_[number];
  }
  Server tried = servers_[server];
  perform(tried, action);
  Effect effect;
  for (const Packet& packet : tried.take_sent()) {
    effect.sent.push_back(number_message(packet));
    if (const std::optional<Vote> vote = shown_vote(packet)) {
      effect.votes.push_back(*vote);
    }
  }
  std::ranges::sort(effect.sent);
  effect.sent.erase(std::ranges::unique(effect.sent).begin(), effect.sent.end());
  effect.broken = tried.broken();
  effect.after = number_server(tried);
  effects_.push_back(std::move(effect));
  return effects_.back();
}

void World::list_actions(const State& state, std::vector<Action>& into) const {
  into.clear();
  for (std::uint32_t i = 0; i < servers_count; ++i) {
    const View& view = views_[state.servers[i]];
    if (servers_[state.servers[i]].has_writes()) {
      into.push_back({.act = Act::finish_write, .server = i});
    }
    if (state.budget.crashes < scope_.crashes) {
      into.push_back({.act = Act::crash, .server = i});
    }
    if (view.role != raft::Role::leader) {
      const bool is_first = state.budget.time_outs == 0 && scope_.is_symmetric;
      if (state.budget.time_outs < scope_.time_outs && view.term < scope_.term_max && (!is_first || i == 0)) {
        into.push_back({.act = Act::time_out, .server = i});
      }
      continue;
    }
    if (scope_.has_heartbeats) {
      into.push_back({.act = Act::beat, .server = i});
    }
    if (scope_.has_step_down) {
      into.push_back({.act = Act::lose_quorum, .server = i});
    }
    if (state.budget.proposals < scope_.proposals) {
      into.push_back({.act = Act::propose, .server = i, .detail = state.budget.proposals});
    }
    for (std::uint32_t target = 0; state.budget.changes < scope_.changes && target < scope_.targets.size(); ++target) {
      into.push_back({.act = Act::change, .server = i, .detail = target});
    }
  }
  for (const std::uint32_t message : state.messages) {
    into.push_back({.act = Act::deliver, .server = facts_[message].to, .detail = message});
  }
}

bool World::step(const State& state, const Action& action, State& into) {
  const std::uint32_t before = state.servers[action.server];
  const Effect& effect = this->effect(before, action);
  broken_ = effect.broken;
  const bool says_news = !std::ranges::includes(state.messages, effect.sent);
  if (effect.after == before && !says_news && !broken_) {
    return false;
  }
  if (views_[effect.after].refusals > scope_.refusals) {
    return false;  // Beyond the scope.
  }
  into = state;
  into.servers[action.server] = effect.after;
  into.budget.time_outs += action.act == Act::time_out ? 1U : 0U;
  into.budget.proposals += action.act == Act::propose ? 1U : 0U;
  into.budget.crashes += action.act == Act::crash ? 1U : 0U;
  into.budget.changes += action.act == Act::change ? 1U : 0U;
  into.messages.clear();
  std::ranges::set_union(state.messages, effect.sent, std::back_inserter(into.messages));
  std::erase_if(into.messages, [this, &into](std::uint32_t message) { return is_dead(facts_[message], into); });
  if (!broken_) {
    note(state, action, into, effect.votes);
  }
  return broken_ || into.servers != state.servers || into.messages != state.messages;
}

// The judges' memory of a step; a copy only if it has something to remember.
void World::note(const State& before, const Action& action, State& after, std::span<const Vote> votes) {
  const Memory& memory = memories_[before.memory];
  const View& view = views_[after.servers[action.server]];
  const auto is_known = [&memory](const Vote& vote) { return std::ranges::binary_search(memory.votes, vote); };
  if (!is_noteworthy(memory, view) && std::ranges::all_of(votes, is_known)) {
    return;
  }
  std::array<const View*, servers_count> all{};
  for (std::size_t i = 0; i < servers_count; ++i) {
    all[i] = &views_[after.servers[i]];
  }
  Memory richer = memory;
  broken_ = judge_step(richer, views_[before.servers[action.server]], view, all, votes);
  after.memory = number_memory(richer);
}

// A message that can never have an effect again, whatever happens. A term that is on disk is never left downwards, a
// campaign or a term's leadership that is over does not come back, and whoever has the last term learns of none.
bool World::is_dead(const Facts& message, const State& state) const {
  const View& to = views_[state.servers[message.to]];
  const View& from = views_[state.servers[message.from]];
  const bool sender_learns = from.disk_term < scope_.term_max;
  switch (message.kind) {
    case 0: {  // VoteRequest
      const bool is_asked = from.role == raft::Role::candidate && from.campaign == message.campaign;
      return message.is_pre ? !is_asked && !sender_learns : message.term < to.disk_term;
    }
    case 1: {  // VoteReply
      const bool is_awaited = to.role == raft::Role::candidate && to.campaign == message.campaign;
      return !is_awaited && (message.term <= to.disk_term || (message.is_pre && message.is_granted));
    }
    case 2:  // AppendRequest
    case 4:  // Heartbeat
      return message.term < to.disk_term && !sender_learns;
    case 3:  // AppendReply
    case 5:  // HeartbeatReply
      return message.term <= to.disk_term && (to.role != raft::Role::leader || to.term != message.term);
    default:
      return false;
  }
}

std::optional<std::string> World::judge(const State& state) const {
  std::array<const View*, servers_count> all{};
  for (std::size_t i = 0; i < servers_count; ++i) {
    all[i] = &views_[state.servers[i]];
  }
  return judge_state(memories_[state.memory], all);
}

// Server 1 times out, everything is delivered once, in order, and written at once; then nothing is under way.
void World::settle_first_leader() {
  const auto apply = [this](const Action& action) {
    State after;
    const std::vector<std::uint32_t> sent = effect(start_.servers[action.server], action).sent;
    if (step(start_, action, after)) {
      ensure(!broken_, "the first election breaks nothing");
      start_ = after;
      setup_.push_back(action);
    }
    return sent;
  };
  std::deque<std::uint32_t> queue;
  const auto run = [this, &queue, &apply](const Action& first) {
    std::vector<Action> todo{first};
    while (!todo.empty()) {
      for (const std::uint32_t message : apply(todo.back())) {
        queue.push_back(message);
      }
      todo.clear();
      for (std::uint32_t i = 0; i < servers_count && todo.empty(); ++i) {
        if (servers_[start_.servers[i]].has_writes()) {
          todo.push_back({.act = Act::finish_write, .server = i});
        }
      }
      if (todo.empty() && !queue.empty()) {
        todo.push_back({.act = Act::deliver, .server = facts_[queue.front()].to, .detail = queue.front()});
        queue.pop_front();
      }
    }
  };
  run({.act = Act::time_out});
  const View& leader = views_[start_.servers[0]];
  ensure(leader.role == raft::Role::leader && raw(leader.commit) == 1, "server 1 leads and has committed its no-op");
  start_.messages.clear();
  start_.budget = Budget{};
}

bool World::replays_to(std::span<const Action> actions, const State& state) const {
  std::vector<Server> real;
  real.reserve(servers_count);
  for (std::uint32_t i = 0; i < servers_count; ++i) {
    real.emplace_back(NodeId{i + 1}, settings_);
  }
  const auto apply = [this, &real](const Action& action) { perform(real[action.server], action); };
  std::ranges::for_each(setup_, apply);
  std::ranges::for_each(actions, apply);
  for (std::uint32_t i = 0; i < servers_count; ++i) {
    if (key_of(real[i].code()) != server_keys_.at(state.servers[i])) {
      return false;
    }
  }
  return true;
}

// What is about to happen.
std::string World::announce(const Action& action) const {
  const std::string name = "server " + name_of(action.server);
  switch (action.act) {
    case Act::time_out:
      return name + " hears nobody and times out";
    case Act::lose_quorum:
      return name + " has lost its quorum";
    case Act::beat:
      return name + " sends heartbeats";
    case Act::propose:
      return name + " is asked to commit '" + std::string(1, static_cast<char>('a' + action.detail)) + "'";
    case Act::change: {
      std::string line = name + " is asked to change the voters to";
      for (const NodeId id : scope_.targets[action.detail]) {
        line += " " + std::to_string(raw(id));
      }
      return line;
    }
    case Act::finish_write:
      return name + " finishes its oldest write";
    case Act::crash:
      return name + " crashes, forgets what is not on its disk, and starts again";
    case Act::deliver: {
      const Packet& packet = packets_[action.detail];
      return name + " gets from " + std::to_string(raw(packet.from)) + ": " + raft::describe(packet.message);
    }
  }
  fail("every act is named");
}

std::string World::describe(const State& before, const Action& action, const State& after) const {
  std::string line = announce(action) + "; " + raft::describe(servers_[after.servers[action.server]].core());
  for (const std::uint32_t message : after.messages) {
    if (!std::ranges::binary_search(before.messages, message)) {
      const Packet& packet = packets_[message];
      line += "\n      -> " + std::to_string(raw(packet.to)) + ": " + raft::describe(packet.message);
    }
  }
  return line;
}

}  // namespace quorate::sim::search
