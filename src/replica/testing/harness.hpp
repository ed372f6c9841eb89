#pragma once

// A server in memory for tests: Replica and Front over a disk that is durable at once, or when the test says so; and
// clients that speak the protocol's bytes.

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ensure.hpp"
#include "replica/front.hpp"
#include "replica/replica.hpp"
#include "wire/jute.hpp"
#include "wire/opcodes.hpp"

namespace quorate::replica::testing {

// A frame from the server behind its length: a reply or an event.
struct Reply {
  std::int32_t xid = 0;
  std::int64_t zxid = 0;
  std::int32_t error = 0;
  std::string body;
};

struct Connected {
  std::int32_t timeout_ms = 0;
  std::int64_t session = 0;
  std::string password;
  std::size_t payload_bytes = 0;
};

// Bodies of requests.
struct Body {
  std::string bytes;
  wire::Writer writer{bytes};

  Body& text(std::string_view value) {
    writer.write_string(value);
    return *this;
  }
  Body& buffer(ByteView value) {
    writer.write_buffer(value);
    return *this;
  }
  Body& number(std::int32_t value) {
    writer.write_int(value);
    return *this;
  }
  Body& wide(std::int64_t value) {
    writer.write_long(value);
    return *this;
  }
  Body& flag(bool value) {
    writer.write_bool(value);
    return *this;
  }
  Body& open_acl() { return number(1).number(31).text("world").text("anyone"); }
  Body& list(const std::vector<std::string>& values) {
    number(static_cast<std::int32_t>(values.size()));
    for (const std::string& value : values) {
      text(value);
    }
    return *this;
  }
};

inline std::string create_body(std::string_view path, ByteView data = "", std::int32_t flags = 0) {
  return Body().text(path).buffer(data).open_acl().number(flags).bytes;
}
inline std::string set_body(std::string_view path, ByteView data, std::int32_t version = -1) {
  return Body().text(path).buffer(data).number(version).bytes;
}
inline std::string delete_body(std::string_view path, std::int32_t version = -1) {
  return Body().text(path).number(version).bytes;
}
inline std::string watch_body(std::string_view path, bool watch = false) {
  return Body().text(path).flag(watch).bytes;
}

inline std::string framed(std::string_view payload) {
  std::string frame;
  wire::Writer(frame).write_buffer(payload);
  return frame;
}
inline std::string request_frame(std::int32_t xid, std::int32_t type, std::string_view body = "") {
  return framed(Body().number(xid).number(type).bytes + std::string(body));
}
inline std::string request_frame(std::int32_t xid, wire::Opcode opcode, std::string_view body = "") {
  return request_frame(xid, static_cast<std::int32_t>(opcode), body);
}
inline std::string connect_frame(std::int32_t timeout_ms, std::int64_t session = 0,
                                 std::string_view password = std::string_view("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16),
                                 std::int64_t last_zxid = 0, bool with_flag = true) {
  Body body;
  body.number(0).wide(last_zxid).number(timeout_ms).wide(session).buffer(password);
  if (with_flag) {
    body.flag(false);
  }
  return framed(body.bytes);
}

inline std::string from_hex(std::string_view hex) {
  const auto digit = [](char c) { return static_cast<unsigned>(c <= '9' ? c - '0' : c - 'a' + 10); };
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<char>(digit(hex[i]) * 16 + digit(hex[i + 1])));
  }
  return bytes;
}

struct ServerOptions {
  FrontConfig front{};
  raft::Limits limits{};
  tree::Switches switches{};
  std::uint64_t snapshot_entries = 100000;
  std::size_t tree_bytes_max = 0;
  std::int64_t container_check_ms = 60000;
  bool disk_is_slow = false;  // Nothing is durable before finish_disk().
  std::uint64_t start = 1;
  std::vector<raft::Entry> log{};
  raft::HardState hard_state{};
  MonoTime now{1'000'000'000};
  WallTime wall{1'700'000'000'000};
  std::int64_t replay_ms = 0;  // How long the replay of the log takes.
};

class Server {
 public:
  static constexpr NodeId id{1};
  static constexpr std::uint64_t secret = 42;

