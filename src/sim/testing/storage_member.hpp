#pragma once

// A member of a cluster as its storage sees it: leaders come and go, tails are replaced, snapshots arrive. Beside it
// stands a plain list of what was durable and what was on its way, against which every start and every read is held
// (I-105 to I-107, R-109, R-305, R-606).

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/prng.hpp"
#include "sim/testing/storage_life.hpp"
#include "storage/snapshot_transfer.hpp"

namespace quorate::sim {

using Entries = std::vector<raft::Entry>;  // The one with index i stands at i - 1.

// What is so whichever process is up.
struct MemberTruth {
  Entries committed;  // By the cluster; the member may lag.
  Entries durable;    // What the last finished flush left.
  // What may become of it, one after the other, if a crash comes now: whatever follows `keep` entries goes.
  struct Step {
    std::size_t keep = 0;
    Entries added;
    bool is_whole = false;  // It comes to pass at once or not at all.
  };
  std::vector<Step> coming;
  raft::HardState durable_state;
  std::vector<raft::HardState> coming_states;
  raft::HardState state;
  std::uint64_t counter = 0;  // Makes commands unique.
  // Of what was done, so that a test can tell that it was.
  std::uint64_t replacements = 0;
  std::uint64_t older_terms = 0;  // A replacement whose term is below the one that it replaces.
  std::uint64_t installs = 0;
  std::uint64_t reads = 0;
  std::uint64_t installs_finished_by_start = 0;
};

inline std::uint64_t state_of(const Entries& entries, std::size_t count) {
  std::uint64_t state = 0;
  for (std::size_t i = 0; i < count; ++i) {
    state = advance_state(state, entries[i].command.view());
  }
  return state;
}

class Member {
 public:
  Member(Disk& disk, MemberTruth& truth, storage::WalConfig config, std::uint64_t seed)
      : disk_(disk), truth_(truth), config_(config), prng_(seed) {}

  // False: the disk stopped, or something is wrong, which stands in `complaint`.
  bool start() {
    auto directory = storage::DataDirectory::open(disk_, test_paths, test_identity);
    if (!directory) {
      return false;
    }
    directory_ = std::make_unique<storage::DataDirectory>(std::move(*directory));
    std::uint64_t state = 0;
    auto recovery = storage::recover(*directory_, sink(state), {});
    if (!recovery) {
      return false;
    }
    for (const storage::Damage& damage : recovery->damage) {
      if (damage.kind != storage::Damage::Kind::torn_tail) {
        complaint += storage::describe(damage) + "; ";
      }
    }
    if (!complaint.empty()) {
      return false;
    }
    check(*recovery, state);
    truth_.installs_finished_by_start += recovery->log.position.install ? 1U : 0U;
    if (!complaint.empty() || !directory_->begin_start(recovery->starts)) {
      return false;
    }
    auto wal = storage::Wal::open(*directory_, config_, recovery->log.position);
    if (!wal) {
      return false;
    }
    wal_ = std::move(*wal);
    keeper_ = std::make_unique<storage::SnapshotKeeper>(*directory_);
    receiver_ = std::make_unique<storage::SnapshotReceiver>(*directory_);
    truth_.durable = log_;
    truth_.coming.clear();
    truth_.durable_state = recovery->log.recovered.hard_state;
    truth_.coming_states.clear();
    truth_.state = truth_.durable_state;
    reach_ = recovery->log.recovered.snapshot.index;
    commit_ = std::max(commit_, reach_);
    return true;
  }

  // What a leader sends: entries behind what agrees, of this term or of earlier ones.
  void stage(std::size_t count, std::size_t command_bytes) {
    const std::size_t agreed = agreement();
    std::size_t keep = log_.size();
    if (log_.size() > agreed && truth_.committed.size() > agreed) {
      keep = agreed;  // It conflicts with what is committed.
    } else if (log_.size() > truth_.committed.size() && prng_.chance(1, 2)) {
      keep = truth_.committed.size() + prng_.below(log_.size() - truth_.committed.size() + 1);
    }
    std::optional<raft::HardState> hard_state;
    // Whatever a leader sends has its term at most, and that is at least 1.
    const Term newest = truth_.committed.empty() ? Term{1} : truth_.committed.back().term;
    const bool is_behind = truth_.state.term < newest;
    if (keep < log_.size() || is_behind || prng_.chance(1, 3)) {
      hard_state = next_term();
    }
    const bool replaces = keep < log_.size();
    const Term old_term = log_.empty() ? Term{} : log_.back().term;
    log_.resize(keep);
    Entries batch;
    for (std::size_t i = 0; i < count; ++i) {
      batch.push_back(log_.size() < truth_.committed.size() ? truth_.committed[log_.size()]
                                                            : make_entry(log_, command_bytes));
      log_.push_back(batch.back());
    }
    truth_.coming.push_back({.keep = keep, .added = batch});
    truth_.replacements += replaces ? 1U : 0U;
    truth_.older_terms += replaces && batch.front().term < old_term ? 1U : 0U;
    if (hard_state) {
      truth_.coming_states.push_back(*hard_state);
    }
    wal_->stage(hard_state, batch, commit_hint(), raft::PersistToken{++token_});
  }

