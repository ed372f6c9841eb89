#pragma once

// Watch fan-out: every connection watches one znode; a change is made; how long until all of them have been told?

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/histogram.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "client/connection.hpp"
#include "client/load/fleet.hpp"

namespace quorate::client::load {

struct WatchResult {
  Histogram all_us;    // From sending the change until the last watcher had its event: one value a round.
  Histogram first_us;  // Until the first one had it.
  Histogram each_us;   // Each watcher's own.
};

class WatchLoad {
 public:
  // Every connection of the fleet is a watcher; connection 0 also makes the changes.
  WatchLoad(Fleet& fleet, std::string path);

  // Rounds of: all set a data watch, one change, all notified. Stops at the deadline after a whole round.
  Result<void> run_until(MonoTime deadline);
  void reset_result() { result_ = WatchResult{}; }
  [[nodiscard]] const WatchResult& result() const { return result_; }

 private:
  Result<void> run_round();
  // Waits until `left` watch replies, or events, have come.
  Result<void> gather(bool are_events, MonoTime since);
  Result<void> take(const Incoming& incoming, bool are_events, std::int64_t latency_us);
  void note_event(std::uint64_t latency_us);

  Fleet& fleet_;
  std::string path_;
  std::string watch_frame_;
  std::string change_frame_;
  std::vector<std::size_t> ready_;
  std::size_t left_ = 0;
  WatchResult result_;
};

}  // namespace quorate::client::load