  explicit Server(const ServerOptions& options = {}) : Server(options, make_restored(options)) {}
  Server(const ServerOptions& options, Restored restored)
      : now(options.now),
        wall(options.wall),
        durable(options.log),
        hard_state(options.hard_state),
        slow_(options.disk_is_slow),
        replica(make_config(options), std::move(restored), Prng(7)),
        front(make_front(options), replica.tree(), Prng(11)) {
    replica.attach(0, mail, front.watches());
    const bool slow = std::exchange(slow_, false);
    replica.tick(now, wall);
    if (options.replay_ms > 0) {
      replica.take_output(output);
      finish_output();
      while (replica.apply(64)) {
      }
      advance_ms(options.replay_ms);
    }
    run();
    slow_ = slow;
  }

  // One turn of the loop (design chapter 3).
  void turn() {
    replica.tick(now, wall);
    serve();
    front.take_touches(touches_);
    for (const Front::Touch& touch : touches_) {
      replica.touch(touch.session, touch.at);
    }
    replica.take_output(output);
    finish_output();
    while (replica.apply(64)) {
    }
    serve();  // What waited for these replies may be writes again: the next turn's.
    front.tick(now);
    obey();
  }
  void run(int turns = 4) {
    for (int i = 0; i < turns; ++i) {
      turn();
    }
  }
  void finish_disk() {
    durable.insert(durable.end(), written_.begin(), written_.end());
    written_.clear();
    while (!tokens_.empty()) {
      replica.persisted(tokens_.front());
      tokens_.pop_front();
    }
  }
  void set_disk_slow(bool slow) { slow_ = slow; }

  void advance_ms(std::int64_t ms) {
    now = after_ms(now, ms);
    wall = WallTime{raw(wall) + ms};
  }

  // Time passes while the server runs; a longer step would be a pause that counts for no session.
  void pass_ms(std::int64_t ms) {
    for (; ms > 0; ms -= 500) {
      advance_ms(std::min<std::int64_t>(ms, 500));
      turn();
    }
    run();
  }

  ConnectionRef open(std::string_view ip = "10.0.0.1") {
    const ConnectionRef connection = front.open(ip, 5000, now);
    received[connection.slot].clear();
    closed.erase(connection.slot);
    return connection;
  }
  void send(ConnectionRef connection, std::string_view bytes) { front.receive(connection, bytes, now); }

  [[nodiscard]] bool is_closed(ConnectionRef connection) const { return closed.contains(connection.slot); }

  // The same server after a stop: what was durable comes back.
  [[nodiscard]] ServerOptions after_restart(ServerOptions options) const {
    options.log = durable;
    options.hard_state = hard_state;
    options.now = now;
    options.wall = wall;
    ++options.start;
    return options;
  }

  MonoTime now;
  WallTime wall;
  std::vector<raft::Entry> durable;
  raft::HardState hard_state;

 private:
  bool slow_;
  std::deque<raft::PersistToken> tokens_;
  std::vector<raft::Entry> written_;
  std::vector<Front::Action> actions_;
  std::vector<Front::Touch> touches_;

 public:
  Mailbox mail;
  Output output;
  Replica replica;
  Front front;
  std::map<std::uint32_t, std::string> received;
  std::map<std::uint32_t, bool> closed;          // By slot; true: aborted.
  std::map<std::uint32_t, Front::Action> fates;  // The last action of a closed connection.
  bool reads_output = true;                      // False: a client that does not read.

 private:
  static ReplicaConfig make_config(const ServerOptions& options) {
    ReplicaConfig config;
    config.raft = raft::Config{.self = id, .limits = options.limits};
    config.stream = wire::StreamId{.server = id, .incarnation = 9, .start = options.start};
    config.term_start = wire::TermStart{.leader = id, .switches = options.switches, .hash_secret = secret};
    config.snapshot_entries = options.snapshot_entries;
    config.tree_bytes_max = options.tree_bytes_max;
    config.container_check_ms = options.container_check_ms;
    return config;
  }
  static Restored make_restored(const ServerOptions& options) {
    raft::Recovered log;
    log.hard_state = options.hard_state;
    log.configuration.members = {raft::Member{.id = id}};
    log.entries = options.log;
    return Restored{.log = std::move(log), .tree = tree::Tree(1000 + options.start), .streams = {}};
  }
  static FrontConfig make_front(const ServerOptions& options) {
    FrontConfig config = options.front;
    config.min_session_timeout_ms = 4000;
    config.max_session_timeout_ms = 40000;
    return config;
  }

  void finish_output() {
    if (output.hard_state) {
      hard_state = *output.hard_state;
    }
    written_.insert(written_.end(), output.append.begin(), output.append.end());
    if (output.token) {
      tokens_.push_back(*output.token);
    }
    if (!slow_) {
      finish_disk();
    }
  }