  bool flush() {
    if (!wal_->has_staged()) {
      return true;
    }
    auto flush = wal_->take_flush();
    if (prng_.chance(1, 4) && !read()) {  // Beside it.
      return false;
    }
    const auto done = flush.run();
    const raft::PersistToken durable = wal_->finish(std::move(flush));
    if (!done) {
      return false;
    }
    settle(durable);
    return true;
  }

  // The cluster commits what this member has, durably or not.
  void commit() {
    if (agreement() < truth_.committed.size() || log_.size() <= truth_.committed.size()) {
      return;
    }
    const std::size_t count = truth_.committed.size() + 1 + prng_.below(log_.size() - truth_.committed.size());
    truth_.committed.assign(log_.begin(), log_.begin() + static_cast<std::ptrdiff_t>(count));
  }

  bool snapshot() {
    const std::size_t applied = std::min({agreement(), truth_.durable.size(), truth_.committed.size()});
    if (applied == 0 || !truth_.coming.empty()) {
      return true;
    }
    commit_ = std::max(commit_, Index{applied});
    return write_snapshot(*directory_, truth_.committed, applied);
  }

  bool purge() {
    const auto purged = keeper_->purge(2);
    if (!purged || !purged->failures.empty()) {
      return false;
    }
    wal_->release(purged->release);
    reach_ = std::max(reach_, raw(purged->release) == 0 ? Index{} : previous(purged->release));
    return keep_house();
  }

  bool keep_house() {
    auto job = wal_->take_spare_job();
    if (!job) {
      return true;
    }
    const bool done = job->run().has_value();
    wal_->finish(std::move(*job));
    return done;
  }

  bool mark() { return !wal_->stage_marker() || flush(); }

  // The leader's snapshot of what was committed without this member, in parts.
  bool install(std::size_t ahead, std::size_t part_bytes) {
    truth_.coming_states.push_back(next_term());
    wal_->stage(truth_.state, {}, commit_hint(), raft::PersistToken{++token_});
    for (std::size_t i = 0; i < ahead; ++i) {
      truth_.committed.push_back(make_entry(truth_.committed, 100, true));
    }
    Disk elsewhere;
    auto other = storage::DataDirectory::open(elsewhere, test_paths, test_identity);
    if (!other || !write_snapshot(*other, truth_.committed, truth_.committed.size())) {
      complaint += "the leader's snapshot was not made; ";
      return false;
    }
    storage::SnapshotSender sender{*other};
    std::optional<raft::SnapshotId> id;
    for (std::uint64_t stored = 0;;) {
      auto chunk = sender.read(raft::SnapshotRead{.peer = NodeId{2}, .id = id, .offset = stored}, part_bytes);
      if (!chunk || !*chunk || (*chunk)->offset != stored) {
        complaint += "a part of the leader's snapshot was not read; ";
        return false;
      }
      id = (*chunk)->id;
      const auto written = receiver_->write(
          raft::SnapshotWrite{.id = *id, .offset = stored, .total = (*chunk)->total, .bytes = (*chunk)->bytes});
      if (!written) {
        return false;
      }
      stored = *written;
      if (stored == (*chunk)->total) {
        break;
      }
    }
    return put_in_place(*id);
  }

