// Random bytes and nearly right frames into a whole server in memory. Whatever clients send, replies keep their order,
// no assertion breaks, and the tree's digest agrees with what a walk of it yields.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/ensure.hpp"
#include "replica/testing/harness.hpp"

namespace quorate::replica::testing {
namespace {

// Takes the input apart; zeros once it is used up.
class Script {
 public:
  Script(const std::uint8_t* data, std::size_t size) : data_(data), left_(size) {}
  [[nodiscard]] bool is_over() const { return left_ == 0; }
  std::uint8_t byte() {
    if (left_ == 0) {
      return 0;
    }
    --left_;
    return *data_++;
  }
  std::string bytes(std::size_t count) {
    std::string taken;
    while (taken.size() < count && left_ > 0) {
      taken.push_back(static_cast<char>(byte()));
    }
    return taken;
  }

 private:
  const std::uint8_t* data_;
  std::size_t left_;
};

std::string body_for(Script& script, wire::Opcode opcode) {
  static const std::vector<std::string> paths = {"/a", "/a/b", "/", "/zookeeper", "/a/b/c", "/s-", "", "x"};
  const std::string& path = paths[script.byte() % paths.size()];
  switch (opcode) {
    case wire::Opcode::create:
    case wire::Opcode::create2:
    case wire::Opcode::create_container:
      return create_body(path, script.bytes(script.byte() % 8U), script.byte() % 8);
    case wire::Opcode::set_data:
      return set_body(path, script.bytes(script.byte() % 8U), script.byte() % 3 - 1);
    case wire::Opcode::remove:
      return delete_body(path, script.byte() % 3 - 1);
    case wire::Opcode::add_watch:
    case wire::Opcode::check_watches:
    case wire::Opcode::remove_watches:
      return Body().text(path).number(script.byte() % 6).bytes;
    case wire::Opcode::set_watches2:
      return Body().wide(script.byte()).list({path}).list({path}).list({path}).list({path}).list({path}).bytes;
    case wire::Opcode::set_acl:
      return Body().text(path).open_acl().number(script.byte() % 3 - 1).bytes;
    case wire::Opcode::auth:
      return Body().number(0).text(script.byte() % 2 == 0 ? "digest" : "ip").buffer(script.bytes(4)).bytes;
    default:
      return watch_body(path, script.byte() % 2 == 0);
  }
}

// A client, and whether all it has sent so far was whole requests with xids of its own.
struct Actor {
  Client client;
  bool is_orderly = true;
};

void send_something(Script& script, Actor& actor) {
  Client& client = actor.client;
  static const std::vector<wire::Opcode> opcodes = [] {
    std::vector<wire::Opcode> all;
    for (const wire::OpcodeInfo& info : wire::opcode_table()) {
      all.push_back(info.opcode);
    }
    return all;
  }();
  const wire::Opcode opcode = opcodes[script.byte() % opcodes.size()];
  const int how = script.byte() % 8;
  actor.is_orderly = actor.is_orderly && how > 1;
  switch (how) {
    case 0:
      client.send(script.bytes(script.byte()));
      break;
    case 1:
      client.send(framed(script.bytes(script.byte())));
      break;
    case 2:
      client.post(opcode, script.bytes(script.byte()));
      break;
    case 3:
      client.send(connect_frame(script.byte() * 100, script.byte() % 4 == 0 ? client.session.session : 0,
                                client.session.password));
      break;
    default:
      client.post(opcode, body_for(script, opcode));
  }
}

void check_replies(Client& client) {
  std::int32_t newest = 0;
  while (const auto reply = client.take()) {
    if (reply->xid > 0) {
      ensure(reply->xid > newest, "replies leave in the order of the requests");
      newest = reply->xid;
    }
  }
}

void run_script(Script script) {
  ServerOptions options;
  options.front.outstanding_max = 8;
  options.front.pipeline_bytes_max = 4096;
  options.front.outgoing_bytes_pause = 4096;
  options.switches.extended_types = true;
  options.container_check_ms = 1000;
  options.front.throttled_op_wait_ms = script.byte() % 2 == 0 ? 0 : 500;
  Server server(options);
  std::vector<Actor> actors;
  for (int i = 0; i < 3; ++i) {
    actors.push_back(Actor{.client = Client::with_session(server, 4000)});
  }
  while (!script.is_over()) {
    const std::uint8_t choice = script.byte();
    Actor& actor = actors[choice % actors.size()];
    switch (choice / 16) {
      case 0:
        server.set_disk_slow(true);
        break;
      case 1:
        server.set_disk_slow(false);
        server.finish_disk();
        break;
      case 2:
        server.advance_ms(script.byte() * 10);
        break;
      case 3:
        actor.client.hang_up();
        actor = Actor{.client = Client(server), .is_orderly = false};
        break;
      case 4:
        server.replica.set_disk_space(static_cast<DiskSpace>(script.byte() % 3));
        break;
      case 5:
      case 6:
        server.run(1);
        break;
      default:
        send_something(script, actor);
    }
  }
  server.set_disk_slow(false);
  server.replica.set_disk_space(DiskSpace::enough);
  server.run(20);
  ensure(server.replica.tree().digest() == server.replica.tree().recompute_digest(), "the digest is kept right");
  for (Actor& actor : actors) {
    if (actor.is_orderly) {
      check_replies(actor.client);
    }
  }
}

}  // namespace
}  // namespace quorate::replica::testing

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  quorate::replica::testing::run_script({data, size});
  return 0;
}
