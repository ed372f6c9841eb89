#pragma once

// `quorate verify`: reads a data directory whole, as a start would and more, and says what it found (S-603).

#include <string>

#include "base/result.hpp"
#include "storage/data_directory.hpp"
#include "storage/recovery.hpp"

namespace quorate::storage {

enum class Verdict : std::uint8_t {
  sound,           // A server starts from it; at most an unacknowledged write was cut short.
  damaged_spares,  // A server starts from it and nothing is lost, but a copy that it may need one day is bad.
  stops_start,     // Acknowledged entries may be missing: no server starts.
};

struct VerifyReport {
  Verdict verdict{};
  std::string text;  // For a person; ends with the verdict.
};

// Changes nothing. Errors: what kept it from reading, as a server that is running on the directory (busy).
Result<VerifyReport> verify(Disk& disk, const Paths& paths, const Executor& executor);

// The report on what recover(.., everything) found; for repair as well.
[[nodiscard]] Verdict judge(const Recovery& recovery);
[[nodiscard]] std::string describe(const DataDirectory& directory, const Recovery& recovery);

// Recovers with a sink that only counts.
Result<Recovery> recover_everything(DataDirectory& directory, const Executor& executor);

}  // namespace quorate::storage
