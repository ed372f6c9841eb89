#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <fmt/format.h>
#include <fstream>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "cli/bench_report.hpp"
#include "cli/commands.hpp"
#include "client/channel.hpp"
#include "client/load/fleet.hpp"
#include "client/load/mix.hpp"
#include "client/load/mix_load.hpp"
#include "client/load/preparation.hpp"
#include "client/load/process_usage.hpp"
#include "client/load/watch_load.hpp"
#include "client/load/workload.hpp"
#include "net/clock.hpp"
#include "net/descriptor.hpp"

namespace quorate::cli {

namespace {

namespace load = client::load;

constexpr std::int64_t connect_ms_max = 60'000;
constexpr std::int64_t drain_ms_max = 10'000;
constexpr std::int64_t prepare_ms_max = 3'600'000;
constexpr std::int64_t slice_ms = 500;
constexpr std::int64_t window_unbounded_ms = 86'400'000;

struct BenchOptions {
  std::string servers = "127.0.0.1:2181";
  std::size_t connections = 16;
  std::size_t depth = 1;
  std::string mix = "get=90,set=10";
  load::Layout layout;
  double seconds = 10.0;
  double warmup_seconds = 1.0;
  std::uint64_t operations = 0;
  double rate = 0.0;
  std::size_t threads = 1;
  std::uint64_t seed = 1;
  std::size_t watches = 0;
  std::size_t idle_sessions = 0;
  std::uint64_t prepare = 0;
  bool has_keys = false;
  bool cleans = false;
  bool only_cleans = false;
  std::int32_t timeout_ms = 30'000;
  std::vector<int> server_pids;
  std::string json_file;
  std::string samples_file;
};

// One line on a terminal that is written over and over; nothing anywhere else.
class Progress {
 public:
  void show(const std::string& text) {
    if (is_terminal_) {
      fmt::print(stderr, "\r\x1b[K{}", text);
      (void)std::fflush(stderr);
      is_shown_ = true;
    }
  }
  void clear() {
    if (std::exchange(is_shown_, false)) {
      fmt::print(stderr, "\r\x1b[K");
    }
  }

 private:
  bool is_terminal_ = ::isatty(STDERR_FILENO) == 1;
  bool is_shown_ = false;
};

MonoTime in_ms(std::int64_t milliseconds) {
  return after_ms(net::monotonic_now(), milliseconds);
}
MonoTime after_seconds(MonoTime start, double seconds) {
  return after_us(start, static_cast<std::int64_t>(seconds * 1e6));
}

std::optional<load::ProcessUsage> usage_of(const std::vector<int>& pids) {
  if (pids.empty()) {
    return std::nullopt;
  }
  const Result<load::ProcessUsage> usage = load::read_usage(pids);
  return usage ? std::optional(*usage) : std::nullopt;
}

class Bench {
 public:
  explicit Bench(BenchOptions options) : options_(std::move(options)) {}

  Result<void> run();

 private:
  Result<void> connect(load::Fleet& fleet, std::size_t count);
  Result<void> prepare();
  Result<void> clean();
  Result<void> run_load();
  Result<Measured> run_thread(std::size_t thread);
  Measured measure(load::Fleet& fleet, load::MixLoad& mix_load, bool is_first);
  Result<void> run_watches();
  Result<void> run_idle();
  Result<void> write_json() const;
  Result<void> write_samples(const load::LoadResult& result) const;
  [[nodiscard]] load::Fleet make_fleet() const {
    return load::Fleet(addresses_, client::Settings{.timeout_ms = options_.timeout_ms, .password = {}});
  }

