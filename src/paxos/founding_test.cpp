#include "paxos/founding.hpp"

#include <algorithm>
#include <gtest/gtest.h>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/prng.hpp"
#include "paxos/testing/founding_world.hpp"

namespace quorate::paxos {
namespace {

using testing::FoundingWorld;

constexpr NodeId one{1};
constexpr NodeId two{2};
constexpr NodeId three{3};
constexpr std::int64_t second_us = 1'000'000;

void start_all(FoundingWorld& world) {
  for (const NodeId id : world.ids()) {
    world.start(id);
  }
}

void run_calm(FoundingWorld& world, std::int64_t microseconds) {
  const MonoTime end = after_us(world.now(), microseconds);
  while (world.now() < end) {
    world.calm_event();
  }
}

TEST(Founding, empty_servers_that_list_the_same_found_one_cluster) {  // R-119, PAXOS-11
  for (unsigned servers = 1; servers <= 7; ++servers) {
    FoundingWorld world(servers);
    start_all(world);
    ASSERT_TRUE(world.heal(second_us)) << world.describe();
    EXPECT_EQ(world.clusters_founded(), 1U);
    for (const NodeId id : world.ids()) {
      ASSERT_NE(world.cluster(id), nullptr) << raw(id);
      EXPECT_EQ(world.cluster(id)->founders.size(), servers);
      EXPECT_TRUE(holds(seats_of(*world.cluster(id)), Seat{.id = id, .incarnation = world.incarnation(id)}));
      EXPECT_EQ(world.cluster(id)->founders.back().address, "server" + std::to_string(servers) + ":2888:3888");
    }
  }
}

TEST(Founding, fewer_than_all_found_nothing) {  // a majority of empty servers is not enough
  for (unsigned servers = 2; servers <= 5; ++servers) {
    FoundingWorld world(servers);
    for (unsigned id = 1; id < servers; ++id) {
      world.start(NodeId{id});
    }
    run_calm(world, 30 * second_us);
    EXPECT_EQ(world.clusters_founded(), 0U);
    const Report report = world.report(one);
    EXPECT_EQ(report.standing, Standing::asking);
    EXPECT_EQ(report.silent, std::vector{NodeId{servers}});
    world.start(NodeId{servers});
    EXPECT_TRUE(world.heal(4 * second_us)) << world.describe();
    EXPECT_EQ(world.violation(), "");
  }
}

TEST(Founding, a_majority_of_empty_servers_founds_nothing_while_the_third_holds_a_cluster) {  // F-311
  FoundingWorld world(3);
  start_all(world);
  ASSERT_TRUE(world.heal(second_us));
  const ClusterId id = world.cluster(one)->id;
  world.crash(three, 9);
  for (const NodeId wiped : {one, two}) {
    world.wipe(wiped);
    world.start(wiped);
  }
  run_calm(world, 60 * second_us);
  EXPECT_EQ(world.clusters_founded(), 1U);
  EXPECT_EQ(world.report(one).standing, Standing::asking);
  world.start(three);
  run_calm(world, 4 * second_us);
  for (const NodeId wiped : {one, two}) {
    EXPECT_EQ(world.report(wiped).standing, Standing::joining);
    EXPECT_EQ(world.report(wiped).cluster, id);
    EXPECT_EQ(world.report(wiped).told.front().first, three);
    EXPECT_FALSE(world.admit(wiped)) << "one of three admits nobody";
  }
}

TEST(Founding, a_wiped_server_is_admitted_as_another) {
  FoundingWorld world(3);
  start_all(world);
  ASSERT_TRUE(world.heal(second_us));
  const Cluster cluster = *world.cluster(one);
  world.wipe(two);
  world.start(two);
  run_calm(world, second_us);
  EXPECT_TRUE(world.admit(two));
  run_calm(world, second_us);
  ASSERT_NE(world.cluster(two), nullptr);
  EXPECT_EQ(*world.cluster(two), cluster);
  EXPECT_FALSE(holds(seats_of(cluster), Seat{.id = two, .incarnation = world.incarnation(two)}));
}

// Every event of a calm founding, every server: it crashes there with none, one or all of its writes under way on disk,
// or loses the disk, and comes back at once or when the others have given up waiting.
TEST(Founding, whoever_crashes_or_is_wiped_at_any_event_there_is_one_cluster) {  // PAXOS-11
  unsigned left = 0;
  for (unsigned servers = 2; servers <= 4; ++servers) {
    for (int event = 0; event < 45 * static_cast<int>(servers); event += servers < 4 ? 1 : 4) {
      for (unsigned choice = 0; choice < servers * 8; ++choice) {
        SCOPED_TRACE(std::to_string(servers) + " servers, event " + std::to_string(event) + ", choice " +
                     std::to_string(choice));
        FoundingWorld world(servers);
        start_all(world);
        for (int i = 0; i < event; ++i) {
          world.calm_event();
        }
        const NodeId id{1 + choice / 8};
        world.crash(id, choice % 4);
        if (choice % 4 == 3) {
          world.wipe(id);
        }
        if (choice % 8 >= 4) {
          run_calm(world, second_us);
        }
        ASSERT_TRUE(world.heal(20 * second_us)) << world.describe();
        ASSERT_EQ(world.violation(), "");
        ASSERT_EQ(world.clusters_founded(), 1U);
        left += world.marks().contains("left a founding for another") ? 1U : 0U;
      }
    }
  }
  EXPECT_GT(left, 100U);
}

TEST(Founding, two_wipes_at_any_two_events_leave_one_cluster) {
  for (int first = 0; first < 130; first += 2) {
    for (int second = 1; second < 60; second += 3) {
      SCOPED_TRACE(std::to_string(first) + " and " + std::to_string(second));
      FoundingWorld world(3);
      start_all(world);
      for (int i = 0; i < first; ++i) {
        world.calm_event();
      }
      world.wipe(three);
      world.start(three);
      for (int i = 0; i < second; ++i) {
        world.calm_event();
      }
      world.wipe(one);
      ASSERT_TRUE(world.heal(20 * second_us)) << world.describe();
      ASSERT_EQ(world.violation(), "");
    }
  }
}

TEST(Founding, lists_that_differ_found_nothing_and_are_named) {
  FoundingWorld world(4);
  world.list(three, {1, 3, 4});
  start_all(world);
  run_calm(world, 30 * second_us);
  EXPECT_EQ(world.clusters_founded(), 0U);
  const Report report = world.report(one);
  ASSERT_EQ(report.differences.size(), 1U);
  EXPECT_EQ(report.differences.front().server, three);
  EXPECT_EQ(report.differences.front().only_here, std::vector{two});
  EXPECT_TRUE(report.differences.front().only_there.empty());
  EXPECT_EQ(
      describe(report),
      "founding: server 3 lists other servers: without 2 (make the server lines equal); a cluster is founded when "
      "all listed servers answer and agree");
  EXPECT_TRUE(world.heal(4 * second_us)) << "the operator mended the list";
  EXPECT_EQ(world.cluster(three)->founders.size(), 4U);
}

TEST(Founding, a_server_that_is_told_to_founds_alone_and_the_others_join) {
  FoundingWorld world(3);
  world.start(one, true);
  run_calm(world, 10 * second_us);
  ASSERT_NE(world.cluster(one), nullptr);
  EXPECT_EQ(world.cluster(one)->founders.size(), 1U);
  world.start(two);
  world.start(three);
  run_calm(world, second_us);
  for (const NodeId id : {two, three}) {
    EXPECT_EQ(world.report(id).standing, Standing::joining);
    EXPECT_TRUE(world.admit(id));
  }
  EXPECT_EQ(world.violation(), "");
}

TEST(Founding, the_order_is_needless_when_all_answer) {
  FoundingWorld world(3);
  world.start(one, true);
  world.start(two);
  world.start(three);
  ASSERT_TRUE(world.heal(second_us / 2));
  EXPECT_EQ(world.cluster(one)->founders.size(), 3U);
}

TEST(Founding, the_order_is_refused_where_a_cluster_is_known) {  // F-704: bootstrap run again
  FoundingWorld world(3);
  start_all(world);
  ASSERT_TRUE(world.heal(second_us));
  world.crash(two, 9);
  world.wipe(three);
  world.start(three, true);
  run_calm(world, 30 * second_us);
  EXPECT_EQ(world.clusters_founded(), 1U);
  EXPECT_EQ(world.report(three).standing, Standing::joining);
  world.crash(one, 9);
  world.start(one, true);  // And on a server with state it means nothing.
  run_calm(world, 30 * second_us);
  EXPECT_EQ(world.clusters_founded(), 1U);
}

TEST(Founding, the_order_is_refused_while_a_founding_is_under_way) {
  FoundingWorld world(3);
  start_all(world);
  while (world.disk(one).enrolled.empty() || world.disk(two).enrolled.empty()) {
    world.calm_event();
  }
  world.wipe(three);
  world.crash(two, 9);
  world.crash(one, 9);
  world.start(one, true);  // It has enrolled: the founding may come to an end without it.
  run_calm(world, 30 * second_us);
  EXPECT_EQ(world.clusters_founded(), 0U);
  EXPECT_EQ(world.report(one).objection, Objection::founding_under_way);
  world.wipe(one);
  world.start(two);
  world.start(one, true);  // It is empty now, but the second has enrolled.
  run_calm(world, 30 * second_us);
  EXPECT_EQ(world.clusters_founded(), 0U);
  EXPECT_EQ(world.report(one).objection, Objection::founding_under_way);
  EXPECT_TRUE(world.heal(20 * second_us)) << world.describe();
}

TEST(Founding, the_order_is_refused_when_two_have_it) {  // F-704
  FoundingWorld world(3);
  world.start(one, true);
  world.start(two, true);
  run_calm(world, 30 * second_us);
  EXPECT_EQ(world.clusters_founded(), 0U);
  EXPECT_EQ(world.report(one).objection, Objection::several_told_to_found);
  EXPECT_EQ(world.report(two).objection, Objection::several_told_to_found);
}

TEST(Founding, two_clusters_that_meet_trust_nobody) {  // F-703, F-704
  FoundingWorld world(3);
  world.list(one, {1});
  world.list(two, {2});
  world.start(one);
  world.start(two);
  run_calm(world, second_us);
  ASSERT_NE(world.cluster(one), nullptr);
  ASSERT_NE(world.cluster(two), nullptr);
  for (const NodeId id : {one, two}) {
    world.crash(id, 9);
    world.list(id, {1, 2, 3});
    world.start(id);
  }
  world.start(three);
  run_calm(world, second_us);
  for (const NodeId id : world.ids()) {
    EXPECT_EQ(world.report(id).objection, Objection::two_clusters) << raw(id);
  }
  EXPECT_EQ(world.report(three).standing, Standing::refused);
  EXPECT_EQ(world.report(one).standing, Standing::member);
  EXPECT_EQ(world.clusters_founded(), 2U);
}

TEST(Founding, a_cluster_of_one_takes_in_the_servers_that_are_listed_later) {  // Design chapter 5
  FoundingWorld world(3);
  world.list(one, {1});
  world.start(one);
  run_calm(world, second_us);
  world.crash(one, 9);
  world.list(one, {1, 2, 3});
  start_all(world);
  run_calm(world, second_us);
  EXPECT_TRUE(world.admit(two));
  EXPECT_TRUE(world.admit(three));
  run_calm(world, second_us);
  EXPECT_EQ(world.cluster(three)->id, world.cluster(one)->id);
  EXPECT_EQ(world.violation(), "");
}

TEST(Founding, who_may_be_all_that_is_left_of_a_cluster_founds_no_other) {  // F-311: the majority is lost
  FoundingWorld world(3);
  start_all(world);
  while (world.report(one).standing != Standing::founding || !world.report(one).missing.empty()) {
    world.calm_event();
  }
  world.crash(two, 0);
  run_calm(world, 4 * second_us);
  ASSERT_FALSE(world.disk(two).enrolled.empty());
  ASSERT_EQ(world.disk(two).cluster, std::nullopt) << "two have founded, and the second does not know";
  ASSERT_NE(world.cluster(one), nullptr);
  ASSERT_NE(world.cluster(three), nullptr);
  world.wipe(one);
  world.wipe(three);
  start_all(world);
  run_calm(world, 30 * second_us);
  EXPECT_EQ(world.clusters_founded(), 1U);
  EXPECT_EQ(world.report(two).standing, Standing::refused);
  EXPECT_EQ(world.report(two).objection, Objection::majority_lost);
  EXPECT_EQ(world.report(one).missing, std::vector{two});
  world.wipe(two);  // The operator's word that nothing was there.
  world.start(two);
  EXPECT_TRUE(world.heal(4 * second_us));
  EXPECT_EQ(world.clusters_founded(), 2U);
}

TEST(Founding, a_founding_is_left_only_for_one_that_asks_the_same_servers) {
  FoundingWorld world(3);
  start_all(world);
  while (world.disk(one).enrolled.empty() || world.disk(two).enrolled.empty()) {
    world.calm_event();
  }
  for (const NodeId id : {one, two}) {  // The third may found with what they have promised, and is listed no more.
    world.crash(id, 9);
    world.list(id, {1, 2});
    world.start(id);
  }
  world.crash(three, 0);
  run_calm(world, 30 * second_us);
  EXPECT_EQ(world.report(one).objection, Objection::list_shrunk);
  EXPECT_EQ(world.clusters_founded(), 0U);
  EXPECT_TRUE(world.heal(4 * second_us)) << world.describe();
  EXPECT_EQ(world.violation(), "");
}

// One server by hand, with what others might say to it.
class Alone {
 public:
  explicit Alone(FoundingState state = {}) : founding(config(), std::move(state), Prng(7)) {
    founding.tick(MonoTime{1});
    take();
  }

