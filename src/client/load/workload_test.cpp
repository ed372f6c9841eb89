#include "client/load/workload.hpp"

#include <cstdint>
#include <gtest/gtest.h>
#include <string>
#include <string_view>

#include "client/load/preparation.hpp"
#include "wire/jute.hpp"

namespace quorate::client::load {
namespace {

constexpr std::uint64_t some_key = 123'456;
const Layout layout{.root = "/bench", .keys = 1'000'050, .value_bytes = 30};

std::string stat(std::int32_t data_length) {
  std::string bytes(68, '\0');
  bytes[55] = static_cast<char>(data_length);
  return bytes;
}

// The data that a create or set frame of this key carries.
std::string value_of(Workload& workload, std::uint64_t key) {
  wire::Reader reader(workload.set_frame(key).substr(frame_prefix_bytes));
  (void)reader.read_string();
  return std::string(reader.read_buffer());
}

std::string data_reply(const std::string& data) {
  std::string body;
  wire::Writer writer(body);
  writer.write_buffer(data);
  return body + stat(static_cast<std::int32_t>(data.size()));
}

std::string path_in(ByteView frame) {
  wire::Reader reader(frame.substr(frame_prefix_bytes));
  return std::string(reader.read_string());
}

TEST(Workload, frames_name_the_key_they_are_for) {
  Workload workload(layout);
  const std::string path = "/bench/d0001234/k000123456";
  EXPECT_EQ(workload.key_path(some_key), path);
  EXPECT_EQ(path_in(workload.set_frame(some_key)), path);
  EXPECT_EQ(path_in(workload.get_frame(some_key)), path);
  EXPECT_EQ(path_in(workload.exists_frame(some_key)), path);
  EXPECT_EQ(path_in(workload.create_key_frame(some_key)), path);
  EXPECT_EQ(path_in(workload.remove_key_frame(some_key)), path);
  EXPECT_EQ(path_in(workload.children_frame(some_key)), "/bench/d0001234");
  EXPECT_EQ(path_in(workload.create_directory_frame(1234)), "/bench/d0001234");
  EXPECT_EQ(path_in(workload.get_frame(0)), "/bench/d0000000/k000000000") << "no digit is left from the key before";
}

TEST(Workload, create_and_set_carry_the_same_data) {
  Workload workload(layout);
  wire::Reader reader(workload.create_key_frame(some_key).substr(frame_prefix_bytes));
  (void)reader.read_string();
  EXPECT_EQ(std::string(reader.read_buffer()), value_of(workload, some_key));
  EXPECT_EQ(reader.read_int(), 1) << "one ACL entry";
  EXPECT_EQ(reader.read_int(), 31);
}

TEST(Workload, data_belongs_to_one_key) {
  Workload workload(layout);
  const std::string value = value_of(workload, some_key);
  EXPECT_EQ(value.size(), layout.value_bytes);
  EXPECT_TRUE(value.starts_with("000123456"));
  EXPECT_EQ(value_of(workload, some_key), value);
  EXPECT_NE(value_of(workload, some_key + 1).substr(9), value.substr(9));
}

TEST(Workload, every_wrong_byte_of_data_is_seen) {
  Workload workload(layout);
  const std::string right = data_reply(value_of(workload, some_key));
  EXPECT_EQ(workload.judge(Kind::get, some_key, right), "");
  EXPECT_NE(workload.judge(Kind::get, some_key + 1, right), "");
  for (std::size_t at = 4; at < 4 + layout.value_bytes; ++at) {
    std::string wrong = right;
    wrong[at] = static_cast<char>(wrong[at] ^ 1);
    EXPECT_NE(workload.judge(Kind::get, some_key, wrong), "") << at;
  }
  EXPECT_NE(workload.judge(Kind::get, some_key, right.substr(0, right.size() - 1)), "");
  EXPECT_NE(workload.judge(Kind::get, some_key, ""), "");
}

TEST(Workload, stat_must_be_whole_and_tell_the_length) {
  Workload workload(layout);
  for (const Kind kind : {Kind::set, Kind::exists}) {
    EXPECT_EQ(workload.judge(kind, some_key, stat(30)), "");
    EXPECT_NE(workload.judge(kind, some_key, stat(29)), "");
    EXPECT_NE(workload.judge(kind, some_key, stat(30).substr(1)), "");
  }
}

std::string children(int count, std::string_view name) {
  std::string body;
  wire::Writer writer(body);
  writer.write_int(count);
  for (int child = 0; child < count; ++child) {
    writer.write_string(name);
  }
  return body;
}

TEST(Workload, directory_must_list_all_its_keys) {
  Workload workload(layout);
  EXPECT_EQ(workload.judge(Kind::children, some_key, children(100, "k000123456")), "");
  EXPECT_NE(workload.judge(Kind::children, some_key, children(99, "k000123456")), "");
  EXPECT_NE(workload.judge(Kind::children, some_key, children(100, "k1")), "");
  EXPECT_EQ(workload.judge(Kind::children, layout.keys - 1, children(50, "k000123456")), "") << "the last one is short";
}

TEST(Workload, transaction_must_answer_each_operation) {
  Workload workload(layout);
  std::string body;
  wire::Writer writer(body);
  const auto header = [&](std::int32_t type, bool is_done, std::int32_t error) {
    writer.write_int(type);
    writer.write_bool(is_done);
    writer.write_int(error);
  };
  header(13, false, 0);
  header(5, false, 0);
  body += stat(30);
  header(-1, true, -1);
  EXPECT_EQ(workload.judge(Kind::multi, some_key, body), "");
  // A transaction that failed has errors of the same framing, but shorter (protocol 3.14).
  EXPECT_NE(workload.judge(Kind::multi, some_key, body.substr(0, 9 + 9 + 4 + 9)), "");
}

TEST(Workload, values_shorter_than_a_number_and_empty_ones_work) {
  for (const std::size_t bytes : {0U, 1U, 5U, 9U, 17U}) {
    Workload workload(Layout{.root = "/bench", .keys = 10, .value_bytes = bytes});
    EXPECT_EQ(value_of(workload, 3).size(), bytes);
    EXPECT_EQ(workload.judge(Kind::get, 3, data_reply(value_of(workload, 3))), "") << bytes;
  }
}

TEST(Preparation, ancestors_come_before_what_stands_below) {
  EXPECT_EQ(with_ancestors("/a/b/c"), (std::vector<std::string>{"/a", "/a/b", "/a/b/c"}));
  EXPECT_EQ(with_ancestors("/a"), std::vector<std::string>{"/a"});
}

}  // namespace
}  // namespace quorate::client::load
