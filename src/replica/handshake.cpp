// From the first byte to a session (protocol 1.4 to 1.9, 8.1, 8.3).

#include <algorithm>
#include <array>
#include <cstring>
#include <openssl/evp.h>
#include <span>
#include <string_view>
#include <utility>

#include "base/ensure.hpp"
#include "replica/front_state.hpp"
#include "wire/command.hpp"
#include "wire/jute.hpp"
#include "wire/replies.hpp"

namespace quorate::replica {
namespace {

constexpr std::size_t word_bytes = 4;
constexpr std::size_t mask_bytes = 8;

// An unknown one falls into the length check (protocol 1.9).
constexpr auto known_admin_words =
    std::to_array<std::string_view>({"ruok", "isro", "gtmk", "stmk", "srst", "crst", "dirs", "envi", "srvr", "stat",
                                     "conf", "cons", "dump", "wchs", "wchc", "wchp", "mntr", "hash"});

}  // namespace

std::span<const std::string_view> Front::admin_words() {
  return known_admin_words;
}

// True if the connection's first bytes are a four-letter word, or may become one.
bool Front::State::handle_admin_word(Connection& connection) {
  const ByteView input = connection.input.view();
  const std::string_view word = input.substr(0, word_bytes);
  if (std::ranges::find(known_admin_words, word) == known_admin_words.end()) {
    return false;
  }
  const std::size_t wanted = word == "stmk" && config.stmk_is_allowed ? word_bytes + mask_bytes : word_bytes;
  if (input.size() < wanted) {
    return true;
  }
  AdminRequest asked{.connection = connection.self, .word = {}, .rest = std::string(input.substr(word_bytes))};
  std::ranges::copy(word, asked.word.begin());
  asked.rest.resize(wanted - word_bytes);
  admin_requests.push_back(std::move(asked));
  ++connection.traffic.packets_received;
  ++stats.since_reset.traffic.packets_received;
  connection.phase = Phase::admin;
  connection.input.release();
  update_wants_input(connection);
  return true;
}

void Front::State::handle_connect(Connection& connection, ByteView frame) {
  const auto wanted = wire::decode_connect(frame);
  if (!wanted) {
    malformed(connection, CloseReason::malformed_handshake);
    return;
  }
  stats.resumes_asked += wanted->session != SessionId{} ? 1U : 0U;
  if (!connection_throttle.admit(now, wanted->session == SessionId{})) {  // Protocol 14.5.
    ++stats.connections_rate_limited;
    begin_close(connection, CloseReason::connection_throttled);
    return;
  }
  // A client that has seen more than this server must look elsewhere; a refusal would destroy its session (gotcha 4).
  if (wanted->last_zxid_seen > tree->last_zxid()) {
    begin_close(connection, CloseReason::client_is_ahead);
    return;
  }
  connection.with_read_only_flag = wanted->read_only.has_value();
  submit_session(connection, *wanted);
}

void Front::State::submit_session(Connection& connection, const wire::ConnectRequest& wanted) {
  wire::SessionRequest session{.password = {}, .timeout_ms = negotiate(wanted.timeout_ms)};
  const bool is_new = wanted.session == SessionId{};
  if (is_new) {
    session.password = make_password();
  } else {
    // First of all the password (protocol 1.5, Q:): who guesses an id must not be able to disturb its owner.
    if (wanted.password.size() != session.password.size()) {
      refuse_session(connection);
      return;
    }
    std::ranges::copy(wanted.password, session.password.begin());
    if (!tree->sessions().password_matches(wanted.session, session.password)) {
      refuse_session(connection);
      return;
    }
  }
  connection.phase = Phase::connecting;
  connection.last_operation = "SESS";
  connection.session_request.clear();
  wire::encode_session_request(connection.session_request, session);
  submissions.push_back(
      Submission{.kind = is_new ? wire::CommandKind::create_session : wire::CommandKind::resume_session,
                 .connection = connection.self,
                 .session = wanted.session,
                 .opcode = wire::Opcode::create_session,
                 .request = connection.session_request,
                 .with_read_only_flag = connection.with_read_only_flag});
}

void Front::State::refuse_session(Connection& connection) {
  const std::size_t before = connection.output.bytes().size();
  wire::encode_connect_reply(connection.output.bytes(),
                             wire::ConnectReply{.with_read_only_flag = connection.with_read_only_flag});
  queued_output(connection, before);
  begin_close(connection, CloseReason::session_refused);
}

std::int32_t Front::State::negotiate(std::int32_t wanted_ms) const {
  const std::int32_t granted =
      std::min(std::max(wanted_ms, config.min_session_timeout_ms), config.max_session_timeout_ms);
  return std::max(granted, 1);  // 0 would say that the session is refused (protocol 1.5).
}

// One-way from a secret and a count: whoever knows some passwords can tell nothing about others. The generator alone
// would not do, its state can be computed from what it yields.
tree::Password Front::State::make_password() {
  std::string source = password_secret;
  wire::Writer(source).write_long(static_cast<std::int64_t>(passwords_made));
  ++passwords_made;
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  const int done = EVP_Digest(source.data(), source.size(), digest.data(), nullptr, EVP_sha256(), nullptr);
  ensure(done == 1, "a hash of memory does not fail");
  tree::Password password{};
  std::memcpy(password.data(), digest.data(), password.size());
  return password;
}

void Front::State::connected(Connection& connection, const MailItem& item) {
  ensure(connection.phase == Phase::connecting, "a session is given to whom asked for it");
  connection.phase = Phase::serving;
  connection.session = item.session;
  connection.generation = item.generation;
  connection.timeout_ms = item.timeout_ms;
  connection.last_zxid = item.zxid;
  std::string().swap(connection.session_request);  // Assigning would keep the memory.
  holders[item.session] = connection.self.slot;
  credentials_changed(connection);
  touch(connection);
  ++stats.sessions_connected;
  make_ready(connection);  // Requests may have come along with the handshake (gotcha 39).
}

// Protocol 1.8.
void Front::State::drop_late_handshakes() {
  while (!fresh.empty() && fresh.front().deadline <= now) {
    Connection* connection = find(fresh.pop_front().connection);
    if (connection != nullptr && connection->phase != Phase::serving && connection->phase != Phase::closing) {
      ++stats.handshakes_timed_out;
      begin_close(*connection, CloseReason::late_handshake, true);
    }
  }
}

}  // namespace quorate::replica
