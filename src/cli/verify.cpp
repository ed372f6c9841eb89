// quorate verify: what a data directory holds, and what is damaged.

#include "storage/verify.hpp"

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

int run_verify(storage::Paths paths) {
  if (storage::is_same_directory(paths.data, paths.log)) {
    paths.log.clear();  // Spelled in two ways it would be locked twice.
  }
  storage::PosixDisk disk;
  const auto report = storage::verify(disk, paths, server::run_in_parallel);
  if (!report) {
    std::fprintf(stderr, "quorate verify: %s\n", report.error().message.c_str());
    return exit_code_of(report.error());
  }
  std::fputs(report->text.c_str(), stdout);
  switch (report->verdict) {
    case storage::Verdict::sound:
      return static_cast<int>(server::ExitCode::stopped);
    case storage::Verdict::damaged_spares:
      return static_cast<int>(server::ExitCode::unexpected);
    case storage::Verdict::stops_start:
      break;
  }
  return static_cast<int>(server::ExitCode::damaged_data);
}

}  // namespace

void add_verify(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand(
      "verify",
      "Read a stopped server's data directory whole and say what is damaged; changes nothing. Exit 0: sound; "
      "1: damaged without loss; 21: acknowledged writes may be missing; 3: it could not be read");
  auto paths = std::make_shared<storage::Paths>();
  command->add_option("directory", paths->data, "The data directory (dataDir)")->required();
  command->add_option("--log-dir", paths->log, "The log's directory, if it is another one (dataLogDir)");
  command->callback([paths, &exit_code] { exit_code = run_verify(*paths); });
}

}  // namespace quorate::cli
