#pragma once

// A small server for tests of the storage: it stages, flushes, acknowledges, takes snapshots and purges as a server
// does, over a disk that may stop at any operation; and it remembers what it promised, so that the next life can be
// held to it (I-105 to I-107).

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/checksum.hpp"
#include "sim/disk.hpp"
#include "storage/recovery.hpp"
#include "storage/snapshots.hpp"
#include "storage/wal.hpp"
#include "wire/command.hpp"
#include "wire/opcodes.hpp"

namespace quorate::sim {

inline const storage::Paths test_paths{.data = "data", .log = "data"};
inline const storage::Identity test_identity{
    .cluster_high = 7, .cluster_low = 8, .node = NodeId{1}, .incarnation_high = 42, .incarnation_low = 43, .starts = 0};

// What the outside knows, across all lives.
struct Promises {
  std::map<Index, std::string> acked;               // Commands whose flush was finished.
  std::map<Index, std::set<std::string>> proposed;  // Everything that was ever staged.
  raft::HardState hard_state;                       // The newest one whose flush was finished.
  std::uint64_t starts = 0;

  [[nodiscard]] Index last() const { return acked.empty() ? Index{} : acked.rbegin()->first; }
};

// The state machine: a hash of all commands in order.
inline std::uint64_t advance_state(std::uint64_t state, ByteView command) {
  return checksum(command, state);
}

// A command of the test's server: recovery looks into entries.
inline std::string encode_request(std::uint64_t start, ByteView request) {
  std::string command;
  wire::encode_command(command, wire::Command{.kind = wire::CommandKind::client_request,
                                              .stream = {.server = test_identity.node,
                                                         .incarnation = test_identity.incarnation_high,
                                                         .start = start},
                                              .number = 1,
                                              .credentials = {},
                                              .opcode = wire::Opcode::create,
                                              .request = request});
  return command;
}

// An executor that has no threads and whose tasks end in the order that nobody expects: what runs side by side may.
inline const storage::Executor backwards = [](std::vector<std::function<void()>>& tasks) {
  for (auto task = tasks.rbegin(); task != tasks.rend(); ++task) {
    (*task)();
  }
};

class Life {
 public:
  Life(Disk& disk, Promises& promises, storage::WalConfig config) : disk_(disk), promises_(promises), config_(config) {}

  // Opens, recovers, checks, continues. False: the disk stopped meanwhile. What is wrong goes to `complaint`.
  bool start() {
    auto directory = storage::DataDirectory::open(disk_, test_paths, test_identity);
    if (!directory) {
      return give_up(directory.error());
    }
    directory_ = std::make_unique<storage::DataDirectory>(std::move(*directory));
    auto recovery = storage::recover(*directory_, sink(), backwards);
    if (!recovery) {
      return give_up(recovery.error());
    }
    recovery_ = std::move(*recovery);
    if (!recovery_.may_start()) {
      complaint += storage::describe(recovery_.damage.front());
      return false;
    }
    for (const storage::Damage& damage : recovery_.damage) {
      if (damage.kind != storage::Damage::Kind::torn_tail && !expect_damage) {
        complaint += storage::describe(damage) + "; ";  // A crash alone damages nothing.
      }
    }
    check();
    if (auto begun = directory_->begin_start(recovery_.starts); !begun) {
      return give_up(begun.error());
    }
    if (directory_->identity().starts <= promises_.starts) {
      complaint += "a start counter was used twice; ";
    }
    promises_.starts = directory_->identity().starts;
    auto wal = storage::Wal::open(*directory_, config_, recovery_.log.position);
    if (!wal) {
      return give_up(wal.error());
    }
    wal_ = std::move(*wal);
    // What was recovered counts from here on: a single voter commits what is durable.
    for (const raft::Entry& entry : recovery_.log.recovered.entries) {
      promises_.acked[entry.index] = std::string{entry.command.view()};
    }
    term_ = next(recovery_.log.recovered.hard_state.term);
    last_term_ = recovery_.log.recovered.entries.empty() ? recovery_.log.recovered.snapshot.term
                                                         : recovery_.log.recovered.entries.back().term;
    stage_term_ = true;
    keeper_ = std::make_unique<storage::SnapshotKeeper>(*directory_);
    return true;
  }