  static FoundingConfig config() {
    return FoundingConfig{.self = one,
                          .incarnation = incarnation(1),
                          .fresh_cluster_id = ClusterId{.high = 5, .low = 6},
                          .listed = {Listed{.id = one, .address = ""}, Listed{.id = two, .address = ""},
                                     Listed{.id = three, .address = ""}}};
  }
  static Incarnation incarnation(std::uint64_t number) { return Incarnation{.high = number, .low = number}; }
  static Seats seats(std::uint64_t of_three = 3) {
    return {Seat{one, incarnation(1)}, Seat{two, incarnation(2)}, Seat{three, incarnation(of_three)}};
  }
  static Cluster cluster() {
    Cluster cluster{.id = ClusterId{.high = 8, .low = 9}, .founders = {}};
    for (const Seat& seat : seats()) {
      cluster.founders.push_back(Founder{.seat = seat, .address = ""});
    }
    return cluster;
  }

  void take() {
    FoundingOutput next;
    while (founding.has_output()) {
      founding.take_output(next);
      for (const FoundingEnvelope& envelope : next.send) {
        if (const auto* ask = std::get_if<Ask>(&envelope.message.content)) {
          nonce = ask->nonce;
        }
      }
      if (next.token) {
        disk = *next.persist;
        founding.persisted(*next.token);
      }
      output = next;
    }
  }
  void hear(NodeId from, std::uint64_t number, Answer answer) {
    answer.listed = {one, two, three};
    founding.step(from, FoundingMessage{.sender = incarnation(number), .content = std::move(answer)});
    take();
  }
  void hear(NodeId from, const Seats& of, Message message) {
    founding.step(from, FoundingMessage{.sender = incarnation(raw(from)),
                                        .content = Deliberation{.seats = of, .message = std::move(message)}});
    output = {};
    take();
  }
  void enrol() {
    for (int round = 0; round < 2; ++round) {
      const std::uint64_t asked = nonce;
      hear(two, 2, Answer{.nonce = asked});
      hear(three, 3, Answer{.nonce = asked});
    }
  }

