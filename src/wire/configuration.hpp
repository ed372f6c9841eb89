#pragma once

// The configuration blob (docs/formats/entry.md): who takes part in the cluster. A log entry of kind 2 carries it, and
// a snapshot's header carries the same bytes. It has a version of its own and room for extensions, so that neither
// format has to change when membership learns something new.

#include <cstddef>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "raft/configuration.hpp"

namespace quorate::wire {

// A session id's top byte names a server (design chapter 5).
inline constexpr std::size_t configuration_members_max = 255;
inline constexpr std::size_t member_address_bytes_max = 1024;
inline constexpr std::size_t removed_members_max = 4096;
inline constexpr std::size_t configuration_bytes_max = 512U << 10;

// What raft::Configuration's rules forbid and this one has; empty: it keeps them. Whatever decodes keeps them, in each
// of the forms that a configuration had.
[[nodiscard]] std::string_view broken_rule(const raft::Configuration& configuration);

// Appends the blob. The configuration keeps the rules of raft::Configuration and the limits above.
void encode_configuration(std::string& out, const raft::Configuration& configuration);

// Errors: unsupported for a version, flag, role or extension that this binary does not know; corrupt for bytes
// that do not decode, lists that are not ascending, or an outgoing voter that is no member.
Result<raft::Configuration> decode_configuration(ByteView bytes);

// Both, as the core takes them.
[[nodiscard]] raft::ConfigurationCodec configuration_codec();

}  // namespace quorate::wire
