#pragma once

// The load itself: keeps `depth` operations under way on each connection (closed loop), or starts them on a schedule
// (open loop), judges every reply, and measures.

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/histogram.hpp"
#include "base/ids.hpp"
#include "base/prng.hpp"
#include "base/result.hpp"
#include "client/connection.hpp"
#include "client/load/fleet.hpp"
#include "client/load/mix.hpp"
#include "client/load/schedule.hpp"
#include "client/load/workload.hpp"

namespace quorate::client::load {

struct LoadOptions {
  Mix mix;
  std::size_t depth = 1;             // Operations under way on a connection.
  double operations_a_second = 0.0;  // 0: closed loop.
  std::uint64_t operations_max = 0;  // 0: no limit.
  std::uint64_t seed = 1;
  bool keeps_samples = false;
};

struct Sample {
  MonoTime started{};  // The intended start in an open loop.
  std::uint32_t latency_us = 0;
  Kind kind{};
};

struct LoadResult {
  std::array<Histogram, kind_count> latency_us;  // By kind; operations that were answered without an error.
  std::map<std::int32_t, std::uint64_t> errors;  // By number.
  std::uint64_t wrong = 0;                       // Answered, but not with what had to be there.
  std::string first_wrong;
  std::uint64_t lost = 0;  // Under way on connections that broke.
  std::vector<Sample> samples;

  [[nodiscard]] std::uint64_t operations() const;
  [[nodiscard]] std::uint64_t failures() const;  // Errors, wrong and lost ones.
  void merge(const LoadResult& other);
};

class MixLoad {
 public:
  // The fleet's sessions stand; the keys too, if the mix needs them.
  MixLoad(Fleet& fleet, Workload& workload, const LoadOptions& options);

  // Makes what creates and locks need: a directory for each connection.
  Result<void> make_places(MonoTime deadline);
  // Starts the first operations.
  void start(MonoTime now);
  // Works until the time is over, or operations_max have been done.
  void run_until(MonoTime deadline);
  // Starts nothing more, and waits for what is under way.
  void finish(MonoTime deadline);
  // Forgets what was measured so far: the warm-up is over.
  void reset_result();

  [[nodiscard]] const LoadResult& result() const { return result_; }
  [[nodiscard]] bool is_done() const;
  // Operations that the schedule has due and that could not be started yet; 0 in a closed loop.
  [[nodiscard]] std::uint64_t behind(MonoTime now) const;

 private:
  struct Slot {
    Kind kind{};
    std::uint8_t step = 0;
    bool is_busy = false;
    std::uint64_t key = 0;  // Of a create: its number on this connection.
    MonoTime started{};
    std::string path;  // Of a lock: the znode that was made.
  };
  struct Worker {
    std::vector<Slot> slots;
    std::vector<std::uint32_t> idle;
    std::uint32_t generation = 0;
    std::uint64_t started = 0;  // Operations, ever: its place in the schedule.
    std::uint64_t created = 0;
    std::string place;
  };

  void fill(std::size_t position, MonoTime now);
  void fill_due(MonoTime now);
  [[nodiscard]] bool may_start(std::size_t position, MonoTime now) const;
  void start_operation(std::size_t position, MonoTime now);
  void submit_key_operation(std::size_t position, std::uint32_t slot);
  void submit_create(std::size_t position, std::uint32_t slot);
  void submit_lock_step(std::size_t position, std::uint32_t slot);
  void serve(std::size_t position);
  void take_reply(std::size_t position, const Reply& reply, MonoTime now);
  // The next step of a lock cycle, or what is wrong; nullopt: the cycle is complete.
  [[nodiscard]] std::optional<std::string_view> take_lock_step(std::size_t position, std::uint32_t slot, ByteView body);
  [[nodiscard]] std::string_view judge(std::size_t position, const Slot& slot, ByteView body);
  void complete(std::size_t position, std::uint32_t slot, MonoTime now);
  void release(std::size_t position, std::uint32_t slot);
  void note_wrong(std::string_view what);
  void give_up_lost(std::size_t position);
  [[nodiscard]] std::string created_path(const Worker& worker, std::uint64_t number) const;

  Fleet& fleet_;
  Workload& workload_;
  LoadOptions options_;
  Prng prng_;
  std::vector<Worker> workers_;
  std::optional<Schedule> schedule_;
  std::uint64_t arrivals_ = 0;  // Of the schedule, handed to their connections.
  std::uint64_t started_in_all_ = 0;
  std::size_t busy_ = 0;
  bool is_finishing_ = false;
  std::vector<std::size_t> ready_;
  LoadResult result_;
};

}  // namespace quorate::client::load
