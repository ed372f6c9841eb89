#include "client/load/mix.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/ensure.hpp"

namespace quorate::client::load {

namespace {

constexpr std::array<std::string_view, kind_count> names = {"create",   "set",   "get", "exists",
                                                            "children", "multi", "lock"};
constexpr std::uint32_t weight_max = 1'000'000;

std::optional<std::size_t> find_kind(std::string_view name) {
  const auto* found = std::find(names.begin(), names.end(), name);
  return found == names.end() ? std::nullopt : std::optional(static_cast<std::size_t>(found - names.begin()));
}

std::optional<std::uint32_t> parse_weight(std::string_view text) {
  std::uint32_t weight = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), weight);
  const bool is_number = error == std::errc{} && end == text.data() + text.size();
  return is_number && weight <= weight_max ? std::optional(weight) : std::nullopt;
}

}  // namespace

std::string_view kind_name(Kind kind) {
  return names[static_cast<std::size_t>(kind)];
}

Result<Mix> Mix::parse(std::string_view text) {
  Mix mix;
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    const std::string_view part = text.substr(0, comma);
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
    const std::size_t equals = part.find('=');
    const std::optional<std::size_t> kind = find_kind(part.substr(0, equals));
    if (!kind) {
      return failure(ErrorCode::invalid, "\"" + std::string(part) +
                                             "\" is no operation; there are create, set, get, exists, children, "
                                             "multi and lock");
    }
    const std::optional<std::uint32_t> weight =
        equals == std::string_view::npos ? std::optional<std::uint32_t>(1) : parse_weight(part.substr(equals + 1));
    if (!weight) {
      return failure(ErrorCode::invalid,
                     "\"" + std::string(part) + "\": a weight is a number from 0 to " + std::to_string(weight_max));
    }
    mix.weights_[*kind] = *weight;
  }
  for (std::size_t kind = kind_count; kind-- > 0;) {
    mix.total_ += mix.weights_[kind];
    mix.first_ = mix.weights_[kind] > 0 ? static_cast<Kind>(kind) : mix.first_;
  }
  if (mix.total_ == 0) {
    return failure(ErrorCode::invalid, "the mix names no operation with a weight above 0");
  }
  return mix;
}

Kind Mix::pick(Prng& prng) const {
  ensure(total_ > 0, "a mix that was parsed has an operation");
  if (weight(first_) == total_) {
    return first_;
  }
  std::uint64_t left = prng.below(total_);
  for (std::size_t kind = 0; kind < kind_count; ++kind) {
    if (left < weights_[kind]) {
      return static_cast<Kind>(kind);
    }
    left -= weights_[kind];
  }
  fail("the weights add up to their total");
}

bool Mix::needs_keys() const {
  return weight(Kind::create) + weight(Kind::lock) < total_;
}

std::string describe(const Mix& mix) {
  std::string text;
  for (std::size_t kind = 0; kind < kind_count; ++kind) {
    if (const std::uint32_t weight = mix.weight(static_cast<Kind>(kind)); weight > 0) {
      text += (text.empty() ? "" : ",") + std::string(names[kind]) + "=" + std::to_string(weight);
    }
  }
  return text;
}

}  // namespace quorate::client::load
