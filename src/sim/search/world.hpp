#pragma once

// The states of a scope and the steps between them. A server's states and the messages are numbered once each, and what
// an input does to a server's state is tried once and remembered; so a state of the whole world is a few numbers.

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sim/explore.hpp"
#include "sim/search/judge.hpp"
#include "sim/search/key_index.hpp"
#include "sim/search/server.hpp"

namespace quorate::sim::search {

inline constexpr std::size_t servers_count = 3;

enum class Act : std::uint8_t { time_out, lose_quorum, beat, propose, change, finish_write, crash, deliver };

struct Action {
  Act act = Act::beat;
  std::uint32_t server = 0;  // From 0; a message's receiver.
  std::uint32_t detail = 0;  // deliver: the message; propose: which one; change: the target.

  [[nodiscard]] std::uint32_t packed() const;
  [[nodiscard]] static Action unpacked(std::uint32_t word);
};

struct Budget {
  std::uint32_t time_outs = 0;  // What was used; below 256, each.
  std::uint32_t proposals = 0;
  std::uint32_t crashes = 0;
  std::uint32_t changes = 0;

  [[nodiscard]] std::uint32_t packed() const {
    return time_outs | (proposals << 8U) | (crashes << 16U) | (changes << 24U);
  }
  [[nodiscard]] static Budget unpacked(std::uint32_t word) {
    return Budget{.time_outs = word & 0xffU,
                  .proposals = (word >> 8U) & 0xffU,
                  .crashes = (word >> 16U) & 0xffU,
                  .changes = word >> 24U};
  }
};

struct State {
  std::array<std::uint32_t, servers_count> servers{};  // Numbers of their states.
  std::uint32_t memory = 0;                            // The judges'.
  Budget budget;
  std::vector<std::uint32_t> messages;  // That may still have an effect, ascending.
};

class World {
 public:
  explicit World(const Scope& scope);

  [[nodiscard]] const State& start() const { return start_; }
  void list_actions(const State& state, std::vector<Action>& into) const;
  // Does `action` in `state`. False: it changes nothing. Sets broken() if it breaks an invariant.
  bool step(const State& state, const Action& action, State& into);
  // What holds in every state.
  [[nodiscard]] std::optional<std::string> judge(const State& state) const;
  [[nodiscard]] const std::optional<std::string>& broken() const { return broken_; }

  // In words: what is about to happen; what happened.
  [[nodiscard]] std::string announce(const Action& action) const;
  [[nodiscard]] std::string describe(const State& before, const Action& action, const State& after) const;
  // Does `actions` with real cores from the start, without anything that was remembered; whether they end in `state`.
  [[nodiscard]] bool replays_to(std::span<const Action> actions, const State& state) const;

  [[nodiscard]] const View& view(std::uint32_t number) const { return views_[number]; }
  [[nodiscard]] const Memory& memory(std::uint32_t number) const { return memories_[number]; }
  [[nodiscard]] std::size_t server_states() const { return server_keys_.size(); }
  [[nodiscard]] std::size_t messages() const { return packets_.size(); }

 private:
  // What the rules for dead messages ask.
  struct Facts {
    std::uint32_t from = 0;
    std::uint32_t to = 0;
    Term term{};
    std::uint64_t campaign = 0;
    std::size_t kind = 0;  // Of the variant.
    bool is_pre = false;
    bool is_granted = false;
  };
  struct Effect {
    std::uint32_t after = 0;
    std::vector<std::uint32_t> sent;
    std::vector<Vote> votes;
    std::optional<std::string> broken;
  };

  std::uint32_t number_server(const Server& server);
  std::uint32_t number_message(const Packet& packet);
  std::uint32_t number_memory(const Memory& memory);
  const Effect& effect(std::uint32_t server, const Action& action);
  void perform(Server& server, const Action& action) const;
  [[nodiscard]] bool is_dead(const Facts& message, const State& state) const;
  void settle_first_leader();
  void note(const State& before, const Action& action, State& after, std::span<const Vote> votes);

  Scope scope_;
  ServerSettings settings_;
  State start_;
  std::vector<Action> setup_;
  KeyIndex server_keys_;
  std::deque<Server> servers_;
  std::deque<View> views_;
  KeyIndex message_keys_;
  std::vector<Packet> packets_;
  std::vector<Facts> facts_;
  KeyIndex memory_keys_;
  std::deque<Memory> memories_;
  KeyIndex effect_keys_;
  std::deque<Effect> effects_;
  std::optional<std::string> broken_;
};

}  // namespace quorate::sim::search
