// quorate: one binary, a file for each command.

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <fmt/format.h>
#include <string>

#include "cli/commands.hpp"
#include "server/exit_codes.hpp"
#include "server/version.hpp"

namespace {

// The first argument, if it should name a command and names none: the library would only say that one is required.
const char* unknown_command(const CLI::App& app, int count, char** arguments) {
  if (count < 2 || arguments[1][0] == '-' || arguments[1][0] == '\0') {
    return nullptr;
  }
  const auto commands = app.get_subcommands([&](const CLI::App* command) { return command->check_name(arguments[1]); });
  return commands.empty() ? arguments[1] : nullptr;
}

void print_commands(const CLI::App& app, const char* unknown) {
  std::string names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    names += (names.empty() ? "" : ", ") + command->get_name();
  }
  std::fputs(
      fmt::format("quorate: there is no command '{}'. There are: {}; see quorate --help\n", unknown, names).c_str(),
      stderr);
}

int run(int count, char** arguments) {
  CLI::App app{"Quorate: a coordination service that ZooKeeper clients work with unchanged", "quorate"};
  app.set_version_flag("--version", fmt::format("quorate {} ({}, {})", quorate::server::version(),
                                                quorate::server::commit(), quorate::server::commit_date()));
  app.require_subcommand(1);
  // The commands inherit it.
  app.footer(
      "Exit codes: 0 done; 1 failed; 2 configuration or arguments; 3 data directory; 20 cannot listen;\n"
      "21 damaged data; 22 disk failed; 23 written by a newer version; 24 not shown. By command: docs/exit-codes.md");
  int exit_code = 0;
  quorate::cli::add_serve(app, exit_code);
  quorate::cli::add_check_config(app, exit_code);
  quorate::cli::add_bench(app, exit_code);
  quorate::cli::add_verify(app, exit_code);
  quorate::cli::add_repair(app, exit_code);
  quorate::cli::add_sim(app, exit_code);
  constexpr int invalid = static_cast<int>(quorate::server::ExitCode::invalid_config);
  if (count < 2) {
    std::fputs(app.help().c_str(), stdout);
    return invalid;  // Nothing was done: a service file that forgot its command should not seem to work.
  }
  if (const char* unknown = unknown_command(app, count, arguments)) {
    print_commands(app, unknown);
    return invalid;
  }
  try {
    app.parse(count, arguments);
  } catch (const CLI::ParseError& error) {
    app.exit(error);  // Prints the help, the version, or what is wrong.
    return error.get_exit_code() == 0 ? 0 : invalid;
  }
  return exit_code;
}

}  // namespace

int main(int count, char** arguments) {
  // The edge: libraries may throw, our code does not.
  try {
    return run(count, arguments);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "quorate: %s\n", error.what());
    return static_cast<int>(quorate::server::ExitCode::unexpected);
  }
}
