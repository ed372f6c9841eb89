#include "replica/pump.hpp"

#include <algorithm>
#include <iterator>
#include <utility>
#include <variant>

#include "base/ensure.hpp"

namespace quorate::replica {
namespace {

template <class T>
void move_to(std::vector<T>& into, std::vector<T>& from) {
  if (into.empty()) {
    into.swap(from);
  } else {
    into.insert(into.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
  }
  from.clear();
}

// Most batches have something in one or two of their lists only.
template <class T>
void append_to(std::vector<T>& into, std::vector<T>& from) {
  if (!from.empty()) {
    move_to(into, from);
  }
}

// The newer value, if there is one.
template <class T>
void supersede(std::optional<T>& value, const std::optional<T>& newer) {
  if (newer) {
    value = newer;
  }
}

}  // namespace

void Output::clear() {
  hard_state.reset();
  append = {};
  token.reset();
  send.clear();
  reads.clear();
  refused_reads.clear();
  log_reads.clear();
  snapshot_reads.clear();
  snapshot_writes.clear();
  snapshot_install.reset();
  role.reset();
  change.reset();
  can_apply = false;
  start_snapshot = false;
}

void Output::swap(Output& other) noexcept {
  std::swap(hard_state, other.hard_state);
  std::swap(append, other.append);
  std::swap(token, other.token);
  std::swap(commit_hint, other.commit_hint);
  send.swap(other.send);
  reads.swap(other.reads);
  refused_reads.swap(other.refused_reads);
  log_reads.swap(other.log_reads);
  snapshot_reads.swap(other.snapshot_reads);
  snapshot_writes.swap(other.snapshot_writes);
  std::swap(snapshot_install, other.snapshot_install);
  std::swap(role, other.role);
  std::swap(change, other.change);
  std::swap(can_apply, other.can_apply);
  std::swap(start_snapshot, other.start_snapshot);
}

void Pump::take(Output& into) {
  pull();
  into.clear();
  into.swap(batch_);
  has_batch_ = false;
  into.commit_hint = core_.commit_index();
  into.can_apply = has_committed();
}

void Pump::persisted(raft::PersistToken token) {
  core_.persisted(token);
  while (!promises_.empty() && promises_.front().token <= token) {
    std::vector<raft::Envelope>& messages = promises_.front().messages;
    // An earlier term's, or an earlier candidate's, may rest on entries that were replaced since; nobody waits for
    // them.
    const bool is_candidate = core_.role() == raft::Role::candidate;
    std::erase_if(messages, [this, is_candidate](const raft::Envelope& envelope) {
      const bool asks_for_votes = std::holds_alternative<raft::VoteRequest>(envelope.message);
      return raft::term_of(envelope.message) < core_.term() || (asks_for_votes && !is_candidate);
    });
    append_to(batch_.send, messages);
    has_batch_ = true;
    promises_.pop_front();
  }
}

std::span<const raft::Entry> Pump::committed() {
  pull();
  return committed_.empty() ? std::span<const raft::Entry>{} : committed_.front();
}

void Pump::applied(std::size_t entries) {
  if (entries == 0) {
    return;
  }
  ensure(!committed_.empty() && entries <= committed_.front().size(), "only what was handed out is applied");
  raft::Entries& oldest = committed_.front();
  const Index last = oldest[entries - 1].index;
  oldest = oldest.from(entries);
  if (oldest.empty()) {
    committed_.pop_front();
  }
  core_.applied(last);
}

void Pump::pull() {
  if (!core_.has_output()) {
    return;
  }
  core_.take_output(from_core_);
  has_batch_ = true;
  supersede(batch_.hard_state, from_core_.hard_state);
  merge_append(std::move(from_core_.append));
  supersede(batch_.token, from_core_.token);  // The newest covers the older ones.
  append_to(batch_.send, from_core_.send);
  if (!from_core_.send_after_sync.empty()) {
    ensure(from_core_.token.has_value(), "a promise names the write that it waits for (R-102)");
    promises_.push_back(Promise{.token = *from_core_.token, .messages = std::exchange(from_core_.send_after_sync, {})});
  }
  std::ranges::move(from_core_.apply, std::back_inserter(committed_));
  append_to(batch_.reads, from_core_.reads);
  append_to(batch_.refused_reads, from_core_.refused_reads);
  append_to(batch_.log_reads, from_core_.log_reads);
  append_to(batch_.snapshot_reads, from_core_.snapshot_reads);
  append_to(batch_.snapshot_writes, from_core_.snapshot_writes);
  supersede(batch_.snapshot_install, from_core_.snapshot_install);
  supersede(batch_.role, from_core_.role);
  supersede(batch_.change, from_core_.change);
}

// Two turns' entries in one write: what the later one replaces was never handed over.
void Pump::merge_append(raft::Entries newer) {
  raft::Entries& batch = batch_.append;
  if (newer.empty()) {
    return;
  }
  if (batch.empty()) {
    batch = std::move(newer);
    return;
  }
  std::vector<raft::Entry> both(batch.begin(), batch.end());
  while (!both.empty() && both.back().index >= newer.front().index) {
    both.pop_back();
  }
  ensure(both.empty() || next(both.back().index) == newer.front().index, "a write's entries are contiguous");
  both.insert(both.end(), newer.begin(), newer.end());
  batch = std::move(both);
}

}  // namespace quorate::replica
