#include "sim/faults.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <span>
#include <tuple>

#include "base/ensure.hpp"

namespace quorate::sim {
namespace {

using Kind = Fault::Kind;

constexpr std::int64_t ms = 1000;
constexpr std::int64_t second = 1'000'000;

// One line of a mix: how often, how long, how much.
struct Rate {
  Kind kind{};
  std::int64_t every_us = 0;  // On average.
  std::int64_t for_min_us = 0;
  std::int64_t for_max_us = 0;
  std::int64_t amount_min = 0;
  std::int64_t amount_max = 0;
};

constexpr std::array network_rates{
    Rate{Kind::loss, 8 * second, second, 10 * second, 10, 300},
    Rate{Kind::delay, 10 * second, second, 10 * second, 5 * ms, 100 * ms},
    Rate{Kind::tail, 15 * second, second, 10 * second, 200 * ms, 3 * second},
    Rate{Kind::repeat, 12 * second, second, 15 * second, 50, 500},
    Rate{Kind::reorder, 12 * second, second, 15 * second, 0, 0},
    Rate{Kind::lag, 12 * second, second, 10 * second, 5 * ms, 400 * ms},
};
constexpr std::array partition_rates{
    Rate{Kind::isolate, 8 * second, 200 * ms, 8 * second, 0, 0},
    Rate{Kind::split, 8 * second, 200 * ms, 8 * second, 1, 126},
    Rate{Kind::bridge, 20 * second, second, 8 * second, 0, 0},
    Rate{Kind::ring, 25 * second, second, 8 * second, 0, 0},
    Rate{Kind::deaf, 12 * second, 200 * ms, 6 * second, 0, 0},
    Rate{Kind::mute, 12 * second, 200 * ms, 6 * second, 0, 0},
    Rate{Kind::flap, 20 * second, 2 * second, 10 * second, 100 * ms, 3 * second},
};
constexpr std::array crash_rates{
    Rate{Kind::kill, 4 * second, 10 * ms, 6 * second, 0, 0},
    Rate{Kind::pause, 8 * second, 100 * ms, 10 * second, 0, 0},
    Rate{Kind::storm, 25 * second, 2 * second, 8 * second, 100 * ms, 2 * second},
    Rate{Kind::transfer, 10 * second, 0, 0, 0, 0},
    Rate{Kind::snapshot, 5 * second, 0, 0, 0, 0},
};
constexpr std::array power_rates{
    Rate{Kind::power, 4 * second, 10 * ms, 6 * second, 0, 0},
    Rate{Kind::power_all, 12 * second, 10 * ms, 4 * second, 0, 0},
    Rate{Kind::snapshot, 5 * second, 0, 0, 0, 0},
};
constexpr std::array disk_rates{
    Rate{Kind::slow_disk, 8 * second, second, 10 * second, 5 * ms, 4 * second},
    Rate{Kind::bad_disk, 10 * second, 10 * ms, 3 * second, 1, 20},
    Rate{Kind::full_disk, 15 * second, second, 8 * second, 0, 0},
    Rate{Kind::power, 12 * second, 10 * ms, 3 * second, 0, 0},
    Rate{Kind::snapshot, 5 * second, 0, 0, 0, 0},
};
constexpr std::array rot_rates{
    Rate{Kind::rot, 10 * second, 100 * ms, 3 * second, 0, 0},
    Rate{Kind::wipe, 15 * second, 100 * ms, 3 * second, 0, 0},
    Rate{Kind::power, 15 * second, 10 * ms, 3 * second, 0, 0},
    Rate{Kind::snapshot, 4 * second, 0, 0, 0, 0},
};
constexpr std::array clock_rates{
    Rate{Kind::wall_jump, 5 * second, 0, 0, -1'000'000'000, 1'000'000'000},
    Rate{Kind::drift, 6 * second, 2 * second, 20 * second, -200'000, 200'000},
    Rate{Kind::pause, 8 * second, 100 * ms, 10 * second, 0, 0},
    Rate{Kind::isolate, 15 * second, 200 * ms, 4 * second, 0, 0},
};
constexpr std::array member_rates{
    Rate{Kind::members, 5 * second, 0, 0, 0, 1'000'000},
    Rate{Kind::transfer, 9 * second, 0, 0, 0, 0},
    Rate{Kind::snapshot, 6 * second, 0, 0, 0, 0},
};

// What a lease has to live with: a leader that is cut off or stands still while its clients go on asking it, a voter
// that sees both it and somebody who wants to lead, and that stops or forgets.
constexpr std::array lease_rates{
    Rate{Kind::drift, 2 * second, 2 * second, 20 * second, -10'000, 10'000},  // Within the bound.
    Rate{Kind::pause, 3 * second, 100 * ms, 3 * second, 0, 0},
    Rate{Kind::isolate, 4 * second, 200 * ms, 4 * second, 0, 0},
    Rate{Kind::bridge, 6 * second, second, 8 * second, 0, 0},
    Rate{Kind::deaf, 10 * second, 200 * ms, 4 * second, 0, 0},
    Rate{Kind::kill, 5 * second, 10 * ms, second, 0, 0},
    Rate{Kind::storm, 20 * second, 2 * second, 8 * second, 100 * ms, 2 * second},
    Rate{Kind::transfer, 5 * second, 0, 0, 0, 0},
    Rate{Kind::tail, 20 * second, second, 10 * second, 200 * ms, 3 * second},
    Rate{Kind::wall_jump, 20 * second, 0, 0, -1'000'000'000, 1'000'000'000},
};

// Each class of faults, and how a plan's profile is made of them.
struct Class {
  std::string_view name;
  std::span<const Rate> rates;
};
const std::array classes{
    Class{"network", network_rates}, Class{"partitions", partition_rates}, Class{"crashes", crash_rates},
    Class{"power", power_rates},     Class{"disks", disk_rates},           Class{"rot", rot_rates},
    Class{"clocks", clock_rates},    Class{"members", member_rates},
};

struct Name {
  Kind kind{};
  std::string_view name;
};
constexpr std::array names{
    Name{Kind::loss, "loss"},
    Name{Kind::delay, "delay"},
    Name{Kind::tail, "tail"},
    Name{Kind::repeat, "repeat"},
    Name{Kind::reorder, "reorder"},
    Name{Kind::isolate, "isolate"},
    Name{Kind::split, "split"},
    Name{Kind::bridge, "bridge"},
    Name{Kind::ring, "ring"},
    Name{Kind::deaf, "deaf"},
    Name{Kind::mute, "mute"},
    Name{Kind::flap, "flap"},
    Name{Kind::lag, "lag"},
    Name{Kind::kill, "kill"},
    Name{Kind::power, "power"},
    Name{Kind::power_all, "power_all"},
    Name{Kind::pause, "pause"},
    Name{Kind::storm, "storm"},
    Name{Kind::slow_disk, "slow_disk"},
    Name{Kind::bad_disk, "bad_disk"},
    Name{Kind::full_disk, "full_disk"},
    Name{Kind::rot, "rot"},
    Name{Kind::wipe, "wipe"},
    Name{Kind::wall_jump, "wall_jump"},
    Name{Kind::drift, "drift"},
    Name{Kind::members, "members"},
    Name{Kind::transfer, "transfer"},
    Name{Kind::snapshot, "snapshot"},
};

void draw_faults(std::span<const Rate> rates, std::int64_t rarity, Prng& prng, Plan& plan) {
  const unsigned machines = plan.knobs.servers + plan.knobs.spares;
  for (const Rate& rate : rates) {
    std::int64_t at = prng.between(0, 2 * rate.every_us * rarity);
    while (at < plan.safety_us) {
      plan.faults.push_back(
          Fault{.kind = rate.kind,
                .at_us = at,
                .for_us = prng.between(rate.for_min_us, rate.for_max_us),
                // Often the leader.
                .server = prng.chance(1, 3) ? NodeId{} : NodeId{1 + static_cast<std::uint32_t>(prng.below(machines))},
                .amount = prng.between(rate.amount_min, rate.amount_max)});
      at += prng.between(1, 2 * rate.every_us * rarity);
    }
  }
}

// Knobs as nobody would set them (F-002).
void draw_odd_knobs(Prng& prng, Knobs& knobs) {
  const auto sometimes = [&prng] { return prng.chance(1, 4); };
  if (sometimes()) {
    knobs.limits.message_entries_max = 1 + prng.below(4);
  }
  if (sometimes()) {
    knobs.limits.message_bytes_max = 1 + prng.below(400);
  }
  if (sometimes()) {
    knobs.limits.inflight_messages_max = 1 + prng.below(3);
  }
  if (sometimes()) {
    knobs.limits.uncommitted_entries_max = 1 + prng.below(20);
  }
  if (sometimes()) {
    knobs.limits.tail_entries_max = prng.below(20);
  }
  if (sometimes()) {
    knobs.snapshot_entries = 20 + prng.below(200);
  }
  if (sometimes()) {
    knobs.segment_bytes = 4096 * (4 + prng.below(16));
    knobs.recycled_segments = prng.below(4);
  }
  if (sometimes()) {
    knobs.snapshot_part_bytes = 100 + prng.below(2000);
  }
  if (sometimes()) {
    knobs.keys = 1;
  }
  if (sometimes()) {
    knobs.requests_per_second = 5 + static_cast<std::int64_t>(prng.below(300));
  }
  if (sometimes()) {
    knobs.timing.heartbeat_us = 20 * ms;
    knobs.timing.election_us = 200 * ms;
  }
  if (sometimes()) {
    knobs.flush_max_us = 20 * ms;
  }
}

// With leases: no margin that would hide an error. Many clients that mostly read, at whoever they read from before, and
// not so often that all of them wait already when a machine stands still: who asks it late in its pause must not read
// what was true before.
void draw_lease_knobs(Prng& prng, Knobs& knobs) {
  knobs.has_leases = true;
  knobs.lease.margin_us = 0;
  knobs.timing.heartbeat_us = prng.between(1, 5) * 50 * ms;
  knobs.timing.election_us = knobs.timing.heartbeat_us * prng.between(3, 12);
  knobs.clients = 100;
  knobs.keys = 2;
  knobs.requests_per_second = 400;
  knobs.reads_percent = 95;
}

// Faults that meet, for a lease ends within an election timeout: each scene is what one of its rules is there for.
void draw_lease_scenes(Prng& prng, Plan& plan) {
  const std::int64_t election = plan.knobs.timing.election_us;
  const auto draw_part = [&prng, election](std::int64_t from_percent, std::int64_t to_percent) {
    return prng.between(election * from_percent / 100, election * to_percent / 100);
  };
  const auto add = [&plan](Kind kind, std::int64_t at, std::int64_t for_us, NodeId server, std::int64_t amount = 0) {
    plan.faults.push_back(Fault{.kind = kind, .at_us = at, .for_us = for_us, .server = server, .amount = amount});
  };
  const NodeId leader{};
  for (std::int64_t at = 2 * second; at < plan.safety_us; at += second + draw_part(500, 900)) {
    const NodeId one{1 + static_cast<std::uint32_t>(prng.below(plan.knobs.servers))};
    const std::int64_t later = at + draw_part(0, 50);
    switch (prng.below(4)) {
      case 0: {  // it sees both sides of a cut, and stands still or starts again.
        add(Kind::bridge, at, 4 * election, one);
        const Kind kind = prng.chance(1, 2) ? Kind::pause : Kind::kill;
        const std::int64_t begin = at + draw_part(100, 300);
        add(kind, begin, draw_part(30, 100), one);
        break;
      }
      case 1:  // The check comes after the pause.
        add(Kind::isolate, at, 3 * election, leader);
        add(Kind::pause, later, draw_part(80, 190), leader);
        break;
      case 2:  // somebody else leads, with its help, and it does not hear of that.
        add(Kind::deaf, at, 2 * election, leader);
        add(Kind::transfer, later, 0, one);
        break;
      default:  // As far apart as the bound allows.
        for (unsigned id = 1; id <= plan.knobs.servers; ++id) {
          add(Kind::drift, at, 4 * election, NodeId{id}, 10'000);
        }
        add(Kind::drift, at + 1, 4 * election, leader, -10'000);
        add(Kind::isolate, at + 1, 3 * election, leader);
        break;
    }
  }
}

}  // namespace

std::string_view name_of(Kind kind) {
  return std::ranges::find(names, kind, &Name::kind)->name;
}

std::string describe(const Fault& fault) {
  return fmt::format("{} at {} ms for {} ms, server {}, amount {}", name_of(fault.kind), fault.at_us / ms,
                     fault.for_us / ms, raw(fault.server), fault.amount);
}

const std::vector<ProfileInfo>& profiles() {
  static const std::vector<ProfileInfo> list{
      {"calm", "no fault at all: one leader, for ever"},
      {"network", "loss, delay, repetition, reordering, slow links"},
      {"partitions", "cuts of every shape, in one direction or both, flapping"},
      {"crashes", "processes that end, pause, start again and again; transfers"},
      {"power", "machines that lose what they had not synced, one or all"},
      {"disks", "slow, failing and full disks"},
      {"rot", "damaged files and lost disks, on a minority at a time"},
      {"clocks", "drifting and jumping clocks, pauses"},
      {"leases", "reads by lease: drift within their bound, pauses, cuts, restarts, transfers"},
      {"members", "servers that come and go"},
      {"swarm", "a random mix, size 1 to 7, odd knobs"},
  };
  return list;
}

Plan make_plan(std::uint64_t seed, const PlanOptions& options) {
  Prng prng(seed * 2 + 1);
  Plan plan{.seed = seed,
            .profile = options.profile,
            .knobs = {},
            .safety_us = options.seconds * second,
            .steps_max = options.steps_max,
            .faults = {}};
  if (options.profile == "all") {
    plan.profile = profiles()[seed % profiles().size()].name;
  }
  const bool is_swarm = plan.profile == "swarm";
  Knobs& knobs = plan.knobs;
  knobs.servers = is_swarm ? 1 + static_cast<unsigned>(prng.below(7)) : prng.chance(1, 3) ? 5 : 3;
  knobs.servers = options.servers != 0 ? options.servers : knobs.servers;
  ensure(knobs.servers <= 7, "a cluster has up to seven voters (R-414)");
  const bool has_changes = plan.profile == "members" || (is_swarm && prng.chance(1, 3));
  knobs.spares = has_changes ? 2 : 0;
  if (is_swarm) {
    draw_odd_knobs(prng, knobs);
    for (const Class& of : classes) {
      if (of.name != "members" ? prng.chance(1, 2) : has_changes) {
        draw_faults(of.rates, prng.between(1, 3), prng, plan);
      }
    }
    knobs.has_leases = prng.chance(1, 3);
    for (Fault& fault : plan.faults) {
      fault.amount /= knobs.has_leases && fault.kind == Kind::drift ? 20 : 1;  // Within their bound.
    }
  } else if (plan.profile == "leases") {
    draw_lease_knobs(prng, knobs);
    draw_faults(lease_rates, 3, prng, plan);
    draw_lease_scenes(prng, plan);
  } else {
    for (const Class& of : classes) {
      if (of.name == plan.profile || (plan.profile == "members" && (of.name == "crashes" || of.name == "partitions"))) {
        draw_faults(of.rates, of.name == plan.profile ? 1 : 3, prng, plan);
      }
    }
  }
  const bool loses_power = std::ranges::any_of(
      plan.faults, [](const Fault& fault) { return fault.kind == Kind::power || fault.kind == Kind::power_all; });
  knobs.fatal_per_mille = loses_power ? 50 : 0;
  // Records of several sectors, which a loss of power tears; those of 100 bytes are whole or gone. Not where
  // bits rot: a last record that has rotted is taken for a torn one, so a voter forgets what it has promised, and the
  // longer records are the more often.
  const bool rots = std::ranges::any_of(plan.faults, [](const Fault& fault) { return fault.kind == Kind::rot; });
  knobs.padding = loses_power && !rots && prng.chance(1, 2) ? 200 + prng.below(3000) : knobs.padding;
  std::ranges::sort(plan.faults, {},
                    [](const Fault& fault) { return std::tuple(fault.at_us, fault.kind, fault.server, fault.amount); });
  if (options.until_us != 0) {  // Not before: the seed draws for the whole time.
    plan.safety_us = std::min(plan.safety_us, options.until_us);
  }
  return options.only_faults ? with_faults(plan, *options.only_faults) : plan;
}

Plan with_faults(const Plan& plan, const std::vector<std::size_t>& kept) {
  Plan smaller = plan;
  smaller.faults.clear();
  for (const std::size_t position : kept) {
    if (position < plan.faults.size()) {
      smaller.faults.push_back(plan.faults[position]);
    }
  }
  return smaller;
}

}  // namespace quorate::sim
