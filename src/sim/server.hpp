#pragma once

// One machine of the simulated cluster: a disk and a clock that stay, and a process that comes and goes. The process is
// made of what runs in production, the core, the pump and the storage, over a register store.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/prng.hpp"
#include "raft/core.hpp"
#include "replica/pump.hpp"
#include "sim/clock.hpp"
#include "sim/disk.hpp"
#include "sim/judges.hpp"
#include "sim/knobs.hpp"
#include "sim/network.hpp"
#include "sim/register_store.hpp"
#include "sim/scheduler.hpp"
#include "sim/trace.hpp"
#include "storage/data_directory.hpp"
#include "storage/recovery.hpp"
#include "storage/snapshot_transfer.hpp"
#include "storage/snapshots.hpp"
#include "storage/wal.hpp"

namespace quorate::sim {

// What a machine stands in.
struct Surroundings {
  Scheduler& scheduler;
  Network& network;
  Judges& judges;
  Trace& trace;
  const Knobs& knobs;
};

// How a server answers a client.
struct Answer {
  enum class Kind : std::uint8_t {
    done,     // A write took effect, or a read's value.
    refused,  // Surely without effect; `leader` may know more.
  };
  Kind kind = Kind::refused;
  std::int64_t value = 0;  // Of a read; of a compare-and-set whether it took effect.
  NodeId leader{};
  Index index{};  // What it is known to be up to.
};
using Reply = std::function<void(const Answer&)>;

// Rare states that a campaign must have reached (I-505), and what a run was like.
struct Counters {
  std::uint64_t starts = 0;
  std::uint64_t refused_starts = 0;  // Damage that only peers can mend.
  std::uint64_t torn_tails = 0;
  std::uint64_t flushes = 0;
  std::uint64_t torn_flushes = 0;  // The process ended inside of one.
  std::uint64_t failed_disks = 0;
  std::uint64_t full_disks = 0;
  std::uint64_t snapshots_taken = 0;
  std::uint64_t snapshots_installed = 0;
  std::uint64_t log_reads = 0;
  std::uint64_t cut_short = 0;  // Starts, snapshots and installations in which the process died.
  std::uint64_t changes_done = 0;
  std::uint64_t changes_failed = 0;
  std::uint64_t refused_reads = 0;
  std::uint64_t reads_by_lease = 0;  // Without a round.
  std::uint64_t refused_proposals = 0;
  std::uint64_t foreign_messages = 0;  // Of an incarnation that is not the member.
};

class Server {
 public:
  // `founding`: the members that the cluster was founded with; this machine is one of them or not.
  Server(NodeId id, const Surroundings& around, const raft::Configuration& founding, bool is_founder,
         std::uint64_t seed);

  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // ---- Its life.
  void start();
  // The process ends; with `power` everything that was not synced may go too. An I/O that is under way may be cut
  // short.
  void crash(bool power);
  void pause(std::int64_t microseconds);
  // The disk is replaced by an empty one: another incarnation (F-311). It is down.
  void wipe();
  [[nodiscard]] bool is_up() const { return process_ != nullptr; }
  [[nodiscard]] bool is_serving() const { return is_up() && !is_out_; }
  // Its disk is damaged so that it does not start without help.
  [[nodiscard]] bool is_out() const { return is_out_; }
  [[nodiscard]] bool is_paused() const;

  // ---- What comes in.
  void deliver(Speaker from, raft::Message&& message);
  void lost(NodeId peer);
  // A reconnect to this peer was refused: its process is gone.
  void gone(NodeId peer);
  void write(const RegisterWrite& write, Reply reply);
  void read(std::uint32_t key, Reply reply);
  // What this server knows now, however old (CONS rows: sequential, not linearizable).
  void read_here(std::uint32_t key, Index at_least, const Reply& reply);
  Result<void> change_members(std::vector<raft::Member> target);
  Result<void> transfer(NodeId target);
  void take_snapshot();

  // ---- Faults of disk and clock.
  [[nodiscard]] Disk& disk() { return disk_; }
  [[nodiscard]] Clock& clock() { return clock_; }
  void set_flush_lag(std::int64_t microseconds) { flush_lag_us_ = microseconds; }
  // Disk and clock are well from now on, and nothing more happens to them.
  void heal();
  // Damages a byte of a file in the log or a snapshot; the machine is down. False: there is none.
  bool damage(Prng& prng);
  // What damage() may have cost is not held against this server any more.
  // Some of what it promised may be missing, until a start has shown that all is there.
  [[nodiscard]] bool is_in_doubt() const { return is_in_doubt_; }

  // ---- What can be seen.
  [[nodiscard]] NodeId id() const { return id_; }
  [[nodiscard]] std::uint64_t incarnation() const { return incarnation_; }
  [[nodiscard]] raft::Member as_member(raft::MemberRole role) const;
  [[nodiscard]] const raft::Core& core() const;  // It is up and serving.
  [[nodiscard]] const RegisterStore& store() const;
  [[nodiscard]] const Counters& counters() const { return counters_; }
  [[nodiscard]] std::size_t waiting_clients() const;

 private:
  struct Process;
  struct SnapshotJob {
    std::unique_ptr<storage::SnapshotWriter> writer;
    raft::LogId point;
  };

  // What happens later, if this process still lives then; after a pause, when it is over.
  void later(std::int64_t microseconds, void (Server::*what)());
  void tick();
  void turn();
  void obey();
  void stage();
  void begin_flush();
  void end_flush();
  void keep_house();
  void end_house_keeping();
  void apply();
  void apply(const raft::Entry& entry);
  void take_snapshot_in_time();
  void answer_reads();
  void serve_peers();
  void end_log_reading();
  void end_snapshot_reading();
  void end_snapshot_writing();
  void install();
  // Now and then the process dies in the midst of the disk's operations that follow (F-202).
  void tempt_fate();
  // It did.
  [[nodiscard]] bool has_met_fate();
  void work_on_snapshot();
  void fail_stop(const Error& error);
  [[nodiscard]] Result<std::unique_ptr<Process>> open();
  [[nodiscard]] raft::Config config() const;
  [[nodiscard]] std::int64_t draw_flush_us();
  void tell(std::string_view what, std::string_view words = {});

  NodeId id_;
  Surroundings around_;
  const raft::Configuration& founding_;
  bool is_founder_;
  Prng prng_;
  Disk disk_;
  Clock clock_;
  std::uint64_t incarnation_ = 0;
  std::uint64_t lives_ = 0;
  bool is_out_ = false;
  bool was_damaged_ = false;  // Some file of this disk rotted, once.
  bool is_in_doubt_ = false;
  bool is_spared_ = false;
  MonoTime paused_until_{};
  std::int64_t flush_lag_us_ = 0;
  std::unique_ptr<Process> process_;
  Counters counters_;
};

}  // namespace quorate::sim
