#pragma once

// Clients of the simulated cluster: each waits for an answer, or for so long, before it asks again. What they saw is a
// history for the checkers, who trust nothing else (I-203, I-503).

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/ids.hpp"
#include "base/prng.hpp"
#include "sim/history.hpp"
#include "sim/server.hpp"

namespace quorate::sim {

// What reads promise. Each group of clients has registers of its own.
enum class ReadLevel : std::uint8_t {
  linearizable,  // A read index each.
  sequential,    // From whatever the server has applied, if that is as much as the client has seen before.
};

struct Group {
  ReadLevel level = ReadLevel::linearizable;
  unsigned clients = 0;
  std::uint32_t first_key = 0;
  unsigned keys = 0;
  std::int64_t requests_per_second = 0;
  std::uint64_t first_mark = 0;  // Marks of different groups never meet.
};

class Clients {
 public:
  // `servers` outlives this. Who was not there when a call came is asked again elsewhere.
  Clients(const Surroundings& around, const std::vector<std::unique_ptr<Server>>& servers, const Group& group,
          Prng prng);

  void begin();
  // No new calls; those under way come to their end.
  void stop() { stopped_ = true; }
  [[nodiscard]] std::size_t waiting() const;
  [[nodiscard]] const History& history() const { return history_; }
  [[nodiscard]] std::uint64_t answered() const { return answered_; }
  [[nodiscard]] std::uint64_t unanswered() const { return unanswered_; }

 private:
  struct Client {
    ClientId id{};
    NodeId target{};
    std::uint32_t attempt = 0;  // Counts; an answer to an earlier one comes too late.
    bool is_waiting = false;
    bool is_open = false;  // An attempt may take effect yet.
    MonoTime deadline{};
    bool is_watched = false;  // Somebody will look when it has waited too long.
    Operation::Kind kind{};
    RegisterWrite write;
    History::Position position = 0;
    std::vector<std::int64_t> seen;  // By key: what it read or wrote last.
    Index known{};                   // The newest state that an answer came from.
  };

  // An attempt of a client. Small, so that a Reply has room for it.
  struct Ticket {
    std::uint32_t client = 0;
    std::uint32_t attempt = 0;
  };
  [[nodiscard]] bool is_awaited(Ticket ticket) const;

  void think(std::size_t number);
  void call(std::size_t number);
  void watch(std::size_t number);
  void attempt(std::size_t number);
  void ask(std::size_t number, const Reply& reply);
  void answered(std::size_t number, const Answer& answer);
  void timed_out(std::size_t number);
  void retry_elsewhere(std::size_t number, NodeId hint);
  [[nodiscard]] NodeId draw_server();
  [[nodiscard]] std::int64_t draw_trip_us() { return prng_.between(50, 300); }
  [[nodiscard]] std::int64_t now() const { return raw(around_.scheduler.now()); }

  Surroundings around_;
  const std::vector<std::unique_ptr<Server>>& servers_;
  Group group_;
  Prng prng_;
  std::vector<Client> clients_;
  History history_;
  std::vector<KeyId> keys_;
  std::uint64_t last_mark_ = 0;
  std::uint64_t last_id_ = 0;
  std::uint64_t answered_ = 0;
  std::uint64_t unanswered_ = 0;
  bool stopped_ = false;
};

}  // namespace quorate::sim
