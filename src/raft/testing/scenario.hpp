#pragma once

// Scenarios are text (guide, practice 18; R-011): who says what, and what is expected. A file is a list of blocks,
// commands above a line of dashes, the trace that they have to give below it:
//
//   # A comment.
//   servers 1 2 3
//   campaign 1
//   settle
//   ----
//   1 is candidate in t0
//   ...
//
// The commands, numbers being servers and times milliseconds:
//   servers 1 2 3 [learner 4]       founded with these; the first command of a file
//   option NAME off|on              before `servers`: pre_vote, check_quorum, stickiness, leases,
//                                   single_entries (an append carries one at most)
//   disk 2 term 6 vote 1 log 1 1 4  stops 2, gives it this disk (an entry for each term named) and starts it again
//   add 4                           starts a server outside the configuration
//   campaign 1                      its clock runs on to its time-out
//   tick 500 | tick 1 500           time goes on, for all or for one
//   write 1 | write                 what 1, or everybody, has handed to its disk is durable
//   deliver 1 2 | deliver           what 1 said to 2, or everybody to everybody, arrives: what is under way now
//   repeat 1 2                      arrives, and stays under way
//   drop 1 2 | drop                 is lost
//   settle                          delivers and writes until nothing moves
//   run 500                         time goes on for all, everything is delivered and written meanwhile
//   cut 1 2 | 3 4 5                 nothing passes between the two sides any more
//   heal                            everything passes again
//   crash 1 | restart 1 [kept]      with the first `kept` of the writes that were under way
//   propose 1 text | read 1 | compact 1 | transfer 1 2 | gone 2 1 (2 learns that 1's process is gone)
//   members 1: 1 2 learner 4        asks 1 to make these the members
//   state | logs                    prints a line a server
//   quiet | loud                    what happens is not told, or told again

#include <string>
#include <vector>

namespace quorate::raft::testing {

struct ScenarioBlock {
  std::vector<std::string> commands;  // With the comments among them.
  std::vector<std::string> expected;
};

[[nodiscard]] std::vector<ScenarioBlock> parse_scenario(const std::string& text);
// What the commands of each block gave. Failures of the judges fail the running test.
[[nodiscard]] std::vector<std::vector<std::string>> play(const std::vector<ScenarioBlock>& blocks);
[[nodiscard]] std::string written(const std::vector<ScenarioBlock>& blocks);

}  // namespace quorate::raft::testing
