#include "client/load/schedule.hpp"

#include <cmath>

#include "base/ensure.hpp"

namespace quorate::client::load {

Schedule::Schedule(MonoTime start, double operations_a_second, std::uint64_t connections)
    : start_(start), interval_us_(1e6 / operations_a_second), connections_(connections) {
  ensure(operations_a_second > 0.0, "a schedule has a rate");
  ensure(connections > 0, "a schedule has somebody to do it");
}

MonoTime Schedule::intended_in_all(std::uint64_t number) const {
  // Rounded up, so that an operation is never due before its time.
  return after_us(start_, static_cast<std::int64_t>(std::ceil(static_cast<double>(number) * interval_us_)));
}

std::uint64_t Schedule::due_in_all(MonoTime now) const {
  if (now < start_) {
    return 0;
  }
  const auto passed_us = static_cast<double>(elapsed_us(start_, now));
  std::uint64_t count = static_cast<std::uint64_t>(passed_us / interval_us_) + 1;
  // The division may be one off at a boundary; the intended times decide.
  while (count > 0 && intended_in_all(count - 1) > now) {
    --count;
  }
  while (intended_in_all(count) <= now) {
    ++count;
  }
  return count;
}

std::uint64_t Schedule::due(std::uint64_t connection, MonoTime now) const {
  ensure(connection < connections_, "a connection of this schedule");
  const std::uint64_t all = due_in_all(now);
  return all <= connection ? 0 : (all - connection - 1) / connections_ + 1;
}

MonoTime Schedule::intended(std::uint64_t connection, std::uint64_t sequence) const {
  ensure(connection < connections_, "a connection of this schedule");
  return intended_in_all(sequence * connections_ + connection);
}

}  // namespace quorate::client::load
