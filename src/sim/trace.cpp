#include "sim/trace.hpp"

#include <fmt/format.h>
#include <iterator>

#include "raft/describe.hpp"

namespace quorate::sim {
namespace {

// All text here is made by the program; quotes and backslashes are all that could stand in it.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
    }
    out += c;
  }
  return out + '"';
}

std::string id_fields(Term term, Index index) {
  return fmt::format(R"("term":{},"index":{})", raw(term), raw(index));
}

std::string_view name_of(raft::EntryKind kind) {
  switch (kind) {
    case raft::EntryKind::noop:
      return "noop";
    case raft::EntryKind::command:
      return "command";
    case raft::EntryKind::configuration:
      return "configuration";
  }
  return "?";
}

}  // namespace

void Trace::line(NodeId server, std::string_view what, std::string_view fields) {
  std::string text = fmt::format(R"({{"us":{},"server":{},"event":"{}")", raw(scheduler_.now()), raw(server), what);
  if (!fields.empty()) {
    text += ',';
    text += fields;
  }
  text += '}';
  sink_(text);
}

void Trace::role(NodeId server, raft::Role role, Term term) {
  if (is_on()) {
    line(server, "role", fmt::format(R"("role":"{}","term":{})", raft::describe(role), raw(term)));
  }
}

void Trace::vote(NodeId server, const raft::HardState& state) {
  if (is_on()) {
    line(server, "vote", fmt::format(R"("term":{},"for":{})", raw(state.term), raw(state.vote)));
  }
}

void Trace::append(NodeId server, const raft::Entry& entry) {
  if (is_on()) {
    line(server, "append",
         fmt::format(R"({},"kind":"{}","bytes":{})", id_fields(entry.term, entry.index), name_of(entry.kind),
                     entry.command.size()));
  }
}

void Trace::durable(NodeId server, Index index) {
  if (is_on()) {
    line(server, "durable", fmt::format(R"("index":{})", raw(index)));
  }
}

void Trace::commit(NodeId server, Index index) {
  if (is_on()) {
    line(server, "commit", fmt::format(R"("index":{})", raw(index)));
  }
}

void Trace::apply(NodeId server, const raft::Entry& entry) {
  if (is_on()) {
    line(server, "apply", id_fields(entry.term, entry.index));
  }
}

void Trace::send(NodeId from, NodeId to, const raft::Message& message) {
  if (is_on()) {
    line(from, "send", fmt::format(R"("to":{},"message":{})", raw(to), quoted(raft::describe(message))));
  }
}

void Trace::receive(NodeId from, NodeId to, const raft::Message& message) {
  if (is_on()) {
    line(to, "receive", fmt::format(R"("from":{},"message":{})", raw(from), quoted(raft::describe(message))));
  }
}

void Trace::lose(NodeId from, NodeId to) {
  if (is_on()) {
    line(from, "lost", fmt::format(R"("to":{})", raw(to)));
  }
}

void Trace::event(NodeId server, std::string_view what, std::string_view words) {
  if (is_on()) {
    line(server, what, words.empty() ? std::string() : fmt::format(R"("words":{})", quoted(words)));
  }
}

void RecentLines::add(std::string_view line) {
  if (lines_.size() == lines_max_) {
    lines_.pop_front();
  }
  lines_.emplace_back(line);
}

}  // namespace quorate::sim
