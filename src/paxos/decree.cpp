#include "paxos/decree.hpp"

#include <algorithm>

#include "base/ensure.hpp"

namespace quorate::paxos {

void Output::clear() {
  persist.reset();
  token.reset();
  send.clear();
  send_after_sync.clear();
}

Decree::Decree(Config config, Durable recovered, Prng prng)
    : config_(std::move(config)), durable_(std::move(recovered)), prng_(prng) {
  ensure(std::ranges::count(config_.voters, config_.self) == 1, "a server takes part in its own decree once");
  ensure(!durable_.accepted || durable_.accepted->ballot <= durable_.promised, "accepted ballot <= promised (L-109)");
}

void Decree::propose(Blob value) {
  if (!durable_.chosen && !wish_) {
    wish_ = std::move(value);
    begin_attempt();
  }
}

void Decree::tick(MonoTime now) {
  ensure(now >= now_, "monotonic time does not go back");
  now_ = now;
  if (durable_.chosen || !wish_) {
    return;
  }
  if (!deadline_) {
    draw_deadline();
  } else if (now_ >= *deadline_) {
    begin_attempt();
  }
}

// L-107: two proposers that overtake each other come apart by chance, further with each attempt.
void Decree::draw_deadline() {
  const std::int64_t patience = std::min(config_.retry_us << std::min(attempts_, 16U), config_.retry_us_max);
  deadline_ =
      after_us(now_, patience / 2 + static_cast<std::int64_t>(prng_.below(static_cast<std::uint64_t>(patience))));
}

// Phase 1 (L-102). The ballot is above every one that this server has seen, and durable before it is used (L-101).
void Decree::begin_attempt() {
  durable_.counter = std::max(durable_.counter, durable_.promised.counter) + 1;
  is_changed_ = true;
  attempt_ = Attempt{.ballot = Ballot{.counter = durable_.counter, .proposer = config_.self},
                     .is_accepting = false,
                     .value = Blob(),
                     .answers = {},
                     .highest = std::nullopt};
  ++attempts_;
  draw_deadline();
  broadcast(Prepare{.ballot = attempt_->ballot}, true);
}

// Phase 2 (L-104): the value of the highest ballot among the promises; its own only where there is none.
void Decree::begin_phase_two() {
  ensure(wish_.has_value(), "only who wants something asks");
  attempt_->is_accepting = true;
  attempt_->answers.clear();
  attempt_->value = attempt_->highest ? attempt_->highest->value : *wish_;
  broadcast(Accept{.proposal = Proposal{.ballot = attempt_->ballot, .value = attempt_->value}}, false);
}

void Decree::broadcast(const Message& message, bool waits) {
  for (const NodeId voter : config_.voters) {
    if (voter == config_.self) {
      to_self_.emplace_back(last_token_ + 1, message);
    } else {
      (waits ? promises_ : outbox_).push_back(Envelope{.to = voter, .message = message});
    }
  }
  is_changed_ = true;  // What this server tells itself is held back by a token too.
}

void Decree::tell(NodeId to, Message message) {
  outbox_.push_back(Envelope{.to = to, .message = std::move(message)});
}

// An answer that rests on what this server has just stored.
void Decree::answer(NodeId to, Message message) {
  if (to == config_.self) {
    to_self_.emplace_back(last_token_ + 1, std::move(message));
  } else {
    promises_.push_back(Envelope{.to = to, .message = std::move(message)});
  }
  is_changed_ = true;
}

void Decree::step(NodeId from, const Message& message) {
  ensure(from != config_.self, "messages come from other servers");
  std::visit([this, from](const auto& content) { on(from, content); }, message);
}

void Decree::on(NodeId from, const Prepare& prepare) {
  if (durable_.chosen && from != config_.self) {
    tell(from, Chosen{.value = *durable_.chosen});
    return;
  }
  if (prepare.ballot < durable_.promised) {
    if (from != config_.self) {
      tell(from, Refusal{.ballot = prepare.ballot, .promised = durable_.promised});
    }
    return;
  }
  durable_.promised = prepare.ballot;  // A repeated one is answered again (L-102).
  answer(from, Promise{.ballot = prepare.ballot, .accepted = durable_.accepted});
}

void Decree::on(NodeId from, const Promise& promise) {
  if (!attempt_ || attempt_->is_accepting || promise.ballot != attempt_->ballot || durable_.chosen) {
    return;
  }
  if (promise.accepted && (!attempt_->highest || attempt_->highest->ballot < promise.accepted->ballot)) {
    ensure(promise.accepted->ballot < attempt_->ballot, "nobody accepts above what he promises (L-103)");
    attempt_->highest = promise.accepted;
  }
  if (add_answer(from)) {
    begin_phase_two();
  }
}

void Decree::on(NodeId from, const Accept& accept) {
  if (durable_.chosen && from != config_.self) {
    tell(from, Chosen{.value = *durable_.chosen});
    return;
  }
  const Ballot ballot = accept.proposal.ballot;
  if (ballot < durable_.promised) {  // Not "unequal": it may have missed the prepare (L-104).
    if (from != config_.self) {
      tell(from, Refusal{.ballot = ballot, .promised = durable_.promised});
    }
    return;
  }
  durable_.promised = ballot;
  durable_.accepted = accept.proposal;
  answer(from, Accepted{.ballot = ballot});
}

// L-105: only acceptances of one ballot add up.
void Decree::on(NodeId from, const Accepted& accepted) {
  if (!attempt_ || !attempt_->is_accepting || accepted.ballot != attempt_->ballot || durable_.chosen) {
    return;
  }
  if (add_answer(from)) {
    const Blob value = attempt_->value;
    learn(value);
    for (const NodeId voter : config_.voters) {
      if (voter != config_.self) {
        tell(voter, Chosen{.value = value});
      }
    }
  }
}

// Returns whether this answer made the majority.
bool Decree::add_answer(NodeId from) {
  const bool is_voter = std::ranges::find(config_.voters, from) != config_.voters.end();
  if (!is_voter || std::ranges::find(attempt_->answers, from) != attempt_->answers.end()) {
    return false;
  }
  attempt_->answers.push_back(from);
  return attempt_->answers.size() == config_.voters.size() / 2 + 1;
}

// Saves a round trip: the next attempt begins above what was promised to others.
void Decree::on(NodeId /*from*/, const Refusal& refusal) {
  if (attempt_ && refusal.ballot == attempt_->ballot) {
    durable_.counter = std::max(durable_.counter, refusal.promised.counter);
    is_changed_ = true;
  }
}

void Decree::on(NodeId from, const Question& /*question*/) {
  if (durable_.chosen && from != config_.self) {
    tell(from, Chosen{.value = *durable_.chosen});
  }
}

void Decree::on(NodeId /*from*/, const Chosen& chosen) {
  learn(chosen.value);
}

void Decree::learn(const Blob& value) {
  ensure(!durable_.chosen || *durable_.chosen == value, "one value is chosen, for ever (L-109)");
  if (!durable_.chosen) {
    durable_.chosen = value;
    is_changed_ = true;
    attempt_.reset();
  }
}

void Decree::persisted(PersistToken token) {
  durable_token_ = std::max(durable_token_, std::to_underlying(token));
  std::vector<Message> due;
  std::erase_if(to_self_, [&](const auto& waiting) {
    const bool is_due = waiting.first <= durable_token_;
    if (is_due) {
      due.push_back(waiting.second);
    }
    return is_due;
  });
  for (const Message& message : due) {
    std::visit([this](const auto& content) { on(config_.self, content); }, message);
  }
}

void Decree::take_output(Output& into) {
  into.clear();
  if (std::exchange(is_changed_, false)) {
    into.persist = durable_;
    into.token = PersistToken{++last_token_};
  }
  into.send.swap(outbox_);
  into.send_after_sync.swap(promises_);
  ensure(into.send_after_sync.empty() || into.token.has_value(), "a promise names what it waits for");
}

bool Decree::has_output() const {
  return is_changed_ || !outbox_.empty() || !promises_.empty();
}

}  // namespace quorate::paxos
