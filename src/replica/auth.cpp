// Who a connection is (protocol 6.5 to 6.7). In the order of its requests, unlike ZooKeeper's (2.4 rule 8, Q:).

#include <algorithm>
#include <array>
#include <openssl/evp.h>
#include <string>
#include <string_view>

#include "base/ensure.hpp"
#include "base/limits.hpp"
#include "replica/front_state.hpp"
#include "wire/command.hpp"
#include "wire/replies.hpp"

namespace quorate::replica {
namespace {

constexpr std::size_t sha1_bytes = 20;
constexpr std::size_t sha1_base64_bytes = 28;

// Every entry of the connection carries them, and so does every copy of it: in memory, in the log, on other servers.
// What the decoder takes is more, for logs that were written when this was.
constexpr std::size_t connection_credentials_bytes_max = 8U << 10;
static_assert(connection_credentials_bytes_max <= limits::credentials_bytes_max);

constexpr std::uint32_t sasl_requests_max = 10;  // Of one connection.

// user ":" base64(SHA1(secret)); the hash covers the whole secret as sent (protocol 6.3).
std::string digest_id(ByteView secret) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> hash{};
  const int done = EVP_Digest(secret.data(), secret.size(), hash.data(), nullptr, EVP_sha1(), nullptr);
  ensure(done == 1, "a hash of memory does not fail");
  std::array<unsigned char, sha1_base64_bytes + 1> text{};
  const int length = EVP_EncodeBlock(text.data(), hash.data(), sha1_bytes);
  ensure(length == sha1_base64_bytes, "20 bytes are 28 digits");
  std::string id(secret.substr(0, secret.find(':')));
  id.push_back(':');
  id.append(text.begin(), text.begin() + length);
  return id;
}

}  // namespace

void Front::State::handle_auth(Connection& connection, std::int32_t xid, ByteView body) {
  if (wire::decode_request(wire::Opcode::auth, body, decode_scratch, request) != tree::Status::ok) {
    malformed(connection, CloseReason::malformed_request);
    return;
  }
  const wire::AuthRequest wanted = std::get<wire::AuthRequest>(request);
  const bool is_digest = wanted.scheme == "digest" && config.digest_enabled && !is_null(wanted.auth);
  const bool is_known = is_digest || wanted.scheme == "ip";  // The address is a credential from the start.
  // Clients take -115 for final (gotcha 33), and so it is: the same credentials will not fit the next time either.
  const bool fits = !is_digest || add_digest(connection, wanted.auth);
  const bool is_accepted = is_known && fits;
  const std::size_t before = connection.output.bytes().size();
  wire::encode_header_only(connection.output.bytes(),
                           {.xid = xid, .status = is_accepted ? tree::Status::ok : tree::Status::auth_failed});
  queued_output(connection, before);
  if (!is_accepted) {
    ++stats.auth_failed;
    begin_close(connection, fits ? CloseReason::auth_failed : CloseReason::too_many_credentials);
  }
}

// False: no further credential fits.
bool Front::State::add_digest(Connection& connection, ByteView secret) {
  Credentials extended = connection.credentials;
  const std::string id = digest_id(secret);
  extended.add("digest", id);
  if (!config.super_digest.empty() && id == config.super_digest) {
    extended.add("super", "");
  }
  const std::size_t bytes = wire::credentials_bytes(extended.view());
  if (bytes > connection_credentials_bytes_max) {
    return false;
  }
  connection.credentials = extended;
  connection.credentials_bytes = bytes;
  credentials_changed(connection);
  return true;
}

void Front::State::credentials_changed(Connection& connection) {
  watches.set_credentials(watcher_of(connection), connection.credentials.view());
  connection.is_authenticated =
      config.enforced_schemes.empty() || std::ranges::any_of(config.enforced_schemes, [&](const std::string& scheme) {
        return connection.credentials.has_scheme(scheme);
      });
}

// No SASL here: any token gets a null one back, and the exchange is over (protocol 6.7). Clients that do not see that
// (kazoo) would ask for ever.
void Front::State::handle_sasl(Connection& connection, std::int32_t xid, ByteView body) {
  if (wire::decode_request(wire::Opcode::sasl, body, decode_scratch, request) != tree::Status::ok) {
    malformed(connection, CloseReason::malformed_request);
    return;
  }
  const std::size_t before = connection.output.bytes().size();
  wire::encode_sasl_reply(connection.output.bytes(), {.xid = xid}, null_bytes);
  queued_output(connection, before);
  if (++connection.sasl_requests == sasl_requests_max) {
    ++stats.auth_failed;
    begin_close(connection, CloseReason::auth_failed);
  }
}

}  // namespace quorate::replica
