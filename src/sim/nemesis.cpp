#include "sim/nemesis.hpp"

#include <algorithm>
#include <functional>
#include <utility>

#include "base/ensure.hpp"

namespace quorate::sim {
namespace {

constexpr std::int64_t supervision_us = 200'000;
constexpr std::int64_t start_us = 20'000;  // A start takes so long at least.
constexpr std::uint64_t full_bytes_left = 20'000;

bool is_settled(const raft::Core& core) {
  return !raft::is_joint(core.configuration()) && core.configuration_id().index <= core.commit_index();
}

}  // namespace

Nemesis::Nemesis(const Surroundings& around, std::vector<std::unique_ptr<Server>>& servers, Prng prng)
    : around_(around),
      servers_(servers),
      prng_(prng),
      down_until_(servers.size()),
      counts_(std::to_underlying(Fault::Kind::snapshot) + 1U) {}

void Nemesis::begin(const std::vector<Fault>& faults) {
  for (const Fault& fault : faults) {
    around_.scheduler.at(MonoTime{fault.at_us}, [this, fault] {
      if (!is_healed_) {
        strike(fault);
      }
    });
  }
  supervise();
}

Server* Nemesis::leader() const {
  Server* best = nullptr;
  for (const auto& server : servers_) {
    const bool leads = server->is_serving() && server->core().role() == raft::Role::leader;
    if (leads && (best == nullptr || server->core().term() > best->core().term())) {
      best = server.get();
    }
  }
  return best;
}

Server* Nemesis::find(NodeId id) const {
  const auto at = std::ranges::find(servers_, id, [](const auto& server) { return server->id(); });
  return at == servers_.end() ? nullptr : at->get();
}

Server& Nemesis::chosen(NodeId id) const {
  Server* server = raw(id) == 0 ? leader() : find(id);
  return server == nullptr ? *servers_.front() : *server;
}

NodeId Nemesis::neighbour(NodeId id, int step) const {
  const auto count = static_cast<int>(servers_.size());
  return NodeId{static_cast<std::uint32_t>((static_cast<int>(raw(id)) - 1 + step + count) % count + 1)};
}

void Nemesis::until(std::int64_t for_us, std::function<void()> undo) {
  around_.scheduler.after(for_us, [this, undo = std::move(undo)] {
    if (!is_healed_) {
      undo();
    }
  });
}

// ---- The whole network.

void Nemesis::strike(const Fault& fault) {
  using Kind = Fault::Kind;
  ++counts_[std::to_underlying(fault.kind)];
  around_.trace.event(fault.server, "fault", describe(fault));
  Weather& weather = around_.network.weather();
  const Weather fair;
  Server& server = chosen(fault.server);
  switch (fault.kind) {
    case Kind::loss:
      weather.loss_per_mille = static_cast<std::uint64_t>(fault.amount);
      return until(fault.for_us, [&weather] { weather.loss_per_mille = 0; });
    case Kind::delay:
      weather.delay_max_us = fault.amount;
      return until(fault.for_us, [&weather, fair] { weather.delay_max_us = fair.delay_max_us; });
    case Kind::tail:
      weather.tail_per_mille = 50;
      weather.tail_us = fault.amount;
      return until(fault.for_us, [&weather] { weather.tail_per_mille = 0; });
    case Kind::repeat:
      weather.repeat_per_mille = static_cast<std::uint64_t>(fault.amount);
      weather.repeat_us = 5'000'000;
      return until(fault.for_us, [&weather] { weather.repeat_per_mille = 0; });
    case Kind::reorder:
      weather.reorders = true;
      return until(fault.for_us, [&weather] { weather.reorders = false; });
    case Kind::isolate:
    case Kind::split:
    case Kind::bridge:
    case Kind::ring:
    case Kind::deaf:
    case Kind::mute:
    case Kind::flap:
    case Kind::lag:
      return strike_links(fault, server);
    case Kind::kill:
    case Kind::power:
    case Kind::power_all:
    case Kind::pause:
    case Kind::storm:
      return strike_process(fault, server);
    case Kind::slow_disk:
    case Kind::bad_disk:
    case Kind::full_disk:
    case Kind::rot:
    case Kind::wipe:
      return strike_disk(fault, server);
    case Kind::wall_jump:
      return server.clock().jump_wall(fault.amount);
    case Kind::drift:
      server.clock().set_drift(around_.scheduler.now(), fault.amount);
      return until(fault.for_us, [this, &server] { server.clock().set_drift(around_.scheduler.now(), 0); });
    case Kind::members:
      return strike_members(fault);
    case Kind::transfer: {
      Server* from = leader();
      if (from != nullptr) {
        (void)from->transfer(server.id() == from->id() ? neighbour(from->id(), 1) : server.id());
      }
      return;
    }
    case Kind::snapshot:
      if (server.is_serving() && !server.is_paused()) {
        server.take_snapshot();
      }
      return;
  }
}

// ---- Links.

void Nemesis::cut_for(const Fault& fault, const std::function<bool(NodeId from, NodeId to)>& is_cut) {
  std::vector<std::pair<NodeId, NodeId>> cuts;
  for (const auto& from : servers_) {
    for (const auto& to : servers_) {
      if (from != to && is_cut(from->id(), to->id())) {
        cuts.emplace_back(from->id(), to->id());
        around_.network.cut(from->id(), to->id());
      }
    }
  }
  until(fault.for_us, [this, cuts = std::move(cuts)] {
    for (const auto& [from, to] : cuts) {
      around_.network.mend(from, to);
    }
  });
}

void Nemesis::strike_links(const Fault& fault, Server& server) {
  const NodeId id = server.id();
  const auto side = [&fault](NodeId of) { return (static_cast<std::uint64_t>(fault.amount) >> (raw(of) - 1)) & 1U; };
  switch (fault.kind) {
    case Fault::Kind::isolate:
      return cut_for(fault, [id](NodeId from, NodeId to) { return (from == id) != (to == id); });
    case Fault::Kind::split:
      return cut_for(fault, [side](NodeId from, NodeId to) { return side(from) != side(to); });
    case Fault::Kind::bridge:
      return cut_for(fault,
                     [id](NodeId from, NodeId to) { return from != id && to != id && raw(from) % 2 != raw(to) % 2; });
    case Fault::Kind::ring:
      return cut_for(fault,
                     [this](NodeId from, NodeId to) { return to != neighbour(from, 1) && from != neighbour(to, 1); });
    case Fault::Kind::deaf:
      return cut_for(fault, [id](NodeId /*from*/, NodeId to) { return to == id; });
    case Fault::Kind::mute:
      return cut_for(fault, [id](NodeId from, NodeId /*to*/) { return from == id; });
    case Fault::Kind::flap:
      return flap(server, std::max<std::int64_t>(fault.amount, 1), after_us(around_.scheduler.now(), fault.for_us));
    case Fault::Kind::lag:
      around_.network.set_lag(id, fault.amount);
      return until(fault.for_us, [this, id] { around_.network.set_lag(id, 0); });
    default:
      fail("only links are struck here");
  }
}

void Nemesis::flap(Server& server, std::int64_t every_us, MonoTime end) {
  if (around_.scheduler.now() >= end) {
    return;
  }
  const Fault cut{.kind = Fault::Kind::isolate, .for_us = every_us / 2};
  strike_links(cut, server);
  until(every_us, [this, &server, every_us, end] { flap(server, every_us, end); });
}

// ---- Processes.

void Nemesis::down(Server& server, bool power, std::int64_t for_us) {
  MonoTime& until = down_until_[raw(server.id()) - 1];
  until = std::max(until, after_us(around_.scheduler.now(), std::max(for_us, start_us)));
  if (server.is_up()) {
    server.crash(power);
    if (!power) {
      notice_death(server);
    }
  }
}

// The machine stands and its process does not: who reconnects is refused, and knows.
void Nemesis::notice_death(const Server& dead) {
  for (const auto& server : servers_) {
    if (server.get() == &dead) {
      continue;
    }
    around_.scheduler.after(prng_.between(500, 5'000), [this, &dead, &server = *server] {
      const bool is_reached =
          !around_.network.is_cut(server.id(), dead.id()) && !around_.network.is_cut(dead.id(), server.id());
      if (is_reached && !dead.is_up()) {
        server.gone(dead.id());
      }
    });
  }
}

void Nemesis::storm(Server& server, std::int64_t every_us, MonoTime end) {
  if (around_.scheduler.now() >= end) {
    return;
  }
  down(server, prng_.chance(1, 2), start_us);
  until(every_us, [this, &server, every_us, end] { storm(server, every_us, end); });
}

void Nemesis::strike_process(const Fault& fault, Server& server) {
  switch (fault.kind) {
    case Fault::Kind::kill:
      return down(server, false, fault.for_us);
    case Fault::Kind::power:
      return down(server, true, fault.for_us);
    case Fault::Kind::power_all:
      for (const auto& each : servers_) {
        down(*each, true, fault.for_us);
      }
      return;
    case Fault::Kind::pause:
      if (server.is_up()) {
        server.pause(fault.for_us);
      }
      return;
    case Fault::Kind::storm:
      return storm(server, std::max(fault.amount, start_us), after_us(around_.scheduler.now(), fault.for_us));
    default:
      fail("only processes are struck here");
  }
}

// ---- Disks.

// A minority of the voters, this one included, is without what it promised; nothing about the members is open.
bool Nemesis::may_lose(const Server& server) const {
  const Server* leading = leader();
  if (leading == nullptr || !is_settled(leading->core()) || leading->core().role() != raft::Role::leader) {
    return false;
  }
  const raft::Configuration& configuration = leading->core().configuration();
  std::size_t voters = 0;
  std::size_t lost = 0;
  for (const raft::Member& member : configuration.members) {
    const Server* each = find(member.id);
    if (member.role != raft::MemberRole::voter) {
      return false;
    }
    ++voters;
    const bool is_lost = each == &server || each == nullptr || each->incarnation() != member.incarnation_high ||
                         each->is_out() || each->is_in_doubt();
    lost += is_lost ? 1U : 0U;
  }
  // The leader has to be the real one: a majority that is up agrees on it.
  std::size_t followers = 0;
  for (const auto& each : servers_) {
    followers += each->is_serving() && each->core().leader() == leading->id() &&
                         each->core().term() == leading->core().term() && raft::is_voter(configuration, each->id())
                     ? 1U
                     : 0U;
  }
  return lost <= (voters - 1) / 2 && followers > voters / 2;
}

void Nemesis::strike_disk(const Fault& fault, Server& server) {
  switch (fault.kind) {
    case Fault::Kind::slow_disk:
      server.set_flush_lag(fault.amount);
      return until(fault.for_us, [&server] { server.set_flush_lag(0); });
    case Fault::Kind::bad_disk:
      if (server.is_up()) {
        server.disk().fail_at(static_cast<std::uint64_t>(fault.amount), ErrorCode::io);
      }
      return;
    case Fault::Kind::full_disk:
      server.disk().set_capacity(server.disk().used_bytes() + full_bytes_left);
      return until(fault.for_us, [&server] { server.disk().set_capacity(UINT64_MAX); });
    case Fault::Kind::rot:
    case Fault::Kind::wipe:
      if (!may_lose(server)) {
        return;
      }
      down(server, false, fault.for_us);
      if (fault.kind == Fault::Kind::wipe) {
        server.wipe();
      } else {
        (void)server.damage(prng_);
      }
      return;
    default:
      fail("only disks are struck here");
  }
}

// ---- Operators.

void Nemesis::strike_members(const Fault& fault) {
  Server* from = leader();
  if (from == nullptr) {
    return;
  }
  const raft::Configuration& now = from->core().configuration();
  std::vector<raft::Member> target = now.members;
  // Each machine flips with some chance: out of the cluster, or into it as voter or learner.
  Prng choice(static_cast<std::uint64_t>(fault.amount));
  const std::uint64_t rarity = 2 + choice.below(4);
  for (const auto& server : servers_) {
    if (!choice.chance(1, rarity)) {
      continue;
    }
    const auto at = std::ranges::find(target, server->id(), &raft::Member::id);
    if (at == target.end()) {
      target.push_back(server->as_member(choice.chance(1, 4) ? raft::MemberRole::learner : raft::MemberRole::voter));
    } else if (at->role == raft::MemberRole::learner) {
      at->role = raft::MemberRole::voter;
    } else {
      target.erase(at);
    }
  }
  std::ranges::sort(target, {}, &raft::Member::id);
  (void)from->change_members(std::move(target));
}

// Somebody starts what is down, and takes care of what cannot start or is not who it was.
void Nemesis::supervise() {
  for (const auto& server : servers_) {
    if (server->is_out()) {
      down(*server, false, start_us);
      server->wipe();
    }
    if (!server->is_up() && around_.scheduler.now() >= down_until_[raw(server->id()) - 1]) {
      server->start();
    }
  }
  replace_lost();
  around_.scheduler.after(supervision_us, [this] { supervise(); });
}

void Nemesis::replace_lost() {
  Server* from = leader();
  if (from == nullptr || !is_settled(from->core())) {
    return;
  }
  const raft::Configuration& now = from->core().configuration();
  for (const auto& server : servers_) {
    const raft::Member* member = raft::find_member(now, server->id());
    const bool was_removed = std::ranges::any_of(now.removed, [&server](const raft::RemovedMember& removed) {
      return removed.id == server->id() && removed.incarnation_high == server->incarnation();
    });
    if (member == nullptr && was_removed && prng_.chance(1, 10) && !server->is_paused()) {
      // Its incarnation is never a member again: whoever wants the machine back begins with an empty disk.
      down(*server, false, start_us);
      server->wipe();
      return;
    }
    std::vector<raft::Member> target = now.members;
    if (member != nullptr && member->incarnation_high != server->incarnation()) {
      std::erase_if(target, [&server](const raft::Member& each) { return each.id == server->id(); });
    } else if (member == nullptr && server->incarnation() != raw(server->id()) && !was_removed &&
               server->is_serving()) {
      target.push_back(server->as_member(raft::MemberRole::voter));
      std::ranges::sort(target, {}, &raft::Member::id);
    } else {
      continue;
    }
    // Refused, for who may not come back (there are enough voters, say): the next one may be the one who has to go.
    if (from->change_members(std::move(target))) {
      return;
    }
  }
}

void Nemesis::heal() {
  is_healed_ = true;
  around_.network.mend_all();
  around_.network.weather() = Weather{};
  for (const auto& server : servers_) {
    around_.network.set_lag(server->id(), 0);
    server->heal();
    down_until_[raw(server->id()) - 1] = MonoTime{};
  }
}

}  // namespace quorate::sim
