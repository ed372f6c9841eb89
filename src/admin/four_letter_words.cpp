#include "admin/four_letter_words.hpp"

#include <algorithm>
#include <fmt/format.h>

#include "admin/formats.hpp"
#include "base/ensure.hpp"

namespace quorate::admin {
namespace {

constexpr std::array<Word, word_count> words{Word::conf, Word::cons, Word::crst, Word::dirs, Word::dump, Word::envi,
                                             Word::gtmk, Word::hash, Word::isro, Word::mntr, Word::ruok, Word::srst,
                                             Word::srvr, Word::stat, Word::stmk, Word::wchc, Word::wchp, Word::wchs};
constexpr std::array<std::string_view, word_count> names{"conf", "cons", "crst", "dirs", "dump", "envi",
                                                         "gtmk", "hash", "isro", "mntr", "ruok", "srst",
                                                         "srvr", "stat", "stmk", "wchc", "wchp", "wchs"};

// Operations 2.1: what is answered without a leader as well.
bool needs_serving(Word word) {
  return word != Word::ruok && word != Word::envi && word != Word::gtmk && word != Word::stmk && word != Word::isro;
}

std::int64_t parse_mask(std::string_view argument) {
  ensure(argument.size() == argument_bytes(Word::stmk), "the argument is complete before its word is answered");
  std::uint64_t mask = 0;
  for (const char byte : argument) {
    mask = (mask << 8U) | static_cast<unsigned char>(byte);
  }
  return static_cast<std::int64_t>(mask);
}

std::string_view read_only_text(const ServerStatus& server) {
  if (!server.serving) {
    return "null";
  }
  return server.read_only_mode ? "ro" : "rw";
}

std::string show(Word word, const Snapshot& snapshot) {
  switch (word) {
    case Word::conf:
      return format_conf(snapshot.configuration, snapshot.directories, snapshot.server.read_only_mode);
    case Word::cons:
      return format_cons(snapshot, answer_bytes_max);
    case Word::dirs:
      return format_dirs(snapshot.directories);
    case Word::dump:
      return format_dump(snapshot, answer_bytes_max);
    case Word::envi:
      return format_envi(snapshot.environment, snapshot.server.version);
    case Word::hash:
      return format_hash(snapshot.digests, answer_bytes_max);
    case Word::mntr:
      return format_mntr(snapshot.server, snapshot.metrics.get());
    case Word::srvr:
      return format_srvr(snapshot.server);
    case Word::stat:
      return format_stat(snapshot, answer_bytes_max);
    case Word::wchc:
      return format_wchc(snapshot, answer_bytes_max);
    case Word::wchp:
      return format_wchp(snapshot, answer_bytes_max);
    case Word::wchs:
      return format_wchs(snapshot.watch_summary);
    case Word::gtmk:
      return fmt::format("{}", snapshot.server.trace_mask);
    case Word::isro:
      return std::string{read_only_text(snapshot.server)};
    case Word::ruok:
      return "imok";
    case Word::crst:
      return "Connection stats reset.\n";
    case Word::srst:
      return "Server stats reset.\n";
    case Word::stmk:
      break;  // Answered with its argument.
  }
  fail("every word has its text");
}

}  // namespace

std::span<const Word> all_words() {
  return words;
}

std::string_view describe(Word word) {
  return names[static_cast<std::size_t>(word)];
}

std::optional<Word> recognise(std::string_view four_bytes) {
  const auto* const found = std::ranges::find(names, four_bytes);
  if (found == names.end()) {
    return std::nullopt;
  }
  return words[static_cast<std::size_t>(found - names.begin())];
}

std::size_t argument_bytes(Word word) {
  return word == Word::stmk ? 8 : 0;
}

Whitelist::Whitelist(std::span<const std::string> configured, bool read_only_mode_enabled) {
  allowed_[static_cast<std::size_t>(Word::srvr)] = true;  // Stock scripts depend on it.
  allowed_[static_cast<std::size_t>(Word::isro)] = read_only_mode_enabled;
  for (const std::string& name : configured) {
    if (name == "*") {
      allowed_.fill(true);
    } else if (const std::optional<Word> word = recognise(name)) {
      allowed_[static_cast<std::size_t>(*word)] = true;
    }
  }
}

Parts parts_of(Word word) {
  Parts parts;
  parts.metrics = word == Word::mntr;
  parts.connections = word == Word::stat || word == Word::cons || word == Word::dump;
  parts.sessions = word == Word::dump;
  parts.ephemerals = word == Word::dump;
  parts.watch_summary = word == Word::wchs;
  parts.watches = word == Word::wchc || word == Word::wchp;
  parts.digests = word == Word::hash;
  parts.configuration = word == Word::conf;
  parts.directories = word == Word::conf || word == Word::dirs;
  parts.environment = word == Word::envi;
  return parts;
}

Answer answer(Word word, std::string_view argument, const Whitelist& whitelist, const Snapshot& snapshot) {
  if (!whitelist.allows(word)) {
    return {.text = fmt::format("{} is not executed because it is not in the whitelist.\n", describe(word))};
  }
  if (needs_serving(word) && !snapshot.server.serving) {
    return {.text = fmt::format("This ZooKeeper instance is not currently serving requests{}",
                                word == Word::hash ? "" : "\n")};
  }
  if (word == Word::stmk) {
    const std::int64_t mask = parse_mask(argument);
    return {.text = fmt::format("{}", mask), .effect = Effect::set_trace_mask, .trace_mask = mask};
  }
  Answer result{.text = show(word, snapshot)};
  if (word == Word::srst) {
    result.effect = Effect::reset_server_statistics;
  } else if (word == Word::crst) {
    result.effect = Effect::reset_connection_statistics;
  }
  return result;
}

}  // namespace quorate::admin
