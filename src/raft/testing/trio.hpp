#pragma once

// Three cores in one process, messages passed by hand, disks that are durable at once: the core alone, for measuring.

#include <cstddef>
#include <cstdint>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "base/bytes.hpp"
#include "raft/core.hpp"

namespace quorate::raft::testing {

// A turn's commands of 100 bytes, slices of one block as in the server.
inline void fill(std::vector<Blob>& commands, std::size_t count) {
  const Blob arena = Blob::adopt(std::string(count * 100, 'x'));
  commands.clear();
  for (std::size_t i = 0; i < count; ++i) {
    commands.push_back(arena.slice(i * 100, 100));
  }
}

// The first server leads. What is committed is applied at once, everywhere.
class Trio {
 public:
  Trio() {
    Recovered recovered;
    recovered.configuration.members = {Member{.id = NodeId{1}}, Member{.id = NodeId{2}}, Member{.id = NodeId{3}}};
    for (unsigned id = 1; id <= 3; ++id) {
      cores_.emplace_back(Config{.self = NodeId{id}}, recovered, Blob(), Prng(id));
    }
    for (std::int64_t time = 0; cores_.front().role() != Role::leader; time += 100'000) {
      cores_.front().tick(MonoTime{time});
      settle();
    }
  }

  Core& leader() { return cores_.front(); }
  [[nodiscard]] const std::vector<Core>& cores() const { return cores_; }

  void settle() {
    bool has_moved = true;
    while (has_moved) {
      has_moved = false;
      for (Core& core : cores_) {
        if (core.has_output()) {
          pump(core);
          has_moved = true;
        }
      }
    }
  }

 private:
  void pump(Core& core) {
    core.take_output(output_);
    if (output_.token) {
      core.persisted(*output_.token);
    }
    if (!output_.apply.empty()) {
      core.applied(output_.apply.back().back().index);
    }
    pass(core, output_.send);
    pass(core, output_.send_after_sync);
  }

  void pass(Core& from, std::vector<Envelope>& envelopes) {
    for (Envelope& envelope : envelopes) {
      std::ignore = cores_[raw(envelope.to) - 1].step(from.self(), std::move(envelope.message));
    }
  }

  std::vector<Core> cores_;
  Output output_;
};

}  // namespace quorate::raft::testing
