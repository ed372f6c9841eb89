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

int run(int count, char** arguments) {
  CLI::App app{"Quorate: a coordination service that ZooKeeper clients work with unchanged", "quorate"};
  app.set_version_flag("--version", fmt::format("quorate {} ({}, {})", quorate::server::version(),
                                                quorate::server::commit(), quorate::server::commit_date()));
  app.require_subcommand(1);
  // The commands inherit it.
  app.footer(
      "Exit codes: 0 done; 1 failed; 2 configuration or arguments; 3 data directory; 20 cannot listen;\n"
      "21 damaged data; 22 disk failed; 23 written by a newer version. By command: docs/exit-codes.md");
  int exit_code = 0;
  quorate::cli::add_serve(app, exit_code);
  quorate::cli::add_check_config(app, exit_code);
  quorate::cli::add_bench(app, exit_code);
  quorate::cli::add_verify(app, exit_code);
  quorate::cli::add_repair(app, exit_code);
  try {
    app.parse(count, arguments);
  } catch (const CLI::ParseError& error) {
    app.exit(error);  // Prints the help, the version, or what is wrong.
    return error.get_exit_code() == 0 ? 0 : static_cast<int>(quorate::server::ExitCode::invalid_config);
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
