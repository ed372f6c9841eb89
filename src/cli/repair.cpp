// quorate repair: cuts a damaged log where its good part ends, and keeps a copy of what it cuts.

#include "storage/repair.hpp"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "cli/commands.hpp"
#include "cli/storage_exit.hpp"
#include "server/exit_codes.hpp"
#include "server/worker.hpp"
#include "storage/posix_disk.hpp"

namespace quorate::cli {

namespace {

int run_repair(storage::Paths paths, bool act) {
  if (storage::is_same_directory(paths.data, paths.log)) {
    paths.log.clear();  // Spelled in two ways it would be locked twice.
  }
  storage::PosixDisk disk;
  const auto report = storage::repair(disk, paths, server::run_in_parallel, act);
  if (!report) {
    std::fprintf(stderr, "quorate repair: %s\n", report.error().message.c_str());
    return exit_code_of(report.error());
  }
  std::fputs(report->text.c_str(), stdout);
  if (!report->done) {
    std::fputs("nothing was changed; to do this, run the same command with --yes\n", stdout);
  }
  return static_cast<int>(server::ExitCode::stopped);
}

}  // namespace

void add_repair(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand(
      "repair",
      "Cut a damaged log where its good part ends, for a server without peers. Acknowledged writes may be lost; "
      "what is cut is kept in quarantine-<n>. Without --yes it only says what it would do");
  auto paths = std::make_shared<storage::Paths>();
  auto act = std::make_shared<bool>(false);
  command->add_option("directory", paths->data, "The data directory (dataDir)")->required();
  command->add_option("--log-dir", paths->log, "The log's directory, if it is another one (dataLogDir)");
  command->add_flag("--yes", *act, "Do it");
  command->callback([paths, act, &exit_code] { exit_code = run_repair(*paths, *act); });
}

}  // namespace quorate::cli
