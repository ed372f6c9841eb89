#include "server/log_writer.hpp"

#include <fmt/format.h>
#include <utility>
#include <vector>

#include "net/clock.hpp"
#include "server/logging.hpp"

namespace quorate::server {

LogWriter::LogWriter(LogWriterConfig config, storage::Wal& wal, Worker& flusher, Worker& housekeeper, Inbox& inbox)
    : config_(config), wal_(wal), flusher_(flusher), housekeeper_(housekeeper), inbox_(inbox) {}

void LogWriter::stage(const replica::Output& output) {
  if (output.token) {
    wal_.stage(output.hard_state, output.append, output.commit_hint, *output.token);
    staged_entries_ += output.append.size();
  }
}

void LogWriter::flush() {
  if (failed_ || wal_.flush_under_way() || !wal_.has_staged()) {
    return;
  }
  if (staged_entries_ <= config_.inline_entries_max && wal_.staged_bytes() <= config_.inline_bytes_max) {
    flush_inline();
  } else {
    flush_on_thread();
  }
}

void LogWriter::flush_all() {
  std::vector<Task> tasks;
  while (!failed_ && (wal_.flush_under_way() || wal_.has_staged())) {
    if (!wal_.flush_under_way()) {
      flush_inline();
      continue;
    }
    inbox_.waker().wait();
    inbox_.take_all(tasks);
    for (Task& task : tasks) {
      task();
    }
  }
}

std::optional<raft::PersistToken> LogWriter::take_durable() {
  return std::exchange(durable_, std::nullopt);
}

LogWriter::Outcome LogWriter::run(storage::Wal::Flush& flush) {
  const MonoTime start = net::monotonic_now();
  Outcome outcome{.result = flush.run()};
  outcome.took_us = elapsed_us(start, net::monotonic_now());
  flush.duration_us = outcome.took_us;
  return outcome;
}

void LogWriter::flush_inline() {
  stats_.batch_entries.record(std::exchange(staged_entries_, 0));
  storage::Wal::Flush flush = wal_.take_flush();
  const Outcome outcome = run(flush);
  ++stats_.inline_flushes;
  take_back(std::move(flush), outcome);
}

void LogWriter::flush_on_thread() {
  stats_.batch_entries.record(std::exchange(staged_entries_, 0));
  flusher_.post([this, flush = wal_.take_flush()]() mutable {
    Outcome outcome = run(flush);
    inbox_.post([this, flush = std::move(flush), outcome = std::move(outcome)]() mutable {
      take_back(std::move(flush), outcome);
    });
  });
}

void LogWriter::take_back(storage::Wal::Flush&& flush, const Outcome& outcome) {
  const raft::PersistToken durable = wal_.finish(std::move(flush));
  if (!outcome.result && outcome.result.error().code != ErrorCode::no_space) {
    failed_ = outcome.result.error();
    return;
  }
  if (outcome.result) {
    durable_ = durable;
  }
  stats_.flush_us.record(static_cast<std::uint64_t>(outcome.took_us));
  if (outcome.took_us > config_.sync_warning_us) {
    ++stats_.slow_flushes;
    log_warning(fmt::format("writing the log took {} ms (fsync.warningthresholdms): the disk is slow or busy",
                            outcome.took_us / 1000));
  }
  judge_space(outcome.result);
  if (!disk_full_) {
    keep_house();  // On a full disk tick() asks, once a second.
  }
}

void LogWriter::keep_house() {
  std::optional<storage::Wal::Flush> job = wal_.take_spare_job();
  if (!job) {
    judge_space({});  // Nothing is missing any more, perhaps.
    return;
  }
  housekeeper_.post([this, job = std::move(*job)]() mutable {
    Result<void> result = job.run();
    inbox_.post(
        [this, job = std::move(job), result = std::move(result)]() mutable { kept_house(std::move(job), result); });
  });
}

void LogWriter::kept_house(storage::Wal::Flush&& job, const Result<void>& result) {
  (void)wal_.finish(std::move(job));
  if (!result && result.error().code != ErrorCode::no_space) {
    failed_ = result.error();
    return;
  }
  judge_space(result);
  if (result) {
    keep_house();  // What was released may have left no spare behind.
  }
}

// The log alone knows whether it lacks space: a verdict of one's own beside its would have to be kept in step.
void LogWriter::judge_space(const Result<void>& latest) {
  const bool full = wal_.low_on_space();
  if (full == disk_full_) {
    return;
  }
  disk_full_ = full;
  if (full) {
    log_error(fmt::format("the disk is full: reads go on, writes are refused until there is space again{}{}",
                          latest ? "" : ": ", latest ? "" : latest.error().message));
  } else {
    log_info("there is space on the disk again: writes are served");
  }
}

replica::DiskSpace LogWriter::space() const {
  if (wal_.waits_for_space()) {
    return replica::DiskSpace::none;
  }
  return disk_full_ ? replica::DiskSpace::low : replica::DiskSpace::enough;
}

void LogWriter::idle() {
  if (!failed_ && !wal_.flush_under_way() && !disk_full_ && wal_.stage_marker()) {
    flush();
  }
}

void LogWriter::tick() {
  if (disk_full_ && !failed_) {
    keep_house();
  }
}

void LogWriter::release(Index index) {
  wal_.release(index);
  keep_house();
}

}  // namespace quorate::server
