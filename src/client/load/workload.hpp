#pragma once

// The requests of a load and what their replies must be. Frames are built once; an operation only changes digits in
// them. Every znode's name and data follow from its number, so each reply can be judged byte by byte.
//
// The layout below the root: d<7 digits>/k<9 digits>, a hundred keys to a directory. A key's data starts with its
// number and goes on with bytes that do not compress.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "client/connection.hpp"
#include "client/load/mix.hpp"

namespace quorate::client::load {

struct Layout {
  std::string root = "/quorate-bench";
  std::uint64_t keys = 1000;
  std::size_t value_bytes = 100;
};
inline constexpr std::uint64_t keys_a_directory = 100;
inline constexpr std::uint64_t keys_max = 1'000'000'000;  // What nine digits can name.

class Workload {
 public:
  explicit Workload(const Layout& layout);

  // Frames, valid until the next call for the same kind; submit_frame() copies them.
  ByteView set_frame(std::uint64_t key);
  ByteView get_frame(std::uint64_t key);
  ByteView exists_frame(std::uint64_t key);
  ByteView children_frame(std::uint64_t key);  // Of the key's directory.
  ByteView multi_frame(std::uint64_t key);
  ByteView create_key_frame(std::uint64_t key);
  ByteView create_directory_frame(std::uint64_t directory);
  ByteView remove_key_frame(std::uint64_t key);

  // Whether a reply without an error is right: its shape, its length, its content. Null views: it is; otherwise what is
  // wrong. The reply to create_key is judged as `create`.
  [[nodiscard]] std::string_view judge(Kind kind, std::uint64_t key, ByteView body);

  [[nodiscard]] std::string_view key_path(std::uint64_t key);
  [[nodiscard]] std::uint64_t directories() const { return (layout_.keys + keys_a_directory - 1) / keys_a_directory; }
  [[nodiscard]] std::uint64_t neighbour(std::uint64_t key) const { return (key + 1) % layout_.keys; }
  [[nodiscard]] const Layout& layout() const { return layout_; }

 private:
  // A frame with places that a key's number goes to.
  struct Template {
    std::string frame;
    std::size_t path = 0;            // Offset of the key's path; its digits lie at fixed places within.
    std::size_t value = 0;           // Offset of its data, 0: none.
    std::size_t neighbour_path = 0;  // The same for the neighbour, 0: none.
    std::size_t neighbour_value = 0;
  };

  void place_path(std::string& bytes, std::size_t at, std::uint64_t key) const;
  void place_value(std::string& bytes, std::size_t at, std::uint64_t key) const;
  ByteView filled(Template& plan, std::uint64_t key) const;
  Template plan_path_request(wire::Opcode opcode, bool is_watch) const;
  Template plan_set() const;
  Template plan_create() const;
  Template plan_multi() const;
  [[nodiscard]] std::string_view judge_stat(ByteView stat) const;
  [[nodiscard]] std::string_view judge_data(std::uint64_t key, ByteView body);
  [[nodiscard]] std::string_view judge_children(std::uint64_t key, ByteView body) const;
  [[nodiscard]] std::string_view judge_multi(ByteView body) const;

  Layout layout_;
  std::string path_;  // A key's path, digits open.
  std::string expected_value_;
  Template set_;
  Template get_;
  Template exists_;
  Template multi_;
  Template create_;
  Template remove_;
  std::string directory_frame_;
  std::string children_frame_;
};

// The body of a create request: open ACL, as clients send it (protocol 3.1, 6).
[[nodiscard]] std::string create_body(std::string_view path, ByteView data, std::int32_t flags);

}  // namespace quorate::client::load
