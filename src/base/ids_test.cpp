#include "base/ids.hpp"

#include <concepts>
#include <cstdint>
#include <gtest/gtest.h>
#include <type_traits>

namespace quorate {
namespace {

template <class A, class B>
concept comparable = requires(A a, B b) { a < b; };
template <class A>
concept addable = requires(A a) { a + 1; };

// Ids that cannot be mixed.
static_assert(!std::convertible_to<Index, Term> && !std::convertible_to<Term, Index>);
static_assert(!std::convertible_to<std::uint64_t, Index> && !std::convertible_to<Index, std::uint64_t>);
static_assert(!comparable<Index, Term> && !comparable<Zxid, SessionId> && !comparable<WallTime, MonoTime>);
static_assert(!addable<Index> && !addable<Zxid>);
static_assert(comparable<Index, Index> && comparable<Zxid, Zxid>);
static_assert(sizeof(NodeId) == 4 && sizeof(Zxid) == 8);

TEST(ids, next_and_previous_are_neighbours) {
  EXPECT_EQ(next(Index{41}), Index{42});
  EXPECT_EQ(previous(next(Index{0})), Index{0});
  EXPECT_EQ(next(Term{7}), Term{8});
  EXPECT_LT(Index{1}, Index{2});
}

TEST(ids, raw_is_the_number_inside) {
  EXPECT_EQ(raw(Term{5}), 5U);
  EXPECT_EQ(raw(Index{UINT64_MAX}), UINT64_MAX);
  EXPECT_EQ(raw(Zxid{-1}), -1);
  EXPECT_EQ(raw(SessionId{INT64_MIN}), INT64_MIN);
  EXPECT_EQ(raw(NodeId{254}), 254U);
  EXPECT_EQ(raw(WallTime{1'700'000'000'000}), 1'700'000'000'000);
}

TEST(ids, monotonic_time_counts_microseconds) {
  const MonoTime start{1'000'000};
  EXPECT_EQ(after_us(start, 7), MonoTime{1'000'007});
  EXPECT_EQ(after_ms(start, 7), MonoTime{1'007'000});
  EXPECT_EQ(elapsed_us(start, after_ms(start, 3)), 3000);
  EXPECT_EQ(elapsed_us(after_ms(start, 3), start), -3000);
}

}  // namespace
}  // namespace quorate
