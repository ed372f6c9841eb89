#include "sim/history.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "base/ensure.hpp"

namespace quorate::sim {
namespace {

using Kind = Operation::Kind;
using Outcome = Operation::Outcome;

// The words of one line, taken from the front.
class Words {
 public:
  explicit Words(std::string_view line) : rest_(line.substr(0, line.find('#'))) { skip(); }

  [[nodiscard]] bool empty() const { return rest_.empty(); }

  std::string_view take() {
    const std::string_view word = rest_.substr(0, rest_.find_first_of(" \t\r"));
    rest_.remove_prefix(word.size());
    skip();
    return word;
  }

  bool take_if(std::string_view word) {
    Words ahead = *this;
    if (ahead.take() != word) {
      return false;
    }
    *this = ahead;
    return true;
  }

 private:
  void skip() { rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t\r"), rest_.size())); }

  std::string_view rest_;
};

template <class Number>
bool read_number(std::string_view word, Number& into) {
  const char* const end = word.data() + word.size();
  const auto [stop, error] = std::from_chars(word.data(), end, into);
  return error == std::errc() && stop == end;
}

// `<invoked>..<returned>`; nothing behind the dots: never.
bool read_times(std::string_view word, Operation& into) {
  const std::size_t dots = word.find("..");
  if (dots == std::string_view::npos || !read_number(word.substr(0, dots), into.invoked)) {
    return false;
  }
  const std::string_view end = word.substr(dots + 2);
  if (end.empty()) {
    into.returned = never;
    return into.outcome == Outcome::unknown;
  }
  return read_number(end, into.returned) && into.invoked <= into.returned && into.outcome != Outcome::unknown;
}

// What stands between the arguments and the times: the outcome and, for reads and compare-and-set, the answer.
bool read_outcome(Words& words, Operation& into) {
  if (words.take_if("unknown")) {
    into.outcome = Outcome::unknown;
    return true;
  }
  if (words.take_if("failed")) {
    into.outcome = Outcome::failed;
    return true;
  }
  into.outcome = Outcome::done;
  if (into.kind == Kind::write) {
    return true;
  }
  if (!words.take_if("=")) {
    return false;
  }
  const std::string_view answer = words.take();
  if (into.kind == Kind::read) {
    return read_number(answer, into.result);
  }
  into.result = answer == "yes" ? 1 : 0;
  return answer == "yes" || answer == "no";
}

bool read_kind(std::string_view word, Operation& into) {
  if (word == "read") {
    into.kind = Kind::read;
  } else if (word == "write") {
    into.kind = Kind::write;
  } else if (word == "cas") {
    into.kind = Kind::compare_and_set;
  } else {
    return false;
  }
  return true;
}

std::optional<Operation> read_operation(Words words, History& history) {
  Operation operation;
  std::uint64_t client = 0;
  if (!read_number(words.take(), client) || !read_kind(words.take(), operation)) {
    return std::nullopt;
  }
  operation.client = ClientId{client};
  const std::string_view key = words.take();
  if (operation.kind == Kind::compare_and_set &&
      (!read_number(words.take(), operation.expected) || !words.take_if("->"))) {
    return std::nullopt;
  }
  if (operation.kind != Kind::read && !read_number(words.take(), operation.value)) {
    return std::nullopt;
  }
  if (!read_outcome(words, operation) || !words.take_if("@") || !read_times(words.take(), operation) ||
      !words.empty()) {
    return std::nullopt;
  }
  operation.key = history.key(key);
  return operation;
}

std::string describe_arguments(const Operation& operation) {
  switch (operation.kind) {
    case Kind::read:
      return "";
    case Kind::write:
      return " " + std::to_string(operation.value);
    case Kind::compare_and_set:
      return " " + std::to_string(operation.expected) + " -> " + std::to_string(operation.value);
  }
  std::unreachable();
}

std::string describe_outcome(const Operation& operation) {
  if (operation.outcome == Outcome::unknown) {
    return " unknown";
  }
  if (operation.outcome == Outcome::failed) {
    return " failed";
  }
  switch (operation.kind) {
    case Kind::read:
      return " = " + std::to_string(operation.result);
    case Kind::write:
      return "";
    case Kind::compare_and_set:
      return operation.result == 1 ? " = yes" : " = no";
  }
  std::unreachable();
}

std::string_view describe_kind(Kind kind) {
  switch (kind) {
    case Kind::read:
      return "read";
    case Kind::write:
      return "write";
    case Kind::compare_and_set:
      return "cas";
  }
  std::unreachable();
}

}  // namespace

KeyId History::key(std::string_view name) {
  auto known = std::ranges::find(key_names_, name);
  if (known == key_names_.end()) {
    known = key_names_.insert(known, std::string(name));
  }
  return KeyId{static_cast<std::uint32_t>(known - key_names_.begin())};
}

const std::string& History::key_name(KeyId key) const {
  ensure(std::to_underlying(key) < key_names_.size(), "a key belongs to the history that names it");
  return key_names_[std::to_underlying(key)];
}

History::Position History::read(ClientId client, KeyId key, std::int64_t invoked) {
  return add({.client = client, .key = key, .kind = Kind::read, .invoked = invoked});
}

History::Position History::write(ClientId client, KeyId key, std::int64_t value, std::int64_t invoked) {
  return add({.client = client, .key = key, .kind = Kind::write, .value = value, .invoked = invoked});
}

History::Position History::compare_and_set(ClientId client, KeyId key, std::int64_t expected, std::int64_t value,
                                           std::int64_t invoked) {
  return add({.client = client,
              .key = key,
              .kind = Kind::compare_and_set,
              .expected = expected,
              .value = value,
              .invoked = invoked});
}

void History::done(Position position, std::int64_t returned, std::int64_t result) {
  ensure(position < operations_.size(), "an answer belongs to a call");
  Operation& operation = operations_[position];
  ensure(operation.outcome == Outcome::unknown, "a call is answered once");
  ensure(operation.invoked <= returned, "an answer comes after its call");
  operation.outcome = Outcome::done;
  operation.returned = returned;
  operation.result = result;
}

void History::failed(Position position, std::int64_t returned) {
  done(position, returned);
  operations_[position].outcome = Outcome::failed;
}

History::Position History::add(const Operation& operation) {
  ensure(std::to_underlying(operation.key) < key_names_.size(), "a key belongs to the history that names it");
  ensure(operation.invoked <= operation.returned, "an answer comes after its call");
  ensure((operation.outcome == Outcome::unknown) == (operation.returned == never),
         "who has no answer has no time of it");
  operations_.push_back(operation);
  return operations_.size() - 1;
}

std::string describe(const History& history, const Operation& operation) {
  std::string text = std::to_string(std::to_underlying(operation.client)) + " ";
  text += describe_kind(operation.kind);
  text += " " + history.key_name(operation.key) + describe_arguments(operation) + describe_outcome(operation);
  text += " @ " + std::to_string(operation.invoked) + "..";
  if (operation.returned != never) {
    text += std::to_string(operation.returned);
  }
  return text;
}

std::string describe(const History& history) {
  std::string text;
  for (const Operation& operation : history.operations()) {
    text += describe(history, operation) + "\n";
  }
  return text;
}

std::string_view describe(Verdict verdict) {
  switch (verdict) {
    case Verdict::holds:
      return "holds";
    case Verdict::broken:
      return "broken";
    case Verdict::gave_up:
      return "gave up";
  }
  std::unreachable();
}

Result<History> parse_history(std::string_view text) {
  History history;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const Words words(line);
    if (words.empty()) {
      continue;
    }
    const std::optional<Operation> operation = read_operation(words, history);
    if (!operation) {
      return failure(ErrorCode::invalid,
                     "line " + std::to_string(number) + " is no operation of a history: " + std::string(line));
    }
    history.add(*operation);
  }
  return history;
}

}  // namespace quorate::sim
