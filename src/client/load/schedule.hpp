#pragma once

// When operations are meant to start at a fixed rate, whether or not the server keeps up. A latency is counted from the
// intended start; so an operation that had to wait because the server stood still counts the standstill, as a real
// user's would. (A closed loop stops asking while the server stands still, and so hides it: coordinated omission.)

#include <cstdint>

#include "base/ids.hpp"

namespace quorate::client::load {

class Schedule {
 public:
  // Operation number n (from 0) is meant to start n / rate after `start`, at connection n modulo `connections`.
  Schedule(MonoTime start, double operations_a_second, std::uint64_t connections);

  // How many operations of this connection are meant to have started.
  [[nodiscard]] std::uint64_t due(std::uint64_t connection, MonoTime now) const;
  // The intended start of this connection's operation number `sequence` (from 0).
  [[nodiscard]] MonoTime intended(std::uint64_t connection, std::uint64_t sequence) const;
  // How many operations of all connections are meant to have started.
  [[nodiscard]] std::uint64_t due_in_all(MonoTime now) const;
  [[nodiscard]] MonoTime intended_in_all(std::uint64_t number) const;

 private:
  MonoTime start_;
  double interval_us_;
  std::uint64_t connections_;
};

}  // namespace quorate::client::load