  BenchOptions options_;
  std::vector<net::Address> addresses_;
  load::Mix mix_;
  Progress progress_;
  nlohmann::json json_;
};

Result<void> Bench::connect(load::Fleet& fleet, std::size_t count) {
  progress_.show(fmt::format("connecting {} sessions", count));
  Result<void> opened = fleet.open(count, in_ms(connect_ms_max));
  progress_.clear();
  return opened;
}

Result<void> Bench::prepare() {
  load::Fleet fleet = make_fleet();
  // More connections than a few add nothing: each takes hundreds of requests at a time.
  constexpr std::size_t connections = 4;
  constexpr std::size_t depth = 500;
  if (Result<void> connected = connect(fleet, connections); !connected) {
    return connected;
  }
  const std::optional<load::ProcessUsage> before = usage_of(options_.server_pids);
  load::Workload workload(options_.layout);
  if (Result<void> root = create_paths(fleet, load::with_ancestors(options_.layout.root), in_ms(drain_ms_max)); !root) {
    return root;
  }
  load::Preparation preparation(fleet, workload, depth);
  const MonoTime start = net::monotonic_now();
  const MonoTime deadline = after_ms(start, prepare_ms_max);
  while (!preparation.is_done() && net::monotonic_now() < deadline) {
    if (Result<void> worked = preparation.run_until(std::min(deadline, in_ms(slice_ms))); !worked) {
      return worked;
    }
    progress_.show(fmt::format("{} of {} znodes made", preparation.keys_done(), options_.layout.keys));
  }
  progress_.clear();
  const double seconds = static_cast<double>(elapsed_us(start, net::monotonic_now())) / 1e6;
  const std::optional<load::ProcessUsage> after = usage_of(options_.server_pids);
  json_["prepared"] = {
      {"znodes", options_.layout.keys + workload.directories()}, {"keys", options_.layout.keys}, {"seconds", seconds}};
  if (before && after) {
    json_["prepared"]["resident_bytes_before"] = before->resident_bytes;
    json_["prepared"]["resident_bytes_after"] = after->resident_bytes;
  }
  if (options_.prepare > 0) {
    fmt::print("made {} znodes of {} bytes in {:.1f} s, {:.0f} a second\n", options_.layout.keys,
               options_.layout.value_bytes, seconds, static_cast<double>(options_.layout.keys) / seconds);
  }
  fleet.close(in_ms(drain_ms_max));
  return {};
}

Result<void> Bench::clean() {
  load::Fleet fleet = make_fleet();
  if (Result<void> connected = connect(fleet, 1); !connected) {
    return connected;
  }
  load::Removal removal(fleet, options_.layout.root);
  const MonoTime deadline = in_ms(prepare_ms_max);
  while (!removal.is_done() && net::monotonic_now() < deadline) {
    if (Result<void> worked = removal.run_until(std::min(deadline, in_ms(slice_ms))); !worked) {
      return worked;
    }
    progress_.show(fmt::format("{} znodes removed", removal.removed()));
  }
  progress_.clear();
  fmt::print("removed {} znodes: {} and everything below it\n", removal.removed(), options_.layout.root);
  fleet.close(in_ms(drain_ms_max));
  return {};
}

Measured Bench::measure(load::Fleet& fleet, load::MixLoad& mix_load, bool is_first) {
  const bool counts_operations = options_.operations > 0;
  const MonoTime begun = net::monotonic_now();
  mix_load.start(begun);
  if (!counts_operations && options_.warmup_seconds > 0.0) {
    mix_load.run_until(after_seconds(begun, options_.warmup_seconds));
    mix_load.reset_result();
  }
  Measured measured;
  measured.server_before = is_first ? usage_of(options_.server_pids) : std::nullopt;
  const std::int64_t cpu_before = load::thread_cpu_us();
  const MonoTime start = net::monotonic_now();
  const MonoTime end =
      counts_operations ? after_ms(start, window_unbounded_ms) : after_seconds(start, options_.seconds);
  std::uint64_t seen = 0;
  for (MonoTime now = start; now < end && !mix_load.is_done(); now = net::monotonic_now()) {
    mix_load.run_until(std::min(end, after_ms(now, slice_ms)));
    const std::uint64_t count = mix_load.result().operations();
    if (is_first) {
      progress_.show(fmt::format(
          "{:.0f} s: {:.0f} operations a second, {} failed", static_cast<double>(elapsed_us(start, now)) / 1e6,
          static_cast<double>(count - seen) * 1e3 / slice_ms * static_cast<double>(options_.threads),
          mix_load.result().failures()));
    }
    seen = count;
  }
  const MonoTime stopped = net::monotonic_now();
  measured.seconds = static_cast<double>(elapsed_us(start, stopped)) / 1e6;
  measured.client_cpu_us = load::thread_cpu_us() - cpu_before;
  measured.client_busy = static_cast<double>(measured.client_cpu_us) / 1e6 / measured.seconds;
  measured.server_after = is_first ? usage_of(options_.server_pids) : std::nullopt;
  measured.behind = mix_load.behind(stopped);
  measured.load = mix_load.result();
  mix_load.finish(in_ms(drain_ms_max));
  if (options_.rate > 0.0) {
    // What was due within the window counts, however late it came: those are the slow ones.
    measured.load = mix_load.result();
  }
  measured.load.lost = mix_load.result().lost;
  measured.losses = fleet.losses();
  if (is_first) {
    progress_.clear();
  }
  return measured;
}

Result<Measured> Bench::run_thread(std::size_t thread) {
  // Connections that do not divide evenly go to the first threads.
  const std::size_t count =
      options_.connections / options_.threads + (thread < options_.connections % options_.threads ? 1 : 0);
  load::Fleet fleet = make_fleet();
  if (Result<void> opened = fleet.open(count, in_ms(connect_ms_max)); !opened) {
    return std::unexpected(opened.error());
  }
  load::Workload workload(options_.layout);
  load::MixLoad mix_load(fleet, workload,
                         load::LoadOptions{.mix = mix_,
                                           .depth = options_.depth,
                                           .operations_a_second = options_.rate / static_cast<double>(options_.threads),
                                           .operations_max = options_.operations / options_.threads,
                                           .seed = options_.seed + thread,
                                           .keeps_samples = !options_.samples_file.empty()});
  if (Result<void> places = mix_load.make_places(in_ms(connect_ms_max)); !places) {
    return std::unexpected(places.error());
  }
  Measured measured = measure(fleet, mix_load, thread == 0);
  fleet.close(in_ms(drain_ms_max));
  return measured;
}

Result<void> Bench::run_load() {
  std::vector<Result<Measured>> outcomes(options_.threads, Result<Measured>(Measured{}));
  std::vector<std::jthread> threads;
  for (std::size_t thread = 1; thread < options_.threads; ++thread) {
    threads.emplace_back([this, thread, &outcomes] { outcomes[thread] = run_thread(thread); });
  }
  outcomes[0] = run_thread(0);
  threads.clear();
  Measured all;
  for (const Result<Measured>& outcome : outcomes) {
    if (!outcome) {
      return std::unexpected(outcome.error());
    }
    all.merge(*outcome);
  }
  fmt::print("{} connections x depth {}, {}, {} keys of {} bytes{}\n{}", options_.connections, options_.depth,
             load::describe(mix_), options_.layout.keys, options_.layout.value_bytes,
             options_.rate > 0.0 ? fmt::format(", {:.0f} a second wanted", options_.rate) : std::string(),
             describe(all));
  json_["load"] = to_json(all);
  if (!options_.samples_file.empty()) {
    if (Result<void> written = write_samples(all.load); !written) {
      return written;
    }
  }
  if (all.load.failures() > 0 || all.losses.count > 0) {
    return failure(ErrorCode::refused, "not every operation succeeded");
  }
  return {};
}

Result<void> Bench::run_watches() {
  load::Fleet fleet = make_fleet();
  if (Result<void> connected = connect(fleet, options_.watches); !connected) {
    return connected;
  }
  const std::string path = options_.layout.root + "/watched";
  if (Result<void> made = create_paths(fleet, load::with_ancestors(path), in_ms(drain_ms_max)); !made) {
    return made;
  }
  load::WatchLoad watch_load(fleet, path);
  progress_.show(fmt::format("{} watchers for {} seconds", options_.watches, options_.seconds));
  if (Result<void> warm = watch_load.run_until(after_seconds(net::monotonic_now(), options_.warmup_seconds)); !warm) {
    return warm;
  }
  watch_load.reset_result();
  const std::optional<load::ProcessUsage> before = usage_of(options_.server_pids);
  Result<void> worked = watch_load.run_until(after_seconds(net::monotonic_now(), options_.seconds));
  const std::optional<load::ProcessUsage> after = usage_of(options_.server_pids);
  progress_.clear();
  if (!worked) {
    return worked;
  }
  fmt::print("{}", describe(watch_load.result(), options_.watches));
  json_["watches"] = to_json(watch_load.result());
  json_["watches"]["watchers"] = options_.watches;
  if (before && after) {
    json_["watches"]["server_cpu_us"] = after->cpu_us - before->cpu_us;
  }
  fleet.close(in_ms(drain_ms_max));
  return {};
}

Result<void> Bench::run_idle() {
  load::Fleet fleet = make_fleet();
  const std::optional<load::ProcessUsage> before = usage_of(options_.server_pids);
  if (Result<void> connected = connect(fleet, options_.idle_sessions); !connected) {
    return connected;
  }
  const std::optional<load::ProcessUsage> standing = usage_of(options_.server_pids);
  const MonoTime start = net::monotonic_now();
  const MonoTime end = after_seconds(start, options_.seconds);
  std::vector<std::size_t> ready;
  client::Incoming incoming;
  for (MonoTime now = start; now < end; now = net::monotonic_now()) {
    progress_.show(fmt::format("{} sessions, {:.0f} s", options_.idle_sessions,
                               static_cast<double>(elapsed_us(start, now)) / 1e6));
    fleet.wait(std::min(end, after_ms(now, slice_ms)), ready);
    for (const std::size_t position : ready) {
      bool has_more = true;
      while (has_more) {
        has_more = fleet.read(position);
        while (fleet.connection(position).next(incoming)) {
        }
      }
    }
  }
  progress_.clear();
  fmt::print("{} sessions held for {:.0f} s, {} connections lost\n", options_.idle_sessions, options_.seconds,
             fleet.losses().count);
  json_["idle"] = {{"sessions", options_.idle_sessions}, {"connections_lost", fleet.losses().count}};
  const std::optional<load::ProcessUsage> after = usage_of(options_.server_pids);
  if (before && standing && after) {
    const auto grown = static_cast<double>(after->resident_bytes - before->resident_bytes);
    const double busy = static_cast<double>(after->cpu_us - standing->cpu_us) / 1e4 / options_.seconds;
    fmt::print("server: {:.1f} MB more resident, {:.0f} bytes a session; {:.2f} % of a core while they idle\n",
               grown / 1e6, grown / static_cast<double>(options_.idle_sessions), busy);
    json_["idle"]["resident_bytes_grown"] = grown;
    json_["idle"]["server_cpu_percent"] = busy;
  }
  fleet.close(in_ms(drain_ms_max));
  return {};
}

Result<void> Bench::write_samples(const load::LoadResult& result) const {
  std::ofstream file(options_.samples_file);
  // Wall time, so that it can be laid beside what else was seen meanwhile.
  const std::int64_t offset_us = raw(net::wall_now()) * 1000 - raw(net::monotonic_now());
  file << "started_us,latency_us,operation\n";
  for (const load::Sample& sample : result.samples) {
    file << raw(sample.started) + offset_us << ',' << sample.latency_us << ',' << load::kind_name(sample.kind) << '\n';
  }
  return file.flush() ? Result<void>() : failure(ErrorCode::io, options_.samples_file + " cannot be written");
}

Result<void> Bench::write_json() const {
  if (options_.json_file.empty()) {
    return {};
  }
  const std::string text = json_.dump(2) + "\n";
  if (options_.json_file == "-") {
    fmt::print("{}", text);
    return {};
  }
  std::ofstream file(options_.json_file);
  file << text;
  return file.flush() ? Result<void>() : failure(ErrorCode::io, options_.json_file + " cannot be written");
}

Result<void> Bench::run() {
  Result<std::vector<net::Address>> addresses = client::resolve_servers(options_.servers);
  if (!addresses) {
    return std::unexpected(addresses.error());
  }
  const Result<load::Mix> mix = load::Mix::parse(options_.mix);
  if (!mix) {
    return std::unexpected(mix.error());
  }
  if (const Result<load::ProcessUsage> usage = load::read_usage(options_.server_pids); !usage) {
    return std::unexpected(usage.error());
  }
  addresses_ = std::move(*addresses);
  mix_ = *mix;
  net::raise_descriptor_limit();
  if (options_.only_cleans) {
    return clean();
  }
  const bool is_load = options_.watches == 0 && options_.idle_sessions == 0 && options_.prepare == 0;
  Result<void> outcome;
  if (options_.prepare > 0 || (is_load && !options_.has_keys)) {
    if (outcome = prepare(); !outcome) {
      return outcome;
    }
  }
  if (options_.watches > 0) {
    outcome = run_watches();
  } else if (options_.idle_sessions > 0) {
    outcome = run_idle();
  } else if (is_load) {
    outcome = run_load();
  }
  if (const Result<void> written = write_json(); !written) {
    return written;
  }
  if (options_.cleans) {
    if (Result<void> cleaned = clean(); !cleaned) {
      return cleaned;
    }
  }
  return outcome;
}

void add_load_options(CLI::App& command, BenchOptions& options) {
  command.add_option("--servers", options.servers, "host:port, several with commas between")->capture_default_str();
  command.add_option("--connections", options.connections, "sessions, each on its own connection")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  command.add_option("--depth", options.depth, "operations under way on each connection")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  command
      .add_option("--mix", options.mix,
                  "operations by weight: create, set, get, exists, children, multi, lock (ephemeral lock cycle)")
      ->capture_default_str();
  command.add_option("--value-bytes", options.layout.value_bytes, "data of each znode")
      ->check(CLI::Range(0, 1'000'000))
      ->capture_default_str();
  command.add_option("--keys", options.layout.keys, "znodes that the load is spread over")
      ->check(CLI::Range(std::uint64_t{1}, load::keys_max))
      ->capture_default_str();
  command.add_option("--root", options.layout.root, "everything is made below this znode")->capture_default_str();
  command.add_option("--seconds", options.seconds, "how long to measure")
      ->check(CLI::Range(0.1, 86'400.0))
      ->capture_default_str();
  command.add_option("--warmup", options.warmup_seconds, "seconds of load before measuring starts")
      ->check(CLI::Range(0.0, 3600.0))
      ->capture_default_str();
  command.add_option("--operations", options.operations, "stop after so many instead (no warm-up)");
  command
      .add_option("--rate", options.rate,
                  "open loop: operations a second; latencies count from the intended start, so that a server that "
                  "stands still cannot hide it")
      ->check(CLI::PositiveNumber);
  command.add_option("--threads", options.threads, "threads of the generator")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  command.add_option("--seed", options.seed, "of the choice of operations and keys")->capture_default_str();
}

void add_other_options(CLI::App& command, BenchOptions& options) {
  command
      .add_option("--watches", options.watches, "watch fan-out instead: so many sessions watch one znode that changes")
      ->check(CLI::Range(1, 100'000));
  command.add_option("--idle-sessions", options.idle_sessions, "hold so many sessions instead, doing nothing")
      ->check(CLI::Range(1, 100'000));
  command.add_option("--prepare", options.prepare, "only make so many znodes, as fast as it goes (sets --keys)")
      ->check(CLI::Range(std::uint64_t{1}, load::keys_max));
  command.add_flag("--existing-keys", options.has_keys, "the keys stand already: do not make them again");
  command.add_flag("--clean", options.cleans, "remove everything below the root at the end");
  command.add_flag("--only-clean", options.only_cleans, "do nothing but that");
  command.add_option("--session-timeout", options.timeout_ms, "milliseconds to ask for")->capture_default_str();
  command.add_option("--server-pid", options.server_pids,
                     "a server's process (repeatable): reports its CPU and memory");
  command.add_option("--json", options.json_file, "also write the figures to this file (-: the screen)");
  command.add_option("--samples", options.samples_file,
                     "also write every operation's start and latency to this CSV file");
}

}  // namespace

void add_bench(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("bench", "Load generator for any ZooKeeper-compatible server");
  auto options = std::make_shared<BenchOptions>();
  add_load_options(*command, *options);
  add_other_options(*command, *options);
  command->callback([options, &exit_code] {
    if (options->prepare > 0) {
      options->layout.keys = options->prepare;
    }
    options->threads = std::min(options->threads, options->connections);
    const Result<void> outcome = Bench(*options).run();
    if (!outcome) {
      fmt::print(stderr, "quorate bench: {}\n", outcome.error().message);
      exit_code = 1;
    }
  });
}

}  // namespace quorate::cli
