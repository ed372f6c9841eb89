#pragma once

// The notation in which scenarios are told (describe.hpp), read back: messages that nobody sent, and logs.

#include <string>
#include <vector>

#include "base/result.hpp"
#include "raft/configuration.hpp"
#include "raft/core.hpp"
#include "raft/entry.hpp"
#include "raft/messages.hpp"

namespace quorate::raft::testing {

// "1 2 learner 4": the members, each of its first incarnation; or "4'" of its second.
[[nodiscard]] std::vector<Member> members_of(const std::vector<std::string>& words, std::size_t from);
// "3": a command of term 3. "3n": a no-op. "3c{1,2,3}": these voters; "3c{1,2,3,4,5<1,2,3}": in joint consensus with
// the voters before.
[[nodiscard]] Entry entry_of(const std::string& word, Index index);
// As describe() writes it. What it leaves out is taken from `to`, so that an answer is one to what is asked now; an
// append's number is 1. Fails on what is no message.
[[nodiscard]] Result<Message> message_of(const std::vector<std::string>& words, const Core& to);

}  // namespace quorate::raft::testing
