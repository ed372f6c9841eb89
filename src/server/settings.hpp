#pragma once

// The one table of settings: their names, spellings, types, defaults and bounds, and what they mean. The reader, the
// command-line flags, `check-config` and docs/settings.md all walk it (operations 1.3, 1.4, 1.8, 1.9).

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace quorate::server {

enum class Kind : std::uint8_t {
  integer,
  size,     // As integer; 0x and hexadecimal digits too, as Java reads jute.maxbuffer.
  decimal,  // A number with a fraction.
  boolean,  // true or false in any case; anything else stops the start.
  lenient,  // A boolean property: only true (in any case) is true, everything else is false.
  yes_no,
  text,
  secret,  // Text that is never shown.
};

enum class Effect : std::uint8_t {
  active,    // Does what it says.
  ignored,   // Accepted; there is nothing here that it could change: a warning if it asks for anything.
  implied,   // What it asks for is done in any case.
  cluster,   // Has a meaning only among several servers: accepted, checked, without effect until clusters come.
  upcoming,  // Names a feature that this version lacks: a warning if it asks for it.
};

struct Setting {
  std::string_view name;
  std::string_view spellings;  // Further ones, blank-separated. Each also with the prefix "zookeeper.".
  Kind kind = Kind::text;
  std::string_view standard;  // The default, as it would be written; empty: none.
  std::int64_t minimum = 0;   // For integer and size.
  std::int64_t maximum = 0;
  std::string_view unit;
  Effect effect = Effect::active;
  std::string_view meaning;
  // ZooKeeper starts with values beyond the range: the nearest one is taken, with a warning, so that we start too.
  bool takes_nearest = false;
};

// The table, in the order in which people look for things.
std::span<const Setting> settings();
// Settings of ZooKeeper's internals, by name, and by prefix ("commitProcessor.*") where all of a family are: accepted,
// without effect, with a warning.
std::span<const std::string_view> java_settings();

// The setting that a key of a file means, in any of its spellings; nullptr if there is none.
const Setting* find_setting(std::string_view key);
bool is_java_setting(std::string_view key);
// Families like server.N and authProvider.N, whose names carry a number.
bool is_numbered(std::string_view key, std::string_view family);
// The known key that looks most like `key`; empty if none does.
std::string nearest_setting(std::string_view key);

// "tickTime" as a flag: "--tick-time".
std::string flag_of(const Setting& setting);

// docs/settings.md, generated: one table row a setting.
std::string settings_as_markdown();

}  // namespace quorate::server