  // Asks for entries at random and compares with the list.
  bool read() {
    if (truth_.durable.empty()) {
      return true;
    }
    const Entries& log = truth_.durable;
    const raft::LogId bound{.term = Term{prng_.below(raw(log.back().term) + 2)},
                            .index = Index{prng_.below(log.size() + 2)}};
    const Index up_to{prng_.below(log.size() + 2)};
    const storage::ReadLimits limits{.bytes_max = prng_.below(20000), .entries_max = 1 + prng_.below(30)};
    std::size_t place = std::min<std::size_t>(raw(bound.index), log.size());
    while (place > 0 && log[place - 1].term > bound.term) {
      --place;
    }
    auto job = wal_->take_read(bound, up_to, limits);
    if (!job) {
      if (Index{place} >= reach_ && place < std::min<std::size_t>(raw(up_to), log.size())) {
        complaint += "entries that are there were not found; ";
      }
      return true;
    }
    ++truth_.reads;
    const auto done = job->run();
    const raft::LogId before = job->before();
    const Entries found = job->take_entries();
    wal_->finish(std::move(*job));
    if (!done) {
      if (!disk_.has_crashed()) {
        complaint += done.error().message + "; ";
      }
      return false;
    }
    const Term term = place == 0 ? Term{} : log[place - 1].term;
    std::size_t bytes = 0;
    bool is_right = before == raft::LogId{.term = term, .index = Index{place}} && !found.empty() &&
                    found.size() <= limits.entries_max && place + found.size() <= raw(up_to);
    for (std::size_t i = 0; i < found.size(); ++i) {
      bytes += sizeof(raft::Entry) + found[i].command.size();
      is_right = is_right && place + i < log.size() && found[i] == log[place + i];
    }
    if (!is_right || (found.size() > 1 && bytes > limits.bytes_max)) {
      complaint += "other entries were read than are in the log; ";
    }
    return true;
  }

  [[nodiscard]] storage::Wal& wal() { return *wal_; }
  [[nodiscard]] storage::DataDirectory& directory() { return *directory_; }
  [[nodiscard]] storage::SnapshotReceiver& receiver() { return *receiver_; }
  [[nodiscard]] Prng& prng() { return prng_; }
  [[nodiscard]] const Entries& log() const { return log_; }

  std::string complaint;

 private:
  storage::SnapshotSink sink(std::uint64_t& state) {
    return {.reset = [&state] { state = 0; },
            .item = [&state](const tree::SnapshotItem& item) -> Result<void> {
              if (const auto* image = std::get_if<tree::StateImage>(&item)) {
                state = image->digest;
              }
              return {};
            }};
  }

  // How much of the log is what the cluster committed.
  [[nodiscard]] std::size_t agreement() const {
    const auto is_same = [](const raft::Entry& a, const raft::Entry& b) {
      return a.command.view().data() == b.command.view().data();  // Each was made once.
    };
    const auto differs = std::ranges::mismatch(log_, truth_.committed, is_same);
    return static_cast<std::size_t>(differs.in1 - log_.begin());
  }
  [[nodiscard]] Index commit_hint() const { return Index{std::min(agreement(), truth_.committed.size())}; }

  // Of a leader of now, whose term no entry exceeds: a member that forgot a term in a crash hears of a later one.
  raft::HardState next_term() {
    const Term committed = truth_.committed.empty() ? Term{} : truth_.committed.back().term;
    truth_.state = raft::HardState{.term = next(std::max(truth_.state.term, committed)),
                                   .vote = NodeId{static_cast<std::uint32_t>(prng_.below(4))}};
    return truth_.state;
  }

  raft::Entry make_entry(const Entries& behind, std::size_t bytes, bool is_newest = false) {
    const std::uint64_t low = behind.empty() ? 1 : raw(behind.back().term);
    const std::uint64_t high = std::max(low, raw(truth_.state.term));
    const std::uint64_t term = is_newest || prng_.chance(1, 2) ? high : low + prng_.below(high - low + 1);
    std::string request = std::to_string(++truth_.counter) + " ";
    request.resize(std::max(request.size(), bytes), static_cast<char>('a' + truth_.counter % 26));
    return raft::Entry{.term = Term{term},
                       .index = Index{behind.size() + 1},
                       .time = WallTime{static_cast<std::int64_t>(term) * 10},
                       .kind = raft::EntryKind::command,
                       .command = Blob::adopt(encode_request(1, request))};
  }

  void settle(raft::PersistToken durable) {
    if (durable != raft::PersistToken{token_}) {
      complaint += "a finished job did not return the newest token; ";
    }
    truth_.durable = log_;
    truth_.coming.clear();
    if (!truth_.coming_states.empty()) {
      truth_.durable_state = truth_.coming_states.back();
      truth_.coming_states.clear();
    }
  }

