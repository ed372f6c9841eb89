// Operations one by one, against the tables of protocol 3, 4, 5, 8, 9, 11.

#include "tree/tree.hpp"

#include <gtest/gtest.h>

namespace quorate::tree {
namespace {

TEST(TreeFresh, looks_like_a_fresh_store_of_zookeeper) {  // Protocol 4.1.
  const Tree tree(7);
  EXPECT_EQ(tree.find("/")->stat.cversion, -1);
  EXPECT_EQ(tree.digest(), tree.recompute_digest());
}

}  // namespace
}  // namespace quorate::tree
