// The first bytes of a connection are anybody's: recognising a word and answering it must hold for all of them (S-112).

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "admin/four_letter_words.hpp"
#include "admin/text.hpp"
#include "base/ensure.hpp"

namespace {

using namespace quorate;
using namespace quorate::admin;

// What clients influence in a snapshot: paths, and numbers of any size.
Snapshot snapshot_from(std::string_view bytes) {
  std::int64_t number = 0;
  std::memcpy(&number, bytes.data(), std::min(bytes.size(), sizeof(number)));
  Snapshot snapshot;
  snapshot.server.version = version_text("0", "0", "0");
  snapshot.server.serving = (number & 1) == 0;
  snapshot.server.last_zxid = Zxid{number};
  snapshot.server.latency = {.count = static_cast<std::uint64_t>(number),
                             .sum_us = static_cast<std::uint64_t>(number) * 31,
                             .minimum_us = 0,
                             .maximum_us = static_cast<std::uint64_t>(number)};
  while (!bytes.empty()) {
    const std::size_t length = std::min<std::size_t>(bytes.size(), 1 + (static_cast<unsigned char>(bytes[0]) % 32));
    const std::string path{bytes.substr(0, length)};
    bytes.remove_prefix(length);
    snapshot.watches.push_back({.session = SessionId{number}, .path = path});
    snapshot.ephemerals.push_back({.owner = SessionId{number}, .path = path});
    snapshot.sessions.push_back({.id = SessionId{number}, .timeout_ms = 1, .expires = WallTime{number}});
    snapshot.connections.push_back({.peer = path, .session = std::nullopt, .expires = WallTime{number}});
    snapshot.digests.push_back({.zxid = Zxid{number}, .digest = static_cast<std::uint64_t>(number)});
    number = static_cast<std::int64_t>((static_cast<std::uint64_t>(number) * 6) + 1);
  }
  return snapshot;
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer names it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input{reinterpret_cast<const char*>(data), size};
  if (size < 4) {
    return 0;
  }
  const std::string_view first = input.substr(0, 4);
  const std::optional<Word> word = recognise(first);
  const bool is_listed = std::ranges::any_of(all_words(), [&](Word one) { return describe(one) == first; });
  ensure(word.has_value() == is_listed, "exactly the words are recognised");
  if (!word || input.size() < 4 + argument_bytes(*word)) {
    return 0;
  }
  const std::string_view argument = input.substr(4, argument_bytes(*word));
  const Snapshot snapshot = snapshot_from(input.substr(4 + argument.size()));
  const std::vector<std::string> everything{"*"};
  const Answer allowed = answer(*word, argument, Whitelist{everything, false}, snapshot);
  ensure(allowed.text.size() <= answer_bytes_max + 4096, "no answer is longer than its bound");
  for (const char letter : allowed.text) {
    ensure(letter == '\n' || letter == '\t' || static_cast<unsigned char>(letter) >= 0x20, "answers are plain text");
  }
  const Answer refused = answer(*word, argument, Whitelist{{}, false}, snapshot);
  ensure(*word == Word::srvr || refused.effect == Effect::none, "what is refused does nothing");
  return 0;
}
