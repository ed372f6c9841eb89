#include "tree/acl.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "base/checksum.hpp"
#include "base/ensure.hpp"
#include "tree/address.hpp"

namespace quorate::tree {
namespace {

constexpr std::array<AclEntry, 1> open_entries{
    AclEntry{.permissions = permission::all, .identity = {.scheme = "world", .id = "anyone"}}};

// Stored ids are small and dense (they are reused), so a stored id beyond this is not one that we wrote.
constexpr std::size_t restored_ids_max = std::size_t{1} << 26;

bool is_world_anyone(const Identity& identity) {
  return identity.scheme == "world" && identity.id == "anyone";
}

bool is_super(CredentialsView credentials) {
  return std::ranges::any_of(credentials, [](const Identity& one) { return one.scheme == "super"; });
}

// What `auth` stands for: credentials that somebody proved (protocol 6.4). An address proves nothing.
bool is_authenticated(const Identity& credential) {
  return credential.scheme == "digest" || credential.scheme == "sasl" || credential.scheme == "x509";
}

// Order and equality that tell null from empty, as the wire does.
struct ExactLess {
  bool operator()(const AclEntry* a, const AclEntry* b) const { return key(*a) < key(*b); }
  static std::tuple<std::int32_t, bool, std::string_view, bool, std::string_view> key(const AclEntry& entry) {
    const auto& [scheme, id] = entry.identity;
    return {entry.permissions, is_null(scheme), scheme, is_null(id), id};
  }
};

// Which entries were seen. Comparing all pairs is fastest for the lists of one or two that everybody writes; a set
// keeps a frame full of entries from holding the loop (S-208).
class Seen {
 public:
  explicit Seen(AclView acl) : acl_(acl) {}

  // Whether this entry equals an earlier one; asked for each index in turn.
  bool again(std::size_t index) {
    const AclEntry& entry = acl_[index];
    if (acl_.size() > pairs_max) {
      return !set_.insert(&entry).second;
    }
    return std::ranges::any_of(
        acl_.first(index), [&](const AclEntry& earlier) { return ExactLess::key(entry) == ExactLess::key(earlier); });
  }

