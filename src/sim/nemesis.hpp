#pragma once

// Carries a plan's faults out, and does what operators do: starts what is down, replaces what is lost, changes
// the members. Damage that only peers can mend is done to a minority at a time (F-004).

#include <cstdint>
#include <memory>
#include <vector>

#include "base/prng.hpp"
#include "sim/faults.hpp"
#include "sim/server.hpp"

namespace quorate::sim {

class Nemesis {
 public:
  Nemesis(const Surroundings& around, std::vector<std::unique_ptr<Server>>& servers, Prng prng);

  void begin(const std::vector<Fault>& faults);
  // Everything is well again from now on, as far as machines and links go.
  void heal();

  // Who leads the highest term, if anybody does.
  [[nodiscard]] Server* leader() const;
  [[nodiscard]] const std::vector<std::uint64_t>& counts() const { return counts_; }

 private:
  void strike(const Fault& fault);
  void strike_links(const Fault& fault, Server& server);
  void strike_process(const Fault& fault, Server& server);
  void strike_disk(const Fault& fault, Server& server);
  void strike_members(const Fault& fault);
  void cut_for(const Fault& fault, const std::function<bool(NodeId from, NodeId to)>& is_cut);
  void flap(Server& server, std::int64_t every_us, MonoTime end);
  void storm(Server& server, std::int64_t every_us, MonoTime end);
  void down(Server& server, bool power, std::int64_t for_us);
  void notice_death(const Server& dead);
  void supervise();
  void replace_lost();
  [[nodiscard]] bool may_lose(const Server& server) const;
  [[nodiscard]] Server& chosen(NodeId id) const;
  [[nodiscard]] Server* find(NodeId id) const;
  [[nodiscard]] NodeId neighbour(NodeId id, int step) const;
  // What is put right when its time is over, unless everything was healed before.
  void until(std::int64_t for_us, std::function<void()> undo);

  Surroundings around_;
  std::vector<std::unique_ptr<Server>>& servers_;
  Prng prng_;
  bool is_healed_ = false;
  std::vector<MonoTime> down_until_;
  std::vector<std::uint64_t> counts_;  // By kind.
};

}  // namespace quorate::sim
