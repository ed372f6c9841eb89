#pragma once

// What a start does before there is a server: opens the data directory, reads snapshot and log back, and continues the
// log. Refuses to start on damage that may have cost acknowledged writes.

#include <expected>
#include <memory>
#include <optional>
#include <string>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "replica/replica.hpp"
#include "server/config.hpp"
#include "server/exit_codes.hpp"
#include "server/signals.hpp"
#include "server/snapshotter.hpp"
#include "storage/data_directory.hpp"
#include "storage/disk.hpp"
#include "storage/wal.hpp"

namespace quorate::server {

struct StartFailure {
  ExitCode code = ExitCode::unexpected;
  std::string message;
};

template <class T>
class [[nodiscard]] Started : public std::expected<T, StartFailure> {
 public:
  using std::expected<T, StartFailure>::expected;
};

// What the start cost; nothing where it did not take place. The log's part includes carrying its entries out.
struct StartFigures {
  std::optional<std::uint64_t> snapshot_us;
  std::optional<std::uint64_t> log_us;
  std::optional<std::uint64_t> entries;  // Of the log.
  std::optional<std::uint64_t> whole_us;
};

struct OpenedData {
  std::unique_ptr<storage::DataDirectory> directory;
  std::unique_ptr<storage::Wal> wal;
  replica::Restored restored;
  KnownSnapshots snapshots;
  StartFigures figures;  // Until the log was read.
};

// With `signals`, a stop that is asked for while snapshot or log are read ends it: a failure with ExitCode::stopped.
Started<OpenedData> open_data(const Config& config, storage::Disk& disk, Signals* signals = nullptr);

// 64 bits from the operating system's source.
std::uint64_t true_random();

}  // namespace quorate::server