  bool put_in_place(const raft::SnapshotId& id) {
    std::uint64_t state = 0;
    const auto header = receiver_->verify(id, sink(state), {});
    if (!header) {
      return false;
    }
    if (header->point != id.point || state != state_of(truth_.committed, truth_.committed.size())) {
      complaint += "what was received is not what was sent; ";
    }
    log_ = truth_.committed;
    truth_.coming.push_back({.keep = 0, .added = log_, .is_whole = true});
    auto job = wal_->take_install(receiver_->take_staged(), id.point);
    const bool done = job.run().has_value();
    const raft::PersistToken durable = wal_->finish(std::move(job));
    if (!done) {
      return false;
    }
    settle(durable);
    reach_ = id.point.index;
    commit_ = id.point.index;
    ++truth_.installs;
    return true;
  }

  static bool write_snapshot(storage::DataDirectory& directory, const Entries& log, std::size_t count) {
    wire::SnapshotHeader header;
    header.cluster_high = test_identity.cluster_high;
    header.cluster_low = test_identity.cluster_low;
    header.point = raft::LogId{.term = log[count - 1].term, .index = Index{count}};
    header.configuration.members = {raft::Member{.id = test_identity.node,
                                                 .incarnation_high = test_identity.incarnation_high,
                                                 .incarnation_low = test_identity.incarnation_low}};
    auto writer = storage::SnapshotWriter::begin(directory, header);
    if (!writer) {
      return false;
    }
    tree::StateImage image;
    image.digest = state_of(log, count);
    image.last_time = log[count - 1].time;
    (*writer)->add(image);
    (*writer)->end();
    for (;;) {
      const auto more = (*writer)->work();
      if (!more) {
        return false;
      }
      if (!*more) {
        return true;
      }
    }
  }

  // What was recovered is what was durable, or something that was on its way to become so.
  void check(const storage::Recovery& recovery, std::uint64_t state) {
    const raft::Recovered& recovered = recovery.log.recovered;
    const std::size_t start = raw(recovered.snapshot.index);
    const auto fits = [&](const Entries& candidate) {
      return candidate.size() == start + recovered.entries.size() &&
             std::equal(recovered.entries.begin(), recovered.entries.end(),
                        candidate.begin() + static_cast<std::ptrdiff_t>(start)) &&
             (start == 0 || candidate[start - 1].term == recovered.snapshot.term) &&
             state == state_of(candidate, start);
    };
    // A record may be torn, so a step may have come to pass in part; the latest that fits counts.
    Entries candidate = truth_.durable;
    bool is_known = fits(candidate);
    log_ = is_known ? candidate : Entries{};
    for (const MemberTruth::Step& step : truth_.coming) {
      candidate.resize(std::min(candidate.size(), step.keep));
      for (const raft::Entry& entry : step.added) {
        candidate.push_back(entry);
        if ((!step.is_whole || candidate.size() == step.added.size()) && fits(candidate)) {
          is_known = true;
          log_ = candidate;
        }
      }
    }
    if (!is_known) {
      complaint += "what was recovered, " + std::to_string(recovered.entries.size()) + " entries behind " +
                   std::to_string(start) + ", was never the log, whose durable end is " +
                   std::to_string(truth_.durable.size()) + "; ";
      return;
    }
    const raft::HardState& found = recovered.hard_state;
    const raft::HardState of_snapshot{.term = recovered.snapshot.term, .vote = NodeId{}};  // Its term comes with it.
    const bool is_raised = found == of_snapshot && found.term > truth_.durable_state.term;
    if (found != truth_.durable_state && !is_raised &&
        std::ranges::find(truth_.coming_states, found) == truth_.coming_states.end()) {
      complaint += "term and vote are none that were written; ";
    }
    if (raw(recovered.commit_hint) > agreement()) {
      complaint += "what the hint calls committed is not; ";
    }
  }

  Disk& disk_;
  MemberTruth& truth_;
  storage::WalConfig config_;
  Prng prng_;
  std::unique_ptr<storage::DataDirectory> directory_;
  std::unique_ptr<storage::Wal> wal_;
  std::unique_ptr<storage::SnapshotKeeper> keeper_;
  std::unique_ptr<storage::SnapshotReceiver> receiver_;
  Entries log_;  // With what is staged.
  std::uint64_t token_ = 0;
  Index reach_{};  // Reads reach back to here at least.
  Index commit_{};
};

}  // namespace quorate::sim
