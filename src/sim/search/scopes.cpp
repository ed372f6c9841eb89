// The named scopes of the exhaustive search.

#include <algorithm>
#include <iterator>

#include "sim/explore.hpp"

namespace quorate::sim {
namespace {

const std::vector<NodeId>& first_two() {
  static const std::vector<NodeId> ids = {NodeId{1}, NodeId{2}};
  return ids;
}

std::vector<Scope> elections() {
  const Scope votes = {.name = "votes",
                       .words = "one term of elections, three time-outs, one crash",
                       .term_max = Term{1},
                       .time_outs = 3,
                       .crashes = 1,
                       .has_pre_vote = false,
                       .has_heartbeats = false,
                       .is_symmetric = true};
  Scope lying_disk = votes;
  lying_disk.name = "lying-disk";
  lying_disk.words = "votes, with a crash that takes a durable vote back: has to be found";
  lying_disk.disk_lies = true;
  Scope pre_votes = votes;
  pre_votes.name = "pre-votes";
  pre_votes.words = "one term of elections with pre-votes, two time-outs, one crash";
  pre_votes.time_outs = 2;
  pre_votes.has_pre_vote = true;
  Scope two_terms = votes;
  two_terms.name = "elections";
  two_terms.words = "two terms of elections, three time-outs, one crash";
  two_terms.term_max = Term{2};
  return {votes, lying_disk, pre_votes, two_terms};
}

std::vector<Scope> replication() {
  const Scope pipeline = {.name = "pipeline",
                          .words = "one leader, two proposals, every write a step of its own",
                          .has_leader = true,
                          .proposals = 2,
                          .has_step_down = false,
                          .has_heartbeats = false};
  Scope crash = pipeline;
  crash.name = "replication";
  crash.words = "one leader, two proposals, one crash, every write a step of its own";
  crash.crashes = 1;
  Scope heartbeats = pipeline;
  heartbeats.name = "heartbeats";
  heartbeats.words = "one leader with heartbeats, two proposals, lost quorums";
  heartbeats.has_heartbeats = true;
  heartbeats.has_step_down = true;
  heartbeats.disk_is_instant = true;
  Scope figure_8 = pipeline;
  figure_8.name = "figure-8";
  figure_8.words = "from a leader of term 1 on: two more elections, two proposals";
  figure_8.term_max = Term{3};
  figure_8.time_outs = 2;
  figure_8.has_pre_vote = false;
  figure_8.disk_is_instant = true;
  return {pipeline, crash, heartbeats, figure_8};
}

std::vector<Scope> changes() {
  const Scope removal = {.name = "removal",
                         .words = "one leader, voter 3 is removed, one proposal, two time-outs",
                         .has_leader = true,
                         .term_max = Term{2},
                         .time_outs = 2,
                         .proposals = 1,
                         .changes = 1,
                         .targets = {first_two()},
                         .has_pre_vote = false,
                         .has_step_down = false,
                         .has_heartbeats = false,
                         .disk_is_instant = true};
  Scope addition = removal;
  addition.name = "addition";
  addition.words = "voters 1 and 2, server 3 becomes one, one proposal, one time-out, one refusal";
  addition.founders = first_two();
  addition.time_outs = 1;
  addition.refusals = 1;
  addition.targets = {{NodeId{1}, NodeId{2}, NodeId{3}}};
  Scope replacement = addition;
  replacement.name = "replacement";
  replacement.words = "voters 1 and 2 become 1 and 3 by way of joint consensus, the same";
  replacement.targets = {{NodeId{1}, NodeId{3}}};
  const Scope whole = {.name = "whole",
                       .words = "two terms of elections, two proposals, one crash, one change of the members",
                       .term_max = Term{2},
                       .time_outs = 3,
                       .proposals = 2,
                       .crashes = 1,
                       .changes = 1,
                       .targets = {first_two()}};
  return {removal, addition, replacement, whole};
}

std::vector<Scope> all() {
  std::vector<Scope> known = elections();
  std::ranges::move(replication(), std::back_inserter(known));
  std::ranges::move(changes(), std::back_inserter(known));
  return known;
}

}  // namespace

std::span<const Scope> scopes() {
  static const std::vector<Scope> known = all();
  return known;
}

const Scope* find_scope(std::string_view name) {
  const auto found = std::ranges::find(scopes(), name, &Scope::name);
  return found == scopes().end() ? nullptr : &*found;
}

}  // namespace quorate::sim
