#include "sim/register_store.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <type_traits>
#include <utility>
#include <variant>

#include "base/checksum.hpp"
#include "base/ensure.hpp"

namespace quorate::sim {
namespace {

constexpr std::size_t write_bytes = 8 + 4 + 1 + 8 + 8;
constexpr std::size_t header_bytes_about = 64;  // Of a command.

template <class Number>
void put(char*& at, Number number) {
  std::memcpy(at, &number, sizeof number);
  at += sizeof number;
}

template <class Number>
Number take(const char*& at) {
  Number number{};
  std::memcpy(&number, at, sizeof number);
  at += sizeof number;
  return number;
}

std::unexpected<Error> corrupt(const std::string& what) {
  return failure(ErrorCode::corrupt, what);
}

// A register's name says its key, its data its value.
std::string name_of(std::size_t key) {
  return "r" + std::to_string(key);
}

}  // namespace

Blob encode(const RegisterWrite& write, const wire::StreamId& stream, std::size_t padding) {
  std::string request(write_bytes + padding, 'x');
  char* at = request.data();
  put(at, write.mark);
  put(at, write.key);
  put(at, static_cast<std::uint8_t>(write.is_compare_and_set));
  put(at, write.expected);
  put(at, write.value);
  std::string command;
  command.reserve(request.size() + header_bytes_about);
  wire::encode_command(command, wire::Command{.kind = wire::CommandKind::client_request,
                                              .stream = stream,
                                              .number = 1,
                                              .credentials = {},
                                              .opcode = wire::Opcode::set_data,
                                              .request = request});
  return Blob::adopt(std::move(command));
}

Result<RegisterWrite> decode_register_write(const raft::Entry& entry) {
  std::vector<tree::Identity> scratch;
  const Result<wire::Command> command = wire::decode_command(entry.command.view(), scratch);
  if (!command) {
    return std::unexpected(command.error());
  }
  if (command->request.size() < write_bytes) {
    return corrupt("a register's write is too short");
  }
  const char* at = command->request.data();
  RegisterWrite write;
  write.mark = take<std::uint64_t>(at);
  write.key = take<std::uint32_t>(at);
  write.is_compare_and_set = take<std::uint8_t>(at) != 0;
  write.expected = take<std::int64_t>(at);
  write.value = take<std::int64_t>(at);
  return write;
}

std::optional<RegisterStore::Applied> RegisterStore::apply(const raft::Entry& entry) {
  ensure(entry.index == next(position_.index), "each entry is applied once, in order (I-110)");
  position_ = raft::LogId{.term = entry.term, .index = entry.index};
  time_ = std::max(time_, entry.time);
  digest_ = checksum(entry.command.view(), digest_ + raw(entry.term) + raw(entry.index));
  if (entry.kind != raft::EntryKind::command) {
    return std::nullopt;
  }
  const Result<RegisterWrite> write = decode_register_write(entry);
  ensure(write.has_value() && write->key < values_.size(), "only what was proposed is committed");
  Applied applied{.write = *write};
  const std::int64_t value = values_[write->key];
  applied.took_effect = !write->is_compare_and_set || value == write->expected;
  if (applied.took_effect) {
    set(write->key, write->value);
  }
  return applied;
}

void RegisterStore::set(std::size_t key, std::int64_t value) {
  const auto digest_of = [key](const std::int64_t& each) {
    return checksum(ByteView(reinterpret_cast<const char*>(&each), sizeof each), key + 1);
  };
  values_digest_ += digest_of(value) - digest_of(values_[key]);
  values_[key] = value;
}

void RegisterStore::write_items(const std::function<void(const tree::SnapshotItem&)>& write) const {
  write(tree::StateImage{.last_zxid = Zxid{static_cast<std::int64_t>(raw(position_.index))},
                         .last_time = time_,
                         .switches = {},
                         .hash_secret = digest_,
                         .digest = digest(),
                         .znodes = values_.size()});
  for (std::size_t key = 0; key < values_.size(); ++key) {
    const std::string name = name_of(key);
    const std::string data = std::to_string(values_[key]);
    write(tree::ZnodeImage{.slot = tree::Slot{static_cast<std::uint32_t>(key + 1)},
                           .parent = tree::Slot{},
                           .key = key,
                           .name = name,
                           .data = data});
  }
}

void RegisterStore::begin_loading() {
  *this = RegisterStore(values_.size());
}

Result<void> RegisterStore::load(const tree::SnapshotItem& item) {
  if (const auto* state = std::get_if<tree::StateImage>(&item)) {
    time_ = state->last_time;
    digest_ = state->hash_secret;
    expected_digest_ = state->digest;
    return {};
  }
  const auto* register_image = std::get_if<tree::ZnodeImage>(&item);
  if (register_image == nullptr || register_image->key >= values_.size() ||
      register_image->name != name_of(register_image->key)) {
    return corrupt("a snapshot of something else than registers");
  }
  ++loaded_;
  set(register_image->key, std::stoll(std::string(register_image->data)));
  return {};
}

Result<void> RegisterStore::finish_loading() {
  if (loaded_ != values_.size() || digest() != expected_digest_) {
    return corrupt("the registers do not hold together");
  }
  return {};
}

}  // namespace quorate::sim