  void stage(std::size_t entries, std::size_t command_bytes) {
    std::vector<raft::Entry> batch;
    for (std::size_t i = 0; i < entries; ++i) {
      last_ = next(last_);
      std::string request = std::to_string(raw(last_)) + " of term " + std::to_string(raw(term_)) + " ";
      request.resize(std::max(request.size(), command_bytes), static_cast<char>('a' + raw(last_) % 26));
      const std::string command = encode_request(directory_->identity().starts, request);
      promises_.proposed[last_].insert(command);
      staged_[last_] = command;
      batch.push_back({.term = term_,
                       .index = last_,
                       .time = WallTime{static_cast<std::int64_t>(raw(last_))},
                       .kind = raft::EntryKind::command,
                       .command = Blob::copy(command)});
    }
    std::optional<raft::HardState> hard_state;
    if (std::exchange(stage_term_, false)) {
      hard_state = raft::HardState{.term = term_, .vote = NodeId{1}};
      staged_hard_state_ = hard_state;
    }
    wal_->stage(hard_state, batch, promises_.last(), raft::PersistToken{++token_});
  }

  // False: nothing more can be done in this life, or no_space (which is no complaint).
  bool flush() {
    if (!wal_->has_staged()) {
      return true;
    }
    auto flush = wal_->take_flush();
    const auto done = flush.run();
    const raft::PersistToken durable = wal_->finish(std::move(flush));
    if (!done) {
      return give_up(done.error());
    }
    if (durable != raft::PersistToken{token_}) {
      complaint += "a finished flush did not return its token; ";
    }
    for (const auto& [index, command] : staged_) {
      promises_.acked[index] = command;
      state_ = advance_state(state_, command);
      last_term_ = term_;
    }
    staged_.clear();
    promises_.hard_state = staged_hard_state_.value_or(promises_.hard_state);
    return true;
  }

  bool append(std::size_t entries, std::size_t command_bytes) {
    stage(entries, command_bytes);
    return flush();
  }

  bool mark() { return !wal_->stage_marker() || flush(); }

  bool keep_house() {
    auto job = wal_->take_spare_job();
    if (!job) {
      return true;
    }
    const auto done = job->run();
    wal_->finish(std::move(*job));
    return done ? true : give_up(done.error());
  }

  bool snapshot() {
    wire::SnapshotHeader header;
    header.cluster_high = test_identity.cluster_high;
    header.cluster_low = test_identity.cluster_low;
    header.point = raft::LogId{.term = last_term_, .index = promises_.last()};
    header.configuration.members = {raft::Member{.id = test_identity.node,
                                                 .incarnation_high = test_identity.incarnation_high,
                                                 .incarnation_low = test_identity.incarnation_low}};
    change_header(header);
    auto writer = storage::SnapshotWriter::begin(*directory_, header);
    if (!writer) {
      return give_up(writer.error());
    }
    tree::StateImage image;
    image.digest = state_;
    image.last_time = snapshot_time;
    (*writer)->add(image);
    for (std::uint32_t i = 0; i < 20; ++i) {
      tree::ZnodeImage znode;
      znode.slot = tree::Slot{i};
      znode.name = "filler";
      (*writer)->add(znode);
    }
    (*writer)->end();
    for (;;) {
      const auto more = (*writer)->work();
      if (!more) {
        return give_up(more.error());
      }
      if (!*more) {
        return true;
      }
    }
  }

  bool purge() {
    const auto purged = keeper_->purge(2);
    if (!purged) {
      return give_up(purged.error());
    }
    if (!purged->failures.empty()) {
      return give_up(purged->failures.front());
    }
    wal_->release(purged->release);
    return keep_house();
  }

