#include "client/load/watch_load.hpp"

#include <utility>
#include <variant>

#include "client/connection.hpp"
#include "client/errors.hpp"
#include "net/clock.hpp"
#include "wire/jute.hpp"

namespace quorate::client::load {

namespace {

constexpr std::uint64_t watch_tag = 1;
constexpr std::uint64_t change_tag = 2;
constexpr std::int64_t round_ms_max = 30'000;
constexpr std::int32_t data_changed = 3;

}  // namespace

WatchLoad::WatchLoad(Fleet& fleet, std::string path) : fleet_(fleet), path_(std::move(path)) {
  std::string watch;
  wire::Writer watch_writer(watch);
  watch_writer.write_string(path_);
  watch_writer.write_bool(true);
  watch_frame_ = make_frame(wire::Opcode::get_data, watch);
  std::string change;
  wire::Writer change_writer(change);
  change_writer.write_string(path_);
  change_writer.write_buffer("changed");
  change_writer.write_int(-1);
  change_frame_ = make_frame(wire::Opcode::set_data, change);
}

void WatchLoad::note_event(std::uint64_t latency_us) {
  if (left_ == fleet_.size()) {
    result_.first_us.record(latency_us);
  }
  result_.each_us.record(latency_us);
  if (left_ == 1) {
    result_.all_us.record(latency_us);
  }
  --left_;
}

Result<void> WatchLoad::take(const Incoming& incoming, bool are_events, std::int64_t latency_us) {
  if (const auto* event = std::get_if<WatchEvent>(&incoming)) {
    if (!are_events || left_ == 0 || event->type != data_changed || event->path != path_) {
      return failure(ErrorCode::invalid, "a watcher was told what it did not ask for");
    }
    note_event(static_cast<std::uint64_t>(latency_us));
  } else if (const auto* reply = std::get_if<Reply>(&incoming)) {
    if (reply->error != 0) {
      return failure(ErrorCode::refused, "a watcher was answered " + describe_error(reply->error));
    }
    left_ -= !are_events && reply->tag == watch_tag ? 1U : 0U;
  }
  return {};
}

Result<void> WatchLoad::gather(bool are_events, MonoTime since) {
  const MonoTime deadline = after_ms(since, round_ms_max);
  left_ = fleet_.size();
  Incoming incoming;
  Result<void> outcome;
  while (left_ > 0 && outcome) {
    if (net::monotonic_now() >= deadline) {
      return failure(ErrorCode::io, std::to_string(left_) + " watchers were not served within 30 seconds");
    }
    fleet_.wait(deadline, ready_);
    for (const std::size_t position : ready_) {
      bool has_more = true;
      while (has_more) {
        has_more = fleet_.read(position);
        const std::int64_t latency_us = elapsed_us(since, net::monotonic_now());
        while (fleet_.connection(position).next(incoming)) {
          // What follows a failure is taken out as well: a connection is always left empty.
          outcome = outcome ? take(incoming, are_events, latency_us) : outcome;
        }
      }
      if (outcome && !fleet_.is_open(position)) {
        outcome = failure(ErrorCode::io, "a watcher's connection was lost");
      }
    }
  }
  return outcome;
}

Result<void> WatchLoad::run_round() {
  for (std::size_t position = 0; position < fleet_.size(); ++position) {
    fleet_.connection(position).submit_frame(watch_frame_, watch_tag);
    fleet_.flush(position);
  }
  if (Result<void> set = gather(false, net::monotonic_now()); !set) {
    return set;
  }
  const MonoTime start = net::monotonic_now();
  fleet_.connection(0).submit_frame(change_frame_, change_tag);
  fleet_.flush(0);
  return gather(true, start);
}

Result<void> WatchLoad::run_until(MonoTime deadline) {
  while (net::monotonic_now() < deadline) {
    if (Result<void> round = run_round(); !round) {
      return round;
    }
  }
  return {};
}

}  // namespace quorate::client::load
