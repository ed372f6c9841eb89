#include "sim/clients.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "base/ensure.hpp"

namespace quorate::sim {
namespace {

constexpr std::int64_t patience_us = 3'000'000;
constexpr std::int64_t retry_us = 20'000;

}  // namespace

Clients::Clients(const Surroundings& around, const std::vector<std::unique_ptr<Server>>& servers, const Group& group,
                 Prng prng)
    : around_(around), servers_(servers), group_(group), prng_(prng), last_mark_(group.first_mark) {
  for (unsigned key = 0; key < group.keys; ++key) {
    keys_.push_back(history_.key("r" + std::to_string(group.first_key + key)));
  }
  clients_.resize(group.clients);
  for (Client& client : clients_) {
    client.id = ClientId{++last_id_};
    client.target = draw_server();
    client.seen.assign(group.keys, 0);
  }
}

void Clients::begin() {
  for (std::size_t i = 0; i < clients_.size(); ++i) {
    think(i);
  }
}

std::size_t Clients::waiting() const {
  return static_cast<std::size_t>(std::ranges::count_if(clients_, &Client::is_waiting));
}

NodeId Clients::draw_server() {
  return servers_[prng_.below(servers_.size())]->id();
}

void Clients::think(std::size_t number) {
  const std::int64_t mean = static_cast<std::int64_t>(clients_.size()) * 1'000'000 / group_.requests_per_second;
  around_.scheduler.after(prng_.between(0, 2 * mean), [this, number] {
    if (!stopped_) {
      call(number);
    }
  });
}

void Clients::call(std::size_t number) {
  Client& client = clients_[number];
  const auto key = static_cast<std::uint32_t>(prng_.below(keys_.size()));
  client.write =
      RegisterWrite{.mark = 0, .key = group_.first_key + key, .value = static_cast<std::int64_t>(++last_mark_)};
  if (prng_.below(100) < around_.knobs.reads_percent) {
    client.kind = Operation::Kind::read;
    client.position = history_.read(client.id, keys_[key], now());
  } else if (prng_.chance(1, 5)) {
    client.kind = Operation::Kind::compare_and_set;
    client.write.is_compare_and_set = true;
    client.write.expected = client.seen[key];
    client.position = history_.compare_and_set(client.id, keys_[key], client.write.expected, client.write.value, now());
  } else {
    client.kind = Operation::Kind::write;
    client.position = history_.write(client.id, keys_[key], client.write.value, now());
  }
  client.is_waiting = true;
  client.is_open = false;
  client.deadline = after_us(around_.scheduler.now(), patience_us);
  if (!client.is_watched) {
    watch(number);
  }
  attempt(number);
}

// One watch a client, not one a call: nearly every call is answered long before.
void Clients::watch(std::size_t number) {
  clients_[number].is_watched = true;
  around_.scheduler.at(clients_[number].deadline, [this, number] {
    Client& client = clients_[number];
    client.is_watched = false;
    if (client.is_waiting && client.deadline > around_.scheduler.now()) {
      watch(number);
    } else if (client.is_waiting) {
      timed_out(number);
    }
  });
}

// Every attempt has a mark of its own: one that was refused is surely not in the log (I-204).
void Clients::attempt(std::size_t number) {
  Client& client = clients_[number];
  client.write.mark = ++last_mark_;
  ++client.attempt;
  const Ticket ticket{.client = static_cast<std::uint32_t>(number), .attempt = client.attempt};
  around_.scheduler.after(draw_trip_us(), [this, ticket] {
    if (is_awaited(ticket)) {
      ask(ticket.client, [this, ticket](const Answer& answer) {
        around_.scheduler.after(draw_trip_us(), [this, ticket, answer] {
          if (is_awaited(ticket)) {
            answered(ticket.client, answer);
          }
        });
      });
    }
  });
}

bool Clients::is_awaited(Ticket ticket) const {
  return clients_[ticket.client].is_waiting && clients_[ticket.client].attempt == ticket.attempt;
}

void Clients::ask(std::size_t number, const Reply& reply) {
  Client& client = clients_[number];
  const auto at = std::ranges::find(servers_, client.target, [](const auto& server) { return server->id(); });
  ensure(at != servers_.end(), "clients know the servers");
  if (!(*at)->is_serving()) {
    reply(Answer{.kind = Answer::Kind::refused});  // Its connection is refused.
  } else if (client.kind != Operation::Kind::read) {
    client.is_open = true;
    (*at)->write(client.write, reply);
  } else if (group_.level == ReadLevel::sequential) {
    (*at)->read_here(client.write.key, client.known, reply);
  } else {
    (*at)->read(client.write.key, reply);
  }
}

void Clients::answered(std::size_t number, const Answer& answer) {
  Client& client = clients_[number];
  client.is_open = false;
  if (answer.kind == Answer::Kind::refused) {
    if (client.kind != Operation::Kind::read) {
      around_.judges.refused(client.write.mark);
    }
    retry_elsewhere(number, answer.leader);
    return;
  }
  client.is_waiting = false;
  ++answered_;
  client.known = std::max(client.known, answer.index);
  std::int64_t& seen = client.seen[client.write.key - group_.first_key];
  if (client.kind == Operation::Kind::read) {
    history_.done(client.position, now(), answer.value);
    seen = answer.value;
  } else if (client.kind == Operation::Kind::write) {
    history_.done(client.position, now());
    seen = client.write.value;
  } else {
    history_.done(client.position, now(), answer.value);
    seen = answer.value == 1 ? client.write.value : seen;
  }
  think(number);
}

void Clients::retry_elsewhere(std::size_t number, NodeId hint) {
  Client& client = clients_[number];
  client.target = raw(hint) != 0 && hint != client.target ? hint : draw_server();
  const Ticket ticket{.client = static_cast<std::uint32_t>(number), .attempt = ++client.attempt};
  around_.scheduler.after(prng_.between(1, retry_us), [this, ticket] {
    if (is_awaited(ticket)) {
      attempt(ticket.client);
    }
  });
}

// What became of the newest attempt nobody knows, if there is one; a read that nobody saw is none.
void Clients::timed_out(std::size_t number) {
  Client& client = clients_[number];
  client.is_waiting = false;
  ++unanswered_;
  if (client.kind == Operation::Kind::read || !client.is_open) {
    history_.failed(client.position, now());
  } else {
    client.id = ClientId{++last_id_};
  }
  client.target = draw_server();
  think(number);
}

}  // namespace quorate::sim
