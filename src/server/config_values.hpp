#pragma once

// How the values of a configuration are read, one by one; private to the reader.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace quorate::server {

std::string lower(std::string_view text);
// All that Java's trim() takes off.
std::string_view trimmed(std::string_view text);
// Comma separated; empty parts are left out.
std::vector<std::string> split_list(std::string_view text);

// Decimal, or with 0x where `hexadecimal` allows it.
std::optional<std::int64_t> parse_integer(std::string_view text, bool hexadecimal);
// NaN and infinities are none (S-108): what is left lies between two numbers.
std::optional<double> parse_fraction(std::string_view text);

// "; write yes": what to write in place of `folded`, which says yes or no in words of another setting, or neither.
std::string remedy(std::string_view folded, std::string_view yes, std::string_view no);

// Whether two hosts of a configuration may be the same. Only a name and an address that differ may be, for no name is
// looked up here.
bool may_be_one_host(std::string_view first, std::string_view second);

}  // namespace quorate::server
