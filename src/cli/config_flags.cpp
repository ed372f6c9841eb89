#include "cli/config_flags.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

#include "net/address.hpp"
#include "server/settings.hpp"

namespace quorate::cli {

namespace {

std::vector<const server::Setting*> settings_with_flags() {
  std::vector<const server::Setting*> chosen;
  for (const server::Setting& setting : server::settings()) {
    if (setting.effect == server::Effect::active) {
      chosen.push_back(&setting);
    }
  }
  return chosen;
}

bool is_number(const std::string& text) {
  return !text.empty() && std::ranges::all_of(text, [](unsigned char c) { return std::isdigit(c) != 0; });
}

void take_listen(const std::string& listen, std::vector<server::FlagValue>& flags, server::ConfigReading& trouble) {
  if (listen.empty()) {
    return;
  }
  if (is_number(listen)) {
    flags.push_back({"clientPort", listen, "--listen"});
    return;
  }
  const Result<net::HostPort> address = net::parse_host_port(listen, 2181);
  if (!address) {
    trouble.findings.push_back(server::Finding{
        .severity = server::Finding::Severity::error, .origin = "--listen", .text = address.error().message});
    return;
  }
  flags.push_back({"clientPortAddress", address->host, "--listen"});
  flags.push_back({"clientPort", std::to_string(address->port), "--listen"});
}

// The stock server's command line (operations 1.1): a file, or clientPort dataDir [tickTime [maxClientCnxns]].
std::string take_positional(const std::vector<std::string>& positional, std::vector<server::FlagValue>& flags) {
  if (positional.size() == 1) {
    return positional.front();
  }
  constexpr std::array<const char*, 4> names = {"clientPort", "dataDir", "tickTime", "maxClientCnxns"};
  for (std::size_t at = 0; at < std::min(positional.size(), names.size()); ++at) {
    flags.push_back({names[at], positional[at], "argument " + std::to_string(at + 1)});
  }
  return {};
}

}  // namespace

std::shared_ptr<ConfigArguments> add_config_arguments(CLI::App& command) {
  auto arguments = std::make_shared<ConfigArguments>();
  command.add_option("-c,--config", arguments->config_path, "A configuration file in the form of zoo.cfg");
  command
      .add_option("file", arguments->positional,
                  "The same, or as ZooKeeper: clientPort dataDir [tickTime [maxClientCnxns]]")
      ->expected(0, 4);
  command.add_option("--listen", arguments->listen, "Where clients connect: PORT, HOST or HOST:PORT");
  command.add_option("--set", arguments->assignments, "Any setting: NAME=VALUE")->take_all()->allow_extra_args(false);
  const std::vector<const server::Setting*> settings = settings_with_flags();
  arguments->flag_values.resize(settings.size());
  for (std::size_t at = 0; at < settings.size(); ++at) {
    const server::Setting& setting = *settings[at];
    command.add_option(server::flag_of(setting), arguments->flag_values[at], std::string(setting.meaning))
        ->group("Settings (docs/settings.md)");
  }
  return arguments;
}

server::ConfigReading read_configuration(const ConfigArguments& arguments) {
  std::vector<server::FlagValue> flags;
  server::ConfigReading trouble;
  std::string path = take_positional(arguments.positional, flags);
  if (!arguments.config_path.empty()) {
    path = arguments.config_path;
  }
  const std::vector<const server::Setting*> settings = settings_with_flags();
  for (std::size_t at = 0; at < settings.size(); ++at) {
    if (!arguments.flag_values[at].empty()) {
      flags.push_back({std::string(settings[at]->name), arguments.flag_values[at], server::flag_of(*settings[at])});
    }
  }
  take_listen(arguments.listen, flags, trouble);
  for (const std::string& assignment : arguments.assignments) {
    const std::size_t equals = assignment.find('=');
    if (equals == std::string::npos) {
      trouble.findings.push_back(server::Finding{.severity = server::Finding::Severity::error,
                                                 .origin = "--set " + assignment,
                                                 .text = "the form is --set NAME=VALUE"});
      continue;
    }
    flags.push_back({assignment.substr(0, equals), assignment.substr(equals + 1), "--set " + assignment});
  }
  server::ConfigReading reading = server::load_config(path, std::move(flags));
  reading.findings.insert(reading.findings.begin(), trouble.findings.begin(), trouble.findings.end());
  return reading;
}

}  // namespace quorate::cli
