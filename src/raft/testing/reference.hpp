#pragma once

// Raft as figure 3.1 of the dissertation has it, in plain containers and without any of what makes the core fast: no
// pipeline, no window, writes durable at once. What one server does with a message, to be compared with the
// core.

#include <algorithm>
#include <cstddef>
#include <map>
#include <optional>
#include <vector>

#include "base/ids.hpp"
#include "raft/messages.hpp"

namespace quorate::raft::testing {

class ReferenceFollower {
 public:
  struct Answer {
    bool is_yes = false;
    Index match{};  // Of an append that is accepted.
  };

  // RequestVote, receiver 1 and 2; all servers: newer term.
  Answer on(NodeId candidate, const VoteRequest& request) {
    if (request.term < term) {
      return {};
    }
    adopt(request.term);
    const bool is_free = raw(vote) == 0 || vote == candidate;
    if (!is_free || request.last < last()) {
      return {};
    }
    vote = candidate;
    return Answer{.is_yes = true};
  }

  // AppendEntries, receiver 1 to 5.
  Answer on(const AppendRequest& request) {
    if (request.term < term) {
      return {};
    }
    adopt(request.term);
    if (request.previous.index < commit) {
      // nothing of it is looked at; the leader learns how far this server is, and goes on there.
      match = std::max(match, commit);
      return Answer{.is_yes = true, .match = match};
    }
    if (term_at(request.previous.index) != request.previous.term) {
      return {};
    }
    for (const Entry& entry : request.entries) {
      if (term_at(entry.index) != entry.term) {
        log.erase(log.lower_bound(entry.index), log.end());
        log[entry.index] = entry.term;
      }
    }
    const Index verified{raw(request.previous.index) + request.entries.size()};
    match = std::max(match, verified);
    commit = std::max(commit, std::min(request.commit, verified));
    return Answer{.is_yes = true, .match = match};
  }

  [[nodiscard]] LogId last() const {
    return log.empty() ? LogId{} : LogId{.term = log.rbegin()->second, .index = log.rbegin()->first};
  }
  [[nodiscard]] std::optional<Term> term_at(Index index) const {
    const auto at = log.find(index);
    return at != log.end() ? std::optional(at->second) : raw(index) == 0 ? std::optional(Term{}) : std::nullopt;
  }

  Term term{};
  NodeId vote{};
  std::map<Index, Term> log;
  Index commit{};
  Index match{};  // Verified by the leader of `term`.

 private:
  void adopt(Term newer) {
    if (newer > term) {
      term = newer;
      vote = NodeId{};
      match = Index{};
    }
  }
};

// Dissertation 3.6.2: the highest index of the own term that a majority holds, or what was committed before.
inline Index reference_commit(const std::map<NodeId, Index>& match, const std::map<Index, Term>& log, Term term,
                              Index commit) {
  for (auto at = log.rbegin(); at != log.rend() && at->first > commit; ++at) {
    const auto holders = std::ranges::count_if(match, [&at](const auto& each) { return each.second >= at->first; });
    if (at->second == term && static_cast<std::size_t>(holders) > match.size() / 2) {
      return at->first;
    }
  }
  return commit;
}

}  // namespace quorate::raft::testing
