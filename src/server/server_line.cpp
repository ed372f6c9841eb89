#include "server/server_line.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <vector>

namespace quorate::server {

namespace {

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  std::size_t depth = 0;
  std::size_t start = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '[') {
      ++depth;
    } else if (text[at] == ']' && depth > 0) {
      --depth;
    } else if (text[at] == separator && depth == 0) {
      parts.push_back(text.substr(start, at - start));
      start = at + 1;
    }
  }
  parts.push_back(text.substr(start));
  return parts;
}

template <class Number>
std::optional<Number> parse_number(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return number;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') {
    text.remove_prefix(1);
  }
  while (!text.empty() && text.back() == ' ') {
    text.remove_suffix(1);
  }
  return text;
}

std::string without_brackets(std::string_view host) {
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  return std::string(host);
}

std::unexpected<Error> malformed(std::string_view what) {
  return failure(ErrorCode::invalid,
                 std::string(what) + "; the form is host:quorumPort:electionPort[:role][;[clientHost:]clientPort]");
}

Result<void> parse_address(std::string_view text, ServerLine& line, bool first) {
  const std::vector<std::string_view> parts = split(trimmed(text), ':');
  if (parts.size() < 3 || parts.size() > 4 || parts[0].empty()) {
    return malformed("\"" + std::string(text) + "\" is not a server address");
  }
  const auto quorum = parse_number<std::uint16_t>(parts[1]);
  const auto election = parse_number<std::uint16_t>(parts[2]);
  if (!quorum || !election) {
    return malformed("\"" + std::string(quorum ? parts[2] : parts[1]) + "\" is not a port");
  }
  if (*quorum == *election) {
    return malformed("quorum port and election port are both " + std::to_string(*quorum) + " and must differ");
  }
  bool observer = false;
  if (parts.size() == 4) {
    std::string role(parts[3]);
    std::ranges::transform(role, role.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    if (role != "participant" && role != "observer") {
      return malformed("\"" + std::string(parts[3]) + "\" is not a role: participant or observer");
    }
    observer = role == "observer";
  }
  if (!first && observer != line.observer) {
    return malformed("the addresses of one server have different roles");
  }
  if (first) {
    line.host = without_brackets(parts[0]);
    line.quorum_port = *quorum;
    line.election_port = *election;
    line.observer = observer;
  }
  return {};
}

Result<void> parse_client(std::string_view text, ServerLine& line) {
  const std::vector<std::string_view> parts = split(trimmed(text), ':');
  const auto port = parse_number<std::uint16_t>(parts.back());
  if (parts.size() > 2 || !port) {
    return malformed("\"" + std::string(text) + "\" is not a client port");
  }
  line.has_client = true;
  line.client_port = *port;
  if (parts.size() == 2) {
    line.client_host = without_brackets(parts[0]);
  }
  return {};
}

}  // namespace

Result<ServerLine> parse_server_line(std::string_view key, std::string_view value) {
  ServerLine line;
  const auto id = parse_number<std::uint64_t>(key.substr(key.rfind('.') + 1));
  if (!id) {
    return malformed("\"" + std::string(key) + "\" does not end in a number");
  }
  line.id = *id;
  const std::vector<std::string_view> parts = split(value, ';');
  if (parts.size() > 3) {
    return malformed("more than a client and a secure client port");
  }
  const std::vector<std::string_view> addresses = split(parts[0], '|');
  line.addresses = static_cast<int>(std::min<std::size_t>(addresses.size(), 1000));
  for (std::size_t position = 0; position < addresses.size(); ++position) {
    if (Result<void> parsed = parse_address(addresses[position], line, position == 0); !parsed) {
      return std::unexpected(parsed.error());
    }
  }
  if (parts.size() > 1 && !parts[1].empty()) {
    if (Result<void> parsed = parse_client(parts[1], line); !parsed) {
      return std::unexpected(parsed.error());
    }
  }
  return line;
}

}  // namespace quorate::server
