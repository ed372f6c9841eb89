#include "cli/bench_report.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/histogram.hpp"
#include "client/errors.hpp"

namespace quorate::cli {

namespace {

using client::load::Kind;
using client::load::kind_count;
using client::load::kind_name;

constexpr double busy_mark = 0.9;

double per(double amount, std::uint64_t count) {
  return count == 0 ? 0.0 : amount / static_cast<double>(count);
}

nlohmann::json to_json(const Histogram& latency_us) {
  return {{"operations", latency_us.count()},
          {"mean_us", per(static_cast<double>(latency_us.sum()), latency_us.count())},
          {"p50_us", latency_us.percentile(0.50)},
          {"p90_us", latency_us.percentile(0.90)},
          {"p99_us", latency_us.percentile(0.99)},
          {"p99_9_us", latency_us.percentile(0.999)},
          {"max_us", latency_us.maximum()}};
}

std::string row(std::string_view name, const Histogram& latency_us, double seconds) {
  return fmt::format("{:<10} {:>11} {:>11.0f} {:>9} {:>9} {:>9} {:>9} {:>9}\n", name, latency_us.count(),
                     static_cast<double>(latency_us.count()) / seconds, describe_us(latency_us.percentile(0.50)),
                     describe_us(latency_us.percentile(0.90)), describe_us(latency_us.percentile(0.99)),
                     describe_us(latency_us.percentile(0.999)), describe_us(latency_us.maximum()));
}

Histogram all_kinds(const client::load::LoadResult& load) {
  Histogram all;
  for (const Histogram& histogram : load.latency_us) {
    all.merge(histogram);
  }
  return all;
}

std::string describe_failures(const Measured& measured) {
  std::string text = fmt::format("failed: {}", measured.load.failures());
  for (const auto& [error, times] : measured.load.errors) {
    text += fmt::format("; {} times {}", times, client::describe_error(error));
  }
  if (measured.load.wrong > 0) {
    text += fmt::format("; {} wrong answers, the first: {}", measured.load.wrong, measured.load.first_wrong);
  }
  if (measured.losses.count > 0) {
    text += fmt::format("; {} connections lost with {} operations under way, the first because {}",
                        measured.losses.count, measured.load.lost, measured.losses.first_reason);
  }
  return text + "\n";
}

}  // namespace

std::string describe_us(std::uint64_t microseconds) {
  const auto value = static_cast<double>(microseconds);
  if (value < 1e3) {
    return fmt::format("{} us", microseconds);
  }
  return value < 1e6 ? fmt::format("{:.3g} ms", value / 1e3) : fmt::format("{:.3g} s", value / 1e6);
}

void Measured::merge(const Measured& other) {
  load.merge(other.load);
  seconds = std::max(seconds, other.seconds);
  client_cpu_us += other.client_cpu_us;
  client_busy = std::max(client_busy, other.client_busy);
  server_before = server_before ? server_before : other.server_before;
  server_after = server_after ? server_after : other.server_after;
  behind += other.behind;
  losses.first_reason = losses.count == 0 ? other.losses.first_reason : losses.first_reason;
  losses.count += other.losses.count;
}

std::optional<double> Measured::server_busy() const {
  if (!server_before || !server_after || seconds <= 0.0) {
    return std::nullopt;
  }
  return static_cast<double>(server_after->cpu_us - server_before->cpu_us) / 1e6 / seconds;
}

bool Measured::is_bounded_by_client() const {
  return client_busy > busy_mark && server_busy().value_or(0.0) < busy_mark;
}

std::string describe(const Measured& measured) {
  std::string text = fmt::format("{:<10} {:>11} {:>11} {:>9} {:>9} {:>9} {:>9} {:>9}\n", "operation", "count", "ops/s",
                                 "p50", "p90", "p99", "p99.9", "max");
  int kinds = 0;
  for (std::size_t kind = 0; kind < kind_count; ++kind) {
    if (const Histogram& latency_us = measured.load.latency_us[kind]; latency_us.count() > 0) {
      text += row(kind_name(static_cast<Kind>(kind)), latency_us, measured.seconds);
      ++kinds;
    }
  }
  const Histogram all = all_kinds(measured.load);
  if (kinds != 1) {
    text += row("all", all, measured.seconds);
  }
  text += fmt::format("client: {:.2f} us of CPU an operation, busiest thread {:.0f} % busy\n",
                      per(static_cast<double>(measured.client_cpu_us), all.count()), measured.client_busy * 100);
  if (const std::optional<double> busy = measured.server_busy()) {
    text += fmt::format("server: {:.2f} us of CPU an operation, {:.2f} cores busy, {:.1f} MB resident\n",
                        per(*busy * measured.seconds * 1e6, all.count()), *busy,
                        static_cast<double>(measured.server_after->resident_bytes) / 1e6);
  }
  text += describe_failures(measured);
  if (measured.behind > 0) {
    text += fmt::format("the rate was not reached: {} operations were due and never started\n", measured.behind);
  }
  if (measured.is_bounded_by_client()) {
    text += "(!) bounded by the generator, not by the server: add --threads\n";
  }
  return text;
}

nlohmann::json to_json(const Measured& measured) {
  const Histogram all = all_kinds(measured.load);
  nlohmann::json json = {{"seconds", measured.seconds},
                         {"operations", all.count()},
                         {"operations_per_second", static_cast<double>(all.count()) / measured.seconds},
                         {"all", to_json(all)},
                         {"failed", measured.load.failures()},
                         {"wrong", measured.load.wrong},
                         {"lost", measured.load.lost},
                         {"connections_lost", measured.losses.count},
                         {"behind", measured.behind},
                         {"bounded_by_client", measured.is_bounded_by_client()}};
  for (std::size_t kind = 0; kind < kind_count; ++kind) {
    if (const Histogram& latency_us = measured.load.latency_us[kind]; latency_us.count() > 0) {
      json["kinds"][std::string(kind_name(static_cast<Kind>(kind)))] = to_json(latency_us);
    }
  }
  for (const auto& [error, times] : measured.load.errors) {
    json["errors"][client::describe_error(error)] = times;
  }
  json["client"] = {{"cpu_us_per_operation", per(static_cast<double>(measured.client_cpu_us), all.count())},
                    {"busy", measured.client_busy}};
  if (const std::optional<double> busy = measured.server_busy()) {
    json["server"] = {{"cpu_us_per_operation", per(*busy * measured.seconds * 1e6, all.count())},
                      {"cores_busy", *busy},
                      {"resident_bytes", measured.server_after->resident_bytes},
                      {"resident_bytes_before", measured.server_before->resident_bytes}};
  }
  return json;
}

std::string describe(const client::load::WatchResult& result, std::size_t watchers) {
  std::string text = fmt::format("{} watchers, {} changes\n{:<22} {:>9} {:>9} {:>9} {:>9}\n", watchers,
                                 result.all_us.count(), "from the change until", "p50", "p90", "p99", "max");
  const auto line = [&](std::string_view name, const Histogram& latency_us) {
    text += fmt::format("{:<22} {:>9} {:>9} {:>9} {:>9}\n", name, describe_us(latency_us.percentile(0.50)),
                        describe_us(latency_us.percentile(0.90)), describe_us(latency_us.percentile(0.99)),
                        describe_us(latency_us.maximum()));
  };
  line("the first was told", result.first_us);
  line("all were told", result.all_us);
  return text;
}

nlohmann::json to_json(const client::load::WatchResult& result) {
  return {{"first", to_json(result.first_us)}, {"all", to_json(result.all_us)}, {"each", to_json(result.each_us)}};
}

}  // namespace quorate::cli
