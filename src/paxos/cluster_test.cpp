#include "paxos/cluster.hpp"

#include <gtest/gtest.h>
#include <string>

namespace quorate::paxos {
namespace {

Cluster sample() {
  return Cluster{
      .id = ClusterId{.high = 0x0123456789abcdefU, .low = ~0ULL},
      .founders = {Founder{.seat = {.id = NodeId{1}, .incarnation = {.high = 1, .low = 2}}, .address = "a:1:2"},
                   Founder{.seat = {.id = NodeId{254}, .incarnation = {.high = ~0ULL, .low = 0}}, .address = ""}}};
}

TEST(Cluster, is_what_it_was_after_its_bytes) {
  const Result<Cluster> again = decode_cluster(encode_cluster(sample()).view());
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(*again, sample());
}

TEST(Cluster, every_shorter_and_longer_value_is_refused) {
  const std::string bytes(encode_cluster(sample()).view());
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_FALSE(decode_cluster(bytes.substr(0, length)).has_value()) << length;
  }
  EXPECT_FALSE(decode_cluster(bytes + "x").has_value());
}

TEST(Cluster, a_newer_version_is_refused_as_such) {
  std::string bytes(encode_cluster(sample()).view());
  bytes[0] = 2;
  EXPECT_EQ(decode_cluster(bytes).error().code, ErrorCode::unsupported);
}

TEST(Cluster, founders_are_some_and_in_order) {
  Cluster cluster = sample();
  std::string bytes(encode_cluster(cluster).view());
  bytes[21] = '\xff';  // The last byte of the first founder's id.
  EXPECT_EQ(decode_cluster(bytes).error().code, ErrorCode::corrupt);
  bytes = bytes.substr(0, 18);
  bytes[17] = 0;
  EXPECT_EQ(decode_cluster(bytes).error().code, ErrorCode::corrupt);
}

TEST(Cluster, describes_itself) {
  EXPECT_EQ(describe(sample().id), "0123456789abcdefffffffffffffffff");
  EXPECT_EQ(describe(seats_of(sample())), "1/0000 254/ffff");
}

}  // namespace
}  // namespace quorate::paxos
