// What a request costs in this room: decode, entry, reply. 100-byte values, as the goals are stated
// (docs/performance.md).

#include <benchmark/benchmark.h>
#include <string>
#include <vector>

#include "wire/batch.hpp"
#include "wire/command.hpp"
#include "wire/jute.hpp"
#include "wire/replies.hpp"
#include "wire/requests.hpp"

namespace quorate::wire {
namespace {

const std::string value(100, 'v');
constexpr std::string_view path = "/bench/node-0000000042";

std::string set_body() {
  std::string body;
  Writer writer(body);
  writer.write_string(path);
  writer.write_buffer(value);
  writer.write_int(-1);
  return body;
}

std::string get_body() {
  std::string body;
  Writer writer(body);
  writer.write_string(path);
  writer.write_bool(false);
  return body;
}

std::string create_body() {
  std::string body;
  Writer writer(body);
  writer.write_string(path);
  writer.write_buffer(value);
  writer.write_int(1);
  writer.write_int(31);
  writer.write_string("world");
  writer.write_string("anyone");
  writer.write_int(0);
  return body;
}

void decode(benchmark::State& state, Opcode opcode, const std::string& body) {
  DecodeScratch scratch;
  Request request;
  for (auto _ : state) {
    benchmark::DoNotOptimize(decode_request(opcode, body, scratch, request));
    benchmark::DoNotOptimize(request);
  }
}
BENCHMARK_CAPTURE(decode, set, Opcode::set_data, set_body());
BENCHMARK_CAPTURE(decode, get, Opcode::get_data, get_body());
BENCHMARK_CAPTURE(decode, create, Opcode::create, create_body());

// As a connection does: replies pile up, one send takes them all.
template <class Encode>
void encode(benchmark::State& state, Encode one) {
  std::string out;
  for (auto _ : state) {
    one(out);
    if (out.size() > 60000) {
      out.clear();
    }
  }
  benchmark::DoNotOptimize(out);
}

void encode_get_reply(benchmark::State& state) {
  encode(state, [](std::string& out) { encode_data_reply(out, {.xid = 7, .zxid = Zxid{8}}, value, tree::Stat{}); });
}
BENCHMARK(encode_get_reply);

void encode_set_reply(benchmark::State& state) {
  const tree::OperationResult result;
  encode(state,
         [&](std::string& out) { encode_write_reply(out, {.xid = 7, .zxid = Zxid{8}}, Opcode::set_data, result); });
}
BENCHMARK(encode_set_reply);

void encode_create_reply(benchmark::State& state) {
  tree::OperationResult result;
  result.path = path;
  encode(state,
         [&](std::string& out) { encode_write_reply(out, {.xid = 7, .zxid = Zxid{8}}, Opcode::create, result); });
}
BENCHMARK(encode_create_reply);

Command set_command(const std::string& body, const std::vector<tree::Identity>& credentials) {
  Command command;
  command.kind = CommandKind::client_request;
  command.stream = {.server = NodeId{1}, .incarnation = 0x1122334455667788, .start = 3};
  command.number = 1000000;
  command.session = SessionId{0x0100000000001234};
  command.generation = 1;
  command.credentials = credentials;
  command.xid = 5000;
  command.opcode = Opcode::set_data;
  command.request = body;
  return command;
}

void encode_set_command(benchmark::State& state) {
  const std::string body = set_body();
  const std::vector<tree::Identity> credentials = {{"ip", "127.0.0.1"}};
  const Command command = set_command(body, credentials);
  encode(state, [&](std::string& out) { encode_command(out, command); });
}
BENCHMARK(encode_set_command);

void decode_set_command(benchmark::State& state) {
  const std::string body = set_body();
  const std::vector<tree::Identity> credentials = {{"ip", "127.0.0.1"}};
  std::string bytes;
  encode_command(bytes, set_command(body, credentials));
  std::vector<tree::Identity> scratch;
  for (auto _ : state) {
    benchmark::DoNotOptimize(decode_command(bytes, scratch));
  }
  state.counters["bytes beside the body"] = static_cast<double>(bytes.size() - body.size());
}
BENCHMARK(decode_set_command);

// A batch of 256, each entry's share.
void encode_batch_of_256(benchmark::State& state) {
  const std::string body = set_body();
  std::vector<raft::Entry> entries;
  for (std::uint64_t i = 1; i <= 256; ++i) {
    entries.push_back({.term = Term{1},
                       .index = Index{i},
                       .time = WallTime{1},
                       .kind = raft::EntryKind::command,
                       .command = Blob::copy(body)});
  }
  std::string out;
  for (auto _ : state) {
    out.clear();
    encode_batch(out, entries);
  }
  state.SetItemsProcessed(state.iterations() * 256);
}
BENCHMARK(encode_batch_of_256);

}  // namespace
}  // namespace quorate::wire
