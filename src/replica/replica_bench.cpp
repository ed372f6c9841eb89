// CPU a request through Front and Replica together, without sockets and disk: 256 connections of depth 16.

#include <benchmark/benchmark.h>
#include <string>
#include <vector>

#include "replica/testing/harness.hpp"

namespace quorate::replica::testing {
namespace {

constexpr std::size_t connections = 256;
constexpr std::size_t depth = 16;
constexpr std::size_t keys = 10000;

// The shell's part of a turn, as lean as a shell can be: everything is durable at once, every byte leaves at once.
struct Loop {
  Server& server;
  std::vector<Front::Action> actions;
  std::vector<Front::Touch> touches;

  void serve() {
    server.front.serve(server.mail, server.now);
    for (const Submission& submission : server.front.submissions()) {
      if (server.front.is_wanted(submission) && !server.replica.submit(0, submission)) {
        server.front.refused(submission);
      }
    }
    server.front.clear_submissions();
  }

  void turn() {
    server.now = after_us(server.now, 100);
    server.replica.tick(server.now, server.wall);
    serve();
    server.front.take_touches(touches);
    for (const Front::Touch& touch : touches) {
      server.replica.touch(touch.session, touch.at);
    }
    server.replica.take_output(server.output);
    if (server.output.token) {
      server.replica.persisted(*server.output.token);
    }
    while (server.replica.apply(1024)) {
    }
    serve();
    server.front.take_actions(actions);
    for (const Front::Action& action : actions) {
      server.front.sent(action.connection, server.front.outgoing(action.connection).size());
    }
  }
};

void fill(Server& server, std::size_t count) {
  Client client = Client::with_session(server, 40000);
  for (std::size_t i = 0; i < count; ++i) {
    client.post(wire::Opcode::create, create_body("/key" + std::to_string(i), std::string(100, 'x')));
    if (i % 500 == 0) {
      server.run(2);
    }
  }
  server.run(20);
}

void run_requests(benchmark::State& state, const std::vector<std::string>& frames, std::size_t count = keys) {
  ServerOptions options;
  options.front.outstanding_max = 100'000;
  Server server(options);
  fill(server, count);
  std::vector<Client> clients;
  for (std::size_t i = 0; i < connections; ++i) {
    clients.push_back(Client::with_session(server, 40000));
  }
  Loop loop{.server = server, .actions = {}, .touches = {}};
  std::size_t next = 0;
  const std::uint64_t before = server.front.stats().since_reset.traffic.packets_sent;
  for (auto _ : state) {
    for (const Client& client : clients) {
      server.front.receive(client.connection(), frames[next % frames.size()], server.now);
      ++next;
    }
    loop.turn();
  }
  const auto answered = static_cast<std::int64_t>(server.front.stats().since_reset.traffic.packets_sent - before);
  state.SetItemsProcessed(answered);
}

// Each element is one connection's sixteen pipelined requests.
template <class Make>
std::vector<std::string> bursts(Make make, std::size_t count = keys) {
  std::vector<std::string> frames(count / depth);
  for (std::size_t i = 0; i < frames.size(); ++i) {
    for (std::size_t j = 0; j < depth; ++j) {
      frames[i] += make("/key" + std::to_string((i * depth + j) * 7919 % count));
    }
  }
  return frames;
}

void get_data(benchmark::State& state) {
  run_requests(state, bursts([](const std::string& path) {
                 return request_frame(1, wire::Opcode::get_data, watch_body(path));
               }));
}
BENCHMARK(get_data);

// Where each one is a cache miss or more.
void get_data_of_a_million(benchmark::State& state) {
  constexpr std::size_t many = 1'000'000;
  run_requests(
      state,
      bursts([](const std::string& path) { return request_frame(1, wire::Opcode::get_data, watch_body(path)); }, many),
      many);
}
BENCHMARK(get_data_of_a_million);

void set_data(benchmark::State& state) {
  run_requests(state, bursts([](const std::string& path) {
                 return request_frame(1, wire::Opcode::set_data, set_body(path, std::string(100, 'y')));
               }));
}
BENCHMARK(set_data);

void mixed(benchmark::State& state) {  // One set, then fifteen gets that wait for it.
  int count = 0;
  run_requests(state, bursts([&count](const std::string& path) {
                 return count++ % 16 == 0
                            ? request_frame(1, wire::Opcode::set_data, set_body(path, std::string(100, 'y')))
                            : request_frame(1, wire::Opcode::get_data, watch_body(path));
               }));
}
BENCHMARK(mixed);

}  // namespace
}  // namespace quorate::replica::testing
