// How long one request may hold the loop: what walks over 100,000 children, ephemerals, watches, events or sessions
// (design chapter 7 allows 1 ms a slice). Each figure is the longest single call into Front or Replica.

#include <algorithm>
#include <benchmark/benchmark.h>
#include <ctime>
#include <string>
#include <utility>
#include <vector>

#include "replica/testing/harness.hpp"
#include "wire/snapshot_format.hpp"

namespace quorate::replica::testing {
namespace {

using wire::Opcode;

constexpr int many = 100'000;

// What else the machine does is no part of the figures.
double processor_seconds() {
  timespec now{};
  (void)::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// A server's turn by turn calls, timed one by one.
class Stopwatch {
 public:
  explicit Stopwatch(Server& server) : server_(server) {}

  void turn() {
    time([&] { server_.replica.tick(server_.now, server_.wall); });
    bool more = true;
    while (more) {
      time([&] { more = server_.front.serve(server_.mail, server_.now); });
      for (const Submission& submission : server_.front.submissions()) {
        (void)server_.replica.submit(0, submission);
      }
      server_.front.clear_submissions();
    }
    server_.replica.take_output(server_.output);
    if (server_.output.token) {
      server_.replica.persisted(*server_.output.token);
    }
    time([&] { (void)server_.replica.apply(8192); });
    more = true;
    while (more) {
      time([&] { more = server_.front.serve(server_.mail, server_.now); });
    }
    time([&] { server_.front.tick(server_.now); });
    server_.front.take_actions(actions_);
    for (const Front::Action& action : actions_) {
      server_.front.sent(action.connection, server_.front.outgoing(action.connection).size());
      if (action.close) {
        server_.front.closed(action.connection);
      }
    }
  }
  template <class Call>
  void time(const Call& call) {
    const double start = processor_seconds();
    call();
    longest_ = std::max(longest_, processor_seconds() - start);
  }
  [[nodiscard]] double longest() const { return longest_; }

 private:
  Server& server_;
  std::vector<Front::Action> actions_;
  double longest_ = 0;
};

ServerOptions wide() {
  ServerOptions options;
  options.front.frame_bytes_max = 64U << 20;
  options.front.pipeline_bytes_max = 128U << 20;
  options.front.outgoing_bytes_pause = 64U << 20;
  options.front.outgoing_bytes_max = 512U << 20;
  return options;
}

std::string path_of(int number) {
  return "/parent/child" + std::to_string(number);
}

void create_many(Server& server, Client& client, std::int32_t flags) {
  client.create("/parent");
  for (int number = 0; number < many; ++number) {
    client.post(Opcode::create, create_body(path_of(number), "", flags));
    if (number % 500 == 499) {
      server.run(2);
    }
  }
  server.run(4);
  client.raw_output().clear();
}

template <class Prepare, class Ask>
void measure(benchmark::State& state, const Prepare& prepare, const Ask& ask) {
  for (auto _ : state) {
    Server server(wide());
    Client client = Client::with_session(server, 40000);
    prepare(server, client);
    Stopwatch watch(server);
    ask(server, client, watch);
    for (int turn = 0; turn < 3; ++turn) {
      watch.turn();
    }
    state.SetIterationTime(watch.longest());
  }
}

void children(Server& server, Client& client) {
  create_many(server, client, 0);
}
void ephemerals(Server& server, Client& client) {
  create_many(server, client, 1);
}

std::string watches_body(int data, int persistent) {
  Body body;
  body.wide(0);
  std::vector<std::string> paths;
  for (int number = 0; number < std::max(data, persistent); ++number) {
    paths.push_back(path_of(number));
  }
  const std::vector<std::string> none;
  body.list(data > 0 ? paths : none).list(none).list(none).list(persistent > 0 ? paths : none).list(none);
  return body.bytes;
}

void watches(Server& server, Client& client) {
  children(server, client);
  client.call(Opcode::set_watches2, watches_body(0, many));
}

void get_children(benchmark::State& state) {
  measure(state, children,
          [](Server&, Client& client, Stopwatch&) { client.post(Opcode::get_children, watch_body("/parent")); });
}
void get_ephemerals(benchmark::State& state) {
  measure(state, ephemerals,
          [](Server&, Client& client, Stopwatch&) { client.post(Opcode::get_ephemerals, Body().text("").bytes); });
}
void close_session_with_ephemerals(benchmark::State& state) {
  measure(state, ephemerals, [](Server&, Client& client, Stopwatch&) { client.post(Opcode::close_session); });
}
void set_watches_missed(benchmark::State& state) {  // All events to be told.
  measure(state, children,
          [](Server&, Client& client, Stopwatch&) { client.post(Opcode::set_watches2, watches_body(many, 0)); });
}
void set_watches_added(benchmark::State& state) {
  measure(state, children,
          [](Server&, Client& client, Stopwatch&) { client.post(Opcode::set_watches2, watches_body(0, many)); });
}
void close_connection_with_watches(benchmark::State& state) {
  measure(state, watches, [](Server&, Client& client, Stopwatch& watch) { watch.time([&] { client.hang_up(); }); });
}
void remove_one_of_many_watches(benchmark::State& state) {
  measure(state, watches, [](Server&, Client& client, Stopwatch&) {
    client.post(Opcode::remove_watches, Body().text(path_of(7)).number(3).bytes);
  });
}
// Another session ends with all its ephemerals, and this client watches each of them.
void drain_many_events(benchmark::State& state) {
  for (auto _ : state) {
    Server server(wide());
    Client watcher = Client::with_session(server, 40000);
    Client owner = Client::with_session(server, 40000);
    create_many(server, owner, 1);
    watcher.call(Opcode::set_watches2, watches_body(0, many));
    owner.post(Opcode::close_session);
    server.front.serve(server.mail, server.now);
    for (const Submission& submission : server.front.submissions()) {
      (void)server.replica.submit(0, submission);
    }
    server.front.clear_submissions();
    server.replica.take_output(server.output);
    server.replica.persisted(*server.output.token);
    (void)server.replica.apply(8192);
    Stopwatch watch(server);
    watch.turn();
    state.SetIterationTime(watch.longest());
  }
}
void expire_many_sessions(benchmark::State& state) {
  for (auto _ : state) {
    Server server(wide());
    for (int group = 0; group < many / 1000; ++group) {
      std::vector<Client> clients;
      for (int number = 0; number < 1000; ++number) {
        clients.emplace_back(server).send(connect_frame(4000));
      }
      server.run(2);
      for (Client& client : clients) {
        client.hang_up();
      }
    }
    server.run(2);
    server.advance_ms(500);
    Stopwatch watch(server);
    for (int turn = 0; turn < 20; ++turn) {
      watch.turn();
      server.advance_ms(500);
    }
    state.SetIterationTime(watch.longest());
    state.counters["left"] = static_cast<double>(server.replica.expiry().size());
  }
}

// What is handed over before the first slice: sessions, the state, and every list of ACLs.
void begin_snapshot_of_many_acls(benchmark::State& state) {
  for (auto _ : state) {
    Server server(wide());
    Client client = Client::with_session(server, 40000);
    for (int number = 0; number < many; ++number) {
      const std::string user = "user" + std::to_string(number) + ":m4nyD1ff3r3ntP4ssw0rdsH4sh3d=";
      client.post(Opcode::create, Body()
                                      .text("/n" + std::to_string(number))
                                      .buffer("")
                                      .number(1)
                                      .number(31)
                                      .text("digest")
                                      .text(user)
                                      .number(0)
                                      .bytes);
      if (number % 500 == 499) {
        server.run(2);
        client.raw_output().clear();
      }
    }
    server.run(4);
    std::string items;
    Stopwatch watch(server);
    watch.time([&] {
      (void)server.replica.begin_snapshot([&items](const tree::SnapshotItem& item) { wire::encode_item(items, item); });
    });
    state.SetIterationTime(watch.longest());
    state.counters["bytes"] = static_cast<double>(items.size());
    server.replica.abandon_snapshot();
  }
}

// With a frame's usual limit, on which the bound of the reply depends.
void multi_read_too_much(benchmark::State& state) {
  for (auto _ : state) {
    Server server;
    Client client = Client::with_session(server, 40000);
    client.create("/big", std::string(900'000, 'x'));
    Body body;
    for (int i = 0; i < 280; ++i) {
      body.number(4).flag(false).number(-1).text("/big").flag(false);
    }
    body.number(-1).flag(true).number(-1);
    Stopwatch watch(server);
    for (int i = 0; i < 64; ++i) {
      client.post(Opcode::multi_read, body.bytes);
    }
    watch.turn();
    state.SetIterationTime(watch.longest());
  }
}

// Of several, the quickest.
void once_and_again(benchmark::internal::Benchmark* benchmark) {
  benchmark->UseManualTime()->Iterations(1)->Repetitions(4)->Unit(benchmark::kMillisecond);
  benchmark->ComputeStatistics("least", [](const std::vector<double>& all) { return *std::ranges::min_element(all); });
  benchmark->ReportAggregatesOnly();
}

BENCHMARK(get_children)->Apply(once_and_again);
BENCHMARK(get_ephemerals)->Apply(once_and_again);
BENCHMARK(close_session_with_ephemerals)->Apply(once_and_again);
BENCHMARK(set_watches_missed)->Apply(once_and_again);
BENCHMARK(set_watches_added)->Apply(once_and_again);
BENCHMARK(close_connection_with_watches)->Apply(once_and_again);
BENCHMARK(remove_one_of_many_watches)->Apply(once_and_again);
BENCHMARK(multi_read_too_much)->Apply(once_and_again);
BENCHMARK(begin_snapshot_of_many_acls)->Apply(once_and_again);
BENCHMARK(drain_many_events)->Apply(once_and_again);
BENCHMARK(expire_many_sessions)->Apply(once_and_again);

}  // namespace
}  // namespace quorate::replica::testing
