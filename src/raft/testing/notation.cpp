#include "raft/testing/notation.hpp"

#include <algorithm>
#include <sstream>
#include <utility>
#include <variant>

#include "raft/testing/cluster.hpp"

namespace quorate::raft::testing {
namespace {

std::uint64_t number(const std::string& word) {
  return std::stoull(word);
}

Term term_of_word(const std::string& word) {
  return Term{number(word.substr(1))};
}

// "2.7"
LogId log_id(const std::string& word) {
  const std::size_t dot = word.find('.');
  return LogId{.term = Term{number(word.substr(0, dot))}, .index = Index{number(word.substr(dot + 1))}};
}

std::vector<NodeId> ids_of(const std::string& text) {
  std::vector<NodeId> ids;
  std::istringstream stream(text);
  for (std::string word; std::getline(stream, word, ',');) {
    ids.push_back(NodeId{static_cast<std::uint32_t>(number(word))});
  }
  return ids;
}

Configuration configuration_of(const std::string& text) {
  Configuration configuration;
  const std::size_t bar = text.find('<');
  for (const NodeId id : ids_of(text.substr(0, bar))) {
    configuration.members.push_back(Member{.id = id, .incarnation_low = 1});
  }
  if (bar != std::string::npos) {
    configuration.outgoing = ids_of(text.substr(bar + 1));
    configuration.leaves_automatically = true;
    for (const NodeId id : configuration.outgoing) {
      if (find_member(configuration, id) == nullptr) {
        configuration.members.push_back(Member{.id = id, .incarnation_low = 1, .role = MemberRole::leaving});
      }
    }
    std::ranges::sort(configuration.members, {}, &Member::id);
  }
  return configuration;
}

// Reads the words of one message, those that follow its kind.
struct Reader {
  const std::vector<std::string>& words;
  const Core& to;

  [[nodiscard]] bool has(const std::string& word) const { return std::ranges::find(words, word) != words.end(); }
  [[nodiscard]] std::string after(const std::string& word) const {
    const auto found = std::ranges::find(words, word);
    const bool is_last = found == words.end() || std::next(found) == words.end();
    return is_last ? "0" : *std::next(found);
  }
  [[nodiscard]] std::uint64_t number_after(const std::string& word) const { return number(after(word)); }
  [[nodiscard]] LogId id_after(const std::string& word) const {
    const std::string text = after(word);
    return text == "0" ? LogId{} : log_id(text);
  }
  [[nodiscard]] Term term() const {
    const auto is_term = [](const std::string& word) { return word.size() > 1 && word[0] == 't' && word[1] < 'a'; };
    const auto found = std::ranges::find_if(words, is_term);
    return found == words.end() ? Term{} : term_of_word(*found);
  }

