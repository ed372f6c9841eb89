#pragma once

// server.N lines (operations 1.5): checked in all their forms, although one server uses only its client part.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace quorate::server {

struct ServerLine {
  std::uint64_t id = 0;
  bool observer = false;
  std::string host;  // Of the first address.
  std::uint16_t quorum_port = 0;
  std::uint16_t election_port = 0;
  int addresses = 1;
  bool has_client = false;
  std::string client_host = "0.0.0.0";
  std::uint16_t client_port = 0;

  friend bool operator==(const ServerLine&, const ServerLine&) = default;
};

// `key` is server.N. Errors say which part is wrong and what the form is.
Result<ServerLine> parse_server_line(std::string_view key, std::string_view value);

}  // namespace quorate::server
