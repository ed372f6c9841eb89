#pragma once

// The four-letter words (operations 2, protocol 1.9 and Appendix A): which they are, who may use them, what they
// answer. Pure formatting; the server fills the snapshot, writes the text and closes the connection.
//
// The course of one: recognise() its first four bytes (nothing: close without an answer), wait for argument_bytes()
// more, gather what parts_of() names, answer(), do the effect, send the text, close.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "admin/status.hpp"

namespace quorate::admin {

enum class Word : std::uint8_t {
  conf,
  cons,
  crst,
  dirs,
  dump,
  envi,
  gtmk,
  hash,
  isro,
  mntr,
  ruok,
  srst,
  srvr,
  stat,
  stmk,
  wchc,
  wchp,
  wchs,
};
inline constexpr std::size_t word_count = 18;
[[nodiscard]] std::span<const Word> all_words();
[[nodiscard]] std::string_view describe(Word word);

// The word of exactly these four bytes, if there is one.
[[nodiscard]] std::optional<Word> recognise(std::string_view four_bytes);

// How many bytes belong to the word behind its name: 8 for `stmk`.
[[nodiscard]] std::size_t argument_bytes(Word word);

// 4lw.commands.whitelist: `srvr` always, `isro` while read-only mode is enabled, "*" for all. Names that are no words
// are ignored.
class Whitelist {
 public:
  Whitelist(std::span<const std::string> configured, bool read_only_mode_enabled);
  [[nodiscard]] bool allows(Word word) const { return allowed_[static_cast<std::size_t>(word)]; }

 private:
  std::array<bool, word_count> allowed_{};
};

// Which parts of the snapshot a word shows beside `server`; the others may stay empty.
struct Parts {
  bool metrics = false;
  bool connections = false;
  bool sessions = false;
  bool ephemerals = false;
  bool watch_summary = false;
  bool watches = false;
  bool digests = false;
  bool configuration = false;
  bool directories = false;
  bool environment = false;

  friend bool operator==(const Parts&, const Parts&) = default;
};
[[nodiscard]] Parts parts_of(Word word);

// What the server has to do beside answering.
enum class Effect : std::uint8_t {
  none,
  reset_server_statistics,      // Latency and packets, and a leader's proposal sizes.
  reset_connection_statistics,  // Of every connection.
  set_trace_mask,               // To Answer::trace_mask.
};

struct Answer {
  std::string text;
  Effect effect = Effect::none;
  std::int64_t trace_mask = 0;
};

// An answer is at most this long, whatever there is to tell (S-112).
inline constexpr std::size_t answer_bytes_max = std::size_t{1} << 20;

// A word that is not allowed gets a line that says so; one that needs a serving server and finds none, another.
// `argument`: argument_bytes(word) bytes.
[[nodiscard]] Answer answer(Word word, std::string_view argument, const Whitelist& whitelist, const Snapshot& snapshot);

}  // namespace quorate::admin