  Founding founding;
  FoundingOutput output;
  FoundingState disk;
  std::uint64_t nonce = 0;
};

TEST(Founding, the_second_round_that_finds_the_same_enrols) {  // docs/founding.md, lemma 3
  Alone server;
  const std::uint64_t first = server.nonce;
  server.hear(two, 2, Answer{.nonce = first});
  server.hear(three, 3, Answer{.nonce = first});
  EXPECT_EQ(server.founding.report().standing, Standing::asking);
  EXPECT_NE(server.nonce, first);
  const std::uint64_t second = server.nonce;
  server.hear(two, 2, Answer{.nonce = second});
  server.hear(three, 4, Answer{.nonce = second});  // Wiped in between: these have not been seen together before.
  EXPECT_EQ(server.founding.report().standing, Standing::asking);
  const std::uint64_t last = server.nonce;
  server.hear(two, 2, Answer{.nonce = last});
  server.hear(three, 4, Answer{.nonce = last});
  EXPECT_EQ(server.founding.report().standing, Standing::founding);
}

TEST(Founding, who_knows_a_cluster_never_votes_as_a_founder) {
  Alone server;
  Cluster theirs = Alone::cluster();
  theirs.founders.front().seat.incarnation = Alone::incarnation(77);  // This server's former life.
  for (int round = 0; round < 3; ++round) {
    const std::uint64_t asked = server.nonce;
    server.hear(two, 2, Answer{.nonce = asked});
    server.hear(three, 3, Answer{.nonce = asked, .enrolled = {}, .cluster = theirs});
    server.founding.tick(MonoTime{second_us * (round + 1)});
    server.take();
  }
  EXPECT_EQ(server.founding.report().standing, Standing::joining);
  EXPECT_EQ(server.founding.report().cluster, theirs.id);
  EXPECT_TRUE(server.disk.enrolled.empty());
  Alone enrolled;
  enrolled.enrol();
  ASSERT_EQ(enrolled.disk.enrolled, Alone::seats());
  enrolled.hear(three, 3, Answer{.nonce = enrolled.nonce, .enrolled = {}, .cluster = theirs});
  enrolled.hear(two, Alone::seats(), Prepare{.ballot = Ballot{.counter = 3, .proposer = two}});
  EXPECT_TRUE(enrolled.output.send_after_sync.empty()) << "it promises something";
}

TEST(Founding, an_answer_to_an_old_question_is_no_news) {  // docs/founding.md, lemma 1
  Alone server;
  const std::uint64_t old = server.nonce;
  server.enrol();
  ASSERT_EQ(server.founding.report().standing, Standing::founding);
  server.hear(three, 3, Answer{.nonce = old, .enrolled = {}, .cluster = Alone::cluster()});
  server.hear(three, 3, Answer{.nonce = 0, .enrolled = {}, .cluster = Alone::cluster()});
  EXPECT_EQ(server.founding.cluster(), nullptr);
  server.hear(three, 3, Answer{.nonce = server.nonce, .enrolled = {}, .cluster = Alone::cluster()});
  ASSERT_NE(server.founding.cluster(), nullptr);
  EXPECT_EQ(*server.founding.cluster(), Alone::cluster());
}

TEST(Founding, a_cluster_that_others_contradict_is_not_taken_for_the_own) {  // F-703
  Alone server;
  Cluster other = Alone::cluster();
  other.id.low = 77;
  other.founders.front().seat.incarnation = Alone::incarnation(77);
  server.hear(two, 2, Answer{.nonce = server.nonce, .enrolled = {}, .cluster = other});
  server.hear(three, 3, Answer{.nonce = server.nonce, .enrolled = {}, .cluster = Alone::cluster()});
  EXPECT_EQ(server.founding.cluster(), nullptr);
  EXPECT_EQ(server.founding.report().objection, Objection::two_clusters);
}

TEST(Founding, two_incarnations_in_one_round_make_it_void) {
  Alone server;
  const std::uint64_t asked = server.nonce;
  server.hear(three, 3, Answer{.nonce = asked});
  server.hear(three, 4, Answer{.nonce = asked});
  EXPECT_NE(server.nonce, asked);
  EXPECT_EQ(server.founding.report().silent, (std::vector{two, three}));
}

TEST(Founding, the_decree_hears_nothing_of_another_founding_or_from_another_incarnation) {  // L-106, R-118, F-111
  Alone server;
  server.enrol();
  const Prepare prepare{.ballot = Ballot{.counter = 3, .proposer = three}};
  server.hear(three, Alone::seats(4), prepare);
  EXPECT_TRUE(server.output.send_after_sync.empty());
  server.founding.step(three, FoundingMessage{.sender = Alone::incarnation(4),
                                              .content = Deliberation{.seats = Alone::seats(), .message = prepare}});
  server.take();
  EXPECT_TRUE(server.output.send_after_sync.empty());
  server.hear(three, Alone::seats(), prepare);
  EXPECT_EQ(server.output.send_after_sync.size(), 1U);
}

TEST(Founding, what_was_promised_and_accepted_is_known_after_a_restart) {  // L-106
  FoundingState state{.enrolled = Alone::seats(), .decree = {}, .cluster = std::nullopt};
  const Proposal accepted{.ballot = Ballot{.counter = 4, .proposer = two}, .value = encode_cluster(Alone::cluster())};
  state.decree = Durable{.counter = 2, .promised = accepted.ballot, .accepted = accepted, .chosen = std::nullopt};
  Alone server(state);
  server.hear(three, Alone::seats(), Prepare{.ballot = Ballot{.counter = 3, .proposer = three}});
  EXPECT_TRUE(server.output.send_after_sync.empty()) << "it has promised more";
  server.hear(three, Alone::seats(), Prepare{.ballot = Ballot{.counter = 5, .proposer = three}});
  ASSERT_EQ(server.output.send_after_sync.size(), 1U);
  const auto& answer = std::get<Deliberation>(server.output.send_after_sync.front().message.content);
  EXPECT_EQ(std::get<Promise>(answer.message).accepted, accepted);
}

TEST(Founding, what_no_founder_says_is_dropped) {  // S-301
  Alone server;
  server.enrol();
  const Ballot theirs{.counter = 3, .proposer = two};
  Cluster foreign = Alone::cluster();
  foreign.founders.pop_back();
  const auto accept = [&](const Blob& value, NodeId proposer) {
    return Accept{.proposal = {.ballot = Ballot{.counter = 3, .proposer = proposer}, .value = value}};
  };
  const std::vector<Message> wrong = {
      Prepare{.ballot = Ballot{.counter = 3, .proposer = three}},
      accept(Blob::copy("no cluster"), two),
      accept(encode_cluster(foreign), two),
      accept(encode_cluster(Alone::cluster()), three),
      Promise{.ballot = theirs, .accepted = Proposal{.ballot = theirs, .value = encode_cluster(Alone::cluster())}},
      Chosen{.value = encode_cluster(foreign)},
  };
  for (const Message& message : wrong) {
    server.hear(two, Alone::seats(), message);
    EXPECT_FALSE(server.output.persist.has_value()) << message.index();
    EXPECT_EQ(server.founding.cluster(), nullptr);
  }
  server.hear(two, Alone::seats(), accept(encode_cluster(Alone::cluster()), two));
  EXPECT_EQ(server.output.send_after_sync.size(), 1U);
  server.hear(two, Alone::seats(), Chosen{.value = encode_cluster(Alone::cluster())});
  EXPECT_NE(server.founding.cluster(), nullptr);
}

TEST(Founding, an_id_that_two_servers_use_founds_nothing) {  // F-702
  Alone server;
  server.founding.step(one, FoundingMessage{.sender = Alone::incarnation(9), .content = Ask{.nonce = 3}});
  server.enrol();
  EXPECT_EQ(server.founding.report().standing, Standing::refused);
  EXPECT_EQ(server.founding.report().objection, Objection::doubled_id);
}

TEST(Founding, a_server_that_is_not_listed_only_joins) {
  FoundingWorld world(3);
  world.list(three, {1, 2});
  world.list(one, {1, 2});
  world.list(two, {1, 2});
  world.start(three);
  world.start(one);
  run_calm(world, 10 * second_us);
  EXPECT_EQ(world.clusters_founded(), 0U);
  world.start(two);
  run_calm(world, 4 * second_us);
  EXPECT_EQ(world.report(one).standing, Standing::member);
  EXPECT_EQ(world.cluster(one)->founders.size(), 2U);
  EXPECT_EQ(world.report(three).standing, Standing::joining);
}

// What happens how often in one run, in parts of a thousand; drawn, so that any of it may be off or rule the run.
struct Storm {
  explicit Storm(Prng& prng)
      : deliveries(100 + 200 * prng.below(3)),
        writes(100 + 100 * prng.below(3)),
        ticks(20 + 40 * prng.below(2)),
        crashes(5 * prng.below(3)),
        wipes(2 * prng.below(4)),
        cuts(5 * prng.below(3)),
        admissions(20 * prng.below(2)),
        starts(20 + 40 * prng.below(2)),
        loss(10 * prng.below(3)),
        repeats(10 * prng.below(3)),
        stale(prng.below(4)),
        has_order(prng.chance(1, 4)) {}

