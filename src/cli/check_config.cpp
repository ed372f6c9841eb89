// quorate check-config: what a configuration amounts to, and where each value comes from.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <fmt/format.h>
#include <memory>
#include <string>

#include "cli/commands.hpp"
#include "cli/config_flags.hpp"
#include "server/config.hpp"
#include "server/exit_codes.hpp"
#include "server/settings.hpp"

namespace quorate::cli {

namespace {

int check(const ConfigArguments& arguments) {
  const server::ConfigReading reading = read_configuration(arguments);
  std::size_t widest_name = 0;
  std::size_t widest_value = 0;
  for (const server::Effective& each : reading.effective) {
    widest_name = std::max(widest_name, each.setting->name.size());
    widest_value = std::max(widest_value, std::min<std::size_t>(each.value.size(), 40));
  }
  for (const server::Effective& each : reading.effective) {
    std::fputs(
        fmt::format("{:<{}}  {:<{}}  {}\n", each.setting->name, widest_name, each.value, widest_value, each.origin)
            .c_str(),
        stdout);
  }
  for (const server::Finding& finding : reading.findings) {
    std::fputs((server::describe(finding) + "\n").c_str(), stderr);
  }
  return static_cast<int>(reading.is_usable() ? server::ExitCode::stopped : server::ExitCode::invalid_config);
}

}  // namespace

void add_check_config(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand(
      "check-config", "Show the values in force and where they come from; exit 2 if they are unusable");
  const std::shared_ptr<ConfigArguments> arguments = add_config_arguments(*command);
  auto markdown = std::make_shared<bool>(false);
  command->add_flag("--markdown", *markdown, "Print the page of all settings instead");
  command->callback([arguments, markdown, &exit_code] {
    if (*markdown) {
      std::fputs(server::settings_as_markdown().c_str(), stdout);
    } else {
      exit_code = check(*arguments);
    }
  });
}

}  // namespace quorate::cli
