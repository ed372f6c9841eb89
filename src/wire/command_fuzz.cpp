// Log entries: whatever decodes is the encoding of what it decodes to, but for schemes that are spelt out though they
// have a code.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/ensure.hpp"
#include "wire/command.hpp"
#include "wire/configuration.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace quorate;
  const std::vector<char> exact(data, data + size);
  const ByteView bytes(exact.data(), exact.size());
  std::vector<tree::Identity> scratch;
  if (const auto command = wire::decode_command(bytes, scratch)) {
    std::string again;
    wire::encode_command(again, *command);
    std::vector<tree::Identity> other;
    const auto back = wire::decode_command(again, other);
    ensure(back.has_value() && back->request == command->request, "what was encoded decodes");
    std::string twice;
    wire::encode_command(twice, *back);
    ensure(again == twice, "a command's encoding is stable");
    ensure(again.size() <= bytes.size(), "the encoder takes the shortest form");
    ensure(again.size() < bytes.size() || again == bytes, "but for schemes a command has one encoding");
  }
  if (const auto request = wire::decode_session_request(bytes)) {
    std::string again;
    wire::encode_session_request(again, *request);
    ensure(again == bytes, "a session request has one encoding");
  }
  if (const auto start = wire::decode_term_start(bytes)) {
    std::string again;
    wire::encode_term_start(again, *start);
    ensure(again == bytes, "a term start has one encoding");
  }
  if (const auto configuration = wire::decode_configuration(bytes)) {
    std::string again;
    wire::encode_configuration(again, *configuration);
    ensure(again == bytes, "a configuration has one encoding");
  }
  if (const auto term = wire::decode_term(bytes)) {
    std::string again;
    wire::encode_term(again, *term);
    ensure(again == bytes, "a term has one encoding");
  }
  return 0;
}
