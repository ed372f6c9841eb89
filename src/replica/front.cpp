#include "replica/front.hpp"

#include <algorithm>
#include <utility>

#include "base/ensure.hpp"
#include "replica/front_state.hpp"
#include "wire/command.hpp"

namespace quorate::replica {
namespace {

constexpr std::size_t arrivals_max = 1024;  // Of one connection.

std::string draw_secret(Prng& prng) {
  std::string secret;
  for (int word = 0; word < 4; ++word) {
    const std::uint64_t drawn = prng.next_u64();
    for (unsigned shift = 0; shift < 64; shift += 8) {
      secret.push_back(static_cast<char>(drawn >> shift));
    }
  }
  return secret;
}

}  // namespace

Front::State::State(FrontConfig the_config, tree::Tree& the_tree, Prng prng)
    : config(std::move(the_config)),
      tree(&the_tree),
      watches(prng.next_u64()),
      password_secret(config.password_secret.empty() ? draw_secret(prng) : config.password_secret),
      connection_throttle(config.connection_throttle, Prng(prng.next_u64())) {
  watches.set_limits(config.watches);
}

Front::Front(FrontConfig config, tree::Tree& tree, Prng prng)
    : state_(std::make_unique<State>(std::move(config), tree, prng)) {}
Front::~Front() = default;
Front::Front(Front&&) noexcept = default;
Front& Front::operator=(Front&&) noexcept = default;

Connection* Front::State::find(ConnectionRef ref) const {
  if (ref.slot >= connections.size()) {
    return nullptr;
  }
  Connection& connection = *connections[ref.slot];
  const bool is_here = connection.self == ref && connection.phase != Phase::free && connection.phase != Phase::dead;
  return is_here ? &connection : nullptr;
}

tree::WatcherId Front::State::watcher_of(const Connection& connection) const {
  return tree::WatcherId{connection.self.slot};
}

ConnectionRef Front::open(std::string_view peer_ip, std::uint16_t peer_port, MonoTime now) {
  State& state = *state_;
  state.now = std::max(state.now, now);
  std::uint32_t slot = 0;
  std::uint32_t life = 1;
  if (state.free_slots.empty()) {
    slot = static_cast<std::uint32_t>(state.connections.size());
    state.connections.push_back(std::make_unique<Connection>());
  } else {
    slot = state.free_slots.back();
    state.free_slots.pop_back();
    life = state.connections[slot]->self.life + 1;
    state.connections[slot] = std::make_unique<Connection>();  // A fresh one keeps none of the old one's memory.
  }
  Connection& connection = *state.connections[slot];
  connection.self = ConnectionRef{.slot = slot, .life = life};
  connection.phase = Phase::handshake;
  connection.ip = peer_ip;
  connection.port = peer_port;
  connection.opened = now;
  connection.received = now;
  connection.credentials.add("ip", peer_ip);  // Protocol 6.5.
  connection.credentials_bytes = wire::credentials_bytes(connection.credentials.view());
  state.fresh.push_back(
      State::Fresh{.connection = connection.self, .deadline = after_ms(now, state.config.handshake_timeout_ms)});
  ++state.stats.connections;
  ++state.stats.connections_opened;
  return connection.self;
}

void Front::receive(ConnectionRef ref, ByteView bytes, MonoTime now) {
  State& state = *state_;
  ensure(state.submissions.empty(), "submissions are handed over before what they view is moved");
  state.now = std::max(state.now, now);
  Connection* connection = state.find(ref);
  if (connection == nullptr) {
    return;
  }
  state.stats.bytes_received += bytes.size();
  if (connection->input_closed || connection->phase == Phase::closing || connection->phase == Phase::admin) {
    return;
  }
  connection->input.tidy();
  connection->input.bytes().append(bytes);
  connection->received = state.now;
  if (state.config.throttled_op_wait_ms > 0 || state.config.drops_late_requests) {
    connection->input_end += bytes.size();
    if (connection->arrivals.size() < arrivals_max) {
      connection->arrivals.push_back({});
    }
    // With too many, the last ones count as younger than they are, never as older.
    connection->arrivals.back() = Connection::Arrival{.end = connection->input_end, .at = state.now};
  }
  // A request keeps the session alive from its arrival on, even while it waits; bytes alone do not (protocol 8.2).
  if (connection->phase == Phase::serving && state.has_whole_frame(*connection)) {
    state.touch(*connection);
  }
  state.make_ready(*connection);
}

void Front::closed(ConnectionRef ref) {
  State& state = *state_;
  Connection* connection = state.find(ref);
  if (connection == nullptr) {
    return;
  }
  if (std::exchange(connection->is_touched, false)) {
    state.parting_touches.push_back(Touch{.session = connection->session, .at = connection->touched});
  }
  state.forget_unanswered(*connection);
  state.release_session(*connection);
  connection->phase = Phase::dead;
  state.release_input(*connection);
  connection->output.release();
  state.count_output(*connection);
  state.dead_slots.push_back(ref.slot);
  --state.stats.connections;
}

void Front::sent(ConnectionRef ref, std::size_t bytes) {
  State& state = *state_;
  Connection* connection = state.find(ref);
  if (connection == nullptr) {
    return;
  }
  ensure(bytes <= connection->output.size(), "no more leaves than was queued");
  state.stats.bytes_sent += bytes;
  connection->output.consume(bytes);
  connection->output.tidy();
  state.count_output(*connection);
  if (!connection->input.empty() && connection->output.size() <= state.config.outgoing_bytes_pause) {
    state.make_ready(*connection);
  }
  state.update_wants_input(*connection);
}

bool Front::serve(Mailbox& mail, MonoTime now) {
  State& state = *state_;
  state.now = std::max(state.now, now);
  state.drop_watches_of_closed();
  // Before any read is answered: an event leaves before the data that it announces (design 4).
  if (!state.drain(mail)) {
    return true;
  }
  state.recycle_slots();
  return state.serve_ready() || !state.dead_slots.empty();
}

void Front::tick(MonoTime now) {
  state_->now = std::max(state_->now, now);
  state_->drop_late_handshakes();
  state_->touch_unheard_ones();
}

const std::vector<Submission>& Front::submissions() const {
  return state_->submissions;
}

bool Front::is_wanted(const Submission& submission) const {
  const Connection* connection = state_->find(submission.connection);
  return connection != nullptr && (connection->phase == Phase::serving || connection->phase == Phase::connecting);
}

void Front::clear_submissions() {
  State& state = *state_;
  state.submissions.clear();
  for (const std::uint32_t slot : state.unreleased_inputs) {
    Connection& connection = *state.connections[slot];
    if (connection.phase == Phase::closing || connection.phase == Phase::dead) {
      connection.input.release();
    }
  }
  state.unreleased_inputs.clear();
}

void Front::refused(const Submission& submission) {
  State& state = *state_;
  Connection* connection = state.find(submission.connection);
  if (connection == nullptr) {
    return;
  }
  if (submission.kind != wire::CommandKind::client_request) {
    // Nothing to answer with: the client tries again, here or elsewhere.
    state.begin_close(*connection, CloseReason::writes_are_refused);
    return;
  }
  if (connection->phase != Phase::serving) {
    return;
  }
  ++state.stats.writes_refused;
  connection->unanswered[submission.ordinal - connection->first_ordinal].is_refused = true;
  if (submission.opcode == wire::Opcode::close_session) {
    connection->input_closed = false;
  }
  state.answer_refused_ones(*connection);
}

void Front::take_actions(std::vector<Action>& into) {
  into.clear();
  for (const std::uint32_t slot : state_->actions) {
    Connection& connection = *state_->connections[slot];
    // The slot may have changed hands since it was noted; then its flag is down, or stands for the new life.
    if (!std::exchange(connection.has_action, false) || state_->find(connection.self) == nullptr) {
      continue;
    }
    const bool closes = connection.phase == Phase::closing;
    into.push_back(Action{.connection = connection.self,
                          .close = closes,
                          .abort = closes && connection.abort,
                          .reason = connection.close_reason,
                          .session = connection.session,
                          .refused_length = connection.refused_length});
  }
  state_->actions.clear();
}

std::string_view Front::outgoing(ConnectionRef ref) const {
  const Connection* connection = state_->find(ref);
  return connection == nullptr ? std::string_view() : connection->output.view();
}

bool Front::wants_input(ConnectionRef ref) const {
  const Connection* connection = state_->find(ref);
  return connection != nullptr && state_->wants_input(*connection);
}

void Front::take_touches(std::vector<Touch>& into) {
  State& state = *state_;
  into.clear();
  const bool is_due = elapsed_us(state.touches_taken, state.now) >= touch_report_ms * 1000;
  if (!is_due || (state.touched.empty() && state.parting_touches.empty())) {
    return;
  }
  state.touches_taken = state.now;
  into.swap(state.parting_touches);
  for (const std::uint32_t slot : state.touched) {
    Connection& connection = *state.connections[slot];
    if (std::exchange(connection.is_touched, false)) {
      into.push_back(Touch{.session = connection.session, .at = connection.touched});
    }
  }
  state.touched.clear();
}

void Front::take_admin_requests(std::vector<AdminRequest>& into) {
  into.clear();
  into.swap(state_->admin_requests);
}

void Front::answer_admin(ConnectionRef ref, std::string_view text) {
  Connection* connection = state_->find(ref);
  if (connection == nullptr || connection->phase != Phase::admin) {
    return;
  }
  connection->output.bytes().append(text);
  ++connection->traffic.packets_sent;
  ++state_->stats.since_reset.traffic.packets_sent;
  state_->begin_close(*connection, CloseReason::four_letter_word);
}

tree::WatchTable& Front::watches() {
  return state_->watches;
}
const FrontStats& Front::stats() const {
  return state_->stats;
}
double Front::connection_drop_probability() const {
  return state_->connection_throttle.drop_probability();
}
const FrontConfig& Front::config() const {
  return state_->config;
}

void Front::reset_stats() {
  state_->stats.since_reset = SinceReset{};
}

void Front::reset_connection_stats() {
  for (const auto& connection : state_->connections) {
    connection->traffic = Traffic{};
    connection->latency_min_us = 0;
    connection->latency_max_us = 0;
    connection->latency_sum_us = 0;
    connection->latency_count = 0;
  }
}

void Front::for_each_connection(const std::function<void(const ConnectionInfo&)>& visit) const {
  for (const auto& owned : state_->connections) {
    const Connection& connection = *owned;
    if (state_->find(connection.self) == nullptr) {
      continue;
    }
    visit(ConnectionInfo{.ip = connection.ip,
                         .port = connection.port,
                         .queued = connection.unanswered.size(),
                         .traffic = connection.traffic,
                         .wants_input = state_->wants_input(connection),
                         .has_output = !connection.output.empty(),
                         .session = connection.session,
                         .last_operation = connection.last_operation,
                         .opened = connection.opened,
                         .timeout_ms = connection.timeout_ms,
                         .last_xid = connection.last_xid,
                         .last_zxid = connection.last_zxid,
                         .last_reply = connection.last_reply,
                         .last_latency_us = connection.last_latency_us,
                         .latency_min_us = connection.latency_min_us,
                         .latency_max_us = connection.latency_max_us,
                         .latency_sum_us = connection.latency_sum_us,
                         .latency_count = connection.latency_count,
                         .watcher = connection.self.slot});
  }
}

}  // namespace quorate::replica
