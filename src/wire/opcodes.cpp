#include "wire/opcodes.hpp"

#include <array>
#include <cstddef>
#include <utility>

namespace quorate::wire {

namespace {

// Ordered by number. `check` lives inside multi only, createSession and error are the servers' own (protocol 3.21).
constexpr auto opcodes = std::to_array<OpcodeInfo>({
    {Opcode::create_session, "createSession", "SESS", OpClass::internal, false},
    {Opcode::close_session, "closeSession", "CLOS", OpClass::write, true},
    {Opcode::error, "error", "NA", OpClass::internal, false},
    {Opcode::create, "create", "CREA", OpClass::write, true},
    {Opcode::remove, "delete", "DELE", OpClass::write, true},
    {Opcode::exists, "exists", "EXIS", OpClass::read, true},
    {Opcode::get_data, "getData", "GETD", OpClass::read, true},
    {Opcode::set_data, "setData", "SETD", OpClass::write, true},
    {Opcode::get_acl, "getACL", "GETA", OpClass::read, true},
    {Opcode::set_acl, "setACL", "SETA", OpClass::write, true},
    {Opcode::get_children, "getChildren", "GETC", OpClass::read, true},
    {Opcode::sync, "sync", "SYNC", OpClass::barrier, true},
    {Opcode::ping, "ping", "PING", OpClass::session, true},
    {Opcode::get_children2, "getChildren2", "GETC", OpClass::read, true},
    {Opcode::check, "check", "CHEC", OpClass::write, false},
    {Opcode::multi, "multi", "MULT", OpClass::write, true},
    {Opcode::create2, "create2", "CREA", OpClass::write, true},
    {Opcode::reconfig, "reconfig", "RECO", OpClass::write, true},
    {Opcode::check_watches, "checkWatches", "CHKW", OpClass::read, true},
    {Opcode::remove_watches, "removeWatches", "REMW", OpClass::local, true},
    {Opcode::create_container, "createContainer", "CREA", OpClass::write, true},
    {Opcode::delete_container, "deleteContainer", "DELE", OpClass::internal, true},
    {Opcode::create_ttl, "createTTL", "CREA", OpClass::write, true},
    {Opcode::multi_read, "multiRead", "MLTR", OpClass::read, true},
    {Opcode::auth, "auth", "NA", OpClass::connection, true},
    {Opcode::set_watches, "setWatches", "SETW", OpClass::local, true},
    {Opcode::sasl, "sasl", "NA", OpClass::connection, true},
    {Opcode::get_ephemerals, "getEphemerals", "GETE", OpClass::read, true},
    {Opcode::get_all_children_number, "getAllChildrenNumber", "GETACN", OpClass::read, true},
    {Opcode::set_watches2, "setWatches2", "STW2", OpClass::local, true},
    {Opcode::add_watch, "addWatch", "ADDW", OpClass::local, true},
    {Opcode::who_am_i, "whoAmI", "HOMI", OpClass::read, true},
});

constexpr std::int32_t lowest = -11;
constexpr std::int32_t highest = 107;

// Position in the table by number, one more; 0: unknown. Asked once a request, so it is a load and not a search.
constexpr auto positions = [] {
  std::array<std::uint8_t, static_cast<std::size_t>(highest - lowest + 1)> result{};
  for (std::size_t position = 0; position < opcodes.size(); ++position) {
    result.at(static_cast<std::size_t>(std::to_underlying(opcodes[position].opcode) - lowest)) =
        static_cast<std::uint8_t>(position + 1);
  }
  return result;
}();

}  // namespace

std::span<const OpcodeInfo> opcode_table() {
  return opcodes;
}

const OpcodeInfo* find_opcode(std::int32_t number) {
  if (number < lowest || number > highest) {
    return nullptr;
  }
  const std::uint8_t position = positions[static_cast<std::size_t>(number - lowest)];
  return position == 0 ? nullptr : &opcodes[position - std::size_t{1}];
}

}  // namespace quorate::wire