  void serve() {
    bool more = true;
    while (more) {
      more = front.serve(mail, now);
      submit();
    }
  }

  void submit() {
    for (const Submission& submission : front.submissions()) {
      if (front.is_wanted(submission) && !replica.submit(0, submission)) {
        front.refused(submission);
      }
    }
    front.clear_submissions();
  }

  void obey() {
    front.take_actions(actions_);
    for (const Front::Action& action : actions_) {
      const std::string_view bytes = front.outgoing(action.connection);
      if (reads_output) {
        received[action.connection.slot].append(bytes);
        front.sent(action.connection, bytes.size());
      }
      if (action.close && (action.abort || front.outgoing(action.connection).empty())) {
        closed[action.connection.slot] = action.abort;
        fates[action.connection.slot] = action;
        front.closed(action.connection);
      }
    }
  }
};

// One client connection. Requests get xids 1, 2, ...
class Client {
 public:
  explicit Client(Server& server, std::string_view ip = "10.0.0.1") : server_(&server), connection_(server.open(ip)) {}

  // Opens a session; the harness must have its disk fast for that.
  static Client with_session(Server& server, std::int32_t timeout_ms = 10000, std::string_view ip = "10.0.0.1") {
    Client client(server, ip);
    client.send(connect_frame(timeout_ms));
    server.run();
    const auto connected = client.take_connected();
    ensure(connected.has_value() && connected->session != 0, "the server gives sessions");
    client.session = *connected;
    return client;
  }

  void send(std::string_view bytes) { server_->send(connection_, bytes); }
  // Sends a request without waiting; its xid.
  std::int32_t post(wire::Opcode opcode, std::string_view body = "") {
    ++xid_;
    send(request_frame(xid_, opcode, body));
    return xid_;
  }
  // Sends a request and runs the server; the next frame that is no event.
  Reply call(wire::Opcode opcode, std::string_view body = "") {
    post(opcode, body);
    server_->run();
    for (;;) {
      const auto reply = take();
      ensure(reply.has_value(), "every request of a live connection is answered");
      if (reply->xid != -1) {
        return *reply;
      }
      events.push_back(*reply);
    }
  }
  Reply create(std::string_view path, ByteView data = "", std::int32_t flags = 0) {
    return call(wire::Opcode::create, create_body(path, data, flags));
  }

  std::optional<std::string> take_payload() {
    std::string& bytes = server_->received[connection_.slot];
    if (bytes.size() < 4) {
      return std::nullopt;
    }
    const auto length = static_cast<std::size_t>(wire::Reader(bytes).read_int());
    ensure(bytes.size() >= 4 + length, "the server sends whole frames");
    std::string payload = bytes.substr(4, length);
    bytes.erase(0, 4 + length);
    return payload;
  }
  std::optional<Reply> take() {
    const auto payload = take_payload();
    if (!payload) {
      return std::nullopt;
    }
    wire::Reader reader(*payload);
    Reply reply;
    reply.xid = reader.read_int();
    reply.zxid = reader.read_long();
    reply.error = reader.read_int();
    reply.body = payload->substr(16);
    return reply;
  }
  std::vector<Reply> take_all() {
    std::vector<Reply> all;
    while (auto reply = take()) {
      all.push_back(*reply);
    }
    return all;
  }
  std::optional<Connected> take_connected() {
    const auto payload = take_payload();
    if (!payload) {
      return std::nullopt;
    }
    wire::Reader reader(*payload);
    Connected connected;
    reader.read_int();
    connected.timeout_ms = reader.read_int();
    connected.session = reader.read_long();
    connected.password = reader.read_buffer();
    connected.payload_bytes = payload->size();
    return connected;
  }
  std::string& raw_output() { return server_->received[connection_.slot]; }
  [[nodiscard]] bool is_closed() const { return server_->is_closed(connection_); }
  [[nodiscard]] ConnectionRef connection() const { return connection_; }
  void hang_up() { server_->front.closed(connection_); }

  Connected session;
  std::vector<Reply> events;  // Those that call() passed by.

 private:
  Server* server_;
  ConnectionRef connection_;
  std::int32_t xid_ = 0;
};

// What an event says: its type, its path.
inline std::pair<std::int32_t, std::string> event_of(const Reply& reply) {
  wire::Reader reader(reply.body);
  const std::int32_t type = reader.read_int();
  reader.read_int();
  return {type, std::string(reader.read_string())};
}

}  // namespace quorate::replica::testing
