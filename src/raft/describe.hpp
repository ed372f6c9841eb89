#pragma once

// One notation for everything that appears in a failure, a trace or a scenario.

#include <string>

#include "raft/core.hpp"
#include "raft/messages.hpp"

namespace quorate::raft {

[[nodiscard]] std::string describe(LogId id);                            // "3.17": term 3, index 17.
[[nodiscard]] std::string describe(const Entry& entry);                  // "3.17 command 5 B"
[[nodiscard]] std::string describe(const Configuration& configuration);  // "1 2 3 learner 4 leaving 5 outgoing 1 2 5"
[[nodiscard]] std::string describe(const Message& message);              // "append t3 after 3.16 commit 15 3.17 3.18"
[[nodiscard]] std::string describe(Role role);
[[nodiscard]] std::string describe(const Progress& progress);
// One line: "server 1 leader t3 last 3.18 durable 18 commit 17 applied 17".
[[nodiscard]] std::string describe(const Core& core);

}  // namespace quorate::raft
