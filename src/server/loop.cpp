#include "server/loop.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "admin/four_letter_words.hpp"
#include "base/ensure.hpp"
#include "net/clock.hpp"
#include "server/logging.hpp"
#include "server/loop_tags.hpp"

namespace quorate::server {

namespace {

// Committed entries are applied in slices, so that replies to the first are not held back by the last of a flood.
constexpr std::size_t entries_a_turn = 8192;
// While a snapshot's buffer is full, changes may go on only as fast as it empties (design chapter 7).
constexpr std::size_t entries_a_turn_slowed = 16;
constexpr std::int64_t busy_tick_ms = replica::Front::touch_report_ms;
constexpr std::int64_t idle_tick_ms = 500;

replica::ReplicaConfig replica_config(const Config& config, const storage::Identity& identity) {
  replica::ReplicaConfig made;
  made.raft.self = identity.node;
  made.raft.incarnation = raft::Incarnation{.high = identity.incarnation_high, .low = identity.incarnation_low};
  made.raft.limits.tail_entries_max = config.tail_entries_max;
  made.stream =
      wire::StreamId{.server = identity.node, .incarnation = identity.incarnation_high, .start = identity.starts};
  made.term_start.leader = identity.node;
  made.term_start.switches = tree::Switches{.skip_acl = config.skip_acl,
                                            .enforce_quota = config.enforce_quota,
                                            .extended_types = config.extended_types,
                                            .reconfig_enabled = config.reconfig_enabled};
  made.term_start.hash_secret = true_random();
  made.tick_ms = config.tick_ms;
  made.container_check_ms = config.container_check_ms;
  made.container_never_used_ms = config.container_never_used_ms;
  made.containers_per_minute_max = config.containers_per_minute_max;
  made.snapshot_entries = config.snapshot_entries;
  made.snapshot_log_bytes = config.snapshot_log_bytes;
  made.tree_bytes_max = config.tree_bytes_max;
  return made;
}

replica::FrontConfig front_config(const Config& config) {
  replica::FrontConfig made;
  for (int word = 0; word < 4; ++word) {
    const std::uint64_t drawn = true_random();
    made.password_secret.append(reinterpret_cast<const char*>(&drawn), sizeof(drawn));
  }
  made.frame_bytes_max = config.frame_bytes_max;
  made.min_session_timeout_ms = config.min_session_timeout_ms;
  made.max_session_timeout_ms = config.max_session_timeout_ms;
  made.handshake_timeout_ms = config.handshake_timeout_ms;
  made.outstanding_max = config.outstanding_max;
  made.super_digest = config.super_digest;
  made.digest_enabled = config.digest_enabled;
  made.enforced_schemes = config.enforced_schemes;
  made.throttled_op_wait_ms = config.throttled_op_wait_ms;
  made.large_request_threshold = config.large_request_threshold;
  made.large_request_bytes_max = config.large_request_bytes_max;
  made.connection_throttle = config.connection_throttle;
  made.request_throttle_max = config.request_throttle_max;
  made.drops_late_requests = config.drops_late_requests;
  made.checks_acls_early = config.checks_acls_early;
  made.stmk_is_allowed = admin::Whitelist(config.four_letter_words, false).allows(admin::Word::stmk);
  return made;
}

}  // namespace

Loop::Loop(const Config& config, OpenedData data, std::vector<net::Listener> listeners, Signals* signals,
           std::size_t descriptors_max)
    : config_(config),
      signals_(signals),
      directory_(std::move(data.directory)),
      wal_(std::move(data.wal)),
      replica_(replica_config(config, directory_->identity()), std::move(data.restored), Prng(true_random())),
      front_(front_config(config), replica_.tree(), Prng(true_random())),
      port_(ClientPortConfig{.per_address_max = config.connections_per_address_max,
                             .total_max = config.connections_max,
                             .descriptors_max = descriptors_max,
                             .keep_alive = config.keep_alive},
            poller_, front_, std::move(listeners)),
      log_(LogWriterConfig{.sync_warning_us = config.sync_warning_us}, *wal_, threads_->flusher, threads_->housekeeper,
           inbox_),
      snapshotter_(*directory_, replica_, threads_->snapshots, inbox_, config.snapshots_kept, data.snapshots),
      admin_(config_,
             AdminDesk::Sources{.front = front_,
                                .replica = replica_,
                                .port = port_,
                                .log = log_,
                                .snapshotter = snapshotter_,
                                .directory = *directory_,
                                .start = figures_},
             descriptors_max, net::monotonic_now()),
      figures_(data.figures) {
  replica_.attach(0, mail_, front_.watches());
  ensure(poller_.add(inbox_.waker().number(), net::Interest::input_level, make_tag(TagKind::inbox)).has_value(),
         "the inbox is watched before anything else");
  if (signals_ != nullptr) {
    ensure(poller_.add(signals_->number(), net::Interest::input_level, make_tag(TagKind::signals)).has_value(),
           "signals are watched before clients come");
  }
}

Loop::~Loop() {
  threads_.reset();
  inbox_.take_all(tasks_);  // What they reported last concerns nobody any more.
  tasks_.clear();
}

void Loop::ask_to_stop() {
  stop_asked_ = true;
  inbox_.post([] {});
}

ExitCode Loop::run() {
  if (begin_service()) {
    while (!stop_asked_ && !disk_failure()) {
      turn();
    }
    finish();
  }
  if (const std::optional<Error>& failure = disk_failure()) {
    log_error(fmt::format("the {} cannot be written any more, and what the disk holds is uncertain: stopping. {}",
                          log_.failed() ? "log" : "snapshot", failure->message));
    return ExitCode::disk_failed;
  }
  return ExitCode::stopped;
}

// Makes the own term durable, then applies what the log holds. False: the disk failed, or a stop was asked for.
bool Loop::begin_service() {
  const MonoTime start = net::monotonic_now();
  now_ = start;
  replica_.tick(now_, net::wall_now());
  stage();
  log_.flush_all();
  take_durable();
  MonoTime next_line = after_ms(start, 1000);
  while (!log_.failed() && replica_.apply(entries_a_turn)) {
    mail_.clear();  // Nobody is there to be told.
    now_ = net::monotonic_now();
    if (now_ >= next_line) {
      next_line = after_ms(now_, 1000);
      log_info(fmt::format("replaying the log: at index {} of {}", raw(replica_.applied()),
                           raw(replica_.core().commit_index())));
    }
    if (signals_ != nullptr && signals_->take_stop()) {
      stop_asked_ = true;
    }
    if (stop_asked_) {
      return false;
    }
  }
  if (log_.failed()) {
    return false;
  }
  if (!replica_.is_serving()) {
    // The own term could not be made durable: the disk is full. Reads can be served, writes when there is space.
    log_warning("the disk is full from the start: service begins as soon as there is space");
  }
  mail_.clear();
  const auto replayed_us =
      static_cast<std::uint64_t>(std::max<std::int64_t>(0, elapsed_us(start, net::monotonic_now())));
  figures_.log_us = figures_.log_us.value_or(0) + replayed_us;
  figures_.whole_us = figures_.whole_us.value_or(0) + replayed_us;
  changes_.begin(replica_.stats(), replica_.tree().quota_excess());
  now_ = net::monotonic_now();
  next_second_ = after_ms(now_, 1000);
  port_.open();
  log_info(fmt::format("serving after {} ms", elapsed_us(start, now_) / 1000));
  return true;
}

const std::optional<Error>& Loop::disk_failure() const {
  return log_.failed() ? log_.failed() : snapshotter_.failed();
}

void Loop::turn() {
  wait();
  dispatch();
  port_.read(now_);
  work_left_ = front_.serve(mail_, now_);
  pass_on_touches();
  submit();
  stage();
  log_.flush();  // What is on disk is applied below, while the next batch may already be under way.
  take_durable();
  apply();
  look_after_snapshot();
  port_.obey();
  keep_time();
}

void Loop::wait() {
  const bool now = work_left_ || port_.has_input();
  now_ = net::monotonic_now();
  poller_.wait(now_, now ? now_ : deadline(), ready_);
  now_ = net::monotonic_now();
  stirred_ = !ready_.empty();
}

MonoTime Loop::deadline() const {
  return after_ms(now_, stirred_ ? busy_tick_ms : idle_tick_ms);
}

void Loop::dispatch() {
  for (const net::Ready& ready : ready_) {
    switch (kind_of(ready.tag)) {
      case TagKind::inbox:
        inbox_.waker().drain();
        inbox_.take_all(tasks_);
        for (Task& task : tasks_) {
          task();
        }
        tasks_.clear();
        break;
      case TagKind::signals:
        if (signals_->take_stop()) {
          stop_asked_ = true;
        }
        break;
      default:
        port_.on_ready(ready, now_);
        break;
    }
  }
}

void Loop::submit() {
  for (const replica::Submission& submission : front_.submissions()) {
    if (front_.is_wanted(submission) && !replica_.submit(0, submission)) {
      front_.refused(submission);
    }
  }
  front_.clear_submissions();
}

void Loop::stage() {
  replica_.tick(now_, net::wall_now());
  replica_.take_output(output_);
  ensure(output_.send.empty(), "a cluster of one has nobody to tell");
  log_.stage(output_);
}

void Loop::take_durable() {
  if (const std::optional<raft::PersistToken> token = log_.take_durable()) {
    replica_.persisted(*token);
  }
}

void Loop::apply() {
  const std::size_t entries = snapshotter_.is_full() ? entries_a_turn_slowed : entries_a_turn;
  // A mailbox that takes several turns to drain takes nothing more meanwhile.
  const bool more = !mail_.empty() || replica_.apply(entries);
  work_left_ = work_left_ || (more && !snapshotter_.is_full());
  if (mail_.empty()) {
    return;
  }
  // Replies are queued, and what waited behind them is answered or becomes the next batch.
  work_left_ = front_.serve(mail_, now_) || work_left_;
  if (front_.submissions().empty()) {
    return;
  }
  submit();
  stage();
  if (log_.is_busy()) {
    return;
  }
  work_left_ = true;  // Replies leave before the next flush, which may be in this loop.
}

void Loop::look_after_snapshot() {
  snapshotter_.consider(output_.start_snapshot, log_.is_disk_full(), wal_->segments(), now_);
  work_left_ = snapshotter_.step(now_) || work_left_;
  if (const std::optional<Index> release = snapshotter_.take_release()) {
    log_.release(*release);
  }
}

// Before the turn's tick, so that no session is judged silent whose request has just arrived.
void Loop::pass_on_touches() {
  front_.take_touches(touches_);
  for (const replica::Front::Touch& touch : touches_) {
    replica_.touch(touch.session, touch.at);
  }
}

void Loop::keep_time() {
  front_.take_admin_requests(admin_requests_);
  for (const replica::Front::AdminRequest& request : admin_requests_) {
    admin_.answer(request, now_, net::wall_now());
    work_left_ = true;
  }
  replica_.set_disk_space(log_.space());
  if (ready_.empty() && !work_left_) {
    log_.idle();
  }
  if (now_ >= next_second_) {
    next_second_ = after_ms(now_, 1000);
    front_.tick(now_);
    port_.tick(now_);
    log_.tick();
    tell_changes();
  }
}

void Loop::tell_changes() {
  for (const std::optional<EventLine>& line :
       {changes_.expiries(replica_.stats()), changes_.quotas(replica_.tree().quota_excess()),
        changes_.memory(replica_.stats(), replica_.tree().live_bytes(), config_.tree_bytes_max)}) {
    if (line) {
      log_line(*line);
    }
  }
}

// What clients were promised is on disk; what is under way is finished and answered, as far as sockets take it.
void Loop::finish() {
  port_.close_listeners();
  if (!disk_failure()) {
    log_.flush_all();
    take_durable();
    bool more = true;
    while (more) {
      more = mail_.empty() && replica_.apply(SIZE_MAX);
      front_.serve(mail_, now_);
      front_.clear_submissions();
      more = more || !mail_.empty();
    }
    port_.obey();
    log_.idle();
  }
}

}  // namespace quorate::server
