#pragma once

// The client port: sockets on one side, the front on the other. Bytes are read once a connection and turn, and sent
// once a connection and turn; what they mean is the front's.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/ids.hpp"
#include "net/listener.hpp"
#include "net/poller.hpp"
#include "net/stream.hpp"
#include "replica/front.hpp"
#include "server/event_lines.hpp"
#include "server/line_limit.hpp"

namespace quorate::server {

struct ClientPortConfig {
  std::size_t per_address_max = 60;  // maxClientCnxns; 0: no limit (protocol 14.1).
  std::size_t total_max = 0;         // maxCnxns; 0: no limit.
  std::size_t descriptors_max = 1024;
  bool keep_alive = false;
};

struct ClientPortStats {
  std::uint64_t accepted = 0;
  std::uint64_t refused = 0;  // For any limit.
};

class ClientPort {
 public:
  ClientPort(ClientPortConfig config, net::Poller& poller, replica::Front& front, std::vector<net::Listener> listeners);

  // From now on clients are accepted; before, they wait in the system's queue.
  void open();
  // No further clients; those that are here stay.
  void close_listeners();

  // A report whose tag is a listener, a connection or a lingering one.
  void on_ready(const net::Ready& ready, MonoTime now);
  // Reads once from every connection that has input and may be read.
  void read(MonoTime now);
  // Obeys the front: sends once, closes, lets reading go on.
  void obey();
  // Deadlines; once every few hundred milliseconds.
  void tick(MonoTime now);

  // True if there is input that was left for the next turn.
  [[nodiscard]] bool has_input() const { return !readable_.empty(); }
  // Connections that were read from in the last read().
  [[nodiscard]] std::size_t busy_connections() const { return busy_; }
  [[nodiscard]] std::size_t connections() const { return open_; }
  // The other side's address; empty if the connection is gone.
  [[nodiscard]] std::string_view host_of(replica::ConnectionRef connection) const;
  [[nodiscard]] const ClientPortStats& stats() const { return stats_; }
  [[nodiscard]] const std::vector<net::Listener>& listeners() const { return listeners_; }

 private:
  // One for each slot of the front.
  struct Connection {
    net::Stream stream;
    std::uint32_t life = 0;
    std::string host;
    std::uint16_t port = 0;
    bool queued = false;        // In readable_.
    bool parked = false;        // Has input, but the front wants none for now.
    bool hangup = false;        // The other side has finished: read on until the end is seen.
    bool blocked = false;       // The socket takes no more; the poller reports room.
    bool closing = false;       // Closes when everything is sent, or when the deadline is past.
    MonoTime close_deadline{};  // Moves on with every byte that is taken, up to ...
    MonoTime close_end{};
  };
  // A connection that is over for the front and whose last bytes are on their way: closed when the other side has
  // closed too. A close with unread input would be a reset, which can overtake the last reply.
  struct Lingering {
    net::Stream stream;
    MonoTime deadline{};
  };

  [[nodiscard]] std::size_t kept_descriptors() const;
  void pause_listeners();
  void report_clients(net::Interest interest);
  void accept(net::Listener& listener, MonoTime now);
  void admit(net::Listener::Accepted&& accepted, MonoTime now);
  [[nodiscard]] bool has_room_for(const std::string& host) const;
  void note_refusal(const std::string& host, const char* why, MonoTime now);
  void enqueue(std::uint32_t slot);
  void read_one(std::uint32_t slot, MonoTime now);
  void send(std::uint32_t slot);
  void forget(std::uint32_t slot);
  void begin_close(std::uint32_t slot, const replica::Front::Action& action);
  void linger(std::uint32_t slot);
  void drain(std::uint32_t position);
  void end_deaf_ones(MonoTime now);
  void end_lingering_ones(MonoTime now);
  [[nodiscard]] static replica::ConnectionRef ref_of(std::uint32_t slot, const Connection& connection) {
    return {.slot = slot, .life = connection.life};
  }

  ClientPortConfig config_;
  net::Poller& poller_;
  replica::Front& front_;
  std::vector<net::Listener> listeners_;
  std::vector<Connection> connections_;
  std::vector<Lingering> lingering_;
  std::vector<std::uint32_t> free_lingering_;
  std::unordered_map<std::string, std::size_t> per_host_;
  std::vector<std::uint32_t> readable_;
  std::vector<std::uint32_t> batch_;
  std::vector<replica::Front::Action> actions_;
  std::string block_;    // What one read fills; the front copies what it keeps.
  bool paused_ = false;  // Waiting clients are not reported again before the next tick.
  std::size_t open_ = 0;
  std::size_t busy_ = 0;
  std::size_t closing_ = 0;  // Connections that close when everything is sent.
  ClientPortStats stats_;
  LineLimit refusal_lines_;
  CloseLines close_lines_;
  MonoTime now_{};
};

}  // namespace quorate::server
