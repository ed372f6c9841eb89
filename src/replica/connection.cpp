#include "replica/connection.hpp"

#include <algorithm>

#include "base/ensure.hpp"

namespace quorate::replica {

bool Credentials::add(std::string_view scheme, std::string_view id) {
  const tree::Identity wanted{.scheme = scheme, .id = id};
  if (std::ranges::find(views_, wanted) != views_.end()) {
    return false;
  }
  owned_.push_back(Owned{.scheme = std::string(scheme), .id = std::string(id)});
  view_again();  // The strings may have moved.
  return true;
}

void Credentials::view_again() {
  views_.clear();
  for (const Owned& owned : owned_) {
    views_.push_back(tree::Identity{.scheme = owned.scheme, .id = owned.id});
  }
}

bool Credentials::has_scheme(std::string_view scheme) const {
  return std::ranges::any_of(views_, [scheme](const tree::Identity& identity) { return identity.scheme == scheme; });
}

void ByteQueue::tidy() {
  ensure(begin_ <= bytes_.size(), "no more was taken than was there");
  if (begin_ == bytes_.size()) {
    clear();
  } else if (begin_ >= moved_from_bytes && begin_ >= bytes_.size() / 2) {
    bytes_.erase(0, begin_);
    begin_ = 0;
  }
}

void ByteQueue::clear() {
  begin_ = 0;
  if (bytes_.capacity() > kept_bytes_max) {
    release();
  } else {
    bytes_.clear();
  }
}

void ByteQueue::release() {
  begin_ = 0;
  std::string().swap(bytes_);
}

}  // namespace quorate::replica
