// From paths to znodes and back. A path's key is a chain of keyed hashes over its components, computed without touching
// memory; what the index then offers is verified name by name up to the root, so equal keys never give a wrong answer.

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "base/ensure.hpp"
#include "tree/state.hpp"

namespace quorate::tree {

bool TreeState::key_of_path(std::string_view path, std::uint64_t& key) const {
  key = root_path_key;
  if (path.empty() || path == "/") {
    return true;
  }
  if (path.front() != '/') {
    return false;
  }
  std::size_t start = 1;
  while (true) {
    const std::size_t slash = path.find('/', start);
    const std::string_view name = path.substr(start, slash - start);
    if (name.empty()) {
      return false;  // "//" or a '/' at the end: no znode has such a path.
    }
    key = child_key(key, name);
    if (slash == std::string_view::npos) {
      return true;
    }
    start = slash + 1;
  }
}

// The path is well-formed, or empty, or "/".
bool TreeState::stands_at(SlotNumber slot, std::string_view path) const {
  if (path == "/") {
    path = {};
  }
  while (!path.empty()) {
    if (slot == root) {
      return false;
    }
    const std::string_view name = znodes.name(slot);
    if (path.size() <= name.size() || !path.ends_with(name) || path[path.size() - name.size() - 1] != '/') {
      return false;
    }
    path.remove_suffix(name.size() + 1);
    slot = znodes.at(slot).parent;
  }
  return slot == root;
}

Located TreeState::find(std::string_view path) const {
  Located located;
  if (key_of_path(path, located.key)) {
    located.slot = index.find(located.key, [&](SlotNumber slot) { return stands_at(slot, path); });
  }
  return located;
}

SlotNumber TreeState::find_child(SlotNumber parent, std::uint64_t key, std::string_view name) const {
  return index.find(key, [&](SlotNumber slot) {
    return slot != root && znodes.at(slot).parent == parent && znodes.name(slot) == name;
  });
}

std::string TreeState::path_of(SlotNumber slot) const {
  if (slot == root) {
    return "/";
  }
  std::size_t length = 0;
  for (SlotNumber at = slot; at != root; at = znodes.at(at).parent) {
    length += znodes.name(at).size() + 1;
  }
  std::string path(length, '/');
  for (SlotNumber at = slot; at != root; at = znodes.at(at).parent) {
    const std::string_view name = znodes.name(at);
    length -= name.size();
    std::ranges::copy(name, path.begin() + static_cast<std::ptrdiff_t>(length));
    length -= 1;
  }
  ensure(length == 0, "the names fill the path");
  return path;
}

std::uint64_t TreeState::key_of(SlotNumber slot) const {
  std::vector<SlotNumber> chain;
  for (SlotNumber at = slot; at != root; at = znodes.at(at).parent) {
    chain.push_back(at);
  }
  std::uint64_t key = root_path_key;
  for (std::size_t i = chain.size(); i > 0; --i) {
    key = child_key(key, znodes.name(chain[i - 1]));
  }
  return key;
}

}  // namespace quorate::tree
