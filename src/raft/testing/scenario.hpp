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
//   option NAME off|on|NUMBER       before `servers`; the names are below
//   set 2 NAME off|on|NUMBER        stops 2 and starts it again with this option, which the others do not have
//   disk 2 term 6 vote 1 log 1 1 4  stops 2, gives it this disk (an entry for each term named) and starts it again;
//                                   an entry 4c{1,2,3} is a configuration, 4c{1,2,3<1,4} a joint one with the voters 1,
//                                   4
//   add 4                           starts a server outside the configuration
//   replace 3                       its disk is lost, it comes back as its next incarnation
//   campaign 1                      its clock runs on to its time-out
//   tick 500 | tick 1 500           time goes on, for all or for one
//   pause 1 5000                    its clock leaps: it did not run meanwhile
//   write 1 | write                 what 1, or everybody, has handed to its disk is durable; `write 1 2` so many writes
//   deliver 1 2 | deliver           what 1 said to 2, or everybody to everybody, arrives: what is under way now;
//                                   `deliver 1 2 vote?` only what begins so, here and in the next four
//   repeat 1 2                      arrives, and stays under way
//   drop 1 2 | drop                 is lost
//   hold 1 2 | release              is delayed, until all that is delayed is under way again
//   settle                          delivers and writes until nothing moves
//   run 500                         time goes on for all, everything is delivered and written meanwhile
//   cut 1 2 | 3 4 | 5               nothing passes between the sides any more
//   cut 1 > 2 3                     what 1 says to 2 and 3 is lost, the other direction passes
//   heal                            everything passes again
//   crash 1 | restart 1 [kept]      with the first `kept` of the writes that were under way
//   stall 1 | stall 1 over          its disk hangs: nothing but the command `write` makes anything durable there
//   forge 2 1 vote? t3 last 2.7     a message that 2 never sent arrives at 1, in the trace's notation (notation.hpp)
//   propose 1 text [times] | read 1 | compact 1 | transfer 1 2 | gone 2 1 (2 learns that 1's process is gone)
//   lost 1 2                        1 learns that messages to 2 were lost
//   members 1 1 2 learner 4         asks 1 to make these the members; 4' is the second incarnation of 4; `members 1
//   forced
//                                   1 2` whether or not they are healthy
//   judges tell                     what the judges find is told from now on and fails no test: for a failing twin
//   state | logs | configurations   prints a line a server
//   peers 1 | lease 1               what 1 knows of the others, whether it may answer reads without a round
//   fate text                       whether the client of this command was answered, who has it, who has applied it
//   quiet | loud                    what happens is not told, or told again
//
// The options: pre_vote, check_quorum, stickiness, leases, votes (on, off); priority; single_entries (an append carries
// one at most); window (appends under way), tail (applied entries in memory), uncommitted (entries), snapshots (at a
// time), message_bytes (of entries in an append).

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
