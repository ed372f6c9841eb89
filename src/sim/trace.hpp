#pragma once

// What happened, one JSON object a line (docs/simulator.md describes each). Equal seeds give equal bytes (I-501).
// Nothing is put together unless somebody wants it.

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>

#include "base/ids.hpp"
#include "raft/types.hpp"
#include "sim/scheduler.hpp"

namespace quorate::sim {

class Trace {
 public:
  // Gets each line, without its end.
  using Sink = std::function<void(std::string_view line)>;

  Trace(const Scheduler& scheduler, Sink sink) : scheduler_(scheduler), sink_(std::move(sink)) {}

  [[nodiscard]] bool is_on() const { return sink_ != nullptr; }

  void role(NodeId server, raft::Role role, Term term);
  void vote(NodeId server, const raft::HardState& state);
  void append(NodeId server, const raft::Entry& entry);
  void durable(NodeId server, Index index);
  void commit(NodeId server, Index index);
  void apply(NodeId server, const raft::Entry& entry);
  void send(NodeId from, NodeId to, const raft::Message& message);
  void receive(NodeId from, NodeId to, const raft::Message& message);
  void lose(NodeId from, NodeId to);
  // crash, start, fault, heal, snapshot, client ...: in words.
  void event(NodeId server, std::string_view what, std::string_view words = {});

 private:
  void line(NodeId server, std::string_view what, std::string_view fields);

  const Scheduler& scheduler_;
  Sink sink_;
};

// The last lines of a run, bounded.
class RecentLines {
 public:
  explicit RecentLines(std::size_t lines_max) : lines_max_(lines_max) {}
  void add(std::string_view line);
  [[nodiscard]] const std::deque<std::string>& lines() const { return lines_; }

 private:
  std::size_t lines_max_;
  std::deque<std::string> lines_;
};

}  // namespace quorate::sim
