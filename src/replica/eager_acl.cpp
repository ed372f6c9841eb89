// enableEagerACLCheck (protocol 14.9): writes that the ACLs of this server's tree refuse are answered without an entry
// in the log. A speed-up for who is refused a lot, never a verdict: what passes is judged again when it is applied.

#include <string_view>
#include <utility>
#include <variant>

#include "replica/front_state.hpp"

namespace quorate::replica {
namespace {

std::string_view written_parent(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

}  // namespace

// Of the request that was decoded last. Only what has one znode to ask: multis are judged when they are applied, as on
// ZooKeeper. A missing znode is no refusal: it may come with a write that is under way.
tree::Status Front::State::judge_early(const Connection& connection) {
  const tree::CredentialsView credentials = connection.credentials.view();
  const auto judge = [&](std::string_view path, std::int32_t wanted) {
    const auto znode = tree->find(path);
    return !znode || tree->allows(znode->acl, wanted, credentials) ? tree::Status::ok : tree::Status::no_auth;
  };
  const auto judge_list = [&](tree::AclView acl) {
    return tree::AclTable::normalise(acl, credentials, acl_scratch) == tree::Status::invalid_acl
               ? tree::Status::invalid_acl
               : tree::Status::ok;
  };
  if (const auto* create = std::get_if<tree::Create>(&request)) {
    const tree::Status verdict = judge(written_parent(create->path), tree::permission::create);
    return verdict == tree::Status::ok ? judge_list(create->acl) : verdict;
  }
  if (const auto* remove = std::get_if<tree::Delete>(&request)) {
    return judge(written_parent(remove->path), tree::permission::remove);
  }
  if (const auto* set_data = std::get_if<tree::SetData>(&request)) {
    return judge(set_data->path, tree::permission::write);
  }
  if (const auto* set_acl = std::get_if<tree::SetAcl>(&request)) {
    const tree::Status verdict = judge(set_acl->path, tree::permission::admin);
    return verdict == tree::Status::ok ? judge_list(set_acl->acl) : verdict;
  }
  return tree::Status::ok;
}

}  // namespace quorate::replica
