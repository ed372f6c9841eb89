#include "net/address.hpp"

#include <arpa/inet.h>
#include <array>
#include <charconv>
#include <cstring>
#include <netdb.h>
#include <netinet/in.h>

#include "base/ensure.hpp"

namespace quorate::net {

namespace {

const sockaddr_in& as_v4(const sockaddr* address) {
  return *reinterpret_cast<const sockaddr_in*>(address);
}
const sockaddr_in6& as_v6(const sockaddr* address) {
  return *reinterpret_cast<const sockaddr_in6*>(address);
}

}  // namespace

Address::Address(const sockaddr* address, socklen_t bytes) : bytes_(bytes) {
  ensure(bytes <= sizeof(storage_), "the system's addresses fit the system's storage");
  std::memcpy(&storage_, address, bytes);
}

std::string Address::host() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (family() == AF_INET) {
    ::inet_ntop(AF_INET, &as_v4(data()).sin_addr, text.data(), text.size());
  } else if (family() == AF_INET6) {
    const in6_addr& address = as_v6(data()).sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(&address)) {
      ::inet_ntop(AF_INET, &address.s6_addr[12], text.data(), text.size());
    } else {
      ::inet_ntop(AF_INET6, &address, text.data(), text.size());
    }
  }
  return text.data();
}

std::uint16_t Address::port() const {
  if (family() == AF_INET) {
    return ntohs(as_v4(data()).sin_port);
  }
  return family() == AF_INET6 ? ntohs(as_v6(data()).sin6_port) : std::uint16_t{0};
}

void Address::set_port(std::uint16_t port) {
  if (family() == AF_INET) {
    reinterpret_cast<sockaddr_in*>(&storage_)->sin_port = htons(port);
  } else if (family() == AF_INET6) {
    reinterpret_cast<sockaddr_in6*>(&storage_)->sin6_port = htons(port);
  }
}

bool Address::is_loopback() const {
  if (family() == AF_INET) {
    return (ntohl(as_v4(data()).sin_addr.s_addr) >> 24U) == 127;
  }
  return family() == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&as_v6(data()).sin6_addr);
}

std::string describe(const Address& address) {
  const std::string host = address.host();
  const std::string port = std::to_string(address.port());
  return host.find(':') == std::string::npos ? host + ":" + port : "[" + host + "]:" + port;
}

Result<std::vector<Address>> resolve(std::string_view host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  const bool any = host.empty() || host == "*";
  if (any) {
    hints.ai_flags |= AI_PASSIVE;
  }
  const std::string name(host);
  const std::string service = std::to_string(port);
  addrinfo* found = nullptr;
  const int outcome = ::getaddrinfo(any ? nullptr : name.c_str(), service.c_str(), &hints, &found);
  if (outcome != 0) {
    return failure(ErrorCode::not_found,
                   "the host name \"" + name + "\" cannot be resolved: " + ::gai_strerror(outcome));
  }
  std::vector<Address> addresses;
  for (const addrinfo* entry = found; entry != nullptr; entry = entry->ai_next) {
    addresses.emplace_back(entry->ai_addr, entry->ai_addrlen);
  }
  ::freeaddrinfo(found);
  return addresses;
}

Result<HostPort> parse_host_port(std::string_view text, std::uint16_t default_port) {
  std::string_view host = text;
  std::string_view port;
  if (!text.empty() && text.front() == '[') {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos || (end + 1 < text.size() && text[end + 1] != ':')) {
      return failure(ErrorCode::invalid, "\"" + std::string(text) + "\" should be [address]:port");
    }
    host = text.substr(1, end - 1);
    port = end + 1 < text.size() ? text.substr(end + 2) : std::string_view{};
    if (end + 1 == text.size()) {
      return HostPort{std::string(host), default_port};
    }
  } else {
    const std::size_t colon = text.find(':');
    if (colon == std::string_view::npos || text.find(':', colon + 1) != std::string_view::npos) {
      return HostPort{std::string(text), default_port};  // No port, or a bare IPv6 address.
    }
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
  }
  std::uint16_t number = 0;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (error != std::errc{} || end != port.data() + port.size()) {
    return failure(ErrorCode::invalid, "\"" + std::string(port) + "\" is not a port (0 to 65535)");
  }
  return HostPort{std::string(host), number};
}

}  // namespace quorate::net