  std::uint64_t deliveries, writes, ticks, crashes, wipes, cuts, admissions, starts;
  std::uint64_t loss, repeats;  // In a hundred.
  std::uint64_t stale;          // In a dozen: any packet is next, however old.
  bool has_order;
};

void deliver_any(FoundingWorld& world, Prng& prng, const Storm& storm) {
  if (world.packets() == 0) {
    return;
  }
  const bool is_any = prng.below(12) < storm.stale;
  const std::size_t packet = prng.below(is_any ? world.packets() : std::min<std::size_t>(world.packets(), 4));
  if (prng.below(100) < storm.loss) {
    world.lose(packet);
  } else {
    world.deliver(packet, prng.below(100) < storm.repeats);
  }
}

// The operator tells one server to found, often one that lost its disk and is cut off: the worst moment.
void order(FoundingWorld& world, Prng& prng, NodeId id) {
  if (prng.chance(1, 2)) {
    world.wipe(id);
    world.cut(id, true);
  }
  world.crash(id, 9);
  world.start(id, true);
}

void step(FoundingWorld& world, Prng& prng, Storm& storm) {
  const NodeId id = world.ids()[prng.below(world.ids().size())];
  std::uint64_t dice = prng.below(1000);
  const auto falls_on = [&dice](std::uint64_t share) {
    const bool is_it = dice < share;
    dice -= is_it ? 0 : share;
    return is_it;
  };
  if (falls_on(storm.deliveries)) {
    for (std::uint64_t burst = 1 + prng.below(6 * world.ids().size()); burst > 0; --burst) {
      deliver_any(world, prng, storm);
    }
  } else if (falls_on(storm.writes)) {
    for (const NodeId each : world.ids()) {
      if (prng.chance(1, 2)) {
        world.finish_write(each);
      }
    }
  } else if (falls_on(storm.ticks)) {
    world.tick(static_cast<std::int64_t>(prng.below(250'000)));
  } else if (falls_on(storm.crashes)) {
    world.crash(id, prng.below(4));
  } else if (falls_on(storm.wipes)) {
    world.wipe(id);
  } else if (falls_on(storm.cuts)) {
    world.cut(id, true);
  } else if (falls_on(storm.admissions)) {
    for (const NodeId each : world.ids()) {
      world.admit(each);
    }
  } else if (falls_on(storm.starts)) {
    for (const NodeId each : world.ids()) {
      if (!world.is_up(each) && prng.chance(1, 2)) {
        world.start(each);
      }
      if (prng.chance(1, 2)) {
        world.cut(each, false);
      }
    }
  } else if (storm.has_order && falls_on(4)) {
    storm.has_order = false;
    order(world, prng, id);
  }
}

TEST(Founding, one_cluster_whatever_is_lost_crashes_or_is_wiped) {  // PAXOS-09, PAXOS-11, F-311, F-704
  std::map<std::string, unsigned> marks;
  for (std::uint64_t seed = 1; seed <= 2000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Prng prng(seed);
    FoundingWorld world(static_cast<unsigned>(1 + prng.below(7)), seed);
    Storm storm(prng);
    for (int i = 0; i < 700 && world.violation().empty(); ++i) {
      step(world, prng, storm);
    }
    ASSERT_EQ(world.violation(), "");
    marks["founded in the storm"] += world.clusters_founded() > 0 && world.ids().size() > 2 ? 1U : 0U;
    ASSERT_TRUE(world.heal(20 * second_us)) << world.violation() << world.describe();
    ASSERT_EQ(world.violation(), "");
    for (const auto& [mark, count] : world.marks()) {
      marks[mark] += count;
    }
  }
  for (const char* mark :
       {"left a founding for another", "returned to a founding that it had left", "was admitted", "founded alone",
        "found most of a founding gone", "founded after all was lost", "founded in the storm"}) {
    EXPECT_GT(marks[mark], 10U) << mark;  // I-505: the storm has been where it is dangerous.
  }
}

}  // namespace
}  // namespace quorate::paxos
