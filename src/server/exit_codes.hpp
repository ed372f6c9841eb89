#pragma once

// How the process ends; docs/exit-codes.md says it by command, and a test compares. Codes up to 14 are ZooKeeper's
// where they fit (operations 1.2); those from 20 on are ours.

namespace quorate::server {

enum class ExitCode : int {
  stopped = 0,         // On request.
  unexpected = 1,      // Anything without a code of its own.
  invalid_config = 2,  // Configuration or arguments.
  data_directory = 3,  // Missing, unwritable, of another server, or held by another process.
  cannot_listen = 20,  // The client port is taken, or its address is not ours.
  damaged_data = 21,   // The start found damage that may cost acknowledged writes.
  disk_failed = 22,    // A write or sync of the log failed.
  newer_format = 23,   // The data directory was written by a newer version.
  not_shown = 24,      // No rule was broken, but a history was too hard to judge (I-503) or a goal was missed (I-505).
};

}  // namespace quorate::server
