#pragma once

// The settings as flags: the same table that zoo.cfg is read by.

#include <memory>
#include <string>
#include <vector>

#include "server/config.hpp"

namespace CLI {
class App;
}

namespace quorate::cli {

// What the command line said about the configuration; filled when it is parsed.
struct ConfigArguments {
  std::string config_path;              // --config, or the one positional argument.
  std::vector<std::string> positional;  // As the stock server: FILE, or clientPort dataDir [tickTime [maxClientCnxns]].
  std::vector<std::string> assignments;  // --set NAME=VALUE
  std::vector<std::string> flag_values;  // One for each active setting, in the table's order; empty: not given.
  std::string listen;                    // --listen [HOST:]PORT
};

std::shared_ptr<ConfigArguments> add_config_arguments(CLI::App& command);

// Reads the configuration that the arguments ask for.
server::ConfigReading read_configuration(const ConfigArguments& arguments);

}  // namespace quorate::cli
