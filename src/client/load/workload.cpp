#include "client/load/workload.hpp"

#include <array>
#include <cstring>
#include <span>

#include "base/ensure.hpp"
#include "wire/jute.hpp"

namespace quorate::client::load {

namespace {

constexpr std::size_t directory_digits = 7;
constexpr std::size_t key_digits = 9;
constexpr std::size_t directory_tail_bytes = 2 + directory_digits;  // "/d0000000", and then "/k000000000"
constexpr std::size_t stat_bytes = 68;
constexpr std::size_t stat_data_length_offset = 52;
constexpr std::size_t length_bytes = 4;
constexpr std::int32_t any_version = -1;
constexpr std::int32_t permission_all = 31;
constexpr std::size_t multi_header_bytes = 9;

using Digits = std::array<char, key_digits>;

Digits digits_of(std::uint64_t key) {
  ensure(key < keys_max, "a key's number has nine digits");
  Digits digits{};
  for (std::size_t place = key_digits; place-- > 0;) {
    digits[place] = static_cast<char>('0' + key % 10);
    key /= 10;
  }
  return digits;
}

// splitmix64 (Steele, Lea, Flood 2014): the bytes of a value, different for each key.
std::uint64_t scrambled(std::uint64_t state) {
  state = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9U;
  state = (state ^ (state >> 27)) * 0x94D049BB133111EBU;
  return state ^ (state >> 31);
}

void write_multi_header(wire::Writer& writer, std::int32_t type, bool is_done) {
  writer.write_int(type);
  writer.write_bool(is_done);
  writer.write_int(-1);
}

}  // namespace

std::string create_body(std::string_view path, ByteView data, std::int32_t flags) {
  std::string body;
  wire::Writer writer(body);
  writer.write_string(path);
  writer.write_buffer(data);
  writer.write_int(1);
  writer.write_int(permission_all);
  writer.write_string("world");
  writer.write_string("anyone");
  writer.write_int(flags);
  return body;
}

Workload::Workload(const Layout& layout)
    : layout_(layout),
      path_(layout.root + "/d0000000/k000000000"),
      expected_value_(layout.value_bytes, '\0'),
      set_(plan_set()),
      get_(plan_path_request(wire::Opcode::get_data, true)),
      exists_(plan_path_request(wire::Opcode::exists, true)),
      multi_(plan_multi()),
      create_(plan_create()),
      remove_(plan_path_request(wire::Opcode::remove, false)) {
  ensure(layout.keys > 0 && layout.keys <= keys_max, "a load has keys, at most what nine digits name");
  const std::string directory = path_.substr(0, layout.root.size() + directory_tail_bytes);
  directory_frame_ = make_frame(wire::Opcode::create, create_body(directory, {}, 0));
  std::string body;
  wire::Writer writer(body);
  writer.write_string(directory);
  writer.write_bool(false);
  children_frame_ = make_frame(wire::Opcode::get_children, body);
}

Workload::Template Workload::plan_path_request(wire::Opcode opcode, bool is_watch) const {
  std::string body;
  wire::Writer writer(body);
  writer.write_string(path_);
  if (is_watch) {
    writer.write_bool(false);
  } else {
    writer.write_int(any_version);
  }
  return Template{.frame = make_frame(opcode, body), .path = frame_prefix_bytes + length_bytes};
}

Workload::Template Workload::plan_set() const {
  std::string body;
  wire::Writer writer(body);
  writer.write_string(path_);
  const std::size_t value = body.size() + length_bytes;
  writer.write_buffer(expected_value_);
  writer.write_int(any_version);
  return Template{.frame = make_frame(wire::Opcode::set_data, body),
                  .path = frame_prefix_bytes + length_bytes,
                  .value = frame_prefix_bytes + value};
}

Workload::Template Workload::plan_create() const {
  const std::size_t path = frame_prefix_bytes + length_bytes;
  return Template{.frame = make_frame(wire::Opcode::create, create_body(path_, expected_value_, 0)),
                  .path = path,
                  .value = path + path_.size() + length_bytes};
}

Workload::Template Workload::plan_multi() const {
  Template plan;
  std::string body;
  wire::Writer writer(body);
  write_multi_header(writer, std::to_underlying(wire::Opcode::check), false);
  plan.path = frame_prefix_bytes + body.size() + length_bytes;
  writer.write_string(path_);
  writer.write_int(any_version);
  write_multi_header(writer, std::to_underlying(wire::Opcode::set_data), false);
  plan.neighbour_path = frame_prefix_bytes + body.size() + length_bytes;
  writer.write_string(path_);
  plan.neighbour_value = frame_prefix_bytes + body.size() + length_bytes;
  writer.write_buffer(expected_value_);
  writer.write_int(any_version);
  write_multi_header(writer, -1, true);
  plan.frame = make_frame(wire::Opcode::multi, body);
  return plan;
}

void Workload::place_path(std::string& bytes, std::size_t at, std::uint64_t key) const {
  const Digits digits = digits_of(key);
  char* tail = bytes.data() + at + layout_.root.size();
  std::memcpy(tail + 2, digits.data(), directory_digits);
  std::memcpy(tail + 2 + directory_digits + 2, digits.data(), key_digits);
}

void Workload::place_value(std::string& bytes, std::size_t at, std::uint64_t key) const {
  char* value = bytes.data() + at;
  for (std::size_t done = 0; done < layout_.value_bytes; done += 8) {
    const std::uint64_t word = scrambled((key + 1) * 0x9E3779B97F4A7C15U + done);
    std::memcpy(value + done, &word, std::min<std::size_t>(8, layout_.value_bytes - done));
  }
  const Digits digits = digits_of(key);
  std::memcpy(value, digits.data(), std::min(digits.size(), layout_.value_bytes));
}

ByteView Workload::filled(Template& plan, std::uint64_t key) const {
  place_path(plan.frame, plan.path, key);
  if (plan.value != 0) {
    place_value(plan.frame, plan.value, key);
  }
  if (plan.neighbour_path != 0) {
    place_path(plan.frame, plan.neighbour_path, neighbour(key));
    place_value(plan.frame, plan.neighbour_value, neighbour(key));
  }
  return plan.frame;
}

ByteView Workload::set_frame(std::uint64_t key) {
  return filled(set_, key);
}
ByteView Workload::get_frame(std::uint64_t key) {
  return filled(get_, key);
}
ByteView Workload::exists_frame(std::uint64_t key) {
  return filled(exists_, key);
}
ByteView Workload::multi_frame(std::uint64_t key) {
  return filled(multi_, key);
}
ByteView Workload::create_key_frame(std::uint64_t key) {
  return filled(create_, key);
}
ByteView Workload::remove_key_frame(std::uint64_t key) {
  return filled(remove_, key);
}

ByteView Workload::children_frame(std::uint64_t key) {
  const Digits digits = digits_of(key);
  char* tail = children_frame_.data() + frame_prefix_bytes + length_bytes + layout_.root.size();
  std::memcpy(tail + 2, digits.data(), directory_digits);
  return children_frame_;
}

ByteView Workload::create_directory_frame(std::uint64_t directory) {
  const Digits digits = digits_of(directory * keys_a_directory);
  char* tail = directory_frame_.data() + frame_prefix_bytes + length_bytes + layout_.root.size();
  std::memcpy(tail + 2, digits.data(), directory_digits);
  return directory_frame_;
}

std::string_view Workload::key_path(std::uint64_t key) {
  place_path(path_, 0, key);
  return path_;
}

std::string_view Workload::judge(Kind kind, std::uint64_t key, ByteView body) {
  switch (kind) {
    case Kind::set:
    case Kind::exists:
      return judge_stat(body);
    case Kind::get:
      return judge_data(key, body);
    case Kind::children:
      return judge_children(key, body);
    case Kind::multi:
      return judge_multi(body);
    case Kind::create: {
      wire::Reader reader(body);
      return reader.read_string() == key_path(key) ? std::string_view{} : "create names another path than was asked";
    }
    case Kind::lock:
      break;
  }
  fail("a lock cycle is judged by its owner, step by step");
}

std::string_view Workload::judge_stat(ByteView stat) const {
  if (stat.size() != stat_bytes) {
    return "a Stat has another length than 68 bytes";
  }
  return wire::Reader(stat.substr(stat_data_length_offset)).read_int() == static_cast<std::int32_t>(layout_.value_bytes)
             ? std::string_view{}
             : "a Stat says another data length than was written";
}

std::string_view Workload::judge_data(std::uint64_t key, ByteView body) {
  if (body.size() != length_bytes + layout_.value_bytes + stat_bytes) {
    return "the data has another length than was written";
  }
  place_value(expected_value_, 0, key);
  if (body.substr(length_bytes, layout_.value_bytes) != expected_value_) {
    return "the data is not what was written to this key";
  }
  return judge_stat(body.substr(length_bytes + layout_.value_bytes));
}

std::string_view Workload::judge_children(std::uint64_t key, ByteView body) const {
  const std::uint64_t first = key / keys_a_directory * keys_a_directory;
  const std::uint64_t expected = std::min(keys_a_directory, layout_.keys - first);
  wire::Reader reader(body);
  const std::int32_t count = reader.read_count(length_bytes);
  if (!reader.ok() || static_cast<std::uint64_t>(count) != expected) {
    return "the directory has another number of children than were made";
  }
  for (std::int32_t child = 0; child < count; ++child) {
    if (reader.read_string().size() != 1 + key_digits) {
      return "a child has another name than was made";
    }
  }
  return {};
}

std::string_view Workload::judge_multi(ByteView body) const {
  constexpr std::size_t body_bytes = 3 * multi_header_bytes + stat_bytes;
  if (body.size() != body_bytes) {
    return "the transaction's results have another shape than its operations";
  }
  if (wire::Reader(body.substr(multi_header_bytes)).read_int() != std::to_underlying(wire::Opcode::set_data)) {
    return "the transaction's second result is not of setData";
  }
  return judge_stat(body.substr(2 * multi_header_bytes, stat_bytes));
}

}  // namespace quorate::client::load
