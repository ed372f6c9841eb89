#include <CLI/CLI.hpp>

#include "cli/commands.hpp"

int main(int argc, char** argv) {
  CLI::App app("Quorate: a coordination service that ZooKeeper clients work with unchanged", "quorate");
  app.require_subcommand(1);
  int exit_code = 0;
  quorate::cli::add_bench(app, exit_code);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  }
  return exit_code;
}
