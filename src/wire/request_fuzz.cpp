// Client frames: header and body of every operation, and handshakes. Whatever is accepted must lie inside the frame and
// be whole.

#include <cstddef>
#include <cstdint>
#include <variant>
#include <vector>

#include "base/ensure.hpp"
#include "wire/requests.hpp"
#include "wire/test_support.hpp"

namespace {

using quorate::ByteView;
using quorate::ensure;

// Multis never hold more than their bytes can name (S-106).
void check_bounds(const quorate::wire::Request& request, std::size_t bytes) {
  if (const auto* multi = std::get_if<quorate::wire::MultiRequest>(&request)) {
    ensure(multi->operations.size() == multi->opcodes.size(), "operations and opcodes are parallel");
    ensure(multi->operations.size() * 9 <= bytes, "each operation has a header");
  }
}

void decode_as(quorate::wire::Opcode opcode, ByteView body) {
  quorate::wire::DecodeScratch scratch;
  quorate::wire::Request request;
  if (quorate::wire::decode_request(opcode, body, scratch, request) == quorate::tree::Status::ok) {
    check_bounds(request, body.size());
    // Touches every byte of every view.
    ensure(quorate::wire::testing::text_of(request).size() < 64 + 64 * (body.size() + 1), "views lie inside the frame");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::vector<char> exact(data, data + size);
  const ByteView frame(exact.data(), exact.size());
  if (const auto connect = quorate::wire::decode_connect(frame)) {
    ensure(connect->password.size() <= frame.size(), "the password lies inside the frame");
  }
  if (const auto header = quorate::wire::decode_header(frame)) {
    if (const auto* info = quorate::wire::find_opcode(header->type)) {
      decode_as(info->opcode, frame.substr(quorate::wire::request_header_bytes));
    }
  }
  // The same bytes as every operation's body, so that one corpus serves them all.
  for (const auto& info : quorate::wire::opcode_table()) {
    decode_as(info.opcode, frame);
  }
  return 0;
}
