#include "sim/testing/random_histories.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace quorate::sim {
namespace {

using Kind = Operation::Kind;
using Outcome = Operation::Outcome;

// Clients that call, act and are answered in turns of chance; every turn is one moment of time.
class AtomicWorld {
 public:
  AtomicWorld(Prng& prng, const GoodHistoryOptions& options)
      : prng_(prng),
        options_(options),
        state_(options.keys, initial_value),
        versions_(options.keys),
        clients_(options.clients) {
    for (std::size_t key = 0; key < options.keys; ++key) {
      keys_.push_back(history_.key("k" + std::to_string(key)));
    }
    for (Client& client : clients_) {
      client.id = ClientId{++last_client_};
    }
  }

  History play() {
    while (history_.operations().size() < options_.operations) {
      turn();
    }
    for (std::size_t client = 0; client < clients_.size(); ++client) {
      while (clients_[client].stage != Stage::idle) {
        turn(clients_[client]);
      }
    }
    return std::move(history_);
  }

 private:
  enum class Stage : std::uint8_t { idle, called, acted };
  struct Client {
    ClientId id{};
    Stage stage = Stage::idle;
    History::Position position = 0;
    std::size_t key = 0;
    std::int64_t result = 0;
    bool fails = false;
    std::size_t seen = 0;  // So many changes.
  };
  struct Version {
    std::size_t change = 0;  // Its number.
    std::int64_t value = initial_value;
  };

  void turn() { turn(clients_[prng_.below(clients_.size())]); }

  void turn(Client& client) {
    ++now_;
    switch (client.stage) {
      case Stage::idle:
        call(client);
        break;
      case Stage::called:
        act(client);
        break;
      case Stage::acted:
        answer(client);
        break;
    }
  }

  void call(Client& client) {
    client.key = prng_.below(options_.keys);
    client.fails = prng_.chance(options_.failures, 100);
    client.stage = Stage::called;
    const std::uint64_t kind = prng_.below(100);
    const KeyId key = keys_[client.key];
    if (kind < options_.writes) {
      client.position = history_.write(client.id, key, ++last_value_, now_);
    } else if (kind < options_.writes + options_.swaps) {
      const std::int64_t expected = prng_.chance(1, 4) ? prng_.between(0, last_value_) : state_[client.key];
      client.position = history_.compare_and_set(client.id, key, expected, ++last_value_, now_);
    } else {
      client.position = history_.read(client.id, key, now_);
    }
  }

  void act(Client& client) {
    client.stage = Stage::acted;
    if (client.fails) {
      return;
    }
    if (prng_.chance(options_.unknowns, 100)) {
      client.id = ClientId{++last_client_};
      client.stage = Stage::idle;
      client.seen = 0;
      if (prng_.chance(1, 2)) {
        return;
      }
    }
    const Operation& operation = history_.operations()[client.position];
    std::int64_t& state = state_[client.key];
    const bool has_expected = operation.kind == Kind::compare_and_set && state == operation.expected;
    if (operation.kind == Kind::read) {
      client.result = read(client);
    } else {
      client.result = has_expected ? 1 : 0;
    }
    if (operation.kind == Kind::write || has_expected) {
      state = operation.value;
      versions_[client.key].push_back({.change = ++changes_, .value = state});
    }
    if (operation.kind != Kind::read) {
      client.seen = changes_;
    }
  }

  std::int64_t read(Client& client) {
    if (prng_.chance(options_.stale_reads, 100)) {
      const std::size_t oldest = std::max(client.seen, changes_ - std::min<std::size_t>(changes_, 20));
      client.seen = oldest + prng_.below(changes_ - oldest + 1);
    } else {
      client.seen = changes_;
    }
    const auto is_seen = [&client](const Version& version) { return version.change <= client.seen; };
    const std::vector<Version>& versions = versions_[client.key];
    const auto newest = std::find_if(versions.rbegin(), versions.rend(), is_seen);
    return newest == versions.rend() ? initial_value : newest->value;
  }

  void answer(Client& client) {
    client.stage = Stage::idle;
    if (client.fails) {
      history_.failed(client.position, now_);
    } else {
      history_.done(client.position, now_, client.result);
    }
  }

  Prng& prng_;
  GoodHistoryOptions options_;
  History history_;
  std::vector<KeyId> keys_;
  std::vector<std::int64_t> state_;
  std::vector<std::vector<Version>> versions_;  // Of each key, oldest first.
  std::size_t changes_ = 0;
  std::vector<Client> clients_;
  std::uint64_t last_client_ = 0;
  std::int64_t last_value_ = 0;
  std::int64_t now_ = 0;
};

Operation any_operation(Prng& prng, const AnyHistoryOptions& options, std::int64_t own_value) {
  Operation operation;
  const std::uint64_t kind = prng.below(options.has_swaps ? 8 : 6);
  operation.kind = kind < 3 ? Kind::read : kind < 6 ? Kind::write : Kind::compare_and_set;
  operation.value = options.has_unique_writes ? own_value : prng.between(0, options.values);
  operation.expected = prng.between(0, options.values);
  if (operation.kind == Kind::read) {
    operation.result = prng.between(0, options.values);
    operation.value = 0;
  }
  if (operation.kind == Kind::compare_and_set) {
    operation.result = prng.between(0, 1);
  } else {
    operation.expected = 0;
  }
  const std::uint64_t outcome = prng.below(12);
  operation.outcome = outcome == 0 ? Outcome::failed : outcome <= 2 ? Outcome::unknown : Outcome::done;
  return operation;
}

// The position of each write to the key is its value.
std::int64_t any_written(Prng& prng, const std::vector<Operation>& operations, KeyId key) {
  std::vector<std::int64_t> written = {initial_value};
  for (const Operation& operation : operations) {
    if (operation.kind == Kind::write && operation.key == key) {
      written.push_back(operation.value);
    }
  }
  return written[prng.below(written.size())];
}

}  // namespace

History make_good_history(Prng& prng, const GoodHistoryOptions& options) {
  return AtomicWorld(prng, options).play();
}

History make_any_history(Prng& prng, const AnyHistoryOptions& options) {
  History history;
  std::vector<Operation> operations;
  std::vector<std::int64_t> free_at(options.clients, 0);
  for (std::size_t i = 0; i < options.operations; ++i) {
    Operation operation = any_operation(prng, options, static_cast<std::int64_t>(i) + 1);
    const std::size_t client = prng.below(options.clients);
    operation.client = ClientId{client + 1};
    operation.key = history.key("k" + std::to_string(prng.below(options.keys)));
    operation.invoked = free_at[client] + prng.between(1, 3);
    const std::int64_t returned = operation.invoked + prng.between(0, 6);
    free_at[client] = operation.outcome == Outcome::unknown ? operation.invoked : returned;
    operation.returned = operation.outcome == Outcome::unknown ? never : returned;
    operations.push_back(operation);
  }
  for (Operation& operation : operations) {
    if (options.has_unique_writes && operation.kind == Kind::read && !prng.chance(1, 50)) {
      operation.result = any_written(prng, operations, operation.key);
    }
    if (operation.outcome != Outcome::done) {
      operation.result = 0;
    }
    history.add(operation);
  }
  return history;
}

}  // namespace quorate::sim
