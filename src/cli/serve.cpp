// quorate serve: one server, until it is told to stop.

#include <CLI/CLI.hpp>
#include <cstdint>
#include <cstdio>
#include <fmt/format.h>
#include <memory>
#include <string>
#include <unistd.h>

#include "cli/commands.hpp"
#include "cli/config_flags.hpp"
#include "server/config.hpp"
#include "server/exit_codes.hpp"
#include "server/logging.hpp"
#include "server/server.hpp"
#include "server/signals.hpp"
#include "server/version.hpp"
#include "storage/posix_disk.hpp"

namespace quorate::cli {

namespace {

struct ServeArguments {
  std::shared_ptr<ConfigArguments> config;
  std::string log_level = "info";
  std::string log_format = "text";
};

server::LogLevel level_named(const std::string& name) {
  if (name == "debug") {
    return server::LogLevel::debug;
  }
  if (name == "warning") {
    return server::LogLevel::warning;
  }
  return name == "error" ? server::LogLevel::error : server::LogLevel::info;
}

void log_findings(const server::ConfigReading& reading) {
  for (const server::Finding& finding : reading.findings) {
    const std::string line = server::describe(finding);
    switch (finding.severity) {
      case server::Finding::Severity::note:
        server::log_info(line);
        break;
      case server::Finding::Severity::warning:
        server::log_warning(line);
        break;
      case server::Finding::Severity::error:
        server::log_error(line);
        break;
    }
  }
}

// Where a person looks first: standard output, beside the log on standard error.
void say_how_to_use(const server::Config& config, std::uint16_t port) {
  const std::string host = config.listen_host.empty() ? "127.0.0.1" : config.listen_host;
  const std::string place =
      host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port) : fmt::format("[{}]:{}", host, port);
  std::fputs(fmt::format("Quorate {} serves ZooKeeper clients on {}; its data is in {}.\n"
                         "  connect: zkCli.sh -server {}    (or any other ZooKeeper client)\n"
                         "  stop:    Ctrl-C, or kill {}\n",
                         server::version(), place, config.data_directory, place, ::getpid())
                 .c_str(),
             stdout);
  std::fflush(stdout);
}

server::ExitCode serve_with(const server::Config& config, server::Signals& signals) {
  storage::PosixDisk disk;
  server::Started<std::unique_ptr<server::Server>> server = server::Server::start(config, disk, &signals);
  if (!server) {
    const bool is_wanted = server.error().code == server::ExitCode::stopped;
    is_wanted ? server::log_info(server.error().message) : server::log_error(server.error().message);
    return server.error().code;
  }
  say_how_to_use(config, (*server)->port());
  return (*server)->run();
}

int serve(const ServeArguments& arguments) {
  server::Signals signals;  // Before the log's thread, which must not be the one that a signal finds.
  server::start_logging(level_named(arguments.log_level),
                        arguments.log_format == "json" ? server::LogFormat::json : server::LogFormat::text);
  const server::ConfigReading reading = read_configuration(*arguments.config);
  log_findings(reading);
  server::ExitCode code = server::ExitCode::invalid_config;
  if (reading.is_usable()) {
    code = serve_with(reading.config, signals);
    if (code == server::ExitCode::stopped) {
      server::log_info("stopped");
    }
  } else {
    server::log_error("the configuration cannot be used; quorate check-config FILE shows it as a whole");
  }
  server::stop_logging();
  return static_cast<int>(code);
}

}  // namespace

void add_serve(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("serve", "Run a server");
  auto arguments = std::make_shared<ServeArguments>();
  arguments->config = add_config_arguments(*command);
  command->add_option("--log-level", arguments->log_level, "debug, info, warning or error")
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}))
      ->capture_default_str();
  command->add_option("--log-format", arguments->log_format, "text or json")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  command->callback([arguments, &exit_code] { exit_code = serve(*arguments); });
}

}  // namespace quorate::cli
