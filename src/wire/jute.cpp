#include "wire/jute.hpp"

#include <limits>

#include "base/ensure.hpp"

namespace quorate::wire {

namespace {

std::int32_t wire_length(std::size_t bytes) {
  ensure(bytes <= static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()), "lengths on the wire are int32");
  return static_cast<std::int32_t>(bytes);
}

}  // namespace

std::int32_t Reader::read_count(std::size_t element_bytes_min) {
  const std::int32_t count = read_int();
  if (count < 0) {
    return count == null_vector ? null_vector : 0;
  }
  if (static_cast<std::size_t>(count) > remaining() / element_bytes_min) {
    ok_ = false;
    return 0;
  }
  return count;
}

void Writer::write_int(std::int32_t value) {
  append_filled(out_, sizeof value, [value](char* at) { put_big(at, value); });
}

void Writer::write_long(std::int64_t value) {
  append_filled(out_, sizeof value, [value](char* at) { put_big(at, value); });
}

void Writer::write_bool(bool value) {
  out_.push_back(value ? '\1' : '\0');
}

void Writer::write_buffer(ByteView bytes) {
  if (is_null(bytes)) {
    write_int(-1);
    return;
  }
  write_string(bytes);
}

void Writer::write_string(std::string_view text) {
  write_int(wire_length(text.size()));
  out_.append(text);
}

void Writer::patch_int(std::size_t at, std::int32_t value) {
  ensure(at + sizeof value <= out_.size(), "only what was written is overwritten");
  put_big(out_.data() + at, value);
}

std::size_t Writer::begin_frame() {
  const std::size_t frame = out_.size();
  write_int(0);
  return frame;
}

void Writer::end_frame(std::size_t frame) {
  ensure(frame + sizeof(std::int32_t) <= out_.size(), "a frame ends behind its length");
  patch_int(frame, wire_length(out_.size() - frame - sizeof(std::int32_t)));
}

}  // namespace quorate::wire
