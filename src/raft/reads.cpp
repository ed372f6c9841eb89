#include "raft/reads.hpp"

#include "base/ensure.hpp"

namespace quorate::raft {
namespace {

constexpr std::size_t sent_rounds_max = 64;  // Older ones are forgotten: a lease then counts from a later one.

}  // namespace

void ReadRounds::add(ReadWaiter waiter, std::optional<Index> commit) {
  ensure(waiting_.empty() || waiting_.back().index.has_value() <= commit.has_value(), "once fixed, always fixed");
  waiting_.push_back(Waiting{.waiter = waiter, .index = commit});
  uncovered_ += commit ? 1U : 0U;
}

void ReadRounds::fix(Index commit) {
  for (Waiting& waiting : waiting_) {
    if (!waiting.index) {
      ensure(waiting.round == 0, "no round covers a read without an index (R-702)");
      waiting.index = commit;
      ++uncovered_;
    }
  }
}

std::uint64_t ReadRounds::begin(MonoTime now) {
  ++newest_;
  for (Waiting& waiting : waiting_) {
    if (waiting.index && waiting.round == 0) {
      ensure(uncovered_ > 0, "what has no round yet was counted");
      waiting.round = newest_;
      --uncovered_;
    }
  }
  ensure(uncovered_ == 0, "a round covers all that wait with an index");
  if (sent_.size() == sent_rounds_max) {
    sent_.pop_front();
  }
  sent_.push_back(Sent{.round = newest_, .at = now});
  return newest_;
}

void ReadRounds::confirm(std::uint64_t round, std::vector<ConfirmedRead>& into) {
  ensure(round <= newest_, "nobody answers a round that was never sent");
  while (!sent_.empty() && sent_.front().round <= round) {
    if (sent_.front().round >= first_for_lease_) {
      confirmed_at_ = sent_.front().at;
    }
    sent_.pop_front();
  }
  while (!waiting_.empty() && waiting_.front().round != 0 && waiting_.front().round <= round) {
    ensure(waiting_.front().index.has_value(), "what a round covers has an index (R-702)");
    into.push_back(ConfirmedRead{.waiter = waiting_.front().waiter, .index = *waiting_.front().index});
    waiting_.pop_front();
  }
}

void ReadRounds::restart_lease() {
  ensure(first_for_lease_ <= newest_ + 1, "only rounds to come count for a lease (R-707)");
  first_for_lease_ = newest_ + 1;
  confirmed_at_.reset();
}

void ReadRounds::take_all(std::vector<ReadWaiter>& into) {
  for (const Waiting& waiting : waiting_) {
    into.push_back(waiting.waiter);
  }
  waiting_.clear();
  uncovered_ = 0;
}

}  // namespace quorate::raft