  [[nodiscard]] Message vote_request(bool is_pre) const {
    return VoteRequest{
        .term = term(), .last = id_after("last"), .campaign = 1, .is_pre = is_pre, .is_transfer = has("transfer")};
  }
  [[nodiscard]] Message vote_reply(bool is_pre) const {
    const auto* candidate = std::get_if<Candidate>(&to.role_state());
    const std::uint64_t campaign = candidate == nullptr || has("late") ? 0 : candidate->campaign;
    return VoteReply{.term = term(), .campaign = campaign, .is_pre = is_pre, .is_granted = has("granted")};
  }
  [[nodiscard]] Message append() const {
    AppendRequest request{.term = term(), .previous = id_after("after"), .commit = {}, .sequence = 1, .entries = {}};
    request.commit = Index{number_after("commit")};
    const auto commit = std::ranges::find(words, "commit");
    std::vector<Entry> entries;
    for (auto word = commit == words.end() ? commit : commit + 2; word < words.end(); ++word) {
      const LogId id = log_id(*word);
      const std::size_t kind = word->find_first_of("cn");
      const std::string term_text = word->substr(0, word->find('.'));
      entries.push_back(entry_of(kind == std::string::npos ? term_text : term_text + word->substr(kind), id.index));
    }
    request.entries = std::move(entries);
    return request;
  }
  [[nodiscard]] Message append_reply() const {
    if (has("refused")) {
      return AppendReply{.term = term(),
                         .is_accepted = false,
                         .match = {},
                         .sequence = std::max<std::uint64_t>(1, number_after("number")),
                         .hint = id_after("try")};
    }
    return AppendReply{
        .term = term(), .is_accepted = true, .match = Index{number_after("match")}, .sequence = 0, .hint = {}};
  }
  [[nodiscard]] Message heartbeat() const {
    if (has("heard")) {
      return HeartbeatReply{.term = term(), .round = number_after("round")};
    }
    return Heartbeat{.term = term(), .commit = Index{number_after("commit")}, .round = number_after("round")};
  }
  [[nodiscard]] Message snapshot() const {
    const SnapshotId id{.sender_term = term(), .point = id_after("at"), .configuration = {}};
    if (has("stored") || has("refused")) {
      return SnapshotReply{.term = term(), .id = id, .offset = number_after("byte"), .is_refused = has("refused")};
    }
    const std::string span = after("bytes");
    const std::size_t plus = span.find('+');
    return SnapshotChunk{.term = term(),
                         .id = id,
                         .offset = number(span.substr(0, plus)),
                         .total = number_after("of"),
                         .bytes = Blob::adopt(std::string(number(span.substr(plus + 1)), 'x'))};
  }
  [[nodiscard]] Message read() const {
    if (has("index?")) {
      return ReadRequest{.term = term(), .attempt = 1};
    }
    const auto* follower = std::get_if<Follower>(&to.role_state());
    const bool waits = follower != nullptr && !follower->reads.empty() && !has("late");
    const std::string index = has("refused") ? "0" : after("t" + std::to_string(raw(term())));
    return ReadReply{.term = term(),
                     .attempt = waits ? follower->reads.front().attempt : 0,
                     .index = Index{number(index)},
                     .is_refused = has("refused")};
  }
};

}  // namespace

std::vector<Member> members_of(const std::vector<std::string>& words, std::size_t from) {
  std::vector<Member> members;
  MemberRole role = MemberRole::voter;
  for (std::size_t i = from; i < words.size(); ++i) {
    if (words[i] == "learner") {
      role = MemberRole::learner;
      continue;
    }
    members.push_back(Member{.id = NodeId{static_cast<std::uint32_t>(number(words[i]))},
                             .incarnation_low = words[i].back() == '\'' ? 2U : 1U,
                             .role = role});
    role = MemberRole::voter;
  }
  return members;
}

Entry entry_of(const std::string& word, Index index) {
  Entry entry{.term = Term{number(word)}, .index = index, .time = {}, .kind = EntryKind::command, .command = {}};
  if (const std::size_t kind = word.find("c{"); kind != std::string::npos) {
    entry.kind = EntryKind::configuration;
    entry.command = test_codec().encode(configuration_of(word.substr(kind + 2, word.size() - kind - 3)));
  } else if (word.back() == 'n') {
    entry.kind = EntryKind::noop;
  } else {
    entry.command = Blob::copy(word);
  }
  return entry;
}

Result<Message> message_of(const std::vector<std::string>& words, const Core& to) {
  const Reader reader{.words = words, .to = to};
  const std::string& kind = words.front();
  if (kind == "vote?" || kind == "pre-vote?") {
    return reader.vote_request(kind != "vote?");
  }
  if (kind == "vote" || kind == "pre-vote") {
    return reader.vote_reply(kind != "vote");
  }
  if (kind == "appended" || (kind == "append" && reader.has("refused"))) {
    return reader.append_reply();
  }
  if (kind == "append") {
    return reader.append();
  }
  if (kind == "heartbeat") {
    return reader.heartbeat();
  }
  if (kind == "snapshot") {
    return reader.snapshot();
  }
  if (kind == "campaign") {
    return TimeoutNow{.term = reader.term()};
  }
  if (kind == "read") {
    return reader.read();
  }
  return failure(ErrorCode::invalid, "no message begins with '" + kind + "'");
}

}  // namespace quorate::raft::testing