 private:
  static constexpr std::size_t pairs_max = 16;
  AclView acl_;
  std::set<const AclEntry*, ExactLess> set_;
};

// What expansion may add: a short frame of `auth` entries times many credentials must not fill the memory (S-204).
constexpr std::size_t expansion_bytes_max = limits::frame_bytes_default;

// Replaces an `auth` entry; false if there is nobody to stand for it, or if the list outgrows the bound.
bool expand_auth(std::int32_t permissions, CredentialsView credentials, std::size_t& expanded_bytes,
                 std::vector<AclEntry>& into) {
  const std::size_t before = into.size();
  for (const Identity& credential : credentials) {
    if (!is_authenticated(credential)) {
      continue;
    }
    expanded_bytes += 12 + credential.scheme.size() + credential.id.size();
    if (expanded_bytes > expansion_bytes_max) {
      return false;
    }
    into.push_back({.permissions = permissions, .identity = credential});
  }
  return into.size() > before;
}

bool is_valid_digest_id(std::string_view id) {
  const std::size_t last = id.find_last_not_of(':');
  return last != std::string_view::npos && std::ranges::count(id.substr(0, last + 1), ':') == 1;
}

void append_number(std::string& text, std::uint32_t number) {
  for (int shift = 0; shift < 32; shift += 8) {
    text.push_back(static_cast<char>((number >> shift) & 0xFFU));
  }
}

constexpr std::uint32_t null_length = 0xFFFFFFFF;

void append_text(std::string& into, std::string_view text) {
  append_number(into, is_null(text) ? null_length : static_cast<std::uint32_t>(text.size()));
  into.append(text);
}

}  // namespace

bool matches(const Identity& acl_identity, const Identity& credential) {
  const std::string_view scheme = acl_identity.scheme;
  if (scheme != credential.scheme) {
    return false;
  }
  if (scheme == "digest" || scheme == "x509") {
    return acl_identity.id == credential.id;
  }
  if (scheme == "sasl") {
    return acl_identity.id == credential.id || credential.id == "super";
  }
  if (scheme == "ip") {
    const std::optional<AddressPrefix> prefix = parse_address_prefix(acl_identity.id);
    const std::optional<Address> address = parse_address(credential.id);
    return prefix && address && covers(*prefix, *address);
  }
  return false;  // No other scheme has a provider (protocol 6.2).
}

bool is_valid_acl_id(std::string_view scheme, std::string_view id) {
  if (scheme == "world") {
    return id == "anyone";
  }
  if (scheme == "auth") {
    return true;
  }
  if (scheme == "digest") {
    return is_valid_digest_id(id);
  }
  return scheme == "ip" && parse_address_prefix(id).has_value();
}

bool looks_at_id(std::string_view scheme) {
  return scheme == "world" || scheme == "digest" || scheme == "ip";
}

Status AclTable::normalise(AclView acl, CredentialsView credentials, std::vector<AclEntry>& into) {
  into.clear();
  if (acl.empty()) {
    return Status::invalid_acl;
  }
  Seen seen{acl};
  std::size_t expanded_bytes = 0;
  for (std::size_t index = 0; index < acl.size(); ++index) {
    if (seen.again(index)) {
      continue;
    }
    const AclEntry& entry = acl[index];
    const auto& [scheme, id] = entry.identity;
    if (is_null(scheme)) {
      return Status::invalid_acl;
    }
    if (scheme == "auth") {
      if (!expand_auth(entry.permissions, credentials, expanded_bytes, into)) {
        return Status::invalid_acl;
      }
      continue;
    }
    if (is_null(id) && looks_at_id(scheme)) {
      return Status::marshalling_error;
    }
    if (!is_valid_acl_id(scheme, id)) {
      return Status::invalid_acl;
    }
    into.push_back(entry);
  }
  ensure(!into.empty(), "every entry that is not refused leaves one behind, but for a duplicate of an earlier one");
  return Status::ok;
}

AclTable::AclTable() {
  place(open_acl, open_entries);
}

AclId AclTable::intern(AclView acl) {
  ensure(!acl.empty(), "a stored ACL has entries (protocol 6.4)");
  if (acl.size() == 1 && acl[0] == open_entries[0]) {
    return open_acl;
  }
  encode(acl);
  if (const auto found = by_text_.find(scratch_); found != by_text_.end()) {
    retain(found->second);
    return found->second;
  }
  AclId id{static_cast<std::uint32_t>(lists_.size())};
  if (!free_.empty()) {
    id = free_.back();
    free_.pop_back();
  }
  place(id, acl);
  retain(id);
  return id;
}

void AclTable::retain(AclId id) {
  if (id != open_acl) {
    ensure(contains(id), "only an ACL that exists gets users");
    ++lists_[std::to_underlying(id)]->users;
  }
}

void AclTable::release(AclId id) {
  if (id == open_acl) {
    return;
  }
  ensure(contains(id), "only an ACL that exists loses users");
  List& released = *lists_[std::to_underlying(id)];
  ensure(released.users > 0, "every release has its retain");
  if (--released.users > 0) {
    return;
  }
  if (frozen_) {
    frozen_free_.push_back(id);
  } else {
    forget(id);
  }
}

AclView AclTable::entries(AclId id) const {
  return list(id).entries;
}

std::uint64_t AclTable::content_hash(AclId id) const {
  return list(id).hash;
}

bool AclTable::allows_open(std::int32_t wanted, CredentialsView credentials) {
  return (wanted & permission::all) != 0 || is_super(credentials);
}

bool AclTable::allows_listed(AclId id, std::int32_t wanted, CredentialsView credentials) const {
  const List& rules = list(id);
  if ((rules.anyone & wanted) != 0 || is_super(credentials)) {
    return true;
  }
  return std::ranges::any_of(rules.entries, [&](const AclEntry& entry) {
    return (entry.permissions & wanted) != 0 && std::ranges::any_of(credentials, [&](const Identity& credential) {
             return matches(entry.identity, credential);
           });
  });
}

void AclTable::freeze() {
  ensure(!frozen_, "at most one snapshot runs at a time");
  frozen_ = true;
}

void AclTable::thaw() {
  ensure(frozen_, "only a frozen table thaws");
  frozen_ = false;
  for (const AclId id : frozen_free_) {
    // It may have found users again meanwhile, or stand here twice.
    if (contains(id) && lists_[std::to_underlying(id)]->users == 0) {
      forget(id);
    }
  }
  frozen_free_.clear();
}

void AclTable::for_each(const std::function<void(AclId, AclView)>& visit) const {
  for (std::uint32_t id = 0; id < lists_.size(); ++id) {
    if (lists_[id] != nullptr) {
      visit(AclId{id}, lists_[id]->entries);
    }
  }
}

bool AclTable::restore(AclId id, AclView acl) {
  const bool is_open = acl.size() == 1 && acl[0] == open_entries[0];
  if (id == open_acl || is_open) {
    return id == open_acl && is_open;
  }
  if (acl.empty() || std::to_underlying(id) >= restored_ids_max || contains(id)) {
    return false;
  }
  encode(acl);
  if (by_text_.contains(scratch_)) {
    return false;
  }
  place(id, acl);
  return true;
}

bool AclTable::contains(AclId id) const {
  return std::to_underlying(id) < lists_.size() && lists_[std::to_underlying(id)] != nullptr;
}

void AclTable::finish_restore() {
  ensure(!frozen_, "no snapshot is written of a tree that is being loaded");
  free_.clear();
  for (std::uint32_t id = static_cast<std::uint32_t>(lists_.size()) - 1; id > 0; --id) {
    if (lists_[id] == nullptr) {
      free_.push_back(AclId{id});
    } else if (lists_[id]->users == 0) {
      forget(AclId{id});
    }
  }
}

namespace {
constexpr std::size_t map_element = 4 * sizeof(void*) + sizeof(std::pair<std::string_view, AclId>);
}  // namespace

std::size_t AclTable::live_bytes() const {
  constexpr std::size_t entries_usual = 2;
  return text_bytes_ + by_text_.size() * (map_element + sizeof(List) + entries_usual * sizeof(AclEntry));
}

std::size_t AclTable::bytes() const {
  std::size_t entries = 0;
  for (const auto& one : lists_) {
    entries += one == nullptr ? 0 : sizeof(List) + (one->entries.capacity() * sizeof(AclEntry));
  }
  return entries + text_bytes_ + (by_text_.size() * map_element) + (lists_.capacity() * sizeof(lists_[0])) +
         ((free_.capacity() + frozen_free_.capacity()) * sizeof(AclId)) + scratch_.capacity();
}

const AclTable::List& AclTable::list(AclId id) const {
  ensure(contains(id), "an id names a list as long as it has users");
  return *lists_[std::to_underlying(id)];
}

// permissions, scheme, id of each entry; lengths before the texts, so that no two lists share an encoding.
void AclTable::encode(AclView acl) {
  scratch_.clear();
  for (const AclEntry& entry : acl) {
    append_number(scratch_, static_cast<std::uint32_t>(entry.permissions));
    append_text(scratch_, entry.identity.scheme);
    append_text(scratch_, entry.identity.id);
  }
}

void AclTable::place(AclId id, AclView acl) {
  encode(acl);
  auto created = std::make_unique<List>();
  created->text_bytes = scratch_.size();
  created->text = std::make_unique_for_overwrite<char[]>(scratch_.size());
  std::memcpy(created->text.get(), scratch_.data(), scratch_.size());
  const std::string_view text{created->text.get(), created->text_bytes};
  created->hash = checksum(text);
  created->entries.reserve(acl.size());
  std::size_t offset = 0;
  const auto take = [&](std::string_view original) {
    const std::string_view kept = text.substr(offset + 4, original.size());
    offset += 4 + original.size();
    return is_null(original) ? std::string_view{} : kept;
  };
  for (const AclEntry& entry : acl) {
    offset += 4;
    const std::string_view scheme = take(entry.identity.scheme);
    const std::string_view name = take(entry.identity.id);
    created->entries.push_back({.permissions = entry.permissions, .identity = {.scheme = scheme, .id = name}});
    created->anyone |= is_world_anyone(entry.identity) ? entry.permissions : 0;
  }
  const std::size_t slot = std::to_underlying(id);
  if (lists_.size() <= slot) {
    lists_.resize(slot + 1);
  }
  ensure(lists_[slot] == nullptr, "an id names one list at a time");
  text_bytes_ += text.size();
  by_text_.emplace(text, id);
  lists_[slot] = std::move(created);
}

void AclTable::forget(AclId id) {
  ensure(id != open_acl, "the open ACL never goes away");
  std::unique_ptr<List>& slot = lists_[std::to_underlying(id)];
  by_text_.erase(std::string_view{slot->text.get(), slot->text_bytes});
  text_bytes_ -= slot->text_bytes;
  slot.reset();
  free_.push_back(id);
}

}  // namespace quorate::tree
