#pragma once

// What a Server's process is made of; private to it. Spread by duty: server.cpp (life, messages, turns),
// server_disk.cpp (flushes, snapshots, what peers want from the disk).

#include <array>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>

#include "sim/server.hpp"

namespace quorate::sim {

struct Server::Process {
  struct WaitingRead {
    std::uint32_t key = 0;
    Reply reply;
  };

  explicit Process(std::size_t keys) : store(keys) {}

  void begin(storage::Recovery&& recovery);
  // The process ends now: what is under way on the disk happens, or not, or up to some point.
  void cut_short(Prng& prng, Disk& disk, Counters& counters);

  // In the order in which they depend on each other.
  std::unique_ptr<storage::DataDirectory> directory;
  std::unique_ptr<storage::Wal> wal;
  std::optional<storage::SnapshotKeeper> keeper;
  RegisterStore store;
  raft::Recovered recovered;  // Until the core has it.
  std::optional<raft::Core> core;
  std::optional<replica::Pump> pump;
  replica::Output output;

  std::optional<storage::Wal::Flush> flush;  // Under way.
  std::optional<storage::Wal::Flush> house;
  struct LogReading {
    NodeId peer{};
    storage::Wal::Read read;
  };
  std::deque<LogReading> log_readings;
  std::deque<raft::SnapshotRead> snapshot_readings;
  std::deque<raft::SnapshotWrite> snapshot_writings;
  std::optional<raft::SnapshotId> install;  // Asked for; waits for the flush that is under way.
  std::optional<storage::SnapshotSender> sender;
  std::optional<storage::SnapshotReceiver> receiver;
  std::optional<SnapshotJob> snapshot;
  Index snapshot_index{};  // Of the newest one that was begun.

  std::array<std::uint64_t, Network::servers_max> heard{};  // Each peer's incarnation, as it spoke last.
  boost::unordered_flat_map<std::uint64_t, Reply> writes;   // By mark.
  boost::unordered_flat_map<std::uint64_t, WaitingRead> reads;
  std::uint64_t last_read = 0;

  // As of the last turn.
  raft::Role role = raft::Role::follower;
  Term term{};
  Index commit{};
};

}  // namespace quorate::sim
