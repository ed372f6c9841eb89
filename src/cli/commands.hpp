#pragma once

// The commands of the one binary. Each function adds its subcommand; when the command was chosen, parsing runs it and
// it sets the exit code.

namespace CLI {
class App;
}

namespace quorate::cli {

void add_serve(CLI::App& app, int& exit_code);
void add_check_config(CLI::App& app, int& exit_code);
void add_bench(CLI::App& app, int& exit_code);
void add_verify(CLI::App& app, int& exit_code);
void add_repair(CLI::App& app, int& exit_code);
void add_sim(CLI::App& app, int& exit_code);

}  // namespace quorate::cli
