#pragma once

// An IPv4 or IPv6 address with a port, as the operating system wants it.

#include <cstdint>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <vector>

#include "base/result.hpp"

namespace quorate::net {

class Address {
 public:
  Address() = default;
  Address(const sockaddr* address, socklen_t bytes);

  // The host as text: "127.0.0.1", "::1"; an IPv4 address mapped into IPv6 is shown as IPv4.
  [[nodiscard]] std::string host() const;
  [[nodiscard]] std::uint16_t port() const;
  void set_port(std::uint16_t port);
  [[nodiscard]] bool is_loopback() const;

  [[nodiscard]] const sockaddr* data() const { return reinterpret_cast<const sockaddr*>(&storage_); }
  [[nodiscard]] socklen_t size() const { return bytes_; }
  [[nodiscard]] int family() const { return storage_.ss_family; }

  friend bool operator==(const Address& a, const Address& b) { return a.host() == b.host() && a.port() == b.port(); }

 private:
  sockaddr_storage storage_{};
  socklen_t bytes_ = 0;
};

// "host:port"; IPv6 hosts in brackets.
std::string describe(const Address& address);

// All addresses of a name or of an address in text; "" and "*" mean every interface. May ask the name service, and wait
// for it: for use at start, not in a loop.
Result<std::vector<Address>> resolve(std::string_view host, std::uint16_t port);

// "host:port", "[v6]:port" or "host" with the default port.
struct HostPort {
  std::string host;
  std::uint16_t port = 0;

  friend bool operator==(const HostPort&, const HostPort&) = default;
};
Result<HostPort> parse_host_port(std::string_view text, std::uint16_t default_port);

}  // namespace quorate::net
