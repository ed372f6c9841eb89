#include "cli/sim_words.hpp"

#include <gtest/gtest.h>

namespace quorate::cli {
namespace {

TEST(SimWords, tell_every_kind_of_event) {
  EXPECT_EQ(in_words(R"({"us":1431652,"server":1,"event":"role","role":"leader","term":3})"),
            "    1.431652 s  server 1   is leader in term 3");
  EXPECT_EQ(in_words(R"({"us":1,"server":2,"event":"vote","term":3,"for":1})"),
            "    0.000001 s  server 2   writes term 3 and a vote for server 1");
  EXPECT_EQ(in_words(R"({"us":1,"server":2,"event":"vote","term":3,"for":0})"),
            "    0.000001 s  server 2   writes term 3");
  EXPECT_EQ(in_words(R"({"us":0,"server":1,"event":"append","term":3,"index":7,"kind":"noop","bytes":12})"),
            "    0.000000 s  server 1   appends 3.7, a noop of 12 bytes");
  EXPECT_EQ(in_words(R"({"us":0,"server":1,"event":"durable","index":7})"),
            "    0.000000 s  server 1   has all up to 7 on disk");
  EXPECT_EQ(in_words(R"({"us":0,"server":1,"event":"commit","index":7})"),
            "    0.000000 s  server 1   commits up to 7");
  EXPECT_EQ(in_words(R"({"us":0,"server":1,"event":"apply","term":3,"index":7})"),
            "    0.000000 s  server 1   applies 3.7");
  EXPECT_EQ(in_words(R"({"us":0,"server":1,"event":"send","to":2,"message":"vote? t1 \"last\" 0.0"})"),
            "    0.000000 s  server 1   sends to server 2: vote? t1 \"last\" 0.0");
  EXPECT_EQ(in_words(R"({"us":0,"server":2,"event":"receive","from":1,"message":"vote? t1"})"),
            "    0.000000 s  server 2   receives from server 1: vote? t1");
  EXPECT_EQ(in_words(R"({"us":0,"server":2,"event":"lost","to":1})"),
            "    0.000000 s  server 2   loses its link to server 1");
}

TEST(SimWords, tell_what_faults_and_operators_do) {
  EXPECT_EQ(in_words(R"({"us":60000000,"server":0,"event":"heal"})"),
            "   60.000000 s             everything is healed");
  EXPECT_EQ(in_words(R"({"us":0,"server":12,"event":"power"})"), "    0.000000 s  server 12  loses power");
  EXPECT_EQ(in_words(R"({"us":0,"server":1,"event":"start","words":"life 1 at 0.0 with 0 entries"})"),
            "    0.000000 s  server 1   starts: life 1 at 0.0 with 0 entries");
  EXPECT_EQ(in_words(R"({"us":0,"server":1,"event":"snapshot","words":"at 500"})"),
            "    0.000000 s  server 1   snapshot at 500");
}

TEST(SimWords, leave_alone_what_they_do_not_know) {
  EXPECT_EQ(in_words("no line of a trace"), "no line of a trace");
  EXPECT_EQ(in_words("[1]"), "[1]");
  EXPECT_EQ(in_words(R"({"us":0,"server":1,"event":"new","words":"w"})"), "    0.000000 s  server 1   new: w");
}

}  // namespace
}  // namespace quorate::cli
