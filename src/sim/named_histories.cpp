#include "sim/named_histories.hpp"

#include <array>

namespace quorate::sim {
namespace {

constexpr std::array histories = {
    NamedHistory{
        .name = "one moment each",
        .says = "CONS-04: reads during a write see the old value, then the new one, and nobody the old one again",
        .text = R"(
1 write x 1 @ 0..100
2 read x = 0 @ 10..20
3 read x = 1 @ 30..40
2 read x = 1 @ 50..60
)",
        .is_linearizable = true,
        .is_sequential = true,
        .is_causal = true},
    NamedHistory{.name = "two registers, both new",
                 .says = "CONS-04: who reads the new value of the later write finds the earlier one too",
                 .text = R"(
1 write a 1 @ 0..10
1 write b 1 @ 20..60
2 read b = 1 @ 30..40
2 read a = 1 @ 50..55
)",
                 .is_linearizable = true,
                 .is_sequential = true,
                 .is_causal = true},
    NamedHistory{.name = "two registers, b new and a old",
                 .says = "CONS-04: real time binds unrelated registers as well; here not even the cause is seen",
                 .text = R"(
1 write a 1 @ 0..10
1 write b 1 @ 20..60
2 read b = 1 @ 30..40
2 read a = 0 @ 50..55
)"},
    NamedHistory{
        .name = "two registers, two writers",
        .says = "CONS-04: a was written before b, by another client: only real time forbids to see b new, a old",
        .text = R"(
1 write a 1 @ 0..10
3 write b 1 @ 20..30
2 read b = 1 @ 40..50
2 read a = 0 @ 60..70
)",
        .is_sequential = true,
        .is_causal = true},
    NamedHistory{.name = "a replica that lags",
                 .says = "CONS-05: a read answered by a replica that has not heard of the write yet: old, but in order",
                 .text = R"(
1 write x 1 @ 0..10
2 read x = 0 @ 20..30
2 read x = 1 @ 40..50
)",
                 .is_sequential = true,
                 .is_causal = true},
    NamedHistory{.name = "own write missed",
                 .says = "CONS-05: the client's own order is kept in every model: it sees what it wrote",
                 .text = R"(
1 write x 1 @ 0..10
1 read x = 0 @ 20..30
)"},
    NamedHistory{.name = "time runs back",
                 .says = "CONS-05: a client that goes to a replica that is further behind than the one before",
                 .text = R"(
1 write x 1 @ 0..10
1 write x 2 @ 20..30
2 read x = 2 @ 40..50
2 read x = 1 @ 60..70
)"},
    NamedHistory{
        .name = "two orders of two writes",
        .says = "CONS-06: unrelated writes, seen by two clients in opposite orders: no one order explains both",
        .text = R"(
1 write x 1 @ 0..10
2 write x 2 @ 0..10
3 read x = 1 @ 20..30
3 read x = 2 @ 40..50
4 read x = 2 @ 20..30
4 read x = 1 @ 40..50
)",
        .is_causal = true},
    NamedHistory{.name = "both write, neither sees the other",
                 .says = "CONS-06: each reads the other's register before the news arrive (store buffers, Dekker)",
                 .text = R"(
1 write x 1 @ 0..10
2 write y 1 @ 0..10
1 read y = 0 @ 20..30
2 read x = 0 @ 20..30
)",
                 .is_causal = true},
    NamedHistory{.name = "an answer before its question",
                 .says = "CONS-06: 2 answers what 1 asked; 3 sees the answer and not the question",
                 .text = R"(
1 write question 1 @ 0..10
2 read question = 1 @ 20..30
2 write answer 2 @ 40..50
3 read answer = 2 @ 60..70
3 read question = 0 @ 80..90
)"},
    NamedHistory{.name = "a lost answer, a late effect",
                 .says = "CONS-04: a write of unknown outcome may act long after its call, once",
                 .text = R"(
1 write x 1 unknown @ 0..
2 write x 2 @ 10..20
2 read x = 2 @ 30..40
3 read x = 1 @ 50..60
)",
                 .is_linearizable = true,
                 .is_sequential = true,
                 .is_causal = true},
    NamedHistory{
        .name = "a refused write, seen", .says = "R-320: what was refused has no effect, in any model", .text = R"(
1 write x 1 failed @ 0..10
2 read x = 1 @ 20..30
)"},
};

}  // namespace

std::span<const NamedHistory> named_histories() {
  return histories;
}

}  // namespace quorate::sim
