#pragma once

// For this room's tests: hexadecimal text, and requests as one line of text, in the names of the protocol.

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/bytes.hpp"
#include "base/prng.hpp"
#include "wire/requests.hpp"

namespace quorate::wire::testing {

inline std::string unhex(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    unsigned value = 0;
    std::from_chars(hex.data() + i, hex.data() + i + 2, value, 16);
    bytes.push_back(static_cast<char>(value));
  }
  return bytes;
}

inline std::string hex(ByteView bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const char byte : bytes) {
    const auto value = static_cast<unsigned char>(byte);
    text.push_back(digits[value >> 4]);
    text.push_back(digits[value & 0xF]);
  }
  return text;
}

inline std::string random_bytes(Prng& prng, std::size_t length) {
  std::string bytes(length, '\0');
  for (char& byte : bytes) {
    byte = static_cast<char>(prng.below(256));
  }
  return bytes;
}

// Numbers of every magnitude, the borders among them.
inline std::uint64_t random_number(Prng& prng) {
  const std::uint64_t bits = prng.below(65);
  return bits == 0 ? 0 : prng.next_u64() >> (64 - bits);
}
inline std::int64_t random_signed(Prng& prng) {
  const auto value = static_cast<std::int64_t>(random_number(prng) >> 1);
  return prng.chance(1, 2) ? value : -value - 1;
}

inline std::string quoted(std::string_view text) {
  return is_null(text) ? "null" : "\"" + std::string(text) + "\"";
}

inline std::string text_of(tree::AclView acl) {
  std::string text = "[";
  for (const tree::AclEntry& entry : acl) {
    text += text.size() > 1 ? ", " : "";
    text += std::to_string(entry.permissions) + ":" + std::string(entry.identity.scheme) + ":" +
            (is_null(entry.identity.id) ? "null" : std::string(entry.identity.id));
  }
  return text + "]";
}

inline std::string text_of(const tree::Create& create) {
  std::string text = "path=" + quoted(create.path) + " data=" + quoted(create.data) + " acl=" + text_of(create.acl) +
                     " flags=" + std::to_string(std::to_underlying(create.mode));
  if (tree::has_ttl(create.mode)) {
    text += " ttl=" + std::to_string(create.ttl);
  }
  return text;
}
inline std::string text_of(const tree::Delete& remove) {
  return "path=" + quoted(remove.path) + " version=" + std::to_string(remove.version);
}
inline std::string text_of(const tree::SetData& set) {
  return "path=" + quoted(set.path) + " data=" + quoted(set.data) + " version=" + std::to_string(set.version);
}
inline std::string text_of(const tree::SetAcl& set) {
  return "path=" + quoted(set.path) + " acl=" + text_of(set.acl) + " version=" + std::to_string(set.version);
}
inline std::string text_of(const tree::Check& check) {
  return "path=" + quoted(check.path) + " version=" + std::to_string(check.version);
}
inline std::string text_of(const EmptyRequest&) {
  return "";
}
inline std::string text_of(const PathRequest& request) {
  return "path=" + quoted(request.path);
}
inline std::string text_of(const PathWatchRequest& request) {
  return "path=" + quoted(request.path) + " watch=" + (request.watch ? "true" : "false");
}
inline std::string text_of(const WatcherRequest& request) {
  return "path=" + quoted(request.path) + " type=" + std::to_string(std::to_underlying(request.type));
}
inline std::string text_of(const AddWatchRequest& request) {
  return "path=" + quoted(request.path) + " mode=" + (request.kind == tree::WatchKind::persistent ? "0" : "1");
}
inline std::string text_of(std::span<const std::string_view> paths) {
  std::string text = "[";
  for (const std::string_view path : paths) {
    text += (text.size() > 1 ? ", " : "") + quoted(path);
  }
  return text + "]";
}
inline std::string text_of(const SetWatchesRequest& request) {
  return "relativeZxid=" + std::to_string(raw(request.relative_zxid)) + " data=" + text_of(request.data) +
         " exist=" + text_of(request.exist) + " child=" + text_of(request.child) +
         " persistent=" + text_of(request.persistent) + " recursive=" + text_of(request.persistent_recursive);
}
inline std::string text_of(const AuthRequest& request) {
  return "type=" + std::to_string(request.type) + " scheme=" + quoted(request.scheme) + " auth=" + quoted(request.auth);
}
inline std::string text_of(const SaslRequest& request) {
  return "token=" + quoted(request.token);
}
inline std::string text_of(const MultiRequest& request) {
  std::string text;
  for (std::size_t i = 0; i < request.operations.size(); ++i) {
    text += (i == 0 ? "" : "; ") + std::to_string(std::to_underlying(request.opcodes[i])) + " " +
            std::visit([](const auto& operation) { return text_of(operation); }, request.operations[i]);
  }
  return text;
}
inline std::string text_of(const MultiReadRequest& request) {
  std::string text;
  for (const ReadOperation& operation : request.operations) {
    text += (text.empty() ? "" : "; ") + std::to_string(std::to_underlying(operation.opcode)) +
            " path=" + quoted(operation.path);
  }
  return text;
}
inline std::string text_of(const ReconfigRequest& request) {
  return "joining=" + quoted(request.joining) + " leaving=" + quoted(request.leaving) +
         " members=" + quoted(request.new_members) + " config=" + std::to_string(request.current_config);
}
inline std::string text_of(const Request& request) {
  return std::visit([](const auto& one) { return text_of(one); }, request);
}

}  // namespace quorate::wire::testing
