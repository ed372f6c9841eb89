#pragma once

// `quorate repair`: the explicit act that cuts a damaged log where its good part ends, for a server that has no peers
// to heal from (R-116, design chapter 8). What it cuts is kept beside, in quarantine-<n>.

#include <string>
#include <vector>

#include "base/result.hpp"
#include "storage/data_directory.hpp"
#include "storage/recovery.hpp"

namespace quorate::storage {

struct RepairReport {
  bool done = false;  // False: it was only a plan.
  std::string quarantine;
  std::string text;  // For a person: what was found, what is moved and lost.
};

// With `act` false it only says what it would do. Refused where nothing is wrong, and where nothing usable is left.
// A crash in the middle leaves a directory that still does not start; repairing it again ends what was begun.
Result<RepairReport> repair(Disk& disk, const Paths& paths, const Executor& executor, bool act);

}  // namespace quorate::storage
