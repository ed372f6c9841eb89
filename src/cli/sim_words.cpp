#include "cli/sim_words.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace quorate::cli {

namespace {

using nlohmann::json;

// Events that carry words of their own or none.
struct Phrase {
  std::string_view event;
  std::string_view words;
};
constexpr std::array phrases{
    Phrase{"start", "starts"},
    Phrase{"kill", "is killed"},
    Phrase{"power", "loses power"},
    Phrase{"pause", "stands still"},
    Phrase{"wipe", "loses its disk"},
    Phrase{"rot", "a file rots"},
    Phrase{"damage", "finds damage"},
    Phrase{"refuses", "refuses to start"},
    Phrase{"exits", "ends by itself"},
    Phrase{"gone", "learns that a process has ended, of server"},
    Phrase{"snapshot", "snapshot"},
    Phrase{"install", "installs"},
    Phrase{"members", "a change of the members ends"},
    Phrase{"fault", "fault"},
    Phrase{"heal", "everything is healed"},
};

std::uint64_t number(const json& line, const char* field) {
  return line.value(field, std::uint64_t{0});
}

std::string text(const json& line, const char* field) {
  return line.value(field, std::string());
}

std::string id(const json& line) {
  return fmt::format("{}.{}", number(line, "term"), number(line, "index"));
}

std::string what_happened(const json& line) {
  const std::string event = text(line, "event");
  if (event == "role") {
    return fmt::format("is {} in term {}", text(line, "role"), number(line, "term"));
  }
  if (event == "vote") {
    return number(line, "for") == 0
               ? fmt::format("writes term {}", number(line, "term"))
               : fmt::format("writes term {} and a vote for server {}", number(line, "term"), number(line, "for"));
  }
  if (event == "append") {
    return fmt::format("appends {}, a {} of {} bytes", id(line), text(line, "kind"), number(line, "bytes"));
  }
  if (event == "durable") {
    return fmt::format("has all up to {} on disk", number(line, "index"));
  }
  if (event == "commit") {
    return fmt::format("commits up to {}", number(line, "index"));
  }
  if (event == "apply") {
    return "applies " + id(line);
  }
  if (event == "send") {
    return fmt::format("sends to server {}: {}", number(line, "to"), text(line, "message"));
  }
  if (event == "receive") {
    return fmt::format("receives from server {}: {}", number(line, "from"), text(line, "message"));
  }
  if (event == "lost") {
    return fmt::format("loses its link to server {}", number(line, "to"));
  }
  const auto* const phrase = std::ranges::find(phrases, event, &Phrase::event);
  std::string words(phrase == phrases.end() ? std::string_view(event) : phrase->words);
  if (line.contains("words")) {
    words += event == "gone" || event == "snapshot" ? " " : ": ";
    words += text(line, "words");
  }
  return words;
}

}  // namespace

std::string in_words(std::string_view trace_line) {
  const json line = json::parse(trace_line, nullptr, false);
  if (!line.is_object() || !line.contains("us")) {
    return std::string(trace_line);
  }
  const std::uint64_t microseconds = number(line, "us");
  const std::uint64_t server = number(line, "server");
  return fmt::format("{:>5}.{:06} s  {}  {}", microseconds / 1'000'000, microseconds % 1'000'000,
                     server == 0 ? "         " : fmt::format("server {:<2}", server), what_happened(line));
}

}  // namespace quorate::cli