  // Flushes an entry made by hand, in the place of one that stage() would make.
  bool append_entry(raft::EntryKind kind, const std::string& command, WallTime time) {
    last_ = next(last_);
    promises_.proposed[last_].insert(command);
    staged_[last_] = command;
    const raft::Entry entry{.term = term_, .index = last_, .time = time, .kind = kind, .command = Blob::copy(command)};
    wal_->stage(std::nullopt, {&entry, 1}, promises_.last(), raft::PersistToken{++token_});
    return flush();
  }

  [[nodiscard]] const storage::Recovery& recovery() const { return recovery_; }
  [[nodiscard]] storage::Wal& wal() { return *wal_; }
  [[nodiscard]] storage::DataDirectory& directory() { return *directory_; }
  [[nodiscard]] std::uint64_t state() const { return state_; }

  std::string complaint;
  bool expect_damage = false;
  WallTime snapshot_time{};
  std::function<void(wire::SnapshotHeader&)> change_header = [](wire::SnapshotHeader&) {};
  std::optional<Error> error;  // What ended this life, or the last no_space.

 private:
  bool give_up(const Error& why) {
    error = why;
    return false;
  }

  storage::SnapshotSink sink() {
    return {.reset = [this] { state_ = 0; },
            .item = [this](const tree::SnapshotItem& item) -> Result<void> {
              if (const auto* image = std::get_if<tree::StateImage>(&item)) {
                state_ = image->digest;
              }
              return {};
            }};
  }

  // Nothing acknowledged is lost, nothing is invented, term and vote never go back.
  void check() {
    const raft::Recovered& recovered = recovery_.log.recovered;
    std::uint64_t promised = 0;
    for (const auto& [index, command] : promises_.acked) {
      if (index <= recovered.snapshot.index) {
        promised = advance_state(promised, command);
      }
    }
    if (recovered.snapshot.index > promises_.last() || promised != state_) {
      complaint += "the snapshot's state is not the one that was acknowledged; ";
    }
    last_ = recovered.snapshot.index;
    for (const raft::Entry& entry : recovered.entries) {
      const std::string command{entry.command.view()};
      if (entry.index != next(last_)) {
        complaint += "the recovered entries have a gap; ";
      }
      last_ = entry.index;
      const auto acked = promises_.acked.find(entry.index);
      if (acked != promises_.acked.end() && acked->second != command) {
        complaint += "an acknowledged entry changed; ";
      }
      if (!promises_.proposed[entry.index].contains(command)) {
        complaint += "an entry was invented; ";
      }
      state_ = advance_state(state_, command);
    }
    if (last_ < promises_.last()) {
      complaint += "acknowledged entries are lost: " + std::to_string(raw(last_)) + " of " +
                   std::to_string(raw(promises_.last())) + "; ";
    }
    const raft::HardState& promise = promises_.hard_state;
    if (recovered.hard_state.term < promise.term ||
        (recovered.hard_state.term == promise.term && recovered.hard_state.vote != promise.vote)) {
      complaint += "term or vote went back; ";
    }
    if (recovered.commit_hint > last_) {
      complaint += "the commit hint is beyond the log; ";
    }
  }

  Disk& disk_;
  Promises& promises_;
  storage::WalConfig config_;
  std::unique_ptr<storage::DataDirectory> directory_;
  storage::Recovery recovery_;
  std::unique_ptr<storage::Wal> wal_;
  std::unique_ptr<storage::SnapshotKeeper> keeper_;
  std::map<Index, std::string> staged_;
  std::optional<raft::HardState> staged_hard_state_;
  std::uint64_t state_ = 0;
  std::uint64_t token_ = 0;
  Index last_{};
  Term term_{};
  Term last_term_{};  // Of the newest acknowledged entry.
  bool stage_term_ = false;
};

}  // namespace quorate::sim
