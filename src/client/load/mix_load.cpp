#include "client/load/mix_load.hpp"

#include <algorithm>
#include <cstdio>
#include <utility>
#include <variant>

#include "base/ensure.hpp"
#include "client/load/preparation.hpp"
#include "net/clock.hpp"
#include "wire/jute.hpp"

namespace quorate::client::load {

namespace {

// Marks a request that makes room for operations and is none itself.
constexpr std::uint64_t housekeeping_tag = UINT64_MAX;
constexpr std::int32_t node_exists = -110;
constexpr std::int32_t flags_persistent = 0;
constexpr std::int32_t flags_ephemeral_sequential = 3;
constexpr std::uint64_t creates_a_directory = 1000;
constexpr std::string_view lock_name = "/lock-";

// Lock cycle: what the reply that is awaited answers. The step after these is the removal.
constexpr std::uint8_t lock_created = 0;
constexpr std::uint8_t lock_listed = 1;

std::string numbered(std::string_view prefix, std::uint64_t number, std::size_t digits) {
  const std::string text = std::to_string(number);
  return std::string(prefix) + std::string(digits - std::min(digits, text.size()), '0') + text;
}

bool lists(ByteView body, std::string_view name) {
  wire::Reader reader(body);
  const std::int32_t count = reader.read_count(4);
  for (std::int32_t child = 0; child < count; ++child) {
    if (reader.read_string() == name) {
      return true;
    }
  }
  return false;
}

}  // namespace

std::uint64_t LoadResult::operations() const {
  std::uint64_t count = 0;
  for (const Histogram& histogram : latency_us) {
    count += histogram.count();
  }
  return count;
}

std::uint64_t LoadResult::failures() const {
  std::uint64_t count = wrong + lost;
  for (const auto& [error, times] : errors) {
    count += times;
  }
  return count;
}

void LoadResult::merge(const LoadResult& other) {
  for (std::size_t kind = 0; kind < kind_count; ++kind) {
    latency_us[kind].merge(other.latency_us[kind]);
  }
  for (const auto& [error, times] : other.errors) {
    errors[error] += times;
  }
  first_wrong = wrong == 0 ? other.first_wrong : first_wrong;
  wrong += other.wrong;
  lost += other.lost;
  samples.insert(samples.end(), other.samples.begin(), other.samples.end());
}

MixLoad::MixLoad(Fleet& fleet, Workload& workload, const LoadOptions& options)
    : fleet_(fleet), workload_(workload), options_(options), prng_(options.seed), workers_(fleet.size()) {
  ensure(options.depth > 0 && fleet.size() > 0, "a load has connections, and operations under way on them");
  for (std::size_t position = 0; position < workers_.size(); ++position) {
    Worker& worker = workers_[position];
    worker.slots.resize(options.depth);
    for (std::size_t slot = options.depth; slot-- > 0;) {
      worker.idle.push_back(static_cast<std::uint32_t>(slot));
    }
    worker.generation = fleet.generation(position);
    // The session's id makes the place a new one in every run.
    worker.place = workload.layout().root + "/places/" +
                   numbered("s", static_cast<std::uint64_t>(raw(fleet.connection(position).session())), 20);
  }
}

Result<void> MixLoad::make_places(MonoTime deadline) {
  if (options_.mix.weight(Kind::create) + options_.mix.weight(Kind::lock) == 0) {
    return {};
  }
  std::vector<std::string> paths = {workload_.layout().root + "/places"};
  for (const Worker& worker : workers_) {
    paths.push_back(worker.place);
    paths.push_back(worker.place + "/lock");
  }
  return create_paths(fleet_, paths, deadline);
}

void MixLoad::start(MonoTime now) {
  if (options_.operations_a_second > 0.0) {
    schedule_.emplace(now, options_.operations_a_second, workers_.size());
    fill_due(now);
    return;
  }
  for (std::size_t position = 0; position < workers_.size(); ++position) {
    fill(position, now);
    fleet_.flush(position);
  }
}

bool MixLoad::is_done() const {
  return options_.operations_max > 0 && started_in_all_ >= options_.operations_max && busy_ == 0;
}

bool MixLoad::may_start(std::size_t position, MonoTime now) const {
  if (is_finishing_ || (options_.operations_max > 0 && started_in_all_ >= options_.operations_max)) {
    return false;
  }
  return !schedule_ || schedule_->intended(position, workers_[position].started) <= now;
}

void MixLoad::fill(std::size_t position, MonoTime now) {
  if (!fleet_.is_open(position)) {
    return;
  }
  const Worker& worker = workers_[position];
  while (!worker.idle.empty() && may_start(position, now)) {
    start_operation(position, now);
  }
}

void MixLoad::fill_due(MonoTime now) {
  // A connection that has all its slots busy takes what is due when replies come; the schedule remembers it.
  const std::uint64_t due = schedule_->due_in_all(now);
  const std::uint64_t first = due - std::min<std::uint64_t>(due - arrivals_, workers_.size());
  for (std::uint64_t arrival = first; arrival < due; ++arrival) {
    const std::size_t position = arrival % workers_.size();
    fill(position, now);
    fleet_.flush(position);
  }
  arrivals_ = due;
}

void MixLoad::start_operation(std::size_t position, MonoTime now) {
  Worker& worker = workers_[position];
  const std::uint32_t number = worker.idle.back();
  worker.idle.pop_back();
  Slot& slot = worker.slots[number];
  slot.is_busy = true;
  slot.step = 0;
  slot.kind = options_.mix.pick(prng_);
  slot.started = schedule_ ? schedule_->intended(position, worker.started) : now;
  ++worker.started;
  ++started_in_all_;
  ++busy_;
  switch (slot.kind) {
    case Kind::create:
      submit_create(position, number);
      return;
    case Kind::lock:
      submit_lock_step(position, number);
      return;
    default:
      slot.key = prng_.below(workload_.layout().keys);
      submit_key_operation(position, number);
  }
}

void MixLoad::submit_key_operation(std::size_t position, std::uint32_t slot) {
  const Slot& operation = workers_[position].slots[slot];
  Connection& connection = fleet_.connection(position);
  switch (operation.kind) {
    case Kind::set:
      connection.submit_frame(workload_.set_frame(operation.key), slot);
      return;
    case Kind::get:
      connection.submit_frame(workload_.get_frame(operation.key), slot);
      return;
    case Kind::exists:
      connection.submit_frame(workload_.exists_frame(operation.key), slot);
      return;
    case Kind::children:
      connection.submit_frame(workload_.children_frame(operation.key), slot);
      return;
    case Kind::multi:
      connection.submit_frame(workload_.multi_frame(operation.key), slot);
      return;
    case Kind::create:
    case Kind::lock:
      break;
  }
  fail("creates and locks have paths of their own");
}

std::string MixLoad::created_path(const Worker& worker, std::uint64_t number) const {
  return numbered(worker.place + "/d", number / creates_a_directory, 7) + numbered("/n", number, 10);
}

void MixLoad::submit_create(std::size_t position, std::uint32_t slot) {
  Worker& worker = workers_[position];
  Connection& connection = fleet_.connection(position);
  const std::uint64_t number = worker.created++;
  worker.slots[slot].key = number;
  if (number % creates_a_directory == 0) {
    const std::string directory = numbered(worker.place + "/d", number / creates_a_directory, 7);
    connection.submit(wire::Opcode::create, create_body(directory, empty_bytes, flags_persistent), housekeeping_tag);
  }
  const std::string data(workload_.layout().value_bytes, 'x');
  connection.submit(wire::Opcode::create, create_body(created_path(worker, number), data, flags_persistent), slot);
}

void MixLoad::submit_lock_step(std::size_t position, std::uint32_t slot) {
  const Worker& worker = workers_[position];
  const Slot& cycle = worker.slots[slot];
  Connection& connection = fleet_.connection(position);
  const std::string directory = worker.place + "/lock";
  std::string body;
  wire::Writer writer(body);
  if (cycle.step == lock_created) {
    body = create_body(directory + std::string(lock_name), empty_bytes, flags_ephemeral_sequential);
    connection.submit(wire::Opcode::create, body, slot);
  } else if (cycle.step == lock_listed) {
    writer.write_string(directory);
    writer.write_bool(false);
    connection.submit(wire::Opcode::get_children, body, slot);
  } else {
    writer.write_string(cycle.path);
    writer.write_int(-1);
    connection.submit(wire::Opcode::remove, body, slot);
  }
}

std::optional<std::string_view> MixLoad::take_lock_step(std::size_t position, std::uint32_t slot, ByteView body) {
  Worker& worker = workers_[position];
  Slot& cycle = worker.slots[slot];
  const std::size_t directory_bytes = worker.place.size() + std::string_view("/lock").size();
  if (cycle.step == lock_created) {
    wire::Reader reader(body);
    cycle.path = std::string(reader.read_string());
    constexpr std::size_t sequence_digits = 10;
    if (cycle.path.size() != directory_bytes + lock_name.size() + sequence_digits) {
      return "a lock's sequential create names a path of another shape";
    }
  } else if (cycle.step == lock_listed) {
    if (!lists(body, std::string_view(cycle.path).substr(directory_bytes + 1))) {
      return "a lock's own ephemeral is missing from its directory";
    }
  } else {
    return std::nullopt;
  }
  ++cycle.step;
  submit_lock_step(position, slot);
  return std::string_view{};
}

std::string_view MixLoad::judge(std::size_t position, const Slot& slot, ByteView body) {
  if (slot.kind != Kind::create) {
    return workload_.judge(slot.kind, slot.key, body);
  }
  wire::Reader reader(body);
  return reader.read_string() == created_path(workers_[position], slot.key)
             ? std::string_view{}
             : "create names another path than was asked";
}

void MixLoad::take_reply(std::size_t position, const Reply& reply, MonoTime now) {
  if (reply.tag == housekeeping_tag) {
    if (reply.error != 0 && reply.error != node_exists) {
      ++result_.errors[reply.error];
    }
    return;
  }
  const auto number = static_cast<std::uint32_t>(reply.tag);
  Slot& slot = workers_[position].slots[number];
  ensure(slot.is_busy, "a reply belongs to an operation that is under way");
  if (reply.error != 0) {
    ++result_.errors[reply.error];
    release(position, number);
    return;
  }
  std::string_view wrong;
  if (slot.kind == Kind::lock) {
    const std::optional<std::string_view> step = take_lock_step(position, number, reply.body);
    if (step && step->empty()) {
      return;
    }
    wrong = step.value_or(std::string_view{});
  } else {
    wrong = judge(position, slot, reply.body);
  }
  if (!wrong.empty()) {
    note_wrong(wrong);
    release(position, number);
    return;
  }
  complete(position, number, now);
}

void MixLoad::complete(std::size_t position, std::uint32_t slot, MonoTime now) {
  const Slot& operation = workers_[position].slots[slot];
  const auto latency_us = static_cast<std::uint64_t>(std::max<std::int64_t>(elapsed_us(operation.started, now), 0));
  result_.latency_us[static_cast<std::size_t>(operation.kind)].record(latency_us);
  if (options_.keeps_samples) {
    result_.samples.push_back(
        Sample{.started = operation.started,
               .latency_us = static_cast<std::uint32_t>(std::min<std::uint64_t>(latency_us, UINT32_MAX)),
               .kind = operation.kind});
  }
  release(position, slot);
}

void MixLoad::release(std::size_t position, std::uint32_t slot) {
  Worker& worker = workers_[position];
  worker.slots[slot].is_busy = false;
  worker.idle.push_back(slot);
  --busy_;
}

void MixLoad::note_wrong(std::string_view what) {
  if (result_.wrong++ == 0) {
    result_.first_wrong = what;
  }
}

void MixLoad::give_up_lost(std::size_t position) {
  Worker& worker = workers_[position];
  if (worker.generation == fleet_.generation(position)) {
    return;
  }
  worker.generation = fleet_.generation(position);
  for (std::size_t slot = 0; slot < worker.slots.size(); ++slot) {
    if (worker.slots[slot].is_busy) {
      ++result_.lost;
      release(position, static_cast<std::uint32_t>(slot));
    }
  }
}

void MixLoad::serve(std::size_t position) {
  give_up_lost(position);
  Connection& connection = fleet_.connection(position);
  Incoming incoming;
  MonoTime now = net::monotonic_now();
  bool has_more = true;
  while (has_more) {
    has_more = fleet_.read(position);
    while (connection.next(incoming)) {
      if (const auto* reply = std::get_if<Reply>(&incoming)) {
        take_reply(position, *reply, now);
      }
    }
  }
  fill(position, now);
  fleet_.flush(position);
}

void MixLoad::run_until(MonoTime deadline) {
  MonoTime now = net::monotonic_now();
  while (now < deadline && !is_done()) {
    const MonoTime wake = schedule_ ? std::min(deadline, schedule_->intended_in_all(arrivals_)) : deadline;
    fleet_.wait(wake, ready_);
    for (const std::size_t position : ready_) {
      serve(position);
    }
    now = net::monotonic_now();
    if (schedule_ && !is_finishing_) {
      fill_due(now);
    }
  }
}

void MixLoad::finish(MonoTime deadline) {
  is_finishing_ = true;
  while (busy_ > 0 && net::monotonic_now() < deadline) {
    fleet_.wait(deadline, ready_);
    for (const std::size_t position : ready_) {
      serve(position);
    }
  }
  result_.lost += busy_;
}

std::uint64_t MixLoad::behind(MonoTime now) const {
  const std::uint64_t due = schedule_ ? schedule_->due_in_all(now) : 0;
  return due - std::min(due, started_in_all_);
}

void MixLoad::reset_result() {
  result_ = LoadResult{};
}

}  // namespace quorate::client::load
