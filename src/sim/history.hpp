#pragma once

// What clients of a key-value register saw: operations with the times of their call and their answer. A history is
// recorded by the simulator or a test and judged by the checkers (linearizability, sequential, causal), which trust
// nothing else (I-503). Times are any clock that all clients share: microseconds of the simulated world, or numbers of
// events.

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace quorate::sim {

enum class ClientId : std::uint64_t {};  // One at a time: whose call has no answer goes on under a new id.
enum class KeyId : std::uint32_t {};     // Names a register of one history; dense, from 0.

inline constexpr std::int64_t initial_value = 0;  // Of every register before its first write.
inline constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();

struct Operation {
  enum class Kind : std::uint8_t {
    read,             // Answer: the value.
    write,            // Sets `value`.
    compare_and_set,  // Sets `value` if the register has `expected`. Answer: 1 if it had, else 0.
  };
  enum class Outcome : std::uint8_t {
    unknown,  // No answer, or one that leaves it open: takes effect once, at any time after its call, or never.
    done,     // Took effect at one moment from `invoked` to `returned`, both included, with `result`.
    failed,   // Surely without any effect: the checkers leave it out.
  };

  ClientId client{};
  KeyId key{};
  Kind kind = Kind::read;
  Outcome outcome = Outcome::unknown;
  std::int64_t expected = 0;
  std::int64_t value = 0;
  std::int64_t result = 0;
  std::int64_t invoked = 0;
  std::int64_t returned = never;

  bool operator==(const Operation&) const = default;
};

class History {
 public:
  // An operation's position in operations(), in the order of recording.
  using Position = std::size_t;

  // The register of this name; the first mention creates it.
  KeyId key(std::string_view name);
  [[nodiscard]] const std::string& key_name(KeyId key) const;
  [[nodiscard]] std::size_t keys() const { return key_names_.size(); }

  // Records a call. Its outcome is unknown until it is told.
  Position read(ClientId client, KeyId key, std::int64_t invoked);
  Position write(ClientId client, KeyId key, std::int64_t value, std::int64_t invoked);
  Position compare_and_set(ClientId client, KeyId key, std::int64_t expected, std::int64_t value, std::int64_t invoked);
  // Records an answer, once an operation; `returned` is not before its call. `result` as the kind says; writes have
  // none.
  void done(Position position, std::int64_t returned, std::int64_t result = 0);
  void failed(Position position, std::int64_t returned);

  // Takes an operation as it stands; its key is one of this history.
  Position add(const Operation& operation);
  [[nodiscard]] std::span<const Operation> operations() const { return operations_; }

 private:
  std::vector<std::string> key_names_;
  std::vector<Operation> operations_;
};

// One operation, as in the text form of a history: one a line, `#` starts a comment.
//   1 write x 5 @ 10..20               client 1 sets x to 5; called at 10, answered at 20
//   2 read x = 5 @ 15..18              client 2 read 5
//   3 cas x 5 -> 6 = yes @ 12..30      5 was there and 6 took its place; `no`: something else was there
//   1 write x 7 unknown @ 21..         no answer; `failed @ 21..25`: surely without effect
std::string describe(const History& history, const Operation& operation);
std::string describe(const History& history);
// Errors: invalid, with the line.
Result<History> parse_history(std::string_view text);

// What a checker says.
enum class Verdict : std::uint8_t {
  holds,    // An order that explains the history exists.
  broken,   // None exists.
  gave_up,  // Not decided within the bounds on steps and memory; a test takes it for its own mistake (I-503).
};
std::string_view describe(Verdict verdict);

}  // namespace quorate::sim
