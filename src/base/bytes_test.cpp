#include "base/bytes.hpp"

#include <gtest/gtest.h>
#include <string>
#include <utility>

namespace quorate {
namespace {

const std::string long_text(100, 'x');

TEST(bytes, null_and_empty_differ) {  // Protocol 1.2: lengths -1 and 0.
  EXPECT_TRUE(is_null(null_bytes));
  EXPECT_FALSE(is_null(empty_bytes));
  EXPECT_TRUE(null_bytes.empty());
  EXPECT_TRUE(empty_bytes.empty());
}

TEST(bytes, a_copied_blob_has_bytes_of_its_own) {
  std::string source = long_text;
  const Blob blob = Blob::copy(source);
  source.assign(source.size(), 'y');
  EXPECT_EQ(blob.view(), long_text);
  EXPECT_EQ(blob.size(), long_text.size());
}

TEST(bytes, an_adopted_string_is_not_copied) {
  std::string source = long_text;
  const char* const where = source.data();
  const Blob blob = Blob::adopt(std::move(source));
  EXPECT_EQ(blob.view().data(), where);
}

TEST(bytes, copies_and_slices_share_the_bytes_and_outlive_the_original) {
  Blob part;
  const char* where = nullptr;
  {
    const Blob whole = Blob::copy("0123456789" + long_text);
    const Blob same = whole;  // NOLINT(performance-unnecessary-copy-initialization): the copy is what is tested.
    where = whole.view().data();
    EXPECT_EQ(same.view().data(), where);
    part = whole.slice(2, 5).slice(1, 3);
  }
  EXPECT_EQ(part.view().data(), where + 3);
  EXPECT_EQ(part.view(), "345");
}

TEST(bytes, a_short_text_stays_valid_when_its_blob_moves) {
  Blob first = Blob::copy("ab");  // Short enough to lie inside a std::string object.
  const Blob second = std::move(first);
  EXPECT_EQ(second.view(), "ab");
}

TEST(bytes, assignment_lets_go_of_the_old_and_bears_itself) {
  Blob blob = Blob::copy(long_text);
  const Blob other = Blob::copy("other");
  blob = other;
  EXPECT_EQ(blob.view(), "other");
  const Blob& itself = blob;
  blob = itself;
  EXPECT_EQ(blob.view(), "other");
  blob = Blob{};
  EXPECT_EQ(blob.size(), 0U);
  EXPECT_EQ(other.view(), "other");
}

TEST(bytes, slices_may_be_empty_and_may_be_the_whole) {
  const Blob blob = Blob::copy("abc");
  EXPECT_EQ(blob.slice(0, 3), blob);
  EXPECT_EQ(blob.slice(3, 0).size(), 0U);
  EXPECT_EQ(blob.slice(1, 0).size(), 0U);
}

TEST(bytes, blobs_are_equal_by_contents) {
  EXPECT_EQ(Blob::copy("abc"), Blob::copy("xabcx").slice(1, 3));
  EXPECT_NE(Blob::copy("abc"), Blob::copy("abd"));
  EXPECT_EQ(Blob{}, Blob::copy(""));
}

TEST(bytes_death, a_slice_beyond_its_blob_is_our_own_mistake) {
  const Blob blob = Blob::copy("abc");
  EXPECT_DEATH((void)blob.slice(4, 0), "a slice starts inside its blob");
  EXPECT_DEATH((void)blob.slice(1, 3), "a slice ends inside its blob");
  EXPECT_DEATH((void)blob.slice(1, static_cast<std::size_t>(-1)), "a slice ends inside its blob");
}

}  // namespace
}  // namespace quorate
