#include "replica/growth.hpp"

#include <variant>

namespace quorate::replica {
namespace {

// A znode's header, its place in the index, what a parent or an owner needs, and rounding (docs/architecture.md 7).
constexpr std::size_t znode_bytes = 192;
// A list that no znode had before, beside its text.
constexpr std::size_t acl_entry_bytes = 64;

std::size_t acl_growth(tree::AclView acl) {
  std::size_t bytes = 0;
  for (const tree::AclEntry& entry : acl) {
    bytes += acl_entry_bytes + entry.identity.scheme.size() + entry.identity.id.size();
  }
  return bytes;
}

std::size_t growth(const tree::Create& create, const tree::Tree& /*tree*/) {
  const std::size_t name = create.path.size() - (create.path.rfind('/') + 1);
  return znode_bytes + name + create.data.size() + acl_growth(create.acl);
}

std::size_t growth(const tree::SetData& set, const tree::Tree& tree) {
  const auto found = tree.find(set.path);
  const std::size_t before = found ? found->data.size() : 0;  // It may be made by what is under way before.
  return set.data.size() > before ? set.data.size() - before : 0;
}

std::size_t growth(const tree::SetAcl& set, const tree::Tree& /*tree*/) {
  return acl_growth(set.acl);
}

// Everything else reads or removes.
template <class Other>
std::size_t growth(const Other& /*other*/, const tree::Tree& /*tree*/) {
  return 0;
}

std::size_t growth(const wire::MultiRequest& multi, const tree::Tree& tree) {
  std::size_t bytes = 0;
  for (const tree::Operation& operation : multi.operations) {
    bytes += std::visit([&tree](const auto& each) { return growth(each, tree); }, operation);
  }
  return bytes;
}

bool may_grow(wire::Opcode opcode) {
  switch (opcode) {
    case wire::Opcode::create:
    case wire::Opcode::create2:
    case wire::Opcode::create_container:
    case wire::Opcode::create_ttl:
    case wire::Opcode::set_data:
    case wire::Opcode::set_acl:
    case wire::Opcode::multi:
      return true;
    default:
      return false;
  }
}

}  // namespace

std::size_t growth_of(const Submission& submission, const tree::Tree& tree, wire::DecodeScratch& scratch,
                      wire::Request& request) {
  if (submission.kind != wire::CommandKind::client_request || !may_grow(submission.opcode) ||
      wire::decode_request(submission.opcode, submission.request, scratch, request) != tree::Status::ok) {
    return 0;
  }
  return std::visit([&tree](const auto& decoded) { return growth(decoded, tree); }, request);
}

}  // namespace quorate::replica
