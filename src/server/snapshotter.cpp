#include "server/snapshotter.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <utility>
#include <vector>

#include "base/ensure.hpp"
#include "net/clock.hpp"
#include "server/logging.hpp"
#include "wire/snapshot_format.hpp"

namespace quorate::server {

namespace {

constexpr std::size_t items_a_step = 64;
constexpr std::int64_t slice_us = 500;
// After so many blocks the thread reports back, so that the loop learns that there is room.
constexpr int blocks_a_job = 4;
constexpr std::int64_t wait_ms_min = 5'000;
constexpr std::int64_t wait_ms_max = 160'000;

}  // namespace

Snapshotter::Snapshotter(storage::DataDirectory& directory, replica::Replica& replica, Worker& writer, Inbox& inbox,
                         std::size_t retain, const KnownSnapshots& known)
    : directory_(directory), replica_(replica), worker_(writer), inbox_(inbox), retain_(retain), keeper_(directory) {
  for (const Index index : known.damaged) {
    keeper_.distrust(index);
  }
  if (known.loaded) {
    keeper_.trust(*known.loaded);
    newest_ = *known.loaded;
  }
}

void Snapshotter::consider(bool due, bool disk_full, std::uint64_t log_segments, MonoTime now) {
  if (disk_full && !was_full_) {
    clear_old();
  }
  was_full_ = disk_full;
  // While writes are refused none becomes due by their number.
  const bool relieves = disk_full && log_segments > 1 && replica_.applied() > newest_;
  if ((due || relieves) && !running_ && !failed_ && now >= not_before_) {
    begin(now);
  }
}

// What a crash, or a start with other settings, left for the next purge to do.
void Snapshotter::clear_old() {
  worker_.post([this] { inbox_.post([this, done = purge()] { purged(done); }); });
}

Snapshotter::Purge Snapshotter::purge() {
  Purge purge{.done = keeper_.purge(retain_)};
  purge.failed_sync = keeper_.has_failed_sync();
  return purge;
}

void Snapshotter::purged(const Purge& purge) {
  if (purge.failed_sync) {
    failed_ = purge.done.error();
    return;
  }
  if (!purge.done) {
    log_warning(fmt::format(
        "old snapshots and log segments could not be removed; after the next snapshot it is tried again: {}",
        purge.done.error().message));
    return;
  }
  for (const Error& failure : purge.done->failures) {
    log_warning(
        fmt::format("an old snapshot could not be removed; after the next one it is tried again: {}", failure.message));
  }
  release_ = std::max(release_.value_or(Index{}), purge.done->release);
}

void Snapshotter::add(const tree::SnapshotItem& item) {
  if (writer_) {
    writer_->add(item);
  } else if (running_) {
    wire::encode_item(early_.emplace_back(), item);
  }
}

void Snapshotter::begin(MonoTime now) {
  running_ = true;
  walking_ = true;
  began_ = now;
  const wire::SnapshotHeader header = replica_.begin_snapshot([this](const tree::SnapshotItem& item) { add(item); });
  point_ = header.point;
  Result<std::unique_ptr<storage::SnapshotWriter>> writer = storage::SnapshotWriter::begin(directory_, header);
  if (!writer) {
    give_up(writer.error());
    return;
  }
  writer_ = std::move(*writer);
  std::vector<tree::AclEntry> scratch;
  tree::SnapshotItem item;
  for (const std::string& bytes : std::exchange(early_, {})) {
    ensure(wire::decode_item(bytes, scratch, item).has_value(), "what was encoded a moment ago decodes");
    writer_->add(item);
  }
  log_debug(fmt::format("snapshot at index {} begins", raw(point_.index)));
}

bool Snapshotter::step(MonoTime now) {
  if (!running_ || writer_ == nullptr) {
    return false;
  }
  if (walking_ && !writer_->is_full()) {
    walk(now);
  }
  hand_over();
  return walking_ && !writer_->is_full();
}

void Snapshotter::walk(MonoTime now) {
  const MonoTime end = after_us(now, slice_us);
  bool done = false;
  do {
    done = replica_.step_snapshot(items_a_step);
  } while (!done && !writer_->is_full() && net::monotonic_now() < end);
  if (done) {
    walking_ = false;
    writer_->end();
  }
}

void Snapshotter::hand_over() {
  if (job_under_way_ || !writer_->has_work()) {
    return;
  }
  job_under_way_ = true;
  worker_.post([this] {
    Job job;
    for (int count = 0; count < blocks_a_job && job.more && *job.more && writer_->has_work(); ++count) {
      job.more = writer_->work();
    }
    if (job.more && !*job.more) {
      keeper_.trust(point_.index);
      job.purge = purge();
    }
    inbox_.post([this, job = std::move(job)]() mutable { took(std::move(job)); });
  });
}

void Snapshotter::took(Job job) {
  job_under_way_ = false;
  if (!job.more) {
    if (job.more.error().code != ErrorCode::no_space) {
      failed_ = job.more.error();
    }
    give_up(job.more.error());
    return;
  }
  if (*job.more) {
    return;
  }
  writer_.reset();
  running_ = false;
  newest_ = point_.index;
  wait_ms_ = 0;
  ++stats_.taken;
  const std::int64_t took_us = elapsed_us(began_, net::monotonic_now());
  stats_.took_us.record(static_cast<std::uint64_t>(took_us));
  replica_.snapshot_durable(point_);
  log_info(fmt::format("snapshot at index {} is on disk, after {} ms", raw(point_.index), took_us / 1000));
  ensure(job.purge.has_value(), "what is durable lets the older go");
  purged(*job.purge);
}

void Snapshotter::give_up(const Error& error) {
  replica_.abandon_snapshot();  // It becomes due again, after a while.
  wait_ms_ = std::clamp(2 * wait_ms_, wait_ms_min, wait_ms_max);
  not_before_ = after_ms(net::monotonic_now(), wait_ms_);
  writer_.reset();
  early_.clear();
  running_ = false;
  walking_ = false;
  ++stats_.failed;
  log_warning(fmt::format("a snapshot failed and is tried again in {} s: {}", wait_ms_ / 1000, error.message));
}

std::optional<Index> Snapshotter::take_release() {
  return std::exchange(release_, std::nullopt);
}

}  // namespace quorate::server
